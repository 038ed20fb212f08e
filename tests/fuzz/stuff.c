/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "smtpd/proto/dot.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

enum { MAX = 4096 };

/* Whatever is given to the sender, no reader finds the end of the letter before its end: either
 * the sender refuses, or the letter comes back with at most the last CRLF added. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static uint8_t wire[2 * MAX + 8], text[MAX + 8];
	struct slice in = { p, n }, sent;
	struct buf out = BUF(wire), back = BUF(text);
	struct dot_out d = { 0 };
	struct dot r = { 0 };

	if (n > MAX)
		return 0;
	dot_stuff(&d, &in, &out);
	if (!dot_stuff_end(&d, &out)) {
		if (!d.bad)
			abort();
		return 0;
	}
	sent = buf_slice(&out);
	if (in.n || !dot_feed(&r, &sent, &back) || r.bad || sent.n)
		abort();
	if (!slice_eq(slice_head(buf_slice(&back), n), (struct slice){ p, n }) ||
	    (back.len != n && back.len != n + 2))
		abort();
	return 0;
}
