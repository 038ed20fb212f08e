/* SPDX-License-Identifier: ISC */
#include "smtpd/lib/certspki.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* Whole, and cut where the first octet says: the same key at the same place. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct certspki whole = { 0 }, cut = { 0 };
	struct slice in, a, b, c;

	if (!n)
		return 0;
	in = (struct slice){ p + 1, n - 1 };
	a = certspki_feed(&whole, in);
	b = certspki_feed(&cut, slice_head(in, p[0]));
	c = certspki_feed(&cut, slice_from(in, p[0]));
	if (a.n != b.n + c.n || certspki_done(&whole) != certspki_done(&cut) ||
	    (b.n && b.p != a.p) || (!b.n && c.n && c.p != a.p))
		abort();
	return 0;
}
