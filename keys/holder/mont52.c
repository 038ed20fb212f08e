/* SPDX-License-Identifier: ISC */
#include "keys/holder/mont52.h"

#include <string.h>

/* Tests define MONT52_PLAIN: the same code on any processor, with C in place of the two instructions. */
#if defined(MONT52_PLAIN)
#	define HAS_CODE 1
#	define IFMA
#elif defined(__x86_64__) && !defined(__clang__)
#	define HAS_CODE 1
#	define IFMA	 __attribute__((target("avx512f,avx512ifma")))
#	include <immintrin.h>
#else
#	define HAS_CODE 0
#endif

enum { D = MONT52_DIGITS, BITS = 52 };
#define MASK (((uint64_t)1 << BITS) - 1)

bool mont52_set(struct mont52 *o, unsigned odd, const struct mont64 *m, struct mont64_work *w,
		const uint8_t *e, size_t octets)
{
	uint64_t r2[MONT64_MAX] = { (uint64_t)1 << 32 };
	uint64_t m0 = m->m0 & MASK;

	if (m->n != MONT52_WORDS || octets > MONT52_EXP)
		return false;
	mont64_mul(m, w, r2, r2, m->r2); /* 2^(32 + 2048 - 1024), then 2^2080 */
	mont64_mul(m, w, r2, r2, m->r2);
	mont64_whole(m, r2);
	memset(o->e[odd], 0, sizeof o->e[odd]);
	memcpy(o->e[odd] + MONT52_EXP - octets, e, octets);
	for (unsigned lane = odd; lane < 2 * MONT52_PAIRS; lane += 2) {
		mont52_put(o, lane, r2);
		for (int j = 0; j < D; j++)
			o->r2[j][lane] = o->x[j][lane];
		mont52_put(o, lane, m->m);
		for (int j = 0; j < D; j++)
			o->m[j][lane] = o->x[j][lane];
		o->m0[lane] = m0;
	}
	return true;
}

void mont52_put(struct mont52 *o, unsigned lane, const uint64_t *x)
{
	for (unsigned j = 0; j < D; j++) {
		unsigned at = j * BITS / 64, shift = j * BITS % 64;
		uint64_t v = x[at] >> shift;

		if (shift > 64 - BITS && at + 1 < MONT52_WORDS)
			v |= x[at + 1] << (64 - shift);
		o->x[j][lane] = v & MASK;
	}
}

void mont52_get(const struct mont52 *o, unsigned lane, uint64_t *x)
{
	memset(x, 0, MONT52_WORDS * sizeof *x);
	for (unsigned j = 0; j < D; j++) {
		unsigned at = j * BITS / 64, shift = j * BITS % 64;
		uint64_t v = o->x[j][lane];

		x[at] |= v << shift;
		if (shift > 64 - BITS && at + 1 < MONT52_WORDS)
			x[at + 1] |= v >> (64 - shift);
	}
}

#if HAS_CODE
/* The digits stay in registers only where the loops over them are unrolled. */
#	if defined(__clang__)
#		define EACH(j, from, to) for (int j = from; j < to; j++)
#	else
#		define EACH(j, from, to) \
			_Pragma("GCC unroll 20") for (int j = from; j < to; j++)
#	endif
#	define INLINE IFMA static inline __attribute__((always_inline))

/* c += the low, c += the high 52 bits of a b, of which the low 52 bits count. */
#	if defined(MONT52_PLAIN)
__extension__ typedef unsigned __int128 wide;

INLINE void low(mont52_lanes *c, const mont52_lanes *a, const mont52_lanes *b)
{
	for (int i = 0; i < 2 * MONT52_PAIRS; i++)
		(*c)[i] += ((*a)[i] & MASK) * ((*b)[i] & MASK) & MASK;
}

