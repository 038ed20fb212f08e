/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/dkim_verify.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* The first line is the key record, the rest the letter. Every signature ends with a verdict and a reason. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct dkim_verify v;
	struct slice in = { p, n }, record = slice_head(in, slice_find(in, '\n')), header, body;
	uint8_t mem[4096], name_mem[600];
	struct buf records = BUF(mem), name = BUF(name_mem);

	buf_be16(&records, record.n);
	buf_put(&records, record);
	header_split(slice_from(in, record.n + 1), &header, &body);
	dkim_verify_init(&v, header, 1795369300);
	dkim_verify_body(&v, body);
	dkim_verify_end(&v);
	for (; dkim_verify_ask(&v, &name); name.len = 0) {
		if (name.bad)
			abort();
		dkim_verify_answer(&v, DNSMSG_OK, buf_slice(&records));
	}
	for (size_t i = 0; i < v.n; i++)
		if (v.sig[i].verdict == DKIM_PENDING || !v.sig[i].reason.n)
			abort();
	return 0;
}
