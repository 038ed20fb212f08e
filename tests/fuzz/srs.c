/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/srs.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* Whatever was forwarded comes back; "local@domain", the last '@' counts. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const struct slice secret = { (const uint8_t *)"tops3cr3t", 9 };
	struct srs s = { &secret, 1, 4, 0, 18262, SLICE("example.com") };
	struct slice in = { p, n }, local = slice_head(in, slice_rfind(in, '@')), back;
	struct slice domain = slice_from(in, local.n + 1);
	uint8_t m1[SRS_LOCAL], m2[SRS_LOCAL + 8];
	struct buf out = BUF(m1), orig = BUF(m2);

	srs_reverse(&s, in, &orig, &back);
	orig.len = 0;
	orig.bad = false;
	if (!local.n || !domain.n || slice_find(domain, '=') != domain.n)
		return 0;
	if (srs_forward(&s, local, domain, &out) != SRS_OK)
		return 0;
	if (srs_reverse(&s, buf_slice(&out), &orig, &back) != SRS_OK || orig.bad)
		abort();
	if (!srs_is(local) && (!slice_eq(buf_slice(&orig), local) || !slice_eq(back, domain)))
		abort();
	return 0;
}
