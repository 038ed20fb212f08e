/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "keys/holder/dkimlife.h"

#include <string.h>

#include "keys/holder/dkimkey.h"
#include "smtpd/lib/log.h"
#include "smtpd/lib/owner.h"
#include "smtpd/lib/proc.h"
#include "smtpd/proto/base64.h"
#include "smtpd/proto/date.h"
#include "smtpd/proto/dkim_key.h"

enum { NAME = 512, TYPE_TXT = 16, DAY = 86400, DNS_MS = 60 * 1000 };

/*
 * NOTES: a round visits each domain and algorithm, one after the other; at each one missing keys are made, and dns is
 * asked of one record at most: the next key's, or the old one's, which are never there both. The first round makes no
 * next keys: letters of the last domain need not wait for those.
 *
 *   step ── ask dns ── on_seen ── advance ── step ... timer
 */

static void step(struct dkimlife *l);

static void record_name(const struct dkimlife *l, enum dkimring_role role, struct buf *out)
{
	dkim_key_selector(l->selector, l->at_ed && l->rsa, l->ring.key[role].number, out);
	buf_put(out, SLICE("._domainkey."));
	buf_put(out, l->domain);
}

static void record_text(struct dkimlife *l, enum dkimring_role role, struct buf *out)
{
	const struct dkimring_key *k = &l->ring.key[role];

	dkimkey_text(l->at_ed, (struct slice){ k->secret, k->n }, &l->work, out);
}

/* A line about the record of one key; at: a time that matters, 0 where none does. */
static void tell(struct dkimlife *l, const char *event, enum dkimring_role role, bool text,
		 const char *key, int64_t at)
{
	uint8_t name[NAME], value[DKIMKEY_RECORD], date[DATE_TEXT];
	struct buf n = BUF(name), v = BUF(value), d = BUF(date);
	struct logline line;

	record_name(l, role, &n);
	log_begin(&line, event);
	log_bytes(&line, "name", buf_slice(&n));
	log_text(&line, "type", "TXT");
	if (text) {
		record_text(l, role, &v);
		log_bytes(&line, "value", buf_slice(&v));
	}
	if (at) {
		date_put(&d, at);
		log_bytes(&line, key, buf_slice(&d));
	}
	log_send(&line);
}

static int64_t due(const struct dkimlife *l)
{
	return l->ring.key[DKIMRING_NOW].at + l->days * DAY;
}

static int64_t gone_from(const struct dkimlife *l)
{
	return l->ring.key[DKIMRING_OLD].at + DKIMLIFE_KEEP;
}

static void announce(struct dkimlife *l)
{
	if (l->ring.key[DKIMRING_NEXT].number)
		tell(l, "publish", DKIMRING_NEXT, true, "signs_from", due(l));
	if (l->ring.key[DKIMRING_OLD].number)
		tell(l, "withdraw", DKIMRING_OLD, false, "not_before", gone_from(l));
}

static bool save(struct dkimlife *l)
{
	bool ok = dkimring_save(l->at_ed, l->domain, &l->ring);

	if (!ok)
		log_event("unkept", "secret", "dkim");
	else if (l->kept)
		l->kept(l);
	return ok;
}

static void make(struct dkimlife *l, enum dkimring_role role, uint32_t number)
{
	struct dkimring_key *k = &l->ring.key[role];
	struct dkimed ed;
	uint8_t sig[DKIMRSA_N_MAX], *out = sig;
	static const uint8_t sum[1][32] = { "try" };
	struct slice secret = { ed.seed, sizeof ed.seed };
	bool works;

	if (l->at_ed) {
		dkimed_make(&ed);
		works = dkimed_sign(&ed, sum[0], sig);
	} else {
		dkimrsa_make(&l->work, l->bits);
		works = dkimrsa_sign(&l->work, sum, &out, 1);
		secret = dkimrsa_secret(&l->work);
	}
	if (!works)
		bug("the new key does not work");
	*k = (struct dkimring_key){ number, (uint16_t)secret.n, role ? l->now() : 0, { 0 } };
	memcpy(k->secret, secret.p, secret.n);
	explicit_bzero(&ed, sizeof ed);
}

/* Makes what is missing, as far as it can be kept. False: nothing can be done for this one. */
static bool complete(struct dkimlife *l)
{
	struct dkimring_key *k = l->ring.key;
	enum keyfile_state state;

	if (l->imported && !l->at_ed)
		return false;
	state = dkimring_load(l->at_ed, l->domain, !l->round, &l->ring);
	if (state != KEYFILE_WHOLE && state != KEYFILE_NEW)
		return false;
	if (state == KEYFILE_NEW) {
		memset(&l->ring, 0, sizeof l->ring);
		make(l, DKIMRING_NOW, 1);
		if (!save(l))
			return false;
	} else if (!k[DKIMRING_NOW].at) {
		k[DKIMRING_NOW].at = l->now();
		if (!save(l))
			return false;
	} else if (!l->round && l->kept) {
		l->kept(l);
	}
	if (l->days && l->round && !k[DKIMRING_NEXT].number && !k[DKIMRING_OLD].number) {
		make(l, DKIMRING_NEXT, k[DKIMRING_NOW].number + 1);
		if (!save(l))
			return false;
		announce(l);
	} else if (l->round % DKIMLIFE_TELL == 0) {
		announce(l);
	}
	return true;
}

static void advance(struct dkimlife *l)
{
	if (!l->at_ed && l->rsa && l->ed25519) {
		l->at_ed = true;
	} else {
		l->domain = slice_word(&l->rest);
		l->at_ed = !l->rsa;
	}
	if (l->domain.n) {
		l->timer.due = l->loop->now;
		return;
	}
	l->round++;
	l->timer.due = l->loop->now + (l->round == 1 ? 0
				       : l->unknown  ? DKIMLIFE_SOON_MS
						     : DKIMLIFE_ROUND_MS);
	explicit_bzero(&l->ring, sizeof l->ring);
	explicit_bzero(&l->work, sizeof l->work);
}

