/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/dkim_verify.h"

#include <stdlib.h>
#include <string.h>

#include "smtpd/proto/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* The first line is the key record, the rest the letter. Every signature ends with a verdict and a reason, and nothing of
 * the header is read after the start. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct dkim_verify v;
	struct slice in = { p, n }, record = slice_head(in, slice_find(in, '\n')), header, body;
	uint8_t mem[4096], name_mem[600];
	struct buf records = BUF(mem), name = BUF(name_mem);
	uint8_t *copy;

	buf_be16(&records, record.n);
	buf_put(&records, record);
	header_split(slice_from(in, record.n + 1), &header, &body);
	copy = malloc(header.n + 1);
	if (!copy)
		return 0;
	if (header.n)
		memcpy(copy, header.p, header.n);
	dkim_verify_init(&v, (struct slice){ copy, header.n }, 1795369300);
	free(copy);
	dkim_verify_body(&v, body);
	dkim_verify_end(&v);
	for (; dkim_verify_ask(&v, &name); name.len = 0) {
		if (name.bad || !dnsmsg_name_ok(buf_slice(&name)))
			abort();
		dkim_verify_answer(&v, DNSMSG_OK, buf_slice(&records));
	}
	for (size_t i = 0; i < v.n; i++)
		if (v.sig[i].verdict == DKIM_PENDING || !v.sig[i].reason.n)
			abort();
	return 0;
}
