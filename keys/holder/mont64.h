/* SPDX-License-Identifier: ISC */
#ifndef KEYS_HOLDER_MONT64_H
#define KEYS_HOLDER_MONT64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Arithmetic modulo an odd number, on words of 64 bits, least significant word first. Time and addresses depend on
 * sizes alone, never on values. Numbers have `n` words, a multiple of MONT64_BLOCK, so a modulus may have zero words
 * on top; R = 2^(64 n). Two kernels: MULX/ADX where the processor has them, otherwise C with 128-bit products.
 * Where the compiler has no such products there is no kernel.
 */
enum {
	MONT64_BLOCK = 8,
	MONT64_MAX = 64,     /* words of a modulus: 4096 bits */
	MONT64_EXP_MAX = 32, /* words of the modulus of an exponentiation: a half of the CRT */
	MONT64_WINDOW = 5,
};

struct mont64_kernel { /* see NOTES in mont64.c */
	uint64_t (*mul)(uint64_t *t, const uint64_t *a, const uint64_t *b, size_t n,
			uint64_t carry);
	uint64_t (*reduce)(uint64_t *t, const uint64_t *m, uint64_t *q, size_t n, uint64_t m0,
			   uint64_t carry);
	void (*square)(uint64_t *t, const uint64_t *a, size_t n);
};

/* The i-th kernel of this processor, the fastest first; NULL after the last. */
const struct mont64_kernel *mont64_kernel(unsigned i);

struct mont64 {
	const struct mont64_kernel *k;
	size_t n;
	uint64_t m0; /* -1/m mod 2^64 */
	uint64_t m[MONT64_MAX];
	uint64_t r2[MONT64_MAX]; /* R^2 mod m */
};

/* Work space of whoever computes; holds secrets. */
struct mont64_work {
	uint64_t product[2 * MONT64_MAX];
	uint64_t quotient[MONT64_BLOCK];
	uint64_t power[MONT64_EXP_MAX];
	uint64_t table[1 << MONT64_WINDOW][MONT64_EXP_MAX];
};

/* m: big-endian, above 1. False: m is even or has more than n words, or n does not fit. */
bool mont64_init(struct mont64 *o, const struct mont64_kernel *k, size_t n, const uint8_t *m,
		 size_t octets);
/* Results are below R and right modulo m; mont64_whole() brings one below m. */
void mont64_whole(const struct mont64 *o, uint64_t *a); /* a < 2m */
/* out = a b / R mod m. out may be a or b. */
void mont64_mul(const struct mont64 *o, struct mont64_work *w, uint64_t *out, const uint64_t *a,
		const uint64_t *b);
void mont64_square(const struct mont64 *o, struct mont64_work *w, uint64_t *out,
		   const uint64_t *a);
/* out = t / R mod m for t = w->product, 2n words, < R^2; leaves product undefined. */
void mont64_reduce(const struct mont64 *o, struct mont64_work *w, uint64_t *out);
/* x = x^e, x in Montgomery form; e: big-endian, its length is no secret. n <= MONT64_EXP_MAX. */
void mont64_power(const struct mont64 *o, struct mont64_work *w, uint64_t *x, const uint8_t *e,
		  size_t octets);
/* out[0 .. 2n-1] = a b, n words each. */
void mont64_product(const struct mont64_kernel *k, uint64_t *out, const uint64_t *a,
		    const uint64_t *b, size_t n);
/* a += b, a -= b; the carry. */
unsigned mont64_add(uint64_t *a, const uint64_t *b, size_t n);
unsigned mont64_sub(uint64_t *a, const uint64_t *b, size_t n);
/* From and to big-endian octets; get: false when the number needs more than n words. */
bool mont64_get(uint64_t *out, size_t n, const uint8_t *p, size_t octets);
void mont64_put(const uint64_t *a, size_t n, uint8_t *p, size_t octets);

#endif
