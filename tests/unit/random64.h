/* SPDX-License-Identifier: ISC */
/* Numbers that are the same in each run: xorshift64. */
#ifndef TESTS_UNIT_RANDOM64_H
#define TESTS_UNIT_RANDOM64_H

#include <stdint.h>

static inline uint64_t random64(void)
{
	static uint64_t seed = 88172645463325252u;

	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

#endif
