/* SPDX-License-Identifier: ISC */
/* Under valgrind: everything secret of an RSA key, and what is signed, counts as undefined; a branch or an address that
 * depends on it is an error. `plant` as argument makes such a branch on purpose. The sources are included for crt().
 * memcheck knows no AVX-512: of mont52 it sees the C that stands for the two instructions. */
#include <bearssl.h>
#include <valgrind/memcheck.h>

#define MONT52_PLAIN 1
#include "keys/holder/mont52.c"
#include "keys/holder/rsa64.c"

#define SECRET(x) VALGRIND_MAKE_MEM_UNDEFINED(&(x), sizeof(x))

static struct rsa64 r;

static void hide_modulus(struct mont64 *m)
{
	SECRET(m->m0);
	SECRET(m->m);
	SECRET(m->r2);
}

static void hide(void)
{
	hide_modulus(&r.p);
	hide_modulus(&r.q);
	SECRET(r.iq_r);
	SECRET(r.dp);
	SECRET(r.dq);
	SECRET(r.wide);
	SECRET(r.job);
}

static int sign(const struct mont64_kernel *k, const struct rsa64_key *key, bool widen,
		bool plant)
{
	static volatile int seen;

	if (!rsa64_init(&r, k, key))
		return 1;
	if (widen)
		rsa64_widen(&r);
	if (r.width != (widen ? RSA64_JOBS : 1))
		return 1;
	hide();
	crt(&r, r.width);
	if (plant && (r.job[0].x[0] & 1))
		seen = 1;
	return seen & 0;
}

int main(int argc, char **argv)
{
	static uint8_t priv[BR_RSA_KBUF_PRIV_SIZE(2048)], pub[BR_RSA_KBUF_PUB_SIZE(2048)];
	br_hmac_drbg_context rng;
	br_rsa_private_key sk;
	br_rsa_public_key pk;
	int wrong = 0;

	(void)argv;
	br_hmac_drbg_init(&rng, &br_sha256_vtable, "ctgrind", 7);
	br_rsa_i62_keygen_get()(&rng.vtable, &sk, priv, &pk, pub, 2048, 65537);
	for (unsigned i = 0; mont64_kernel(i); i++) {
		struct rsa64_key key = { { sk.p, sk.plen },   { sk.q, sk.qlen },
					 { sk.dp, sk.dplen }, { sk.dq, sk.dqlen },
					 { sk.iq, sk.iqlen }, { pk.n, pk.nlen } };

		wrong |= sign(mont64_kernel(i), &key, false, argc > 1);
		if (i == 0)
			wrong |= sign(mont64_kernel(i), &key, true, argc > 1);
	}
	return wrong;
}
