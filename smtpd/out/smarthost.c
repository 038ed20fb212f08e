/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "smtpd/out/smarthost.h"

#include <string.h>

#include "smtpd/lib/log.h"
#include "smtpd/lib/owner.h"
#include "smtpd/msg/auth.h"
#include "smtpd/out/delivery.h"
#include "smtpd/proto/base64.h"

enum { ASK_MS = 10 * 1000, TRY_MS = 100, TRIES = 100 };

static const struct want want_password = { AUTH_SMARTHOST, sizeof(struct auth_reply),
					   AUTH_PLAIN_MAX };

static void refuse(struct peer *p, const char *why, struct slice more)
{
	log_event("smarthost", "effect", why);
	outcome_own(&p->d->outcome, 451, 7, 0, why, more);
	peer_quit(p);
}

static void on_password(struct ask *a, const void *reply, struct slice plain)
{
	struct peer *p = OWNER(struct delivery, ask, a)->peer;
	const struct auth_reply *r = reply;

	if (!r || r->result == AUTH_LATER) {
		peer_go(p, STEP_PASSWORD); /* smarthost_late() asks again */
	} else if (r->result != AUTH_YES) {
		converse_begin(p);
	} else if (!(p->caps & REPLY_AUTH_PLAIN)) {
		refuse(p, "the smarthost does not offer AUTH PLAIN", slice_of(p->host));
	} else {
		peer_say(p, SLICE("AUTH PLAIN "));
		base64_put(&p->stream.out, plain);
		peer_say(p, SLICE("\r\n"));
		peer_go(p, STEP_AUTH);
	}
	explicit_bzero((void *)(uintptr_t)plain.p, plain.n);
	stream_kick(&p->stream);
}

static void ask(struct peer *p)
{
	struct auth_smarthost m = { 0 };

	p->d->ask.done = on_password;
	chan_ask(p->owner->auth, &p->d->ask, &m, sizeof m, (struct slice){ NULL, 0 }, NULL, 0,
		 &want_password, ASK_MS);
}

void smarthost_login(struct peer *p)
{
	p->tries = 0;
	peer_go(p, STEP_PASSWORD);
	ask(p);
}

void smarthost_late(struct peer *p)
{
	if (p->d->ask.chan) {
		peer_go(p, STEP_PASSWORD);
	} else if (++p->tries == TRIES) {
		peer_fail(p, 7, 0, "no word from auth on the password");
	} else {
		peer_go(p, STEP_PASSWORD);
		ask(p);
	}
}

void smarthost_said(struct peer *p)
{
	explicit_bzero(p->out, sizeof p->out); /* it was sent: `out` is empty */
	if (p->reply.code == 235)
		converse_begin(p);
	else
		refuse(p, "the smarthost refuses our log-in", reply_text(&p->reply));
}
