/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "keys/holder/dkimkey.h"

#include <bearssl.h>
#include <string.h>
#include <unistd.h>

#include "keys/holder/dkimring.h"
#include "keys/holder/product.h"
#include "smtpd/lib/arena.h"
#include "smtpd/lib/log.h"
#include "smtpd/lib/memfd.h"
#include "smtpd/lib/owner.h"
#include "smtpd/lib/proc.h"
#include "smtpd/proto/dkim_key.h"
#include "smtpd/proto/dkim_preimage.h"

enum { SIGNATURE_MAX = DKIMRSA_N_MAX };

/* Takes a secret as it is kept on disk. */
static bool take(struct dkimkey_slot *s, struct slice secret)
{
	if (!s->ed25519)
		return dkimrsa_take(&s->key.rsa, secret);
	if (secret.n != sizeof s->key.ed.seed)
		return false;
	memcpy(s->key.ed.seed, secret.p, secret.n);
	return true;
}

static void hash(struct slice preimage, uint8_t sum[br_sha256_SIZE])
{
	br_sha256_context h;

	br_sha256_init(&h);
	br_sha256_update(&h, preimage.p, preimage.n);
	br_sha256_out(&h, sum);
}

static size_t width(const struct dkimkey_slot *s)
{
	return s->ed25519 ? 1 : dkimrsa_width(&s->key.rsa);
}

/* n signatures, at most width(). */
static bool sign(struct dkimkey_slot *s, const uint8_t (*sum)[br_sha256_SIZE],
		 uint8_t *const *sig, size_t n)
{
	return s->ed25519 ? dkimed_sign(&s->key.ed, sum[0], sig[0])
			  : dkimrsa_sign(&s->key.rsa, sum, sig, n);
}

static void text(const struct dkimrsa *rsa, const struct dkimed *ed, struct buf *out)
{
	uint8_t mem[DKIMRSA_N_MAX + 64];
	struct buf key = BUF(mem);

	if (ed)
		buf_put(&key, (struct slice){ ed->public, sizeof ed->public });
	else
		dkimrsa_public(rsa, &key);
	dkim_key_text(ed != NULL, buf_slice(&key), out);
}

void dkimkey_record(const struct dkimkey_slot *s, struct buf *out)
{
	text(&s->key.rsa, s->ed25519 ? &s->key.ed : NULL, out);
}

void dkimkey_text(bool ed25519, struct slice secret, struct dkimrsa *work, struct buf *out)
{
	struct dkimed ed;

	if (ed25519 && secret.n == sizeof ed.seed) {
		memcpy(ed.seed, secret.p, secret.n);
		dkimed_prepare(&ed);
		text(NULL, &ed, out);
		explicit_bzero(&ed, sizeof ed);
	} else if (!ed25519 && dkimrsa_take(work, secret)) {
		text(work, NULL, out);
	} else {
		out->bad = true;
	}
}

static void selector(const struct dkimkey *d, const struct dkimkey_slot *s, struct buf *out)
{
	dkim_key_selector(d->selector, s->ed25519 && d->rsa, s->number, out);
}

static void publish(const struct dkimkey *d, const struct dkimkey_slot *s)
{
	uint8_t record[DKIMKEY_RECORD], name[512];
	struct buf value = BUF(record), b = BUF(name);
	struct logline l;

	dkimkey_record(s, &value);
	selector(d, s, &b);
	buf_put(&b, SLICE("._domainkey."));
	buf_put(&b, s->domain);
	log_begin(&l, "publish");
	log_bytes(&l, "name", buf_slice(&b));
	log_text(&l, "type", "TXT");
	log_bytes(&l, "value", buf_slice(&value));
	log_send(&l);
}

static void prepare(struct dkimkey *d, struct dkimkey_slot *s)
{
	if (s->ed25519)
		dkimed_prepare(&s->key.ed);
	else
		dkimrsa_prepare(&s->key.rsa);
	s->known = true;
	log_event("signer", "code", s->ed25519 ? "ed25519" : dkimrsa_code(&s->key.rsa));
	publish(d, s);
}

/* Signs for all who wait. */
static void flush(struct dkimkey *d)
{
	uint8_t mem[RSA64_JOBS][SIGNATURE_MAX];
	uint8_t *const sig[RSA64_JOBS] = { mem[0], mem[1], mem[2], mem[3] };
	size_t n = d->waiting, octets;
	bool right;

	d->batch.due = LOOP_NEVER;
	d->waiting = 0;
	if (!n)
		return;
	octets = d->of->ed25519 ? DKIMED_SIGNATURE : d->of->key.rsa.n;
	right = sign(d->of, d->sum, sig, n);
	for (size_t i = 0; i < n; i++)
		product_answer(&d->token[i], right ? HOLDER_DONE : HOLDER_REFUSED,
			       (struct slice){ mem[i], octets });
}

static void look_for(struct dkimkey *d, struct dkimkey_slot *s)
{
	struct dkimring ring;
	const struct dkimring_key *k = &ring.key[DKIMRING_NOW];
	enum keyfile_state state;

	if (s->hopeless || (d->imported && !s->ed25519))
		return;
	state = dkimring_load(s->ed25519, s->domain, false, &ring);
	if (state == KEYFILE_WHOLE && (!s->known || k->number != s->number)) {
		flush(d);
		if (take(s, (struct slice){ k->secret, k->n })) {
			s->number = k->number;
			prepare(d, s);
		} else {
			state = KEYFILE_DAMAGED;
		}
	}
	if (!s->known && state != KEYFILE_NEW) {
		s->hopeless = true;
		log_event("nokey", "effect", "submission answers 451");
	}
	explicit_bzero(&ring, sizeof ring);
}

