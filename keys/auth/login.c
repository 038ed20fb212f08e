/* SPDX-License-Identifier: ISC */
#include "keys/auth/login.h"

#include <sodium.h>
#include <string.h>

#include "smtpd/lib/log.h"
#include "smtpd/lib/owner.h"
#include "smtpd/proto/grant.h"
#include "smtpd/proto/ipaddr.h"

static const char *const words[] = {
	[AUTH_NO] = "no", [AUTH_YES] = "yes", [AUTH_LATER] = "later"
};

static void note(const uint8_t peer_octets[16], struct slice user, enum auth_result result,
		 const char *why)
{
	uint8_t text[IPADDR_TEXT];
	struct buf b = BUF(text);
	struct ipaddr peer;
	struct logline l;

	memcpy(peer.b, peer_octets, sizeof peer.b);
	ipaddr_put(&b, &peer);
	log_begin(&l, "login");
	log_text(&l, "result", words[result]);
	log_bytes(&l, "peer", buf_slice(&b));
	if (user.n)
		log_bytes(&l, "user", user);
	if (why)
		log_text(&l, "why", why);
	log_send(&l);
}

static void answer(const struct token *t, enum auth_result result, struct slice grant)
{
	struct auth_reply r = { .result = (uint8_t)result };

	chan_answer(t, &r, sizeof r, grant);
}

static void set_timer(struct login *a)
{
	a->timer.due = a->n ? a->waiting[a->first].due : LOOP_NEVER;
}

static void on_timer(struct watch *w, short got)
{
	struct login *a = OWNER(struct login, timer, w);

	(void)got;
	while (a->n && a->waiting[a->first].due <= a->loop->now) {
		struct login_waiter *x = &a->waiting[a->first];

		a->first = (a->first + 1) % LOGIN_WAITING;
		a->n--;
		answer(&x->token, x->result, (struct slice){ NULL, 0 });
	}
	set_timer(a);
}

static void answer_late(struct login *a, const struct token *t, enum auth_result result,
			int64_t now)
{
	if (a->n == LOGIN_WAITING) {
		chan_fail(t);
		return;
	}
	a->waiting[(a->first + a->n++) % LOGIN_WAITING] =
		(struct login_waiter){ *t, (uint8_t)result, now + LOGIN_FAIL_MS };
	set_timer(a);
}

static bool yes(struct login *a, const struct token *t, struct slice user, struct slice rights,
		int64_t now)
{
	struct grant g = { user, rights, now + AUTH_GRANT_MS };
	uint8_t mem[AUTH_GRANT_MAX];
	struct buf out = BUF(mem);

	grant_put(&g, a->grant_key, &out);
	if (out.bad)
		return false;
	answer(t, AUTH_YES, buf_slice(&out));
	return true;
}

/* value: what the map holds, p NULL for an unknown name. */
static enum auth_result judge(struct login *a, const uint8_t peer[16], struct slice user,
			      struct slice password, struct slice value, int64_t now)
{
	struct slice hash = value.p ? slice_word(&value) : a->dummy;
	bool right;

	if (a->damaged || !throttle_allows(&a->throttle, peer, user, now))
		return AUTH_LATER;
	right = passhash_check(hash, password) && value.p;
	if (right)
		throttle_worked(&a->throttle, peer, user, now);
	else
		throttle_failed(&a->throttle, peer, user, now);
	return right ? AUTH_YES : AUTH_NO;
}

static void on_login(void *ctx, struct call *c)
{
	struct login *a = ctx;
	const struct auth_login *m = c->msg;
	struct cur in = CUR(c->tail);
	struct slice user = cur_take(&in, m->user_len), password = in.s, value = { NULL, 0 };
	int64_t now = loop_clock(); /* the round may be older: checks take their time */
	enum auth_result result;

	if (in.bad || user.n > AUTH_USER_MAX || password.n > AUTH_PASSWORD_MAX) {
		chan_fail(&c->token);
	} else {
		map_get(&a->users, user, &value);
		result = judge(a, m->peer, user, password, value, now);
		/* An unknown name is not logged: it may be a password typed in the wrong place. */
		note(m->peer, slice_head(user, value.p ? user.n : 0), result, NULL);
		slice_word(&value);
		if (result != AUTH_YES || !yes(a, &c->token, user, slice_trim(value), now))
			answer_late(a, &c->token, result == AUTH_NO ? AUTH_NO : AUTH_LATER,
				    now);
	}
	sodium_memzero((void *)(uintptr_t)c->tail.p, c->tail.n); /* our receive buffer */
}

