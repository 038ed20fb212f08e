/* SPDX-License-Identifier: ISC */
#include "keys/holder/dkimed.h"

#include <sodium.h>

#include "keys/holder/keyrand.h"

void dkimed_make(struct dkimed *e)
{
	keyrand_get(e->seed, sizeof e->seed);
	dkimed_prepare(e);
}

void dkimed_prepare(struct dkimed *e)
{
	crypto_sign_ed25519_seed_keypair(e->public, e->pair, e->seed);
}

bool dkimed_sign(const struct dkimed *e, const uint8_t sum[32], uint8_t sig[DKIMED_SIGNATURE])
{
	crypto_sign_ed25519_detached(sig, NULL, sum, 32, e->pair);
	/* Two signatures of one hash, one of them faulty, would give the key away. */
	return crypto_sign_ed25519_verify_detached(sig, sum, 32, e->public) == 0;
}
