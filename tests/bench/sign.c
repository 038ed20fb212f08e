/* SPDX-License-Identifier: ISC */
/* bench-sign: RSA-2048 signatures a second of processor time, for each code; in turn, the best of some rounds. */
#include <bearssl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "keys/holder/rsa64.h"

enum { BITS = 2048, ROUNDS = 8, CODES = 3 };

static struct {
	uint8_t priv[BR_RSA_KBUF_PRIV_SIZE(BITS)], pub[BR_RSA_KBUF_PUB_SIZE(BITS)];
	br_rsa_private_key sk;
	br_rsa_public_key pk;
	struct rsa64 fast[CODES - 1];
	unsigned kernels;
} t;

static double now(void)
{
	struct timespec at;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &at);
	return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static void sign(unsigned code, const uint8_t *sum, uint8_t *sig)
{
	if (code < t.kernels)
		rsa64_sign_sha256(&t.fast[code], sum, sig);
	else
		br_rsa_i62_pkcs1_sign_get()(BR_HASH_OID_SHA256, sum, 32, &t.sk, sig);
}

static double rate(unsigned code)
{
	uint8_t sum[32] = { 1 }, sig[BITS / 8];
	double began = now(), took;
	unsigned n = 0;

	do {
		sign(code, sum, sig);
		n++;
		took = now() - began;
	} while (took < 0.2);
	return n / took;
}

static void prepare(void)
{
	br_hmac_drbg_context rng;
	struct rsa64_key k;

	br_hmac_drbg_init(&rng, &br_sha256_vtable, "bench", 5);
	br_rsa_i62_keygen_get()(&rng.vtable, &t.sk, t.priv, &t.pk, t.pub, BITS, 65537);
	k = (struct rsa64_key){ { t.sk.p, t.sk.plen },	 { t.sk.q, t.sk.qlen },
				{ t.sk.dp, t.sk.dplen }, { t.sk.dq, t.sk.dqlen },
				{ t.sk.iq, t.sk.iqlen }, { t.pk.n, t.pk.nlen } };
	while (t.kernels < CODES - 1 && mont64_kernel(t.kernels) &&
	       rsa64_init(&t.fast[t.kernels], mont64_kernel(t.kernels), &k))
		t.kernels++;
}

int main(void)
{
	static const char *const names[CODES] = { "mulx-adx", "128-bit-c", "bearssl" };
	double best[CODES] = { 0 };

	prepare();
	for (unsigned round = 0; round < ROUNDS; round++)
		for (unsigned i = 0; i <= t.kernels; i++) {
			double got = rate(i);

			best[i] = got > best[i] ? got : best[i];
		}
	for (unsigned i = 0; i <= t.kernels; i++)
		printf("bench rsa2048-sign %s best-of-%d %.0f per second\n",
		       names[CODES - 1 - t.kernels + i], ROUNDS, best[i]);
	return 0;
}
