/* SPDX-License-Identifier: ISC */
#include "keys/auth/login.h"

#include <sodium.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#include "keys/auth/cram.h"
#include "smtpd/lib/log.h"
#include "smtpd/lib/owner.h"
#include "smtpd/proto/grant.h"
#include "smtpd/proto/ipaddr.h"

enum { FIRSTS = CONFIG_SMTPD_MAX_SESSIONS + 1 };

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

/* server: server-final-message of SCRAM, which account and grant follow; empty otherwise. */
static bool yes(const struct token *t, const uint8_t key[CTL_GRANT_KEY], const struct grant *g,
		struct slice server)
{
	struct auth_reply r = { .result = AUTH_YES };
	uint8_t mem[AUTH_SCRAM_SERVER + AUTH_USER_MAX + AUTH_GRANT_MAX];
	struct buf out = BUF(mem);

	if (server.n) {
		r.server_len = (uint8_t)server.n;
		r.account_len = (uint8_t)g->account.n;
		buf_put(&out, server);
		buf_put(&out, g->account);
	}
	out.cap = out.len + AUTH_GRANT_MAX;
	grant_put(g, key, &out);
	if (out.bad)
		return false;
	chan_answer(t, &r, sizeof r, buf_slice(&out));
	return true;
}

/* A login as it is judged: where it came from, and what the map holds for the name, p NULL: nothing. */
struct attempt {
	const struct token *token;
	const uint8_t *peer;
	struct slice user, password, value;
	int64_t asked;
	struct slice server; /* what SCRAM says on success; empty: PLAIN */
};

/* Cuts `until=SECONDS` off the rights where it stands. Is the account good at now (monotonic ms)? Its grants
 * end with it. */
static bool in_time(struct slice *rights, int64_t now, int64_t *until)
{
	struct slice rest = *rights, word = slice_word(&rest), key = SLICE("until=");
	struct timespec wall;
	uint64_t end;
	int64_t left;

	if (!slice_iprefix(word, key))
		return true;
	*rights = slice_trim(rest);
	clock_gettime(CLOCK_REALTIME, &wall);
	if (!slice_u64(slice_from(word, key.n), INT64_MAX / 1000, &end))
		return false;
	left = (int64_t)end * 1000 - ((int64_t)wall.tv_sec * 1000 + wall.tv_nsec / 1000000);
	if (left < *until - now)
		*until = now + left;
	return left > 0;
}