/* The address that a connection comes from is all there is: a stranger's is not logged, one that nearly is ours is. */
static void on_network(void *ctx, struct call *c)
{
	struct login *a = ctx;
	const struct auth_network *m = c->msg;
	struct slice account = SLICE(AUTH_MYNETWORKS);
	enum mynetworks_word word = mynetworks_judge(&a->networks, m->peer);

	if (word == MYNETWORKS_YES &&
	    yes(a, &c->token, account, a->networks.rights, loop_clock())) {
		note(m->peer, account, AUTH_YES, NULL);
		return;
	}
	answer(&c->token, AUTH_NO, SLICE(""));
	if (word == MYNETWORKS_GATEWAY)
		note(m->peer, account, AUTH_NO, "gateway");
}

static void on_smarthost(void *ctx, struct call *c)
{
	const struct hostpass *h = &((struct login *)ctx)->hostpass;

	answer(&c->token, h->n ? AUTH_YES : AUTH_NO, (struct slice){ h->plain, h->n });
}

const struct rule login_rules[AUTH_TYPES] = {
	[AUTH_LOGIN] = { .from = 1u << P_FRONT_SUB,
			 .size = sizeof(struct auth_login),
			 .tail_max = AUTH_USER_MAX + AUTH_PASSWORD_MAX,
			 .run = on_login },
	[AUTH_NETWORK] = { .from = 1u << P_FRONT_SUB,
			   .size = sizeof(struct auth_network),
			   .run = on_network },
	[AUTH_SMARTHOST] = { .from = 1u << P_OUT_SUB,
			     .size = sizeof(struct auth_smarthost),
			     .run = on_smarthost },
};

/* Is there an account with a chosen password? */
static bool any_chosen(struct map *m)
{
	unsigned at;

	if (!m->open)
		return false;
	cdb_seqinit(&at, &m->cdb);
	while (cdb_seqnext(&at, &m->cdb) > 0) {
		struct slice value = { cdb_getdata(&m->cdb), cdb_datalen(&m->cdb) };

		if (passhash_kind(slice_word(&value)) == PASSHASH_CHOSEN)
			return true;
	}
	return false;
}

static void make_dummy(struct login *a)
{
	uint8_t random[32];
	struct buf b = BUF(a->dummy_mem);

	randombytes_buf(random, sizeof random);
	if (!passhash_make(any_chosen(&a->users) ? PASSHASH_CHOSEN : PASSHASH_TOKEN,
			   (struct slice){ random, sizeof random }, &b))
		bug("no memory for a password");
	a->dummy = buf_slice(&b);
}

void login_init(struct login *a, struct loop *l, int users_fd,
		const uint8_t grant_key[CTL_GRANT_KEY])
{
	uint8_t secret[32];

	if (sodium_init() < 0)
		bug("sodium");
	memset(a, 0, sizeof *a);
	a->loop = l;
	memcpy(a->grant_key, grant_key, sizeof a->grant_key);
	a->damaged = !map_open(&a->users, users_fd);
	if (a->damaged)
		log_event("damaged", "map", "users.cdb");
	make_dummy(a);
	a->networks.routes_v4 = a->networks.routes_v6 = -1;
	randombytes_buf(secret, sizeof secret);
	throttle_init(&a->throttle, secret);
	a->timer = (struct watch){ .fd = -1, .due = LOOP_NEVER, .ready = on_timer };
	loop_add(l, &a->timer);
}

void login_wipe(struct login *a)
{
	sodium_memzero(a->grant_key, sizeof a->grant_key);
	hostpass_wipe(&a->hostpass);
}
