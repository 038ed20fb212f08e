/* SPDX-License-Identifier: ISC */
/* bench-sign: RSA-2048 signatures a second of processor time, for each code; in turn, the best of some rounds. */
#include <bearssl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "keys/holder/rsa64.h"

enum { BITS = 2048, ROUNDS = 8, KERNELS = 2, CODES = KERNELS + 2 };

static struct {
	uint8_t priv[BR_RSA_KBUF_PRIV_SIZE(BITS)], pub[BR_RSA_KBUF_PUB_SIZE(BITS)];
	br_rsa_private_key sk;
	br_rsa_public_key pk;
	struct rsa64 wide, kernel[KERNELS];
	struct rsa64 *code[CODES]; /* NULL: BearSSL */
	const char *name[CODES];
	unsigned n;
} t;

static double now(void)
{
	struct timespec at;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &at);
	return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

/* How many were made. */
static unsigned sign(struct rsa64 *r)
{
	static const uint8_t sum[RSA64_JOBS][32] = { { 1 } };
	static uint8_t mem[RSA64_JOBS][BITS / 8];
	uint8_t *const sig[RSA64_JOBS] = { mem[0], mem[1], mem[2], mem[3] };

	if (r && rsa64_sign_sha256(r, sum, sig, r->width))
		return (unsigned)r->width;
	return br_rsa_i62_pkcs1_sign_get()(BR_HASH_OID_SHA256, sum[0], 32, &t.sk, sig[0]);
}

static double rate(struct rsa64 *r)
{
	double began = now(), took;
	unsigned n = 0;

	do {
		n += sign(r);
		took = now() - began;
	} while (took < 0.2);
	return n / took;
}

static void add(const char *name, struct rsa64 *r)
{
	t.name[t.n] = name;
	t.code[t.n++] = r;
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
	if (mont64_kernel(0) && rsa64_init(&t.wide, mont64_kernel(0), &k)) {
		rsa64_widen(&t.wide);
		if (t.wide.width > 1)
			add("avx512-ifma-by-four", &t.wide);
	}
	for (unsigned i = 0; i < KERNELS && mont64_kernel(i); i++)
		if (rsa64_init(&t.kernel[i], mont64_kernel(i), &k))
			add(mont64_kernel(i + 1) ? "mulx-adx" : "128-bit-c", &t.kernel[i]);
	add("bearssl", NULL);
}

int main(void)
{
	double best[CODES] = { 0 };

	prepare();
	for (unsigned round = 0; round < ROUNDS; round++)
		for (unsigned i = 0; i < t.n; i++) {
			double got = rate(t.code[i]);

			best[i] = got > best[i] ? got : best[i];
		}
	for (unsigned i = 0; i < t.n; i++)
		printf("bench rsa2048-sign %s best-of-%d %.0f per second\n", t.name[i], ROUNDS,
		       best[i]);
	return 0;
}
