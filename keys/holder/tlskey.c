/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "keys/holder/tlskey.h"

#include <string.h>
#include <unistd.h>

#include "keys/holder/keyfile.h"
#include "keys/holder/keyrand.h"
#include "keys/holder/product.h"
#include "smtpd/lib/log.h"
#include "smtpd/lib/proc.h"
#include "smtpd/proto/certinfo.h"

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
	const uint8_t *oid;
	size_t n;
} hashes[] = {
	[br_sha256_ID] = { &br_sha256_vtable, BR_HASH_OID_SHA256, br_sha256_SIZE },
	[br_sha384_ID] = { &br_sha384_vtable, BR_HASH_OID_SHA384, br_sha384_SIZE },
	[br_sha512_ID] = { &br_sha512_vtable, BR_HASH_OID_SHA512, br_sha512_SIZE },
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

/* PKCS #1 v1.5; SHA-256, which everybody asks for, by the faster code. */
static size_t sign_rsa(struct tlskey *t, unsigned hash, const uint8_t *sum, uint8_t *sig)
{
	uint8_t one[1][br_sha256_SIZE];
	bool ok;

	memcpy(one[0], sum, sizeof one[0]);
	if (hash == br_sha256_ID)
		ok = dkimrsa_sign(&t->rsa, one, &sig, 1);
	else
		ok = dkimrsa_sign_hash(&t->rsa, hashes[hash].oid,
				       (struct slice){ sum, hashes[hash].n }, sig);
	return ok ? t->rsa.n : 0;
}

static size_t sign(struct tlskey *t, unsigned algorithm, struct slice tbs, uint8_t *sig)
{
	uint8_t sum[br_sha512_SIZE];
	unsigned hash = algorithm >> 8;
	br_hash_compat_context h;

	if (hash >= sizeof hashes / sizeof *hashes || !hashes[hash].class)
		return 0;
	h.vtable = hashes[hash].class;
	h.vtable->init(&h.vtable);
	h.vtable->update(&h.vtable, tbs.p, tbs.n);
	h.vtable->out(&h.vtable, sum);
	if ((algorithm & 0xff) == HOLDER_SIGN_RSA)
		return t->rsa.n ? sign_rsa(t, hash, sum, sig) : 0;
	if ((algorithm & 0xff) != HOLDER_SIGN_ECDSA || !t->key.xlen)
		return 0;
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
	uint8_t sig[HOLDER_SIG_MAX];
	size_t n = tlskey_shape(c->tail) ? sign(ctx, m->algorithm, c->tail, sig) : 0;

	product_answer(&c->token, n ? HOLDER_DONE : HOLDER_REFUSED, (struct slice){ sig, n });
}

/* The key that keygen.tls left on disk. */
static enum keyfile_state load_rsa(struct tlskey *t)
{
	uint8_t mem[DKIMRSA_OCTETS_MAX];
	struct buf b = BUF(mem);
	enum keyfile_state state;

	if (t->rsa.n)
		return KEYFILE_WHOLE;
	state = keyfile_load(KEYFILE_TLS_RSA, true, &b);
	if (state == KEYFILE_WHOLE && !b.bad && dkimrsa_take(&t->rsa, buf_slice(&b)))
		dkimrsa_prepare(&t->rsa);
	else if (state == KEYFILE_WHOLE)
		state = KEYFILE_DAMAGED;
	explicit_bzero(mem, sizeof mem);
	return state;
}

static void on_csr(void *ctx, struct call *c)
{
	struct tlskey *t = ctx;
	uint8_t mem[HOLDER_CSR_MAX];
	struct buf b = BUF(mem);
	bool there = !t->wants_rsa || load_rsa(t) == KEYFILE_WHOLE;

	if (!t->imported && there)
		selfsign_put_request(&t->key, t->wants_rsa ? &t->rsa : NULL, t->names, &b);
	product_answer(&c->token,
		       !there		 ? HOLDER_NOT_YET
		       : b.bad || !b.len ? HOLDER_REFUSED
					 : HOLDER_DONE,
		       buf_slice(&b));
}

static bool has_key(const struct tlskey *t, struct slice spki, bool wanted)
{
	uint8_t mem[2][640];
	struct buf ec = BUF(mem[0]), rsa = BUF(mem[1]);

	if (t->key.xlen && !(wanted && t->wants_rsa))
		selfsign_put_key(&t->key, &ec);
	if (t->rsa.n && (!wanted || t->wants_rsa))
		dkimrsa_public(&t->rsa, &rsa);
	return spki.n && (slice_eq(spki, buf_slice(&ec)) || slice_eq(spki, buf_slice(&rsa)));
}

/* Is it a chain for a key of ours? wanted: for the one that requests are for, and all of our names. */
static bool fits(const struct tlskey *t, struct slice chain, bool wanted)
{
	struct cur c = CUR(chain);
	struct certinfo leaf = { 0 }, info;

	for (unsigned i = 0; !cur_end(&c) && i < HOLDER_CERTS; i++) {
		c.bad |= !certinfo_parse(cur_take(&c, cur_be16(&c)), &info);
		if (!i && !c.bad)
			leaf = info;
	}
	for (struct slice names = t->names; wanted && names.n;)
		c.bad |= !certinfo_names(&leaf, slice_word(&names));
	return cur_done(&c) && has_key(t, leaf.key, wanted);
}

static void on_chain_set(void *ctx, struct call *c)
{
	struct tlskey *t = ctx;
	bool good = !t->imported && c->tail.n && c->tail.n <= sizeof t->chain_mem &&
		    fits(t, c->tail, true),
	     kept = good && keyfile_save(KEYFILE_CHAIN, c->tail);

	if (kept) {
		memcpy(t->chain_mem, c->tail.p, c->tail.n);
		t->chain = (struct slice){ t->chain_mem, c->tail.n };
	}
	product_answer(&c->token,
		       kept   ? HOLDER_DONE
		       : good ? HOLDER_NOT_YET
			      : HOLDER_REFUSED,
		       (struct slice){ NULL, 0 });
}

/* Puts one certificate behind its length. */
static void put_own(const struct tlskey *t, struct slice names, struct slice digest,
		    struct buf *out)
{
	size_t n;

	buf_be16(out, 0);
	selfsign_put_alpn(&t->key, names, t->not_before, digest, out);
	if (out->bad)
		return;
	n = out->len - 2;
	out->p[0] = (uint8_t)(n >> 8);
	out->p[1] = (uint8_t)n;
}

static bool is_ours(const struct tlskey *t, struct slice name)
{
	struct slice names = t->names;

	while (names.n)
		if (slice_eq(slice_word(&names), name))
			return true;
	return false;
}

static void on_alpn_cert(void *ctx, struct call *c)
{
	const struct tlskey *t = ctx;
	uint8_t mem[2 + SELFSIGN_MAX];
	struct buf b = BUF(mem);
	struct slice name = slice_from(c->tail, SELFSIGN_DIGEST);

	if (is_ours(t, name))
		put_own(t, name, slice_head(c->tail, SELFSIGN_DIGEST), &b);
	product_answer(&c->token, b.bad || !b.len ? HOLDER_REFUSED : HOLDER_DONE,
		       buf_slice(&b));
}

#define FRONTS (1u << P_FRONT_MX | 1u << P_FRONT_SUB | 1u << P_UPDATE)
#define ACME   (1u << P_ACME)

const struct rule tlskey_rules[HOLDER_TYPES] = {
	[HOLDER_CERT] = { .from = FRONTS | ACME,
			  .size = sizeof(struct holder_cert),
			  .run = on_cert },
	[HOLDER_CSR] = { .from = ACME, .size = sizeof(struct holder_csr), .run = on_csr },
	[HOLDER_CHAIN_SET] = { .from = ACME,
			       .size = sizeof(struct holder_chain_set),
			       .tail_max = HOLDER_CERT_TAIL,
			       .run = on_chain_set },
	[HOLDER_ALPN_CERT] = { .from = ACME,
			       .size = sizeof(struct holder_alpn_cert),
			       .tail_max = SELFSIGN_DIGEST + 253,
			       .run = on_alpn_cert },
	[HOLDER_TLS_SIGN] = { .from = FRONTS | ACME,
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

void tlskey_make_rsa(struct tlskey *t)
{
	if (load_rsa(t) != KEYFILE_NEW)
		return;
	dkimrsa_make(&t->rsa, 2048);
	keyfile_save(KEYFILE_TLS_RSA, dkimrsa_secret(&t->rsa));
}

void tlskey_init(struct tlskey *t, struct slice names, int64_t not_before, bool kept)
{
	struct buf chain = BUF(t->chain_mem);
	enum keyfile_state state;

	t->names = names;
	t->not_before = not_before;
	if (kept)
		load_rsa(t);
	if (!load(t, &state)) {
		make(t);
		if (state != KEYFILE_NEW ||
		    !keyfile_save(KEYFILE_TLS, (struct slice){ t->secret, TLSKEY_OCTETS }))
			log_event("ephemeral", "secret", "tls");
	}
	/* One for other names serves until acme has another. */
	if (!kept || keyfile_load(KEYFILE_CHAIN, true, &chain) != KEYFILE_WHOLE || chain.bad ||
	    !fits(t, buf_slice(&chain), false)) {
		chain = BUF(t->chain_mem);
		put_own(t, names, (struct slice){ NULL, 0 }, &chain);
	}
	if (chain.bad)
		bug("no certificate");
	t->chain = buf_slice(&chain);
}

static bool take(struct tlskey *t, struct slice file)
{
	struct cur c = CUR(file);
	struct slice key = cur_take(&c, cur_be16(&c)), chain = c.s;

	if (c.bad || !chain.n || chain.n > sizeof t->chain_mem)
		return false;
	if (key.n == TLSKEY_OCTETS) {
		memcpy(t->secret, key.p, key.n);
		t->key = (br_ec_private_key){ BR_EC_secp256r1, t->secret, TLSKEY_OCTETS };
	} else if (dkimrsa_take(&t->rsa, key)) {
		dkimrsa_prepare(&t->rsa);
	} else {
		return false;
	}
	memcpy(t->chain_mem, chain.p, chain.n);
	t->chain = (struct slice){ t->chain_mem, chain.n };
	return fits(t, t->chain, false); /* its names were looked at when the image was built */
}

bool tlskey_import(struct tlskey *t, int fd)
{
	uint8_t mem[2 + DKIMRSA_OCTETS_MAX + HOLDER_CERT_TAIL];
	ssize_t n = fd < 0 ? 0 : pread(fd, mem, sizeof mem, 0);

	memset(t, 0, sizeof *t);
	if (n <= 0)
		return false;
	t->imported = take(t, (struct slice){ mem, (size_t)n });
	explicit_bzero(mem, sizeof mem);
	if (!t->imported) {
		log_event("refused", "file", "tls");
		tlskey_wipe(t);
	}
	return t->imported;
}

void tlskey_wipe(struct tlskey *t)
{
	explicit_bzero(&t->rsa, sizeof t->rsa);
	explicit_bzero(t->secret, sizeof t->secret);
}
