/* SPDX-License-Identifier: ISC */
/* Big numbers bit by bit, slow and plain: the judge of keys/holder/mont64. Least significant word first. */
#ifndef TESTS_UNIT_SLOWNUM_H
#define TESTS_UNIT_SLOWNUM_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { SLOWNUM_MAX = 130 };

static inline bool slownum_below(const uint64_t *a, const uint64_t *b, size_t n)
{
	while (n--)
		if (a[n] != b[n])
			return a[n] < b[n];
	return false;
}

/* r = (2r + bit) mod m; r below m before and after. */
static inline void slownum_push(uint64_t *r, unsigned bit, const uint64_t *m, size_t n)
{
	unsigned top = (unsigned)(r[n - 1] >> 63), borrow = 0;

	for (size_t i = n; i-- > 1;)
		r[i] = r[i] << 1 | r[i - 1] >> 63;
	r[0] = r[0] << 1 | bit;
	if (!top && slownum_below(r, m, n))
		return;
	for (size_t i = 0; i < n; i++) {
		uint64_t x = r[i] - m[i], y = x - borrow;

		borrow = (r[i] < m[i]) | (x < borrow);
		r[i] = y;
	}
}

/* r = a mod m, a of na words, m and r of n. */
static inline void slownum_mod(uint64_t *r, const uint64_t *a, size_t na, const uint64_t *m,
			       size_t n)
{
	memset(r, 0, n * sizeof *r);
	for (size_t i = na * 64; i-- > 0;)
		slownum_push(r, a[i / 64] >> i % 64 & 1, m, n);
}

/* out[0 .. na+nb-1] = a b, by 32 bits at a time. */
static inline void slownum_product(uint64_t *out, const uint64_t *a, size_t na,
				   const uint64_t *b, size_t nb)
{
	uint32_t t[4 * SLOWNUM_MAX] = { 0 };

	for (size_t i = 0; i < 2 * na; i++) {
		uint64_t c = 0, x = (uint32_t)(a[i / 2] >> i % 2 * 32);

		for (size_t j = 0; j < 2 * nb; j++) {
			c += x * (uint32_t)(b[j / 2] >> j % 2 * 32) + t[i + j];
			t[i + j] = (uint32_t)c;
			c >>= 32;
		}
		t[i + 2 * nb] = (uint32_t)c;
	}
	for (size_t i = 0; i < na + nb; i++)
		out[i] = t[2 * i] | (uint64_t)t[2 * i + 1] << 32;
}

#endif