/* The next key signs from now on. */
static void rotate(struct dkimlife *l)
{
	struct dkimring_key *k = l->ring.key;

	k[DKIMRING_OLD] = k[DKIMRING_NOW];
	k[DKIMRING_NOW] = k[DKIMRING_NEXT];
	k[DKIMRING_OLD].at = k[DKIMRING_NOW].at = l->now();
	explicit_bzero(&k[DKIMRING_NEXT], sizeof *k);
	if (!save(l))
		return;
	tell(l, "rotated", DKIMRING_NOW, false, NULL, 0);
	announce(l);
}

/* Whoever wants may forge old letters now; so a signature proves nothing to those who got hold of one. */
static void tell_private(struct dkimlife *l)
{
	const struct dkimring_key *k = &l->ring.key[DKIMRING_OLD];
	size_t part = l->at_ed ? k->n : k->n / 7;
	uint8_t name[NAME], text[2][DKIMRSA_N_MAX];
	struct buf n = BUF(name), p = BUF(text[0]), q = BUF(text[1]);
	struct logline line;

	record_name(l, DKIMRING_OLD, &n);
	base64_put(&p, (struct slice){ k->secret, part });
	log_begin(&line, "private");
	log_bytes(&line, "name", buf_slice(&n));
	log_bytes(&line, l->at_ed ? "seed" : "p", buf_slice(&p));
	if (!l->at_ed) {
		base64_put(&q, (struct slice){ k->secret + part, part });
		log_bytes(&line, "q", buf_slice(&q));
	}
	log_send(&line);
}

static void retire(struct dkimlife *l)
{
	struct dkimring_key gone = l->ring.key[DKIMRING_OLD];

	explicit_bzero(&l->ring.key[DKIMRING_OLD], sizeof gone);
	if (save(l)) {
		l->ring.key[DKIMRING_OLD] = gone;
		tell(l, "retired", DKIMRING_OLD, false, NULL, 0);
		if (l->retired)
			tell_private(l);
	}
	explicit_bzero(&gone, sizeof gone);
}

/* Is the key's own record among the answer's? */
static bool among(struct dkimlife *l, struct slice records)
{
	uint8_t mem[DKIMKEY_RECORD];
	struct buf want = BUF(mem);
	struct cur c = CUR(records);
	struct dkim_key ours, k;

	record_text(l, l->asked, &want);
	if (dkim_key_parse(buf_slice(&want), &ours) != DKIM_KEY_OK)
		bug("our own record");
	while (c.s.n) {
		struct slice text = cur_take(&c, cur_be16(&c));

		if (!c.bad && dkim_key_parse(text, &k) == DKIM_KEY_OK &&
		    k.ed25519 == ours.ed25519 && k.modulus_n == ours.modulus_n &&
		    !memcmp(k.modulus, ours.modulus, k.modulus_n))
			return true;
	}
	return false;
}

static void on_seen(struct ask *a, const void *reply, struct slice tail)
{
	struct dkimlife *l = OWNER(struct dkimlife, ask, a);
	const struct dns_reply *r = reply;
	bool there;

	if (!r || r->result >= DNS_FAILED) {
		l->unknown = true;
		advance(l);
		return;
	}
	there = r->result == DNS_OK && among(l, tail);
	if (l->asked == DKIMRING_NEXT && l->now() >= due(l) && !there)
		l->unknown = true; /* it is waited for */
	else if (l->asked == DKIMRING_NEXT && l->now() >= due(l))
		rotate(l);
	else if (l->asked == DKIMRING_OLD && !there)
		retire(l);
	advance(l);
}

/* False: there is nothing to ask, or nobody to ask it. */
static bool ask(struct dkimlife *l)
{
	static const struct want want = { DNS_QUERY, sizeof(struct dns_reply), DNS_TAIL };
	struct dns_query q = { .qtype = TYPE_TXT };
	uint8_t mem[NAME];
	struct buf name = BUF(mem);

	if (l->ring.key[DKIMRING_NEXT].number)
		l->asked = DKIMRING_NEXT;
	else if (l->ring.key[DKIMRING_OLD].number && l->now() >= gone_from(l))
		l->asked = DKIMRING_OLD;
	else
		return false;
	record_name(l, l->asked, &name);
	l->ask.done = on_seen;
	if (chan_ask(l->dns, &l->ask, &q, sizeof q, buf_slice(&name), NULL, 0, &want, DNS_MS))
		return true;
	l->unknown = true;
	return false;
}

static void step(struct dkimlife *l)
{
	l->timer.due = LOOP_NEVER;
	if (!complete(l) || !ask(l))
		advance(l);
}

static void on_timer(struct watch *w, short got)
{
	struct dkimlife *l = OWNER(struct dkimlife, timer, w);

	(void)got;
	if (!l->domain.n) {
		l->rest = l->domains;
		l->domain = slice_word(&l->rest);
		l->at_ed = !l->rsa;
		l->unknown = false;
	}
	step(l);
}

void dkimlife_init(struct dkimlife *l)
{
	l->timer = (struct watch){ .fd = -1,
				   .due = l->rsa || l->ed25519 ? 0 : LOOP_NEVER,
				   .ready = on_timer };
	loop_add(l->loop, &l->timer);
}

void dkimlife_wipe(struct dkimlife *l)
{
	explicit_bzero(&l->ring, sizeof l->ring);
	explicit_bzero(&l->work, sizeof l->work);
}