static void look(struct dkimkey *d)
{
	int64_t ms = DKIMKEY_AGAIN_MS;

	for (size_t i = 0; i < d->slots; i++) {
		look_for(d, &d->slot[i]);
		if (!d->slot[i].known && !d->slot[i].hopeless)
			ms = DKIMKEY_LOOK_MS;
	}
	d->timer.due = d->loop->now + ms;
}

/* The key of a domain's number, for one algorithm. */
static struct dkimkey_slot *slot_of(struct dkimkey *d, unsigned domain, bool ed25519)
{
	size_t each = (size_t)d->rsa + d->ed25519, i = domain * each + (ed25519 && d->rsa);

	if (i >= d->slots || d->slot[i].ed25519 != ed25519)
		return NULL;
	return &d->slot[i];
}

static bool shaped(struct dkimkey *d, const struct dkimkey_slot *s, struct slice preimage)
{
	uint8_t mem[256];
	struct buf b = BUF(mem);

	selector(d, s, &b);
	return preimage.p &&
	       dkim_preimage_check(preimage, s->ed25519, s->domain, buf_slice(&b));
}

/* preimage.p NULL: it did not come as it should. */
static void judge(struct dkimkey *d, const struct token *t, struct dkimkey_slot *s,
		  uint32_t number, struct slice preimage)
{
	struct holder_reply other = { .result = HOLDER_OTHER_KEY };
	struct slice none = { NULL, 0 };

	if (s && !s->known)
		look_for(d, s);
	if (s && !s->known) {
		product_answer(t, HOLDER_NOT_YET, none);
	} else if (s && number != s->number) {
		other.number = s->number;
		chan_answer(t, &other, sizeof other, none);
	} else if (!s || !shaped(d, s, preimage)) {
		product_answer(t, HOLDER_REFUSED, none);
	} else {
		if (d->of != s)
			flush(d);
		d->of = s;
		hash(preimage, d->sum[d->waiting]);
		d->token[d->waiting++] = *t;
		d->batch.due = d->loop->now;
		if (d->waiting == width(s))
			flush(d);
	}
}

static void on_sign(void *ctx, struct call *c)
{
	const struct holder_dkim_sign *m = c->msg;

	judge(ctx, &c->token, slot_of(ctx, m->slot, m->ed25519), m->number, c->tail);
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
	judge(d, &c->token, slot_of(d, m->slot, m->ed25519), m->number, preimage);
}

static void on_record(void *ctx, struct call *c)
{
	const struct holder_dkim_record *m = c->msg;
	struct dkimkey_slot *s = slot_of(ctx, m->slot, m->ed25519);
	struct holder_reply r = { .result = s ? HOLDER_NOT_YET : HOLDER_REFUSED };
	uint8_t mem[DKIMKEY_RECORD];
	struct buf b = BUF(mem);

	if (s)
		look_for(ctx, s);
	if (s && s->known) {
		r.result = HOLDER_DONE;
		r.number = s->number;
		dkimkey_record(s, &b);
	}
	chan_answer(&c->token, &r, sizeof r, buf_slice(&b));
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
static void import(struct dkimkey *d, int fd)
{
	uint8_t mem[DKIMRSA_OCTETS_MAX];
	ssize_t n = fd < 0 || !d->rsa ? 0 : pread(fd, mem, sizeof mem, 0);

	d->imported = n > 0;
	for (size_t i = 0; d->imported && i < d->slots; i++) {
		struct dkimkey_slot *s = &d->slot[i];

		if (s->ed25519)
			continue;
		if (!take(s, (struct slice){ mem, (size_t)n }))
			bug("the imported key is none");
		s->number = 1;
		prepare(d, s);
	}
	explicit_bzero(mem, sizeof mem);
}

static void tell_unused(const struct dkimkey *d, bool ed25519)
{
	struct logline l;

	if ((ed25519 ? d->ed25519 : d->rsa) ||
	    !dkimring_there(ed25519, d->slots ? d->slot[0].domain : SLICE("")))
		return;
	log_begin(&l, "unused");
	log_text(&l, "key", ed25519 ? "ed25519" : "rsa");
	log_text(&l, "effect", "it is kept, and signs nothing");
	log_send(&l);
}

void dkimkey_init(struct dkimkey *d, struct slice domains, int file)
{
	struct slice words = domains, domain;

	d->slots = 0;
	while (slice_word(&words).n)
		d->slots += (size_t)d->rsa + d->ed25519;
	d->slot = arena_reserve(d->slots * sizeof *d->slot);
	words = domains;
	for (size_t i = 0; (domain = slice_word(&words)).n;) {
		if (d->rsa)
			d->slot[i++].domain = domain;
		if (d->ed25519)
			d->slot[i++] =
				(struct dkimkey_slot){ .domain = domain, .ed25519 = true };
	}
	d->preimage = arena_reserve(HOLDER_LONG_MAX);
	d->timer = (struct watch){ .fd = -1, .due = LOOP_NEVER, .ready = on_timer };
	d->batch = (struct watch){ .fd = -1, .due = LOOP_NEVER, .ready = on_batch };
	loop_add(d->loop, &d->timer);
	loop_add(d->loop, &d->batch);
	import(d, file);
	tell_unused(d, false);
	tell_unused(d, true);
	look(d);
}

void dkimkey_wipe(struct dkimkey *d)
{
	explicit_bzero(d->slot, d->slots * sizeof *d->slot);
}
