/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "smtpd/front/account.h"

#include <string.h>

#include "smtpd/front/front.h"
#include "smtpd/lib/log.h"
#include "smtpd/lib/owner.h"
#include "smtpd/proto/base64.h"

enum {
	AUTH_MS = 30 * 1000,
	NETWORK_MS = 5 * 1000,
	GRANT_MS = AUTH_GRANT_MS /
		   2, /* what is left is for the last letter, and ACCOUNT_KNOWN_MS */
};

static const struct want want_login = { AUTH_LOGIN, sizeof(struct auth_reply), AUTH_GRANT_MAX };
static const struct want want_offer = { AUTH_OFFER, sizeof(struct auth_reply), 0 };
static const struct want want_first = { AUTH_SCRAM_FIRST, sizeof(struct auth_reply),
					AUTH_SCRAM_TEXT_MAX };
static const struct want want_final = { AUTH_SCRAM_FINAL, sizeof(struct auth_reply),
					AUTH_SCRAM_SERVER + AUTH_USER_MAX + AUTH_GRANT_MAX };
static const struct want want_network = { AUTH_NETWORK, sizeof(struct auth_reply),
					  AUTH_GRANT_MAX };

static void name(struct session *s, struct slice account)
{
	memcpy(s->account, account.p, account.n);
	s->account_n = (uint16_t)account.n;
}

static void log_auth(struct session *s, const char *result)
{
	struct logline l;

	session_log(s, &l, "auth");
	if (s->grant_n) /* what was refused may be a password typed in the wrong place; auth knows and tells */
		log_bytes(&l, "user", (struct slice){ s->account, s->account_n });
	log_text(&l, "result", result);
	log_send(&l);
}

static bool take_grant(struct session *s, const struct auth_reply *r, struct slice grant)
{
	if (!r || r->result != AUTH_YES || !grant.n || grant.n > sizeof s->grant)
		return false;
	memcpy(s->grant, grant.p, grant.n);
	s->grant_n = (uint16_t)grant.n;
	s->stale = s->front->proc.loop.now + GRANT_MS;
	session_earned(s);
	log_auth(s, "ok");
	return true;
}

/* The log-in came to nothing: who has its network's grant keeps that. */
static void still(struct session *s)
{
	if (s->grant_n && !s->authed)
		name(s, SLICE(AUTH_MYNETWORKS));
}

static void refuse(struct session *s, const struct auth_reply *r)
{
	if (r && r->result == AUTH_NO) {
		still(s);
		log_auth(s, "no");
		session_refuse(s, "535 5.7.8 Authentication credentials invalid");
	} else {
		still(s);
		log_auth(s, "later");
		session_reply(s, "454 4.7.0 Temporary authentication failure");
	}
	authline_wipe(&s->auth);
}

static void on_login(struct ask *a, const void *reply, struct slice tail)
{
	struct session *s = session_of_ask(a);

	if (take_grant(s, reply, tail)) {
		s->authed = true;
		session_reply(s, "235 2.7.0 Authentication successful");
	} else {
		refuse(s, reply);
	}
	session_resume(s, ST_READY);
}

void account_login(struct session *s)
{
	struct authline *a = &s->auth;
	struct auth_login m = { .user_len = a->user_n, .mechanism = a->mechanism };
	uint8_t mem[AUTH_USER_MAX + AUTH_PASSWORD_MAX];
	struct buf b = BUF(mem);

	memcpy(m.peer, s->peer.b, sizeof m.peer);
	name(s, (struct slice){ a->user, a->user_n });
	buf_put(&b, (struct slice){ a->user, a->user_n });
	buf_put(&b, (struct slice){ a->password, a->password_n });
	authline_wipe(a);
	s->ask.done = on_login;
	if (chan_ask(s->front->auth, &s->ask, &m, sizeof m, buf_slice(&b), NULL, 0, &want_login,
		     AUTH_MS))
		session_wait(s, WAIT_AUTH);
	else
		refuse(s, NULL);
	explicit_bzero(mem, sizeof mem);
}

/* ---- SCRAM ---- */

static void challenge(struct session *s, struct slice text)
{
	struct buf *out = &s->stream.out;

	buf_put(out, SLICE("334 "));
	base64_put(out, text);
	buf_put(out, SLICE("\r\n"));
}

static void on_first(struct ask *a, const void *reply, struct slice tail)
{
	struct session *s = session_of_ask(a);
	const struct auth_reply *r = reply;
	bool ok = r && r->result == AUTH_YES && tail.n;

	if (ok) {
		challenge(s, tail);
	} else if (r && r->result == AUTH_NO) {
		session_refuse(s, "501 5.5.2 Malformed authentication response");
		authline_wipe(&s->auth);
	} else {
		refuse(s, NULL);
	}
	session_resume(s, ok ? ST_AUTH : ST_READY);
}

