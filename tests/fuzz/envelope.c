/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "smtpd/proto/envelope.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* A good head, written again record by record, is the same octets. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static uint8_t room[ENV_HEAD_MAX];
	struct slice head = { p, n }, v;
	struct buf b = BUF(room);
	struct cur c = CUR(head);
	enum env_tag tag;
	size_t rcpts, seen = 0;

	if (!envelope_check(head, &rcpts))
		return 0;
	while (envelope_next(&c, &tag, &v)) {
		seen += tag == ENV_RCPT;
		if (tag == ENV_HEADER)
			envelope_put_header(&b, v);
		else
			envelope_put(&b, tag, v);
	}
	if (!cur_done(&c) || seen != rcpts || b.bad || !slice_eq(buf_slice(&b), head))
		abort();
	if (!envelope_get(head, ENV_SENDER, &v) || !envelope_get(head, ENV_HEADER, &v))
		abort();
	return 0;
}
