/* SPDX-License-Identifier: ISC */
#ifndef KEYS_HOLDER_MONT52_H
#define KEYS_HOLDER_MONT52_H

#include "keys/holder/mont64.h"

/*
 * Eight powers at once, by AVX-512 IFMA: the two halves of four RSA-2048 signatures. A number is MONT52_DIGITS digits
 * of 52 bits, least significant first; lane i of a digit belongs to the i-th number. Even lanes have one modulus and
 * exponent, odd lanes the other. Time and addresses never depend on values. Eight take as long as one.
 */
enum {
	MONT52_PAIRS = 4,
	MONT52_WORDS = 16, /* of a modulus, 64 bits each */
	MONT52_DIGITS = 20,
	MONT52_EXP = MONT52_WORDS * 8, /* octets of an exponent */
	MONT52_WINDOW = 4,
};

typedef uint64_t mont52_lanes __attribute__((vector_size(64)));

struct mont52 {				   /* holds secrets */
	mont52_lanes m[MONT52_DIGITS], m0; /* moduli; -1/m mod 2^52 */
	mont52_lanes r2[MONT52_DIGITS];	   /* R^2 mod m; R = 2^1040 */
	uint8_t e[2][MONT52_EXP];	   /* big-endian */
	/* work space */
	mont52_lanes x[MONT52_DIGITS], power[MONT52_DIGITS];
	mont52_lanes table[1 << MONT52_WINDOW][MONT52_DIGITS];
};

/* This processor and the compiler that was used have it. */
bool mont52_has(void);
/* The modulus of even (0) or odd (1) lanes, MONT52_WORDS words; e: big-endian. False: e does not fit. */
bool mont52_set(struct mont52 *o, unsigned odd, const struct mont64 *m, struct mont64_work *w,
		const uint8_t *e, size_t octets);
/* Number `lane`, MONT52_WORDS words, below its modulus; get: the result, at most the modulus. */
void mont52_put(struct mont52 *o, unsigned lane, const uint64_t *x);
void mont52_get(const struct mont52 *o, unsigned lane, uint64_t *x);
/* x = x^e mod m in every lane; lanes that were not put are in nobody's way. */
void mont52_power(struct mont52 *o);

#endif
