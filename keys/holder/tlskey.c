/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "keys/holder/tlskey.h"

#include <string.h>

#include "keys/holder/keyfile.h"
#include "keys/holder/keyrand.h"
#include "keys/holder/product.h"
#include "smtpd/lib/log.h"
#include "smtpd/lib/proc.h"

enum {
	RANDOMS = 64,
	NAMED_CURVE = 3,
	P256 = 23,
	X25519 = 29,
	P256_POINT = 65,
	X25519_POINT = 32
};

static const struct {
	const br_hash_class *class;
	size_t n;
} hashes[] = {
	[br_sha256_ID] = { &br_sha256_vtable, br_sha256_SIZE },
	[br_sha384_ID] = { &br_sha384_vtable, br_sha384_SIZE },
	[br_sha512_ID] = { &br_sha512_vtable, br_sha512_SIZE },
};

bool tlskey_shape(struct slice tbs)
{
	struct cur c = CUR(tbs);
	uint16_t curve;
	struct slice point;

	cur_take(&c, RANDOMS);
	cur_lit(&c, NAMED_CURVE);
	curve = cur_be16(&c);
	point = cur_take(&c, cur_u8(&c));
	if (!cur_done(&c))
		return false;
	if (curve == P256)
		return point.n == P256_POINT && point.p[0] == 4;
	return curve == X25519 && point.n == X25519_POINT;
}

static size_t sign(const struct tlskey *t, unsigned hash, struct slice tbs, uint8_t *sig)
{
	uint8_t sum[br_sha512_SIZE];
	br_hash_compat_context h;

	if (hash >= sizeof hashes / sizeof *hashes || !hashes[hash].class)
		return 0;
	h.vtable = hashes[hash].class;
	h.vtable->init(&h.vtable);
	h.vtable->update(&h.vtable, tbs.p, tbs.n);
	h.vtable->out(&h.vtable, sum);
	return br_ecdsa_i31_sign_asn1(&br_ec_p256_m31, hashes[hash].class, sum, &t->key, sig);
}

static void on_cert(void *ctx, struct call *c)
{
	const struct tlskey *t = ctx;

	product_answer(&c->token, HOLDER_DONE, t->chain);
}

static void on_sign(void *ctx, struct call *c)
{
	const struct holder_tls_sign *m = c->msg;
	uint8_t sig[80];
	size_t n = tlskey_shape(c->tail) ? sign(ctx, m->hash, c->tail, sig) : 0;

	product_answer(&c->token, n ? HOLDER_DONE : HOLDER_REFUSED, (struct slice){ sig, n });
}

#define FRONTS (1u << P_FRONT_MX | 1u << P_FRONT_SUB)

const struct rule tlskey_rules[HOLDER_TYPES] = {
	[HOLDER_CERT] = { .from = FRONTS, .size = sizeof(struct holder_cert), .run = on_cert },
	[HOLDER_TLS_SIGN] = { .from = FRONTS,
			      .size = sizeof(struct holder_tls_sign),
			      .tail_max = HOLDER_TBS_MAX,
			      .run = on_sign },
};

static void make(struct tlskey *t)
{
	br_hmac_drbg_context rng;

	keyrand_init(&rng);
	if (br_ec_keygen(&rng.vtable, &br_ec_p256_m31, &t->key, t->secret, BR_EC_secp256r1) !=
	    TLSKEY_OCTETS)
		bug("no key");
	explicit_bzero(&rng, sizeof rng);
}

/* The key of the disk; false: none, or not one. */
static bool load(struct tlskey *t, enum keyfile_state *state)
{
	struct buf b = BUF(t->secret);

	*state = keyfile_load(KEYFILE_TLS, true, &b);
	t->key = (br_ec_private_key){ BR_EC_secp256r1, t->secret, TLSKEY_OCTETS };
	return *state == KEYFILE_WHOLE && !b.bad && b.len == TLSKEY_OCTETS;
}

void tlskey_init(struct tlskey *t, struct slice host, int64_t not_before)
{
	struct buf chain = BUF(t->chain_mem);
	enum keyfile_state state;

	if (!load(t, &state)) {
		make(t);
		if (state != KEYFILE_NEW ||
		    !keyfile_save(KEYFILE_TLS, (struct slice){ t->secret, TLSKEY_OCTETS }))
			log_event("ephemeral", "secret", "tls");
	}
	buf_be16(&chain, 0);
	selfsign_put(&t->key, host, not_before, &chain);
	if (chain.bad)
		bug("no certificate");
	t->chain = buf_slice(&chain);
	t->chain_mem[0] = (uint8_t)((chain.len - 2) >> 8);
	t->chain_mem[1] = (uint8_t)(chain.len - 2);
}

void tlskey_wipe(struct tlskey *t)
{
	explicit_bzero(t->secret, sizeof t->secret);
}
