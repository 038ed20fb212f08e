/* SPDX-License-Identifier: ISC */
#include "smtpd/front/tlsid.h"

#include <string.h>

#include "smtpd/lib/log.h"
#include "smtpd/lib/owner.h"

enum {
	/* an RSA key on a slow processor */
	SIGN_MS = ON(CONFIG_KEYS_TLS_FILE) || ON(CONFIG_KEYS_TLS_RSA) ? 500 : 50,
	CERT_MS = 5000,
	AGAIN_MS = 100,
	LOOK_MS = 5 * 1000, /* for a certificate that was renewed */
	FORGET_MS = CONFIG_SMTPD_TLS_SESSION_TIME * 1000,
	SESSIONS_MEM = CONFIG_SMTPD_TLS_SESSIONS * TLS_SESSION,
};

static const struct want want_cert = {
	.type = HOLDER_CERT,
	.size = sizeof(struct holder_reply),
	.tail_max = HOLDER_CERT_TAIL,
};

static const struct want want_sign = {
	.type = HOLDER_TLS_SIGN,
	.size = sizeof(struct holder_reply),
	.tail_max = HOLDER_SIG_MAX,
};

static bool sign(void *ctx, unsigned algorithm, struct slice tbs, struct buf *sig)
{
	struct tlsid *t = ctx;
	struct holder_tls_sign m = { .algorithm = (uint16_t)algorithm };
	struct holder_reply r;

	if (tbs.n > HOLDER_TBS_MAX)
		return false;
	return chan_ask_wait(t->holder, &m, sizeof m, tbs, &want_sign, &r, sig, SIGN_MS) &&
	       r.result == HOLDER_DONE && sig->len > 0;
}

/* The chain as holder sends it; false when it is not that. */
static bool take(struct tlsid *t, unsigned slot, struct slice tail)
{
	struct tls_identity *id = &t->id[slot];

	if (tail.n > HOLDER_CERT_TAIL)
		return false;
	memcpy(t->der[slot], tail.p, tail.n);
	*id = (struct tls_identity){ .sign = sign, .ctx = t };
	if (SESSIONS_MEM)
		id->cache = &t->cache;
	return tls_identity_chain(id, (struct slice){ t->der[slot], tail.n });
}

static void on_cert(struct ask *a, const void *reply, struct slice tail)
{
	struct tlsid *t = (struct tlsid *)(void *)a;
	const struct holder_reply *r = reply;

	if (ON(CONFIG_KEYS_ACME))
		t->again.due = t->holder->loop->now + LOOK_MS;
	if (r && t->known && tail.n == t->der_n && !memcmp(tail.p, t->der[t->now], tail.n))
		return;
	if (!r || r->result != HOLDER_DONE || !tail.n || !take(t, !t->now, tail)) {
		t->again.due = t->holder->loop->now + AGAIN_MS;
		return;
	}
	t->der_n = tail.n;
	t->now = !t->now;
	t->known = true;
	t->changed(t->owner);
}

void tlsid_wired(struct tlsid *t)
{
	struct holder_cert m = { 0 };

	t->again.due = LOOP_NEVER;
	if (!t->ask.chan && !chan_ask(t->holder, &t->ask, &m, sizeof m,
				      (struct slice){ NULL, 0 }, NULL, 0, &want_cert, CERT_MS))
		t->again.due = t->holder->loop->now + AGAIN_MS;
}

static void on_again(struct watch *w, short got)
{
	(void)got;
	tlsid_wired(OWNER(struct tlsid, again, w));
}

/* All at once: so that none outlives its time, without a clock for each. */
static void on_forget(struct watch *w, short got)
{
	struct tlsid *t = OWNER(struct tlsid, forget, w);

	(void)got;
	tls_cache_init(&t->cache, t->sessions, SESSIONS_MEM);
	w->due = t->holder->loop->now + FORGET_MS;
}

void tlsid_init(struct tlsid *t, struct chan *holder, void (*changed)(void *), void *owner)
{
	memset(t, 0, sizeof *t);
	t->holder = holder;
	t->changed = changed;
	t->owner = owner;
	t->ask.done = on_cert;
	t->again = (struct watch){ .fd = -1, .due = LOOP_NEVER, .ready = on_again };
	loop_add(holder->loop, &t->again);
	if (!SESSIONS_MEM)
		return;
	t->sessions = arena_reserve(SESSIONS_MEM);
	t->forget = (struct watch){ .fd = -1, .ready = on_forget };
	on_forget(&t->forget, 0);
	loop_add(holder->loop, &t->forget);
}

const struct tls_identity *tlsid_get(const struct tlsid *t)
{
	return t->known ? &t->id[t->now] : NULL;
}
