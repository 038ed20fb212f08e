/* SPDX-License-Identifier: ISC */
#include "smtpd/check/check.h"

#include <string.h>

#include "smtpd/check/rights.h"
#include "smtpd/lib/log.h"
#include "smtpd/lib/owner.h"

static const struct say relay = { 550, { 5, 7, 1 }, "Relay access denied" };
static const struct say only_bounces = { 550,
					 { 5, 7, 1 },
					 "This address takes bounces only (MAIL FROM:<>)" };
static const struct say fast = {
	450,
	{ 4, 7, 1 },
	"Too many letters of this sender, or for this recipient, try again later"
};
static const struct say fine = { 250, { 2, 1, 5 }, "Ok" };

bool rate_key(enum check_rate kind, const struct path *p, uint8_t key[RATES_KEY])
{
	uint8_t mem[PATH_LOCAL];
	struct buf decoded = BUF(mem);
	struct slice local;
	uint64_t hash;

	path_local(p, &decoded); /* in quotes an address has many spellings */
	local = buf_slice(&decoded);
	local = slice_head(local, slice_find(local, '+'));
	hash = slice_hash(slice_hash(SLICE_HASH, local), SLICE("@"));
	memset(key, 0, RATES_KEY);
	if (path_null(p))
		return false;
	/* Two names with one number share a rate: nobody gains by that. */
	hash = slice_hash(hash, p->domain);
	key[0] = (uint8_t)(kind + 1);
	memcpy(key + 8, &hash, sizeof hash);
	return true;
}

static bool too_fast(struct check *c, enum check_rate kind, const struct path *p)
{
	uint8_t key[RATES_KEY];

	return rate_key(kind, p, key) &&
	       !rates_may(&c->rates, key, c->proc.loop.now, c->hourly[kind]);
}

/* Equal lists of destinations are one route. This hash is enough: all come from our own map, or were verified. */
static uint64_t route_of(struct slice to)
{
	return slice_hash(SLICE_HASH, to);
}

/* The next number off "5.1.6 words". */
static uint8_t number(struct slice *s)
{
	size_t n = slice_find(*s, '.') < slice_find(*s, ' ') ? slice_find(*s, '.')
							     : slice_find(*s, ' ');
	uint64_t v = 0;

	slice_u64(slice_head(*s, n), UINT8_MAX, &v);
	*s = slice_from(*s, n + 1);
	return (uint8_t)v;
}

/* An alias that takes no mail, in its own words. */
static void say_refused(struct call *call, struct slice why)
{
	uint8_t bytes[ANSWER_TEXT + 1];
	struct buf text = BUF(bytes);
	uint8_t subject, detail;
	struct say s;

	number(&why);
	subject = number(&why);
	detail = number(&why);
	buf_put(&text, why);
	s = say_made(550, subject, detail, &text, "This address takes no mail");
	say_token(&call->token, &s, 0, 0);
}

/* Does none of them get anything for now? */
static bool all_stopped(const struct check *c, struct slice to)
{
	struct slice w;

	while ((w = slice_word(&to)).n)
		if (!legs_stopped(c, slice_from(w, slice_rfind(w, '@') + 1)))
			return false;
	return true;
}

static void on_returned(struct ask *a, const void *reply, struct slice tail)
{
	struct job *j = OWNER(struct job, ask, a);
	struct token t = j->token;

	if (!job_returns(j, reply, tail))
		return;
	if (all_stopped(j->check, tail))
		say_token(&t, &say_stopped, 0, 0);
	else
		say_token(&t, &fine, ANSWER_ROUTE, route_of(tail));
	j->token.chan = NULL;
}

static void ask_return(struct check *c, struct call *call, const struct path *rcpt)
{
	struct job *j = job_new(c, call);

	if (j)
		job_ask_srs(j, rcpt, SLICE(""), on_returned);
}

static void stranger(struct check *c, struct call *call, const struct path *sender,
		     const struct path *rcpt)
{
	struct slice to;
	enum alias_kind kind = alias_find(&c->aliases, &c->domains, rcpt, &to);

	/* A full route is said here and not after DATA; where there is a journal it is not said. */
	if (((kind == ALIAS_TO && !c->spools) || kind == ALIAS_RETURN) && chan_wired(c->down) &&
	    !chan_ready(c->down)) {
		say_token(&call->token, &say_busy, 0, 0);
		return;
	}
	switch (kind) {
	case ALIAS_ELSEWHERE:
		say_token(&call->token, &relay, 0, 0);
		break;
	case ALIAS_UNKNOWN:
		say_token(&call->token, &say_unknown, 0, 0);
		break;
	case ALIAS_TO:
		if (!c->spools && all_stopped(c, to))
			say_token(&call->token, &say_stopped, 0, 0);
		else if (too_fast(c, RATE_SENDER, sender) || too_fast(c, RATE_RCPT, rcpt))
			say_token(&call->token, &fast, 0, 0);
		else
			say_token(&call->token, &fine, ANSWER_ROUTE, route_of(to));
		break;
	case ALIAS_REFUSED:
		say_refused(call, to);
		break;
	case ALIAS_RETURN:
		if (path_null(sender))
			ask_return(c, call, rcpt);
		else
			say_token(&call->token, &only_bounces, 0, 0);
		break;
	}
}

static void account(struct check *c, struct call *call, const struct path *sender,
		    const struct path *rcpt, struct slice grant)
{
	uint8_t bytes[ANSWER_TEXT + 1];
	struct buf text = BUF(bytes);
	struct grant g;
	struct slice to;
	struct say s;
	enum alias_kind kind = alias_find(&c->aliases, &c->domains, rcpt, &to);

	if (!grant_open(grant, c->proc.grant_key, loop_clock(), &g))
		say_token(&call->token, &say_no_grant, 0, 0);
	else if (!rights_sender(&g, sender, &text)) {
		s = say_made(550, 7, 1, &text, "Sender is not allowed for this account");
		say_token(&call->token, &s, 0, 0);
	} else if (!account_may(c, &g, 1, &text, &s))
		say_token(&call->token, &s, 0, 0);
	else if (kind == ALIAS_UNKNOWN || kind == ALIAS_RETURN)
		say_token(&call->token, &say_unknown, 0, 0);
	else if (kind == ALIAS_REFUSED)
		say_refused(call, to);
	else
		say_token(&call->token, &fine, 0, 0);
}

void rcpt_ask(void *ctx, struct call *call)
{
	struct check *c = ctx;
	const struct check_rcpt *m = call->msg;
	struct cur in = CUR(call->tail);
	struct slice sender = cur_take(&in, m->sender_len);
	struct slice rcpt = cur_take(&in, m->rcpt_len);
	struct slice grant = cur_take(&in, m->grant_len);
	struct path from, to;

	/* front has parsed these; it is not our validator. */
	if (!cur_done(&in) || !path_addr(sender, PATH_NULL | PATH_UTF8, &from) ||
	    !path_addr(rcpt, PATH_BARE | PATH_UTF8, &to))
		chan_fail(&call->token);
	else if (c->mx)
		stranger(c, call, &from, &to);
	else
		account(c, call, &from, &to, grant);
}
