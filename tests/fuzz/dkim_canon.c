/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/dkim_canon.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static struct slice run(uint8_t *mem, size_t cap, enum dkim_canon canon, struct slice in,
			size_t step)
{
	struct buf out = { .p = mem, .cap = cap };
	struct dkim_body d;

	dkim_body_init(&d, canon, UINT64_MAX, (struct dkim_sink){ .buf = &out });
	for (; in.n; in = slice_from(in, step))
		dkim_body_feed(&d, slice_head(in, step));
	dkim_body_end(&d);
	if (out.bad || d.size != out.len)
		abort();
	return buf_slice(&out);
}

/* The pieces do not matter, and what is canonical stays as it is. The first octet is the step. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static uint8_t a[8192], b[8192];

	if (n < 1 || n > 4096)
		return 0;
	for (enum dkim_canon canon = DKIM_RELAXED; canon <= DKIM_SIMPLE; canon++) {
		struct slice in = { p + 1, n - 1 };
		struct slice whole = run(a, sizeof a, canon, in, n);

		if (!slice_eq(whole, run(b, sizeof b, canon, in, p[0] + 1u)) ||
		    !slice_eq(whole, run(b, sizeof b, canon, whole, n)))
			abort();
	}
	struct buf out = { .p = a, .cap = sizeof a };

	dkim_canon_open(DKIM_RELAXED, (struct slice){ p, n }, (struct slice){ p, 1 },
			&(struct dkim_sink){ .buf = &out });
	return 0;
}
