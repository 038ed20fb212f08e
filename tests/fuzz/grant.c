/* SPDX-License-Identifier: ISC */
/* What front hands on as a grant: never opens under a key it does not know; what auth makes comes back as it was. */
#include "smtpd/proto/grant.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const uint8_t key[32] = { 7 };
	uint8_t mem[1024];
	struct buf b = BUF(mem);
	struct slice in = { p, n };
	struct grant g = { .expires = INT64_MAX }, got;

	if (grant_open(in, key, 0, &g))
		abort();
	if (!n)
		return 0;
	g.account = slice_head(slice_from(in, 1), p[0] & 63);
	g.rights = slice_from(in, 1 + (size_t)(p[0] & 63));
	grant_put(&g, key, &b);
	if (b.bad)
		return 0;
	if (!grant_open(buf_slice(&b), key, 0, &got) || !slice_eq(g.account, got.account) ||
	    !slice_eq(g.rights, got.rights))
		abort();
	if (grant_allows(&got, SLICE("x"), SLICE("example.org")) !=
	    grant_allows(&g, SLICE("X"), SLICE("EXAMPLE.org")))
		abort();
	return 0;
}
