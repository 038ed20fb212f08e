/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "keys/holder/dkimkey.h"

#include <string.h>

#include "keys/holder/keyfile.h"
#include "keys/holder/keyrand.h"
#include "keys/holder/product.h"
#include "smtpd/lib/arena.h"
#include "smtpd/lib/log.h"
#include "smtpd/lib/memfd.h"
#include "smtpd/lib/owner.h"
#include "smtpd/lib/proc.h"
#include "smtpd/proto/dkim_key.h"
#include "smtpd/proto/dkim_preimage.h"

enum { EXPONENT = 65537 };

static uint8_t *part(struct dkimkey *d, unsigned i)
{
	return d->secret + i * DKIMKEY_PART;
}

static br_rsa_private_key private_key(struct dkimkey *d)
{
	return (br_rsa_private_key){
		.n_bitlen = DKIMKEY_BITS,
		.p = part(d, 0),
		.plen = DKIMKEY_PART,
		.q = part(d, 1),
		.qlen = DKIMKEY_PART,
		.dp = part(d, 2),
		.dplen = DKIMKEY_PART,
		.dq = part(d, 3),
		.dqlen = DKIMKEY_PART,
		.iq = part(d, 4),
		.iqlen = DKIMKEY_PART,
	};
}

static bool right(struct dkimkey *d, const uint8_t *sum, const uint8_t *sig)
{
	static const uint8_t e[] = { 1, 0, 1 };
	br_rsa_public_key pk = { part(d, 5), DKIMKEY_N, (uint8_t *)(uintptr_t)e, sizeof e };
	uint8_t back[br_sha256_SIZE];

	return br_rsa_i31_pkcs1_vrfy(sig, DKIMKEY_N, BR_HASH_OID_SHA256, sizeof back, &pk,
				     back) &&
	       memcmp(back, sum, sizeof back) == 0;
}

static bool sign_slowly(struct dkimkey *d, const uint8_t *sum, uint8_t *sig)
{
	br_rsa_private_key sk = private_key(d);
	br_rsa_pkcs1_sign sign = br_rsa_i62_pkcs1_sign_get();

	if (!sign)
		sign = br_rsa_i31_pkcs1_sign;
	/* A fault in one half of the CRT would give the key away. */
	return sign(BR_HASH_OID_SHA256, sum, br_sha256_SIZE, &sk, sig) && right(d, sum, sig);
}

static void hash(struct slice preimage, uint8_t sum[br_sha256_SIZE])
{
	br_sha256_context h;

	br_sha256_init(&h);
	br_sha256_update(&h, preimage.p, preimage.n);
	br_sha256_out(&h, sum);
}

/* n signatures, DKIMKEY_N octets each. */
static bool sign(struct dkimkey *d, const uint8_t (*sum)[br_sha256_SIZE], uint8_t *const *sig,
		 size_t n)
{
	bool right = true;

	if (d->fast) {
		d->fast = rsa64_sign_sha256(&d->rsa64, sum, sig, n);
		if (!d->fast)
			log_event("wrong", "signer", "rsa64");
	}
	for (size_t i = 0; i < n && !d->fast; i++)
		right = sign_slowly(d, sum[i], sig[i]) && right;
	return right;
}

bool dkimkey_sign(struct dkimkey *d, struct slice preimage, uint8_t sig[DKIMKEY_N])
{
	uint8_t sum[1][br_sha256_SIZE];

	hash(preimage, sum[0]);
	return sign(d, sum, &sig, 1);
}

static struct slice piece(struct dkimkey *d, unsigned i)
{
	return (struct slice){ part(d, i), DKIMKEY_PART };
}

void dkimkey_prepare(struct dkimkey *d)
{
	struct rsa64_key key = { piece(d, 0), piece(d, 1), piece(d, 2),
				 piece(d, 3), piece(d, 4), { part(d, 5), DKIMKEY_N } };

	d->fast = !ON(CONFIG_KEYS_RSA_BEARSSL) && rsa64_init(&d->rsa64, mont64_kernel(0), &key);
	if (d->fast && ON(CONFIG_KEYS_RSA_AUTO))
		rsa64_widen(&d->rsa64);
}

