/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "smtpd/out/peer.h"

#include <string.h>

#include "smtpd/lib/log.h"
#include "smtpd/lib/owner.h"
#include "smtpd/out/delivery.h"
#include "smtpd/out/smarthost.h"

/*
 * NOTES
 * `step` names the reply that is waited for. A reply that nobody waits for is a breach of RFC 5321 3: above all, no
 * 250 counts as the final one before the final dot was sent. Until then the destination does not have the letter; from
 * then on (STEP_FINAL) it may.
 *
 * A kept connection may have ended while nobody looked, and only the next letter finds out. As long as nothing was
 * heard to that letter's MAIL the destination cannot have it, and the delivery begins anew as if nothing had been.
 */
enum { MINUTE = 60 * 1000, EARLY_MX_MS = MINUTE, QUIT_MS = 5 * 1000 };
enum { KEEP_LETTERS = CONFIG_OUT_KEEP_LETTERS, KEEP_AGE_MS = 5 * MINUTE };

static void on_greeting(struct peer *p);
static void on_ehlo(struct peer *p);
static void on_helo(struct peer *p);
static void on_starttls(struct peer *p);

/* Timeouts of RFC 5321 4.5.3.2. Up to the handshake a failure may be tried again elsewhere. */
static const struct {
	const char *name;
	int32_t ms;
	bool early;
	void (*reply)(struct peer *); /* NULL: none is due */
} steps[] = {
	[STEP_NONE] = { "", 0, true, NULL },
	[STEP_GREETING] = { "greeting", 5 * MINUTE, true, on_greeting },
	[STEP_EHLO] = { "EHLO", 5 * MINUTE, true, on_ehlo },
	[STEP_HELO] = { "HELO", 5 * MINUTE, true, on_helo },
	[STEP_STARTTLS] = { "STARTTLS", 5 * MINUTE, true, on_starttls },
	[STEP_HANDSHAKE] = { "TLS handshake", MINUTE, true, NULL },
	[STEP_SECURED] = { "EHLO", 5 * MINUTE, true, on_ehlo },
	[STEP_PASSWORD] = { "password", 100, true, NULL },
	[STEP_AUTH] = { "AUTH", 5 * MINUTE, true, smarthost_said },
	[STEP_MAIL] = { "MAIL", 5 * MINUTE, false, converse_mail },
	[STEP_RCPT] = { "RCPT", 5 * MINUTE, false, converse_rcpt },
	[STEP_DATA] = { "DATA", 2 * MINUTE, false, converse_data },
	[STEP_TEXT] = { "text", 3 * MINUTE, false, converse_text },
	[STEP_FINAL] = { "final dot", 10 * MINUTE, false, converse_final },
	[STEP_KEPT] = { "kept", 0, false, NULL },
	[STEP_QUIT] = { "QUIT", QUIT_MS, false, peer_close },
};

_Static_assert(sizeof steps / sizeof *steps == STEPS, "row missing");

/* The forward lane's sender waits: until a letter is under way it asks the next host earlier than RFC 5321 says. */
static int64_t patience(const struct peer *p)
{
	int64_t ms = steps[p->step].ms, left;

	if (p->step == STEP_KEPT)
		return p->owner->keep_ms;
	if (!p->d)
		return ms;
	left = p->d->deadline - p->owner->loop->now;
	if (!p->owner->sub && steps[p->step].early && ms > EARLY_MX_MS)
		ms = EARLY_MX_MS;
	return ms < left ? ms : left;
}

void peer_go(struct peer *p, enum step step)
{
	p->step = step;
	stream_due(&p->stream, patience(p));
}

void peer_say(struct peer *p, struct slice s)
{
	buf_put(&p->stream.out, s);
}

/* ---- endings ---- */

void peer_close(struct peer *p)
{
	stream_close(&p->stream);
	if (p->smart)
		explicit_bzero(p->out, sizeof p->out); /* the log-in may be there */
	if (p->d)
		p->d->peer = NULL;
	p->d = NULL;
	p->step = STEP_NONE;
}

void peer_quit(struct peer *p)
{
	if (p->d)
		delivery_answer(p->d);
	peer_say(p, SLICE("QUIT\r\n"));
	peer_go(p, STEP_QUIT);
}

void peer_keep(struct peer *p)
{
	delivery_answer(p->d);
	if (++p->letters >= KEEP_LETTERS || p->owner->loop->now >= p->until ||
	    !p->owner->keep_ms)
		peer_quit(p);
	else
		peer_go(p, STEP_KEPT);
}

void peer_give_up(struct peer *p)
{
	if (p->letters && !p->heard)
		delivery_stale(p->d);
	else
		delivery_answer(p->d);
	peer_close(p);
}

