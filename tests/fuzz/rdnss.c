/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "init/net/rdnss.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* What is taken is at least one server that is not link-local, multicast or IPv4 in disguise. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct rdnss r;

	if (!rdnss_parse((struct slice){ p, n }, &r))
		return 0;
	if (!r.n || r.n > RDNSS_MAX)
		abort();
	for (unsigned i = 0; i < r.n; i++)
		if (!r.a[i].b[0] || r.a[i].b[0] == 0xff ||
		    (r.a[i].b[0] == 0xfe && (r.a[i].b[1] & 0xc0) == 0x80))
			abort();
	return 0;
}