void dkimkey_record(const struct dkimkey *d, struct buf *out)
{
	static const uint8_t e[] = { 1, 0, 1 };
	uint8_t mem[DKIMKEY_N + 64];
	struct buf spki = BUF(mem);

	dkim_key_spki((struct slice){ d->secret + 5 * DKIMKEY_PART, DKIMKEY_N },
		      (struct slice){ e, sizeof e }, &spki);
	dkim_key_text(buf_slice(&spki), out);
}

static void publish(const struct dkimkey *d)
{
	uint8_t record[DKIMKEY_RECORD], name[LOG_LINE];
	struct buf value = BUF(record);
	struct slice words = d->domains, domain;
	struct logline l;

	dkimkey_record(d, &value);
	while ((domain = slice_word(&words)).n) {
		struct buf b = BUF(name);

		buf_put(&b, d->selector);
		buf_put(&b, SLICE("._domainkey."));
		buf_put(&b, domain);
		log_begin(&l, "publish");
		log_bytes(&l, "name", buf_slice(&b));
		log_text(&l, "type", "TXT");
		log_bytes(&l, "value", buf_slice(&value));
		log_send(&l);
	}
}

static void look(struct dkimkey *d)
{
	struct buf b = BUF(d->secret);
	enum keyfile_state state;

	if (d->known || d->hopeless)
		return;
	state = keyfile_load(KEYFILE_DKIM, false, &b);
	d->known = state == KEYFILE_WHOLE && !b.bad && b.len == DKIMKEY_OCTETS;
	d->hopeless = !d->known && state != KEYFILE_NEW;
	d->timer.due = d->known || d->hopeless ? LOOP_NEVER : d->loop->now + DKIMKEY_LOOK_MS;
	if (d->known) {
		dkimkey_prepare(d);
		publish(d);
	} else if (d->hopeless) {
		log_event("nokey", "effect", "submission answers 451");
	}
}

static struct slice domain_of(struct slice words, unsigned slot)
{
	while (slot--)
		slice_word(&words);
	return slice_word(&words);
}

/* Signs for all who wait. */
static void flush(struct dkimkey *d)
{
	uint8_t mem[RSA64_JOBS][DKIMKEY_N];
	uint8_t *const sig[RSA64_JOBS] = { mem[0], mem[1], mem[2], mem[3] };
	size_t n = d->waiting;
	bool right;

	d->batch.due = LOOP_NEVER;
	d->waiting = 0;
	right = n && sign(d, d->sum, sig, n);
	for (size_t i = 0; i < n; i++)
		product_answer(&d->token[i], right ? HOLDER_DONE : HOLDER_REFUSED,
			       (struct slice){ mem[i], DKIMKEY_N });
}

/* preimage.p NULL: it did not come as it should. */
static void judge(struct dkimkey *d, const struct token *t, unsigned slot,
		  struct slice preimage)
{
	struct slice domain = domain_of(d->domains, slot), none = { NULL, 0 };

	look(d);
	if (!d->known) {
		product_answer(t, HOLDER_NOT_YET, none);
	} else if (!preimage.p || !domain.n ||
		   !dkim_preimage_check(preimage, domain, d->selector)) {
		product_answer(t, HOLDER_REFUSED, none);
	} else {
		hash(preimage, d->sum[d->waiting]);
		d->token[d->waiting++] = *t;
		d->batch.due = d->loop->now;
		if (!d->fast || d->waiting == d->rsa64.width)
			flush(d);
	}
}

static void on_sign(void *ctx, struct call *c)
{
	const struct holder_dkim_sign *m = c->msg;

	judge(ctx, &c->token, m->slot, c->tail);
}

/* Sealed, so what is judged is what is signed; read once into memory of ours all the same. */
static void on_long(void *ctx, struct call *c)
{
	struct dkimkey *d = ctx;
	const struct holder_dkim_long *m = c->msg;
	struct slice preimage = { NULL, 0 };
	uint64_t size;

	if (memfd_check(c->fd[0], HOLDER_LONG_MAX, &size) && size == m->size &&
	    memfd_read(c->fd[0], 0, d->preimage, size))
		preimage = (struct slice){ d->preimage, size };
	judge(d, &c->token, m->slot, preimage);
}

