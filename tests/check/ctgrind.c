/* SPDX-License-Identifier: ISC */
/* Under valgrind: everything secret of an RSA key, and what is signed, counts as undefined; a branch or an address that
 * depends on it is an error. `plant` as argument makes such a branch on purpose. The sources are included for crt(). */
#include <bearssl.h>
#include <valgrind/memcheck.h>

#include "keys/holder/mont64.c"
#include "keys/holder/rsa64.c"

#define SECRET(x) VALGRIND_MAKE_MEM_UNDEFINED(&(x), sizeof(x))

static struct rsa64 r;

static void hide_modulus(struct mont64 *m)
{
	SECRET(m->m0);
	SECRET(m->m);
	SECRET(m->r2);
}

int main(int argc, char **argv)
{
	static uint8_t priv[BR_RSA_KBUF_PRIV_SIZE(2048)], pub[BR_RSA_KBUF_PUB_SIZE(2048)];
	br_hmac_drbg_context rng;
	br_rsa_private_key sk;
	br_rsa_public_key pk;
	volatile int seen = 0;

	br_hmac_drbg_init(&rng, &br_sha256_vtable, "ctgrind", 7);
	br_rsa_i62_keygen_get()(&rng.vtable, &sk, priv, &pk, pub, 2048, 65537);
	for (unsigned i = 0; mont64_kernel(i); i++) {
		struct rsa64_key key = { { sk.p, sk.plen },   { sk.q, sk.qlen },
					 { sk.dp, sk.dplen }, { sk.dq, sk.dqlen },
					 { sk.iq, sk.iqlen }, { pk.n, pk.nlen } };

		if (!rsa64_init(&r, mont64_kernel(i), &key))
			return 1;
		hide_modulus(&r.p);
		hide_modulus(&r.q);
		SECRET(r.p_r3);
		SECRET(r.q_r3);
		SECRET(r.iq);
		SECRET(r.iq_r);
		SECRET(r.dp);
		SECRET(r.dq);
		SECRET(r.x);
		crt(&r);
		if (argc > 1 && argv[1] && (r.x[0] & 1))
			seen = 1;
	}
	return seen & 0;
}
