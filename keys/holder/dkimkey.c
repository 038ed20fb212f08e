/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "keys/holder/dkimkey.h"

#include <bearssl.h>
#include <string.h>
#include <unistd.h>

#include "keys/holder/keyfile.h"
#include "keys/holder/product.h"
#include "smtpd/lib/arena.h"
#include "smtpd/lib/log.h"
#include "smtpd/lib/memfd.h"
#include "smtpd/lib/owner.h"
#include "smtpd/lib/proc.h"
#include "smtpd/proto/dkim_key.h"
#include "smtpd/proto/dkim_preimage.h"

enum { SIGNATURE_MAX = DKIMRSA_N_MAX };

static enum keyfile_kind kind(bool ed25519)
{
	return ed25519 ? KEYFILE_ED25519 : KEYFILE_DKIM;
}

/* What the file holds. */
static bool take(struct dkimkey *d, struct slice secret)
{
	if (!d->ed25519)
		return dkimrsa_take(&d->rsa, secret);
	if (secret.n != sizeof d->ed.seed)
		return false;
	memcpy(d->ed.seed, secret.p, secret.n);
	return true;
}

static enum keyfile_state load(struct dkimkey *d, bool mend)
{
	uint8_t mem[KEYFILE_MAX];
	struct buf b = BUF(mem);
	enum keyfile_state state = keyfile_load(kind(d->ed25519), mend, &b);

	if (state == KEYFILE_WHOLE && !take(d, buf_slice(&b)))
		state = KEYFILE_DAMAGED;
	explicit_bzero(mem, sizeof mem);
	return state;
}

static void hash(struct slice preimage, uint8_t sum[br_sha256_SIZE])
{
	br_sha256_context h;

	br_sha256_init(&h);
	br_sha256_update(&h, preimage.p, preimage.n);
	br_sha256_out(&h, sum);
}

static size_t width(const struct dkimkey *d)
{
	return d->ed25519 ? 1 : dkimrsa_width(&d->rsa);
}

/* n signatures, at most width(). */
static bool sign(struct dkimkey *d, const uint8_t (*sum)[br_sha256_SIZE], uint8_t *const *sig,
		 size_t n)
{
	return d->ed25519 ? dkimed_sign(&d->ed, sum[0], sig[0])
			  : dkimrsa_sign(&d->rsa, sum, sig, n);
}

void dkimkey_record(const struct dkimkey *d, struct buf *out)
{
	uint8_t mem[DKIMRSA_N_MAX + 64];
	struct buf key = BUF(mem);

	if (d->ed25519)
		buf_put(&key, (struct slice){ d->ed.public, sizeof d->ed.public });
	else
		dkimrsa_public(&d->rsa, &key);
	dkim_key_text(d->ed25519, buf_slice(&key), out);
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

static void prepare(struct dkimkey *d)
{
	struct logline l;

	if (d->ed25519)
		dkimed_prepare(&d->ed);
	else
		dkimrsa_prepare(&d->rsa);
	log_event("signer", "code", d->ed25519 ? "ed25519" : dkimrsa_code(&d->rsa));
	if (keyfile_there(kind(!d->ed25519))) {
		log_begin(&l, "unused");
		log_text(&l, "key", d->ed25519 ? "rsa" : "ed25519");
		log_text(&l, "effect", "it is kept, and signs nothing");
		log_send(&l);
	}
}

static void look(struct dkimkey *d)
{
	enum keyfile_state state;

	if (d->known || d->hopeless)
		return;
	state = d->imported ? KEYFILE_WHOLE : load(d, false);
	d->known = state == KEYFILE_WHOLE;
	d->hopeless = !d->known && state != KEYFILE_NEW;
	d->timer.due = d->known || d->hopeless ? LOOP_NEVER : d->loop->now + DKIMKEY_LOOK_MS;
	if (d->known) {
		prepare(d);
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
	uint8_t mem[RSA64_JOBS][SIGNATURE_MAX];
	uint8_t *const sig[RSA64_JOBS] = { mem[0], mem[1], mem[2], mem[3] };
	size_t n = d->waiting, octets = d->ed25519 ? DKIMED_SIGNATURE : d->rsa.n;
	bool right;

	d->batch.due = LOOP_NEVER;
	d->waiting = 0;
	right = n && sign(d, d->sum, sig, n);
	for (size_t i = 0; i < n; i++)
		product_answer(&d->token[i], right ? HOLDER_DONE : HOLDER_REFUSED,
			       (struct slice){ mem[i], octets });
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
		   !dkim_preimage_check(preimage, d->ed25519, domain, d->selector)) {
		product_answer(t, HOLDER_REFUSED, none);
	} else {
		hash(preimage, d->sum[d->waiting]);
		d->token[d->waiting++] = *t;
		d->batch.due = d->loop->now;
		if (d->waiting == width(d))
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

static void on_record(void *ctx, struct call *c)
{
	struct dkimkey *d = ctx;
	uint8_t text[DKIMKEY_RECORD];
	struct buf b = BUF(text);

	look(d);
	if (d->known)
		dkimkey_record(d, &b);
	product_answer(&c->token, d->known ? HOLDER_DONE : HOLDER_NOT_YET, buf_slice(&b));
}

const struct rule dkimkey_rules[HOLDER_TYPES] = {
	[HOLDER_DKIM_RECORD] = { .from = 1u << P_SELFCHECK,
				 .size = sizeof(struct holder_dkim_record),
				 .run = on_record },
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

/* The key that the image brings along, where it does. */
static bool import(struct dkimkey *d, int fd)
{
	uint8_t mem[DKIMRSA_OCTETS_MAX];
	ssize_t n = fd < 0 ? 0 : pread(fd, mem, sizeof mem, 0);

	if (n <= 0)
		return false;
	if (!take(d, (struct slice){ mem, (size_t)n }))
		bug("the imported key is none");
	explicit_bzero(mem, sizeof mem);
	return true;
}

void dkimkey_init(struct dkimkey *d, struct loop *l, bool ed25519, struct slice domains,
		  struct slice selector, int file)
{
	memset(d, 0, sizeof *d);
	d->ed25519 = ed25519;
	d->imported = import(d, file);
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
	explicit_bzero(&d->rsa, sizeof d->rsa);
	explicit_bzero(&d->ed, sizeof d->ed);
}

void dkimkey_keygen(bool ed25519, unsigned bits)
{
	static struct dkimkey d; /* the process's context */
	uint8_t mem[SIGNATURE_MAX], *sig = mem;
	static const uint8_t sum[1][br_sha256_SIZE] = { "try" };

	d.ed25519 = ed25519;
	/* holder.dkim only looks: mending is done here, at every boot. */
	if (load(&d, true) == KEYFILE_NEW) {
		if (ed25519)
			dkimed_make(&d.ed);
		else
			dkimrsa_make(&d.rsa, bits);
		if (!sign(&d, sum, &sig, 1))
			bug("the new key does not work");
		if (!keyfile_save(kind(ed25519),
				  ed25519 ? (struct slice){ d.ed.seed, sizeof d.ed.seed }
					  : dkimrsa_secret(&d.rsa)))
			log_event("unkept", "secret", "dkim");
	}
	dkimkey_wipe(&d);
}