/* The connection failed us, with the outcome set: before MAIL another address may do. */
static void failed(struct peer *p)
{
	if (!p->d)
		peer_close(p);
	else if (steps[p->step].early)
		delivery_next(p->d);
	else
		peer_give_up(p);
}

void peer_fail(struct peer *p, uint8_t subject, uint8_t detail, const char *text)
{
	uint8_t where[MXLIST_NAME + 32];
	struct buf b = BUF(where);

	buf_put(&b, slice_of(p->host));
	buf_put(&b, SLICE(" at "));
	buf_put(&b, slice_of(steps[p->step].name));
	if (p->d)
		outcome_own(&p->d->outcome, 451, subject, detail, text, buf_slice(&b));
	failed(p);
}

static bool must_tls(const struct peer *p)
{
	return policy_must_tls(&p->d->policy);
}

static struct session *session_of(struct peer *p)
{
	return sessions_find(&p->owner->sessions, p->host, p->level, p->owner->loop->now);
}

/* The handshake failed. Where TLS must be: never in clear. Else once more on a new connection, without what it was to
 * be resumed from, and then without TLS. */
static void fail_tls(struct peer *p, const char *why)
{
	if (!must_tls(p) && !p->d->no_tls) {
		p->d->no_tls = !p->resumed;
		p->d->again = true;
	}
	if (p->resumed)
		sessions_drop(session_of(p));
	peer_fail(p, 7, 5, why);
}

void peer_said(struct peer *p)
{
	if (p->step == STEP_FINAL || reply_verdict(&p->reply) != V_OK)
		outcome_said(&p->d->outcome, &p->reply, p->host);
	else
		outcome_own(&p->d->outcome, 451, 5, 0, "reply out of place", slice_of(p->host));
}

/* ---- the beginning ---- */

static void hello(struct peer *p, enum step step)
{
	peer_say(p, step == STEP_HELO ? SLICE("HELO ") : SLICE("EHLO "));
	peer_say(p, p->owner->self);
	peer_say(p, SLICE("\r\n"));
	peer_go(p, step);
}

static void on_greeting(struct peer *p)
{
	if (p->reply.code != 220) {
		peer_said(p);
		failed(p);
		return;
	}
	hello(p, STEP_EHLO);
}

/* RFC 5321 5.1: whoever answers with our name is ourselves. No worse host is asked either. */
static bool loops(struct peer *p)
{
	struct slice text = reply_text(&p->reply);

	return !p->smart && slice_ieq(slice_word(&text), p->owner->self);
}

static void ready(struct peer *p)
{
	if (p->smart)
		smarthost_login(p);
	else
		converse_begin(p);
}

static void begin_tls(struct peer *p)
{
	struct session *s = p->level == POLICY_DANE ? NULL : session_of(p);

	policy_tls(&p->d->policy, &p->tls, p->host);
	p->resumed = s;
	if (s)
		tls_resume(&p->tls, p->host, &s->tls);
	stream_tls(&p->stream, &p->tls);
	peer_go(p, STEP_HANDSHAKE);
}

static void on_secure(struct peer *p)
{
	if (p->level != POLICY_DANE) /* its pins may be others next time */
		sessions_keep(&p->owner->sessions, p->host, p->level, &p->tls,
			      p->owner->loop->now);
	if (p->implicit)
		peer_go(p, STEP_GREETING);
	else
		hello(p, STEP_SECURED);
}

static void on_ehlo(struct peer *p)
{
	bool tls = p->stream.secure;

	if (reply_verdict(&p->reply) != V_OK) {
		peer_said(p);
		if (reply_verdict(&p->reply) == V_PERM && !must_tls(p) && !tls)
			hello(p, STEP_HELO);
		else
			failed(p);
		return;
	}
	if (loops(p)) {
		delivery_loop(p->d);
		return;
	}
	p->caps = p->reply.caps;
	p->limit = p->reply.size;
	if (!tls && p->caps & REPLY_STARTTLS && !p->d->no_tls) {
		peer_say(p, SLICE("STARTTLS\r\n"));
		peer_go(p, STEP_STARTTLS);
	} else if (!tls && must_tls(p)) {
		peer_fail(p, 7, 5, "STARTTLS is not offered");
	} else {
		ready(p);
	}
}

static void on_helo(struct peer *p)
{
	if (reply_verdict(&p->reply) != V_OK) {
		peer_said(p);
		failed(p);
		return;
	}
	p->caps = 0;
	p->limit = 0;
	converse_begin(p);
}

static void on_starttls(struct peer *p)
{
	if (p->reply.code != 220) {
		if (must_tls(p))
			peer_fail(p, 7, 5, "STARTTLS was refused");
		else
			converse_begin(p); /* RFC 3207 4: as if it had not been offered */
		return;
	}
	begin_tls(p);
}

/* ---- events ---- */

