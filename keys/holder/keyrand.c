/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "keys/holder/keyrand.h"

#include <string.h>
#include <sys/random.h>

#include "smtpd/lib/log.h"

enum { SEED = 48 };

void keyrand_get(void *out, size_t n)
{
	if (n > 256 || getrandom(out, n, 0) != (ssize_t)n) /* up to 256 it is all or nothing */
		bug("getrandom");
}

void keyrand_init(br_hmac_drbg_context *rng)
{
	uint8_t seed[SEED];

	keyrand_get(seed, sizeof seed);
	br_hmac_drbg_init(rng, &br_sha256_vtable, seed, sizeof seed);
	explicit_bzero(seed, sizeof seed);
}
