/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "smtpd/proto/base64.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

enum { MAX = 2048 };

/* Each octet string has one text, and each text that decodes is that one. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static uint8_t room[2 * MAX], room_back[2 * MAX];
	struct slice in = { p, n };
	struct buf b = BUF(room), back = BUF(room_back);

	if (n > MAX)
		return 0;
	if (base64_get(in, &b)) {
		base64_put(&back, buf_slice(&b));
		if (!slice_eq(buf_slice(&back), in))
			abort();
	} else if (b.len || b.bad) {
		abort();
	}
	b.len = back.len = 0;
	base64_put(&b, in);
	if (!base64_get(buf_slice(&b), &back) || !slice_eq(buf_slice(&back), in))
		abort();
	return 0;
}