INLINE void high(mont52_lanes *c, const mont52_lanes *a, const mont52_lanes *b)
{
	for (int i = 0; i < 2 * MONT52_PAIRS; i++)
		(*c)[i] += (uint64_t)((wide)((*a)[i] & MASK) * ((*b)[i] & MASK) >> BITS);
}

bool mont52_has(void)
{
	return true;
}
#	else
INLINE void low(mont52_lanes *c, const mont52_lanes *a, const mont52_lanes *b)
{
	*c = (mont52_lanes)_mm512_madd52lo_epu64((__m512i)*c, (__m512i)*a, (__m512i)*b);
}

INLINE void high(mont52_lanes *c, const mont52_lanes *a, const mont52_lanes *b)
{
	*c = (mont52_lanes)_mm512_madd52hi_epu64((__m512i)*c, (__m512i)*a, (__m512i)*b);
}

bool mont52_has(void)
{
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512ifma");
}
#	endif

/*
 * NOTES
 * out = a b / R mod m, for a, b < 2m: the result is below 2m, since 4m < R, so nothing is ever subtracted. Digits of a
 * and b have 52 bits; those of t collect 4 x 20 terms below 2^52 before they are carried, so they fit.
 */
IFMA static void mul(const struct mont52 *o, mont52_lanes *out, const mont52_lanes *a,
		     const mont52_lanes *b)
{
	const mont52_lanes zero = { 0 };
	mont52_lanes t[D];

	EACH(j, 0, D) t[j] = zero;
	for (int i = 0; i < D; i++) {
		mont52_lanes x = b[i], q = zero;

		EACH(j, 0, D) low(&t[j], &a[j], &x);
		low(&q, &t[0], &o->m0);
		EACH(j, 0, D) low(&t[j], &o->m[j], &q);
		t[1] += t[0] >> BITS; /* the low bits of t[0] are zero now */
		EACH(j, 1, D) t[j - 1] = t[j];
		t[D - 1] = zero;
		EACH(j, 0, D) high(&t[j], &a[j], &x);
		EACH(j, 0, D) high(&t[j], &o->m[j], &q);
	}
	EACH(j, 1, D) t[j] += t[j - 1] >> BITS;
	EACH(j, 0, D) out[j] = t[j] & (zero + MASK);
}

/* power = table[window `at` of the lane's exponent]. Reads the whole table, whatever that is. */
IFMA static void choose(struct mont52 *o, unsigned at)
{
	const mont52_lanes zero = { 0 };
	unsigned shift = at % 2 ? 0 : MONT52_WINDOW;
	uint64_t even = o->e[0][at / 2] >> shift & 15, odd = o->e[1][at / 2] >> shift & 15;
	mont52_lanes x[D], index = { even, odd, even, odd, even, odd, even, odd };

	EACH(j, 0, D) x[j] = zero;
	for (unsigned i = 0; i < 1 << MONT52_WINDOW; i++) {
		mont52_lanes is = (mont52_lanes)(index == zero + i);

		EACH(j, 0, D) x[j] |= o->table[i][j] & is;
	}
	memcpy(o->power, x, sizeof x);
}

IFMA void mont52_power(struct mont52 *o)
{
	const mont52_lanes one[D] = { (mont52_lanes){ 0 } + 1 };

	mul(o, o->table[0], one, o->r2);
	mul(o, o->table[1], o->x, o->r2);
	for (int i = 2; i < 1 << MONT52_WINDOW; i++)
		mul(o, o->table[i], o->table[i - 1], o->table[1]);
	memcpy(o->x, o->table[0], sizeof o->x);
	for (unsigned at = 0; at < 2 * MONT52_EXP; at++) {
		for (int i = 0; i < MONT52_WINDOW; i++)
			mul(o, o->x, o->x, o->x);
		choose(o, at);
		mul(o, o->x, o->x, o->power);
	}
	mul(o, o->x, o->x, one);
}
#else
bool mont52_has(void)
{
	return false;
}

void mont52_power(struct mont52 *o)
{
	(void)o;
}
#endif