static void on_final(struct ask *a, const void *reply, struct slice tail)
{
	struct session *s = session_of_ask(a);
	const struct auth_reply *r = reply;
	struct cur c = CUR(tail);
	struct slice server = cur_take(&c, r ? r->server_len : 0);
	struct slice account = cur_take(&c, r ? r->account_len : 0);

	if (!c.bad && server.n && account.n <= sizeof s->account && r->result == AUTH_YES)
		name(s, account);
	if (!c.bad && server.n && take_grant(s, r, c.s)) {
		s->authed = true;
		challenge(s, server);
	} else {
		refuse(s, r);
	}
	session_resume(s, s->authed ? ST_AUTH : ST_READY);
}

void account_scram(struct session *s, struct slice final)
{
	struct slice first = { s->auth.first, s->auth.password_n };
	struct auth_scram m = { .first_len = (uint16_t)(final.n ? first.n : 0) };
	uint8_t mem[AUTH_SCRAM_FIRST_MAX + AUTH_SCRAM_FINAL_MAX];
	struct buf b = BUF(mem);

	memcpy(m.peer, s->peer.b, sizeof m.peer);
	buf_put(&b, first);
	buf_put(&b, final);
	s->ask.done = final.n ? on_final : on_first;
	if (chan_ask(s->front->auth, &s->ask, &m, sizeof m, buf_slice(&b), NULL, 0,
		     final.n ? &want_final : &want_first, AUTH_MS))
		session_wait(s, WAIT_AUTH);
	else
		refuse(s, NULL);
}

void account_cancel(struct session *s)
{
	authline_wipe(&s->auth);
	if (s->state != ST_AUTH || !s->authed)
		return;
	s->authed = false;
	s->grant_n = s->account_n = 0;
}

static void on_offer(struct ask *a, const void *reply, struct slice tail)
{
	struct front *f = OWNER(struct front, offer_ask, a);
	const struct auth_reply *r = reply;

	(void)tail;
	if (r && r->result == AUTH_YES)
		f->offer = r->offer;
}

void account_offer(struct front *f)
{
	struct auth_offer m = { .h = { 0 } };

	f->offer_ask.done = on_offer;
	if (!f->offer_ask.chan)
		chan_ask(f->auth, &f->offer_ask, &m, sizeof m, SLICE(""), NULL, 0, &want_offer,
			 NETWORK_MS);
}

/* Where the grant of this client's network is, or would be, kept. */
static struct account_known *place_of(struct session *s)
{
	return &s->front->known[s->peer.b[sizeof s->peer.b - 1] % ACCOUNT_KNOWN];
}

static void remember(struct session *s)
{
	struct account_known *k = place_of(s);

	k->peer = s->peer;
	k->until = s->front->proc.loop.now + ACCOUNT_KNOWN_MS;
	k->grant_n = s->grant_n;
	memcpy(k->grant, s->grant, s->grant_n);
}

static bool recall(struct session *s)
{
	const struct account_known *k = place_of(s);

	if (k->until <= s->front->proc.loop.now ||
	    memcmp(&k->peer, &s->peer, sizeof s->peer) != 0)
		return false;
	name(s, SLICE(AUTH_MYNETWORKS));
	memcpy(s->grant, k->grant, k->grant_n);
	s->grant_n = k->grant_n;
	s->stale = s->front->proc.loop.now + GRANT_MS;
	session_earned(s);
	return true;
}

static void on_network(struct ask *a, const void *reply, struct slice tail)
{
	struct session *s = session_of_ask(a);

	name(s, SLICE(AUTH_MYNETWORKS));
	if (take_grant(s, reply, tail))
		remember(s);
	else
		s->account_n = 0;
	session_greet(s);
	session_resume(s, ST_GREET);
}

bool account_network(struct session *s)
{
	struct auth_network m = { 0 };

	/* Never in the strangers' lane, and not where TLS comes first: those clients log in. */
	if (sizeof CONFIG_SMTPD_MYNETWORKS <= 1 || !s->front->sub || s->implicit || recall(s))
		return false;
	memcpy(m.peer, s->peer.b, sizeof m.peer);
	s->ask.done = on_network;
	if (!chan_ask(s->front->auth, &s->ask, &m, sizeof m, SLICE(""), NULL, 0, &want_network,
		      NETWORK_MS))
		return false;
	session_wait(s, WAIT_AUTH);
	return true;
}