static void end(struct login *a, struct attempt *t, enum auth_result result, int64_t now)
{
	const char *why = NULL;
	struct slice rights = t->value;
	int64_t until = now + AUTH_GRANT_MS;

	slice_word(&rights);
	rights = slice_trim(rights);
	if (result == AUTH_YES && !in_time(&rights, now, &until)) {
		result = AUTH_NO;
		why = "expired";
	}
	/* An unknown name is not logged: it may be a password typed in the wrong place. */
	note(t->peer, slice_head(t->user, t->value.p ? t->user.n : 0), result, why);
	if (result == AUTH_YES)
		throttle_worked(a->throttle, t->peer, t->user, now);
	if (result == AUTH_NO)
		throttle_failed(a->throttle, t->peer, t->user, now);
	if (result != AUTH_YES ||
	    !yes(t->token, a->grant_key, &(struct grant){ t->user, rights, until }, t->server))
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
	bool friend = throttle_friend(a->throttle, t->peer, t->user, t->asked);
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

/* What the map holds for the name that is tried, and its hash; else a hash that nobody knows the password of. Names
 * that are there and names that are not take the same steps. */
static enum passhash_kind find(struct login *a, struct attempt *t, struct slice *hash)
{
	struct slice rest, word, other;
	bool found = map_get(&a->users, t->user, &t->value);
	enum passhash_kind kind;

	map_get(&a->users, found ? SLICE("?") : SLICE(PASSHASH_PEPPER), &other);
	rest = found ? t->value : a->nobody;
	word = slice_word(&rest);
	kind = passhash_known(word);
	if (!found || kind == PASSHASH_BAD) {
		t->value = (struct slice){ NULL, 0 };
		kind = PASSHASH_BAD;
	}
	*hash = kind == PASSHASH_BAD ? a->dummy[PASSHASH_TOKEN] : word;
	return kind;
}

/* Every dear check that some account needs is made, so that nobody's failure takes longer than another's. */
static bool dear_check(struct login *a, enum passhash_kind kind, struct slice hash,
		       struct slice password)
{
	bool right = false;

	for (int k = PASSHASH_CHOSEN; k < PASSHASH_KINDS && !right; k++)
		if (a->have[k])
			right = passhash_check((int)kind == k ? hash : a->dummy[k], password) &&
				(int)kind == k;
	return right;
}

/* A token that was wrong costs as much as a name that nobody has. */
static void on_work(struct watch *w, short got)
{
	struct login *a = OWNER(struct login, work, w);
	struct pending *p = pending_next(&a->pending);
	struct attempt t = { .token = &p->token,
			     .peer = p->peer,
			     .user = { p->user, p->user_n },
			     .password = { p->password, p->password_n },
			     .asked = p->asked };
	struct slice hash;
	enum passhash_kind kind = find(a, &t, &hash);
	enum auth_result result = AUTH_LATER;

	(void)got;
	if (throttle_allows(a->throttle, t.peer, t.user, loop_clock()))
		result = dear_check(a, kind, hash, t.password) ? AUTH_YES : AUTH_NO;
	end(a, &t, result, loop_clock());
	pending_wipe(&a->pending, p);
	set_work(a);
}

/* right: a token, or a proof of SCRAM. A right token is taken whatever went before: nobody guesses 128 bits, and so
 * nobody locks its account out. */
static void judge(struct login *a, struct attempt *t, enum passhash_kind kind, bool right)
{
	if (a->damaged)
		end(a, t, AUTH_LATER, t->asked);
	else if (right && kind == PASSHASH_TOKEN)
		end(a, t, AUTH_YES, t->asked);
	else if (!throttle_allows(a->throttle, t->peer, t->user, t->asked))
		end(a, t, AUTH_LATER, t->asked);
	else if (right)
		end(a, t, AUTH_YES, t->asked);
	else if (t->password.p && (a->have[PASSHASH_CHOSEN] || a->have[PASSHASH_SCRAM]))
		put_off(a, t);
	else
		end(a, t, AUTH_NO, t->asked);
}

static void plain(struct login *a, struct attempt *t)
{
	struct slice hash;
	enum passhash_kind kind = find(a, t, &hash);
	bool cheap = kind == PASSHASH_TOKEN || kind == PASSHASH_CRAM;
	bool right = passhash_check(cheap ? hash : a->dummy[PASSHASH_TOKEN], t->password);

	judge(a, t, kind, right && cheap);
}

/* An answer to a challenge. The same steps for names that have no such keys. */
static void cram(struct login *a, struct attempt *t)
{
	struct slice hash, answer = t->password;
	bool own = find(a, t, &hash) == PASSHASH_CRAM;
	struct cram_keys k = { .outer = { 0 } };
	bool right;

	cram_keys_get(own ? hash : a->dummy[PASSHASH_CRAM], &k);
	right = answer.n >= AUTH_CRAM_DIGEST &&
		cram_check(&k, slice_from(answer, AUTH_CRAM_DIGEST), answer.p);
	sodium_memzero(&k, sizeof k);
	t->password.p = NULL; /* no dear check of it */
	judge(a, t, PASSHASH_CRAM, right && own);
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
	else if (m->mechanism == AUTH_PASSWORD)
		plain(a, &t);
	else if (ON(CONFIG_AUTH_LEGACY_CRAM_MD5))
		cram(a, &t);
	else
		chan_fail(&c->token);
	sodium_memzero((void *)(uintptr_t)c->tail.p, c->tail.n); /* our receive buffer */
}

/* ---- SCRAM ---- */

static void make_dummy(struct login *a, enum passhash_kind kind)
{
	uint8_t random[32];
	struct buf b = BUF(a->dummy_mem[kind]);

	randombytes_buf(random, sizeof random);
	if (!passhash_make(kind, (struct slice){ random, sizeof random }, &b))
		bug("no memory for a password");
	a->dummy[kind] = buf_slice(&b);
	buf_put(&b, SLICE(" @"));
	a->nobody = buf_slice(&b); /* in the end of the dearest */
}

/* The keys of the account. For a name without, keys that nobody can prove, with a salt that stays what it is as long as
 * the first line of the account file does. */
static void keys_of(struct login *a, struct attempt *t, struct scram_keys *k)
{
	struct slice hash, pepper = SLICE("");
	bool own = find(a, t, &hash) == PASSHASH_SCRAM;
	uint8_t salt[SCRAM_SALT], key[32];

	/* Nobody has such keys: start-up was spared the work. */
	if (!a->dummy[PASSHASH_SCRAM].n)
		make_dummy(a, PASSHASH_SCRAM);
	map_get(&a->users, SLICE(PASSHASH_PEPPER), &pepper);
	crypto_generichash(key, sizeof key, pepper.p, pepper.n, NULL, 0);
	crypto_generichash(salt, sizeof salt, t->user.p, t->user.n, key, sizeof key);
	scram_keys_get(own ? hash : a->dummy[PASSHASH_SCRAM], k);
	if (!own)
		memcpy(k->salt, salt, sizeof salt);
}

static void on_hold(struct watch *w, short got)
{
	struct login *a = OWNER(struct login, hold, w);

	(void)got;
	while (a->firsts_n && a->firsts[a->firsts_at].due <= a->loop->now) {
		struct login_first *x = &a->firsts[a->firsts_at];

		a->firsts_at = (a->firsts_at + 1) % FIRSTS;
		a->firsts_n--;
		answer(&x->token, AUTH_YES, (struct slice){ x->text, x->n });
	}
	w->due = a->firsts_n ? a->firsts[a->firsts_at].due : LOOP_NEVER;
}

/* The answer waits for a tick of the clock: whether the map was warm where the name was looked up is not heard. */
static void hold(struct login *a, const struct token *t, struct slice text)
{
	struct login_first *x = &a->firsts[(a->firsts_at + a->firsts_n) % FIRSTS];

	if (a->firsts_n == FIRSTS || !text.n) {
		chan_fail(t);
		return;
	}
	a->firsts_n++;
	x->token = *t;
	x->due = loop_clock() + LOGIN_FIRST_MS;
	x->n = (uint16_t)text.n;
	memcpy(x->text, text.p, text.n);
	a->hold.due = a->firsts[a->firsts_at].due;
}

static void on_scram_first(void *ctx, struct call *c)
{
	struct login *a = ctx;
	const struct auth_scram *m = c->msg;
	uint8_t mem[AUTH_SCRAM_TEXT_MAX];
	struct buf out = BUF(mem);
	struct attempt t = { .peer = m->peer };
	struct scram_first f;
	struct scram_keys k;

	if (!scram_first_get(c->tail, &f)) {
		answer(&c->token, AUTH_NO, SLICE(""));
		return;
	}
	t.user = (struct slice){ f.user, f.user_n };
	keys_of(a, &t, &k);
	scram_first_put(&a->scram, m->peer, c->tail, loop_clock(), &k, &out);
	hold(a, &c->token, slice_head(buf_slice(&out), out.bad ? 0 : out.len));
	sodium_memzero(&k, sizeof k);
}

static void on_scram_final(void *ctx, struct call *c)
{
	struct login *a = ctx;
	const struct auth_scram *m = c->msg;
	struct cur in = CUR(c->tail);
	struct slice first = cur_take(&in, m->first_len);
	uint8_t mem[AUTH_SCRAM_SERVER];
	struct buf server = BUF(mem);
	struct attempt t = { .token = &c->token, .peer = m->peer, .asked = loop_clock() };
	struct scram_first f;
	struct scram_keys k;
	bool right;

	if (in.bad || !scram_first_get(first, &f)) {
		chan_fail(&c->token);
		return;
	}
	t.user = (struct slice){ f.user, f.user_n };
	keys_of(a, &t, &k);
	right = scram_final(&a->scram, m->peer, first, in.s, t.asked, &k, &server);
	t.server = buf_slice(&server);
	judge(a, &t, PASSHASH_SCRAM, right && t.value.p);
	sodium_memzero(&k, sizeof k);
}

static void on_offer(void *ctx, struct call *c)
{
	struct login *a = ctx;
	struct auth_reply r = { .result = AUTH_YES,
				.offer = a->have[PASSHASH_SCRAM] ? AUTH_OFFER_SCRAM : 0 };

	r.offer |= a->have[PASSHASH_CRAM] ? AUTH_OFFER_CRAM : 0;

	chan_answer(&c->token, &r, sizeof r, SLICE(""));
}

/* The address that a connection comes from is all there is: a stranger's is not logged, one that nearly is ours is. */
static void on_network(void *ctx, struct call *c)
{
	struct login *a = ctx;
	const struct auth_network *m = c->msg;
	struct slice account = SLICE(AUTH_MYNETWORKS);
	enum mynetworks_word word = mynetworks_judge(&a->networks, m->peer);

	if (word == MYNETWORKS_YES &&
	    yes(&c->token, a->grant_key,
		&(struct grant){ account, a->networks.rights, loop_clock() + AUTH_GRANT_MS },
		SLICE(""))) {
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
	[AUTH_OFFER] = { .from = 1u << P_FRONT_SUB,
			 .size = sizeof(struct auth_offer),
			 .run = on_offer },
	[AUTH_SCRAM_FIRST] = { .from = 1u << P_FRONT_SUB,
			       .size = sizeof(struct auth_scram),
			       .tail_max = AUTH_SCRAM_FIRST_MAX,
			       .run = on_scram_first },
	[AUTH_SCRAM_FINAL] = { .from = 1u << P_FRONT_SUB,
			       .size = sizeof(struct auth_scram),
			       .tail_max = AUTH_SCRAM_FIRST_MAX + AUTH_SCRAM_FINAL_MAX,
			       .run = on_scram_final },
};

/* Which kinds are there? */
static void look_around(struct login *a)
{
	unsigned at;

	if (!a->users.open)
		return;
	cdb_seqinit(&at, &a->users.cdb);
	while (cdb_seqnext(&at, &a->users.cdb) > 0) {
		struct slice value = { cdb_getdata(&a->users.cdb), cdb_datalen(&a->users.cdb) };

		a->have[passhash_kind(slice_word(&value))] = true;
	}
}

/* Of the kinds that some account has, and of tokens. */
static void make_dummies(struct login *a)
{
	for (int k = PASSHASH_TOKEN; k < PASSHASH_KINDS; k++)
		if (k == PASSHASH_TOKEN || a->have[k])
			make_dummy(a, (enum passhash_kind)k);
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
	look_around(a);
	make_dummies(a);
	randombytes_buf(&a->scram, sizeof a->scram);
	a->networks.routes_v4 = a->networks.routes_v6 = -1;
	randombytes_buf(secret, sizeof secret);
	a->throttle = &a->own_throttle;
	throttle_init(a->throttle, secret);
	a->timer = (struct watch){ .fd = -1, .due = LOOP_NEVER, .ready = on_timer };
	a->work = (struct watch){ .fd = -1, .due = LOOP_NEVER, .ready = on_work };
	loop_add(l, &a->timer);
	loop_add(l, &a->work);
	a->hold = (struct watch){ .fd = -1, .due = LOOP_NEVER, .ready = on_hold };
	loop_add(l, &a->hold);
}

void login_remember(struct login *a, int fd)
{
	struct throttle *t = a->throttle;
	struct stat st;
	void *p;

	if (fd < 0 || fstat(fd, &st) != 0 || st.st_size < (off_t)sizeof *t)
		return;
	p = mmap(NULL, sizeof *t, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return;
	a->throttle = p;
	throttle_resume(a->throttle, t->secret);
}

void login_wipe(struct login *a)
{
	sodium_memzero(a->grant_key, sizeof a->grant_key);
	sodium_memzero(&a->scram, sizeof a->scram);
	hostpass_wipe(&a->hostpass);
	sodium_memzero(&a->pending, sizeof a->pending);
}
