/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "keys/holder/rsa64.h"
#include "tests/unit/monttry.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static struct slice piece(struct cur *c)
{
	return cur_take(c, cur_u8(c) * 2u);
}

/* A key of any octets: refused, or right, or wrong and silent; never an access outside. */
static void any_key(struct slice in)
{
	static struct rsa64 r;
	struct cur c = CUR(in);
	struct rsa64_key k = {
		piece(&c), piece(&c), piece(&c), piece(&c), piece(&c), piece(&c)
	};
	uint8_t x[512] = { 0 };

	if (c.bad || !rsa64_init(&r, mont64_kernel(0), &k))
		return;
	memcpy(x, c.s.p, c.s.n < r.octets ? c.s.n : r.octets);
	rsa64_widen(&r);
	rsa64_private(&r, (uint8_t *[]){ x }, 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	uint64_t x[3][MONT64_MAX] = { { 0 } };
	size_t words;

	if (!n || !mont64_kernel(0))
		return 0;
	any_key((struct slice){ p, n });
	words = (p[0] % 4u + 1) * MONT64_BLOCK;
	for (size_t i = 1; i < n && i <= 3 * words * 8; i++)
		((uint8_t *)x[(i - 1) / (words * 8)])[(i - 1) % (words * 8)] = p[i];
	if (!monttry(words, x[0], x[1], x[2]))
		abort();
	return 0;
}
