/* SPDX-License-Identifier: ISC */
/* One look at mont64 for given numbers: every kernel against plain arithmetic. Used by the unit test and the fuzzer. */
#ifndef TESTS_UNIT_MONTTRY_H
#define TESTS_UNIT_MONTTRY_H

#include "keys/holder/mont64.h"
#include "tests/unit/slownum.h"

/* got R = a b mod m? */
static inline bool monttry_right(const struct mont64 *o, const uint64_t *got, const uint64_t *a,
				 const uint64_t *b)
{
	uint64_t x[2 * MONT64_MAX + 1] = { 0 }, y[2 * MONT64_MAX], r[MONT64_MAX], s[MONT64_MAX];

	memcpy(x + o->n, got, o->n * sizeof *got); /* got R */
	slownum_mod(r, x, 2 * o->n, o->m, o->n);
	slownum_product(y, a, o->n, b, o->n);
	slownum_mod(s, y, 2 * o->n, o->m, o->n);
	return memcmp(r, s, o->n * sizeof *r) == 0;
}

/* a, b: n words, anything. m: n words, little-endian in memory too; made odd. */
static inline bool monttry(size_t n, const uint64_t *a, const uint64_t *b, const uint64_t *m)
{
	static struct mont64_work w;
	static struct mont64 o;
	uint8_t octets[MONT64_MAX * 8];
	uint64_t want[2 * MONT64_MAX], got[2 * MONT64_MAX], first[MONT64_MAX];
	const struct mont64_kernel *k;
	bool ok = true;

	mont64_put(m, n, octets, n * 8);
	octets[n * 8 - 1] |= 3; /* odd, and above 1 */
	slownum_product(want, a, n, b, n);
	for (unsigned i = 0; (k = mont64_kernel(i)); i++) {
		ok &= mont64_init(&o, k, n, octets, n * 8);
		mont64_product(k, got, a, b, n);
		ok &= memcmp(got, want, 2 * n * sizeof *got) == 0;
		mont64_mul(&o, &w, got, a, b);
		ok &= monttry_right(&o, got, a, b);
		if (i == 0)
			memcpy(first, got, n * sizeof *got);
		ok &= memcmp(first, got, n * sizeof *got) == 0;
		mont64_square(&o, &w, got, a);
		ok &= monttry_right(&o, got, a, a);
		mont64_product(k, want, a, a, n);
		k->square(got, a, n);
		ok &= memcmp(got, want, 2 * n * sizeof *got) == 0;
		slownum_product(want, a, n, b, n);
	}
	return ok;
}

#endif