const struct rule dkimkey_rules[HOLDER_TYPES] = {
	[HOLDER_DKIM_SIGN] = { .from = 1u << P_CHECK_SUB,
			       .size = sizeof(struct holder_dkim_sign),
			       .tail_max = HOLDER_PREIMAGE_MAX,
			       .run = on_sign },
	[HOLDER_DKIM_LONG] = { .from = 1u << P_CHECK_SUB,
			       .size = sizeof(struct holder_dkim_long),
			       .nfd = 1,
			       .run = on_long },
};

static void on_timer(struct watch *w, short got)
{
	(void)got;
	look(OWNER(struct dkimkey, timer, w));
}

/* All requests that are here were read. */
static void on_batch(struct watch *w, short got)
{
	(void)got;
	flush(OWNER(struct dkimkey, batch, w));
}

void dkimkey_init(struct dkimkey *d, struct loop *l, struct slice domains,
		  struct slice selector)
{
	memset(d, 0, sizeof *d);
	d->domains = domains;
	d->selector = selector;
	d->loop = l;
	d->preimage = arena_reserve(HOLDER_LONG_MAX);
	d->timer = (struct watch){ .fd = -1, .due = LOOP_NEVER, .ready = on_timer };
	d->batch = (struct watch){ .fd = -1, .due = LOOP_NEVER, .ready = on_batch };
	loop_add(l, &d->timer);
	loop_add(l, &d->batch);
	look(d);
}

void dkimkey_wipe(struct dkimkey *d)
{
	explicit_bzero(d->secret, sizeof d->secret);
	explicit_bzero(&d->rsa64, sizeof d->rsa64);
}

void dkimkey_make(struct dkimkey *d)
{
	br_hmac_drbg_context rng;
	br_rsa_keygen keygen = br_rsa_i62_keygen_get();
	uint8_t priv[BR_RSA_KBUF_PRIV_SIZE(DKIMKEY_BITS)],
		pub[BR_RSA_KBUF_PUB_SIZE(DKIMKEY_BITS)];
	br_rsa_private_key sk;
	br_rsa_public_key pk;
	struct buf b = BUF(d->secret);

	if (!keygen)
		keygen = br_rsa_i31_keygen;
	keyrand_init(&rng);
	if (!keygen(&rng.vtable, &sk, priv, &pk, pub, DKIMKEY_BITS, EXPONENT))
		bug("no key");
	buf_put(&b, (struct slice){ sk.p, sk.plen });
	buf_put(&b, (struct slice){ sk.q, sk.qlen });
	buf_put(&b, (struct slice){ sk.dp, sk.dplen });
	buf_put(&b, (struct slice){ sk.dq, sk.dqlen });
	buf_put(&b, (struct slice){ sk.iq, sk.iqlen });
	buf_put(&b, (struct slice){ pk.n, pk.nlen });
	explicit_bzero(&rng, sizeof rng);
	explicit_bzero(priv, sizeof priv);
	if (b.bad || sk.plen != DKIMKEY_PART || b.len != DKIMKEY_OCTETS)
		bug("key of another size");
}

void dkimkey_keygen(void)
{
	static struct dkimkey d; /* the process's context */
	struct buf b = BUF(d.secret);
	uint8_t sig[DKIMKEY_N];

	/* holder.dkim only looks: mending is done here, at every boot. */
	if (keyfile_load(KEYFILE_DKIM, true, &b) == KEYFILE_NEW) {
		dkimkey_make(&d);
		if (!dkimkey_sign(&d, SLICE("try"), sig))
			bug("the new key does not work");
		if (!keyfile_save(KEYFILE_DKIM, (struct slice){ d.secret, sizeof d.secret }))
			log_event("unkept", "secret", "dkim");
	}
	dkimkey_wipe(&d);
}
