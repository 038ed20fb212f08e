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

static struct login_waiter *waiter(struct login *a, size_t i)
{
	return &a->waiting[(a->first + i) % LOGIN_WAITING];
}

static void answer_late(struct login *a, const struct token *t, enum auth_result result,
			int64_t asked)
{
	size_t at = a->n;

	if (a->n == LOGIN_WAITING) {
		chan_fail(t);
		return;
	}
	for (; at && waiter(a, at - 1)->due > asked + LOGIN_FAIL_MS; at--)
		*waiter(a, at) = *waiter(a, at - 1);
	*waiter(a, at) = (struct login_waiter){ *t, (uint8_t)result, asked + LOGIN_FAIL_MS };
	a->n++;
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

/* A login as it is judged: where it came from, and what the map holds for the name, p NULL: nothing. */
struct attempt {
	const struct token *token;
	const uint8_t *peer;
	struct slice user, password, value;
	int64_t asked;
};

static void end(struct login *a, struct attempt *t, enum auth_result result, int64_t now)
{
	struct slice rights = t->value;

	/* An unknown name is not logged: it may be a password typed in the wrong place. */
	note(t->peer, slice_head(t->user, t->value.p ? t->user.n : 0), result, NULL);
	if (result == AUTH_YES)
		throttle_worked(&a->throttle, t->peer, t->user, now);
	if (result == AUTH_NO)
		throttle_failed(&a->throttle, t->peer, t->user, now);
	slice_word(&rights);
	if (result != AUTH_YES || !yes(a, t->token, t->user, slice_trim(rights), now))
		answer_late(a, t->token, result == AUTH_NO ? AUTH_NO : AUTH_LATER, t->asked);
}

static void too_busy(const struct token *t, const uint8_t peer[16])
{
	note(peer, SLICE(""), AUTH_LATER, "busy");
	answer(t, AUTH_LATER, SLICE(""));
}

static void set_work(struct login *a)
{
	a->work.due = a->pending.n ? 0 : LOOP_NEVER;
}

static void put_off(struct login *a, const struct attempt *t)
{
	bool friend = throttle_friend(&a->throttle, t->peer, t->user, t->asked);
	struct pending *p = pending_place(&a->pending, t->peer, friend);

	if (!p) {
		too_busy(t->token, t->peer);
		return;
	}
	if (p->used)
		too_busy(&p->token, p->peer);
	pending_wipe(&a->pending, p);
	pending_put(&a->pending, p, t->token, t->peer, friend, t->user, t->password, t->asked);
	set_work(a);
}

/* One dear check. A token that was wrong costs as much as a name that nobody has. */
static void on_work(struct watch *w, short got)
{
	struct login *a = OWNER(struct login, work, w);
	struct pending *p = pending_next(&a->pending);
	struct attempt t = {
		&p->token,   p->peer, { p->user, p->user_n }, { p->password, p->password_n },
		{ NULL, 0 }, p->asked
	};
	struct slice hash = a->dummy;
	bool own = false, right;

	(void)got;
	map_get(&a->users, t.user, &t.value);
	if (t.value.p) {
		struct slice rest = t.value, word = slice_word(&rest);

		own = passhash_kind(word) == PASSHASH_CHOSEN;
		hash = own ? word : hash;
	}
	if (!throttle_allows(&a->throttle, t.peer, t.user, loop_clock())) {
		end(a, &t, AUTH_LATER, loop_clock());
	} else {
		right = passhash_check(hash, t.password) && own;
		end(a, &t, right ? AUTH_YES : AUTH_NO, loop_clock());
	}
	pending_wipe(&a->pending, p);
	set_work(a);
}

static void judge(struct login *a, struct attempt *t)
{
	struct slice rest, word;

	map_get(&a->users, t->user, &t->value);
	rest = t->value;
	word = t->value.p ? slice_word(&rest) : a->dummy;
	if (a->damaged || !throttle_allows(&a->throttle, t->peer, t->user, t->asked))
		end(a, t, AUTH_LATER, t->asked);
	else if (passhash_kind(word) != PASSHASH_CHOSEN && passhash_check(word, t->password) &&
		 t->value.p)
		end(a, t, AUTH_YES, t->asked);
	else if (!a->dear)
		end(a, t, AUTH_NO, t->asked);
	else
		put_off(a, t);
}

static void on_login(void *ctx, struct call *c)
{
	struct login *a = ctx;
	const struct auth_login *m = c->msg;
	struct cur in = CUR(c->tail);
	struct attempt t = {
		.token = &c->token, .peer = m->peer, .asked = loop_clock()
	}; /* the round may be older: checks take time */

	t.user = cur_take(&in, m->user_len);
	t.password = in.s;
	if (in.bad || t.user.n > AUTH_USER_MAX || t.password.n > AUTH_PASSWORD_MAX)
		chan_fail(&c->token);
	else
		judge(a, &t);
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
	a->dear = any_chosen(&a->users);
	if (!passhash_make(a->dear ? PASSHASH_CHOSEN : PASSHASH_TOKEN,
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
	a->work = (struct watch){ .fd = -1, .due = LOOP_NEVER, .ready = on_work };
	loop_add(l, &a->timer);
	loop_add(l, &a->work);
}

void login_wipe(struct login *a)
{
	sodium_memzero(a->grant_key, sizeof a->grant_key);
	hostpass_wipe(&a->hostpass);
	sodium_memzero(&a->pending, sizeof a->pending);
}