static void read_replies(struct peer *p)
{
	while (p->step != STEP_NONE && p->stream.in.len) {
		struct slice in = buf_slice(&p->stream.in);
		size_t n = in.n;
		enum reply_step got = reply_feed(&p->reply, &in);
		void (*handle)(struct peer *) = steps[p->step].reply;

		buf_eat(&p->stream.in, n - in.n);
		if (got == REPLY_MORE)
			return;
		if (got == REPLY_BAD || !handle) {
			peer_fail(p, 5, 0, "the destination does not speak SMTP");
			return;
		}
		p->heard |= p->reply.code != 421; /* which only says that the connection ends */
		handle(p);
		p->reply = (struct reply){ 0 };
	}
}

static void on_broken(struct peer *p, const char *why)
{
	if (p->step == STEP_HANDSHAKE)
		fail_tls(p, why);
	else
		peer_fail(p, 4, 2, why);
}

static void on_late(struct peer *p)
{
	if (p->step == STEP_KEPT) {
		peer_quit(p);
		stream_kick(&p->stream);
	} else if (p->step == STEP_PASSWORD) {
		smarthost_late(p);
	} else {
		on_broken(p, "the destination did not answer in time");
	}
}

static void on_event(struct stream *s, enum stream_event e)
{
	struct peer *p = OWNER(struct peer, stream, s);

	switch (e) {
	case STREAM_SECURE:
		on_secure(p);
		break;
	case STREAM_DATA:
		if (p->step != STEP_HANDSHAKE)
			read_replies(p);
		if (p->step == STEP_TEXT)
			converse_pump(p);
		break;
	case STREAM_EOF:
		on_broken(p, "the destination closed the connection");
		return;
	case STREAM_BROKEN:
		on_broken(p, stream_why(s));
		return;
	case STREAM_LATE:
		on_late(p);
		return;
	}
	if (p->step != STEP_NONE && s->out.len) /* goes out now, not after another poll */
		stream_kick(s);
}

struct peer *peer_new(struct outbound *o)
{
	struct peer *old = NULL;

	for (struct peer *p = o->peers; p < o->peers + o->npool; p++) {
		if (p->step == STEP_NONE)
			return p;
		if (!p->d && (!old || p->stream.watch.due < old->stream.watch.due))
			old = p;
	}
	if (!old)
		bug("no connection for a delivery"); /* there are as many as deliveries */
	peer_say(old, SLICE("QUIT\r\n"));
	stream_kick(&old->stream);
	peer_close(old);
	return old;
}

static struct slice key_of(const struct peer *p)
{
	return p->smart ? p->owner->smarthost : slice_of(p->domain);
}

struct peer *peer_kept(const struct delivery *d)
{
	struct outbound *o = d->owner;

	for (struct peer *p = o->peers; p < o->peers + o->npool; p++)
		if (p->step == STEP_KEPT && p->pinned == d->pinned && p->smart == d->smart &&
		    p->asked_sts >= d->policy.asks_sts && p->until > o->loop->now &&
		    slice_ieq(key_of(p), d->smart ? o->smarthost : d->letter.domain))
			return p;
	return NULL;
}

struct peer *peer_kept_at(struct outbound *o, const char *host, const struct ipaddr *addr)
{
	for (struct peer *p = o->peers; p < o->peers + o->npool; p++)
		if (p->step == STEP_KEPT && p->level == POLICY_OPPORTUNISTIC &&
		    p->until > o->loop->now && ipaddr_eq(&p->addr, addr) &&
		    slice_ieq(slice_of(p->host), slice_of(host)))
			return p;
	return NULL;
}

/* Whose letters it is for from now on, and whether that domain's MTA-STS policy was asked for. */
static void set_domain(struct peer *p)
{
	p->asked_sts = p->d->policy.asks_sts;
	slice_cstr(p->d->letter.domain, p->domain, sizeof p->domain);
}

void peer_start(struct peer *p, struct delivery *d, int fd)
{
	p->d = d;
	d->peer = p;
	p->letters = 0;
	p->until = p->owner->loop->now + KEEP_AGE_MS;
	p->addr = d->last_addr;
	p->pinned = d->pinned;
	p->smart = d->smart;
	p->implicit = d->smart && p->owner->smart_tls;
	p->resumed = false;
	p->level = d->policy.level;
	p->heard = false;
	p->caps = 0;
	p->reply = (struct reply){ 0 };
	slice_cstr(slice_of(delivery_host(d)), p->host, sizeof p->host);
	set_domain(p);
	stream_open(&p->stream, p->owner->loop, fd, BUF(p->in), BUF(p->out), on_event);
	if (p->implicit)
		begin_tls(p);
	else
		peer_go(p, STEP_GREETING);
}

void peer_again(struct peer *p, struct delivery *d)
{
	p->d = d;
	d->peer = p;
	set_domain(p);
	converse_begin(p);
	stream_kick(&p->stream);
}
