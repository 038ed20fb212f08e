/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "smtpd/front/account.h"

#include <string.h>

#include "smtpd/front/front.h"
#include "smtpd/lib/log.h"

enum {
	AUTH_MS = 30 * 1000,
	NETWORK_MS = 5 * 1000,
	GRANT_MS = AUTH_GRANT_MS /
		   2, /* what is left is for the last letter, and ACCOUNT_KNOWN_MS */
};

static const struct want want_login = { AUTH_LOGIN, sizeof(struct auth_reply), AUTH_GRANT_MAX };
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

static void on_login(struct ask *a, const void *reply, struct slice tail)
{
	struct session *s = session_of_ask(a);
	const struct auth_reply *r = reply;

	if (take_grant(s, r, tail)) {
		s->authed = true;
		session_reply(s, "235 2.7.0 Authentication successful");
	} else if (r && r->result == AUTH_NO) {
		still(s);
		log_auth(s, "no");
		session_refuse(s, "535 5.7.8 Authentication credentials invalid");
	} else {
		still(s);
		log_auth(s, "later");
		session_reply(s, "454 4.7.0 Temporary authentication failure");
	}
	session_resume(s, ST_READY);
}

void account_login(struct session *s)
{
	struct authline *a = &s->auth;
	struct auth_login m = { .user_len = a->user_n };
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
	else {
		session_reply(s, "454 4.7.0 Temporary authentication failure");
		still(s);
	}
	explicit_bzero(mem, sizeof mem);
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
