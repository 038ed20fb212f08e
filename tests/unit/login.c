/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "keys/auth/login.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "keys/auth/host/sourcefile.h"
#include "smtpd/proto/grant.h"
#include "tests/unit/console.h"

enum { CREDIT = PENDING_MAX + 8 };

static const uint8_t grant_key[CTL_GRANT_KEY] = { 5 };
static const struct want want = { AUTH_LOGIN, sizeof(struct auth_reply), AUTH_GRANT_MAX };

static struct {
	struct loop loop;
	struct chan front, auth;
	uint8_t rx[MSG_MAX], rx2[MSG_MAX];
	struct login login;
} t;

static struct {
	int calls, lost;
	unsigned result;
	uint8_t grant[AUTH_GRANT_MAX];
	size_t n;
} seen;

static void on_reply(struct ask *a, const void *reply, struct slice tail)
{
	const struct auth_reply *r = reply;

	(void)a;
	seen.calls++;
	seen.lost += !r;
	seen.result = r ? r->result : 99;
	seen.n = tail.n;
	if (tail.n)
		memcpy(seen.grant, tail.p, tail.n);
}

static void put(struct entries *all, const char *name, enum passhash_kind kind,
		const char *password, const char *limits)
{
	uint8_t mem[PASSHASH_MAX + 64];
	struct buf b = BUF(mem);

	CHECK(passhash_make(kind, slice_of(password), &b));
	buf_u8(&b, ' ');
	buf_put(&b, slice_of(limits));
	buf_put(&b, SLICE("@a.org me@b.org"));
	entries_add(all, slice_of(name), buf_slice(&b), 1, 0);
}

static void start(int fd)
{
	int pair[2];

	CHECK(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair));
	loop_init(&t.loop, 8);
	chan_init(&t.front, &t.loop, P_AUTH, CREDIT, t.rx);
	chan_init(&t.auth, &t.loop, P_FRONT_SUB, CREDIT, t.rx2);
	t.auth.rules = login_rules;
	t.auth.nrules = AUTH_TYPES;
	t.auth.ctx = &t.login;
	chan_wire(&t.front, pair[0], 1);
	chan_wire(&t.auth, pair[1], 1);
	login_init(&t.login, &t.loop, fd, grant_key);
}

/* One login; the time until the answer came. */
static int64_t login(const char *user, const char *password, size_t user_len)
{
	struct auth_login m = { .peer = { [10] = 0xff, 0xff, 192, 0, 2, 1 },
				.user_len = (uint16_t)user_len };
	struct ask a = { .done = on_reply };
	uint8_t mem[512];
	struct buf b = BUF(mem);
	int64_t from = loop_clock();

	memset(&seen, 0, sizeof seen);
	buf_put(&b, slice_of(user));
	buf_put(&b, slice_of(password));
	CHECK(chan_ask(&t.front, &a, &m, sizeof m, buf_slice(&b), NULL, 0, &want, 5000));
	while (!seen.calls)
		loop_round(&t.loop);
	return loop_clock() - from;
}

static bool received_is_wiped(const char *secret)
{
	return !memmem(t.rx2, sizeof t.rx2, secret, strlen(secret));
}

static void good(const char *user, const char *password)
{
	struct grant g;

	login(user, password, strlen(user));
	CHECK_EQ(seen.result, AUTH_YES);
	CHECK(grant_open((struct slice){ seen.grant, seen.n }, grant_key, loop_clock(), &g));
	CHECK(slice_eq(g.account, slice_of(user)));
	CHECK_SLICE(g.rights, "@a.org me@b.org");
	CHECK(g.expires <= loop_clock() + AUTH_GRANT_MS && g.expires > loop_clock());
	CHECK(received_is_wiped(password));
}

static void wrong(const char *user, const char *password, unsigned result)
{
	CHECK(login(user, password, strlen(user)) >= LOGIN_FAIL_MS - 1);
	CHECK_EQ(seen.result, result);
	CHECK_EQ(seen.n, 0);
	CHECK(!password[0] || received_is_wiped(password));
}

static void accounts(void)
{
	struct entries all = { 0 };
	struct complaint why = { 0 };

	put(&all, "app1", PASSHASH_TOKEN, "token-of-app1", "");
	put(&all, "bob", PASSHASH_CHOSEN, "chosen-by-bob", "");
	CHECK(entries_sort(&all, &why) && source_cdb("users.cdb", &all));
	entries_free(&all);
	start(open("users.cdb", O_RDONLY));
	good("app1", "token-of-app1");
	good("bob", "chosen-by-bob");
	wrong("app1", "chosen-by-bob", AUTH_NO);
	wrong("bob", "token-of-app1", AUTH_NO);
	wrong("carol", "token-of-app1", AUTH_NO);
	wrong("app1", "", AUTH_NO);
	wrong("", "token-of-app1", AUTH_NO);
	/* What nobody is called may be a password typed in the wrong place. */
	CHECK(logged(" user=app1") && logged(" user=bob") && !logged("carol"));
	login("app1", "x", 6); /* the name is longer than what came */
	CHECK(seen.lost == 1);
	for (int i = 0; i < THROTTLE_ADDRESS; i++)
		throttle_failed(t.login.throttle,
				(const uint8_t[16]){ [10] = 0xff, 0xff, 192, 0, 2, 1 },
				SLICE("nobody"), t.loop.now);
	wrong("bob2", "chosen-by-bob", AUTH_LATER);
	good("bob", "chosen-by-bob");  /* used from here before */
	good("app1", "token-of-app1"); /* whatever others tried */
}

static void ask(struct chan *c, void *m, size_t size, uint16_t type, uint16_t tail)
{
	struct want w = { type, sizeof(struct auth_reply), tail };
	struct ask a = { .done = on_reply };

	memset(&seen, 0, sizeof seen);
	CHECK(chan_ask(c, &a, m, size, SLICE(""), NULL, 0, &w, 5000));
	while (!seen.calls)
		loop_round(&t.loop);
}

/* Without AUTH: a grant for one account, whatever becomes of the map. */
static void networks(void)
{
	struct auth_network m = { .peer = { [10] = 0xff, 0xff, 10, 0, 0, 1 } };
	struct grant g;

	start(-1);
	ask(&t.front, &m, sizeof m, AUTH_NETWORK, AUTH_GRANT_MAX);
	CHECK_EQ(seen.result, AUTH_NO);
	CHECK(!seen.n && !seen.lost);
	mynetworks_init(&t.login.networks, SLICE("10.0.0.0/8"), SLICE("@a.org,me@b.org"), false,
			-1, -1);
	t.login.damaged = true;
	ask(&t.front, &m, sizeof m, AUTH_NETWORK, AUTH_GRANT_MAX);
	CHECK_EQ(seen.result, AUTH_YES);
	CHECK(grant_open((struct slice){ seen.grant, seen.n }, grant_key, loop_clock(), &g));
	CHECK_SLICE(g.account, AUTH_MYNETWORKS);
	CHECK_SLICE(g.rights, "@a.org me@b.org");
	m.peer[12] = 11;
	ask(&t.front, &m, sizeof m, AUTH_NETWORK, AUTH_GRANT_MAX);
	CHECK_EQ(seen.result, AUTH_NO);
	m.peer[12] = 10;
	t.login.networks.guarded = true; /* and no table to look at */
	ask(&t.front, &m, sizeof m, AUTH_NETWORK, AUTH_GRANT_MAX);
	CHECK_EQ(seen.result, AUTH_NO);
	CHECK(!seen.n);
}

static struct many {	/* answers in the order in which they came */
	struct ask ask; /* first */
	unsigned at, result;
} many[CREDIT];
static unsigned answers;

static void on_one(struct ask *a, const void *reply, struct slice tail)
{
	struct many *m = (struct many *)(void *)a;

	(void)tail;
	m->at = ++answers;
	m->result = reply ? ((const struct auth_reply *)reply)->result : 99;
}

static struct many *log_in(unsigned i, uint8_t net, const char *user, const char *password)
{
	struct auth_login m = { .peer = { [10] = 0xff, 0xff, 198, 51, net, 1 },
				.user_len = (uint16_t)strlen(user) };
	uint8_t mem[512];
	struct buf b = BUF(mem);

	buf_put(&b, slice_of(user));
	buf_put(&b, slice_of(password));
	many[i] = (struct many){ .ask.done = on_one };
	CHECK(chan_ask(&t.front, &many[i].ask, &m, sizeof m, buf_slice(&b), NULL, 0, &want,
		       60000));
	return &many[i];
}

static void all_answered(unsigned n)
{
	while (answers < n)
		loop_round(&t.loop);
}

/* Dear checks keep nobody waiting who needs none; whoever finds no place is told so before any check, and that tells
 * nothing about his name. */
static void storm(void)
{
	static const struct want want_net = { AUTH_NETWORK, sizeof(struct auth_reply),
					      AUTH_GRANT_MAX };
	struct auth_network net = { .peer = { [10] = 0xff, 0xff, 10, 0, 0, 1 } };
	struct many *token, *question, *late[4];
	unsigned n = 0;

	start(open("users.cdb", O_RDONLY));
	answers = 0;
	while (n < 6)
		log_in(n++, 1, "bob", "chosen-by-bob");
	token = log_in(n++, 2, "app1", "token-of-app1");
	question = &many[n++];
	*question = (struct many){ .ask.done = on_one };
	CHECK(chan_ask(&t.front, &question->ask, &net, sizeof net, SLICE(""), NULL, 0,
		       &want_net, 60000));
	all_answered(n);
	CHECK(token->at <= 2 && token->result == AUTH_YES);
	CHECK(question->at <= 2 && question->result == AUTH_NO);
	for (unsigned i = 0; i < 6; i++)
		CHECK(many[i].result == AUTH_YES && many[i].at == 3 + i);

	start(open("users.cdb", O_RDONLY));
	answers = n = 0;
	loop_drop(&t.loop, &t.login.work); /* the check that is made takes long */
	while (n < PENDING_MAX)
		log_in(n++, 1, "bob", "chosen-by-bob");
	late[0] = log_in(n++, 1, "bob", "chosen-by-bob");
	late[1] = log_in(n++, 1, "app1", "wrong");
	late[2] = log_in(n++, 1, "nobody", "wrong");
	token = log_in(n++, 1, "app1", "token-of-app1");
	late[3] = log_in(n++, 2, "bob", "chosen-by-bob"); /* from elsewhere: one gives way */
	all_answered(5);
	CHECK(token->at && late[0]->at && late[1]->at && late[2]->at);
	loop_add(&t.loop, &t.login.work);
	all_answered(n);
	for (unsigned i = 0; i < 3; i++)
		CHECK(late[i]->result == AUTH_LATER);
	CHECK(token->result == AUTH_YES && late[3]->result == AUTH_YES);
	CHECK_EQ(many[PENDING_MAX - 1].result, AUTH_LATER);
	CHECK_EQ(many[PENDING_MAX - 2].result, AUTH_YES);
	CHECK(received_is_wiped("chosen-by-bob"));
	CHECK(!memmem(&t.login, sizeof t.login, "chosen-by-bob", 13));
}

static void until_pending(unsigned n)
{
	while (t.login.pending.n != n)
		loop_round(&t.loop);
}

/* A dear check that was waited for, one after the other: failures before it count, and each is answered when its
 * time has come. */
static void one_by_one(void)
{
	unsigned n = 0, no = 0, later = 0;
	struct many *stranger, *friend;

	start(open("users.cdb", O_RDONLY));
	answers = 0;
	loop_drop(&t.loop, &t.login.work);
	while (n < THROTTLE_ADDRESS + 3)
		log_in(n++, 1, "bob", "wrong");
	until_pending(n);
	loop_add(&t.loop, &t.login.work);
	all_answered(n);
	for (unsigned i = 0; i < n; i++) {
		no += many[i].result == AUTH_NO;
		later += many[i].result == AUTH_LATER;
	}
	CHECK(no == THROTTLE_ADDRESS && later == 3);

	start(open("users.cdb", O_RDONLY));
	answers = 0;
	log_in(0, 1, "bob", "chosen-by-bob");
	all_answered(1);
	loop_drop(&t.loop, &t.login.work);
	stranger = log_in(1, 2, "bob", "wrong");
	until_pending(1);
	for (int64_t from = loop_clock(); loop_clock() < from + 2;)
		;
	friend = log_in(2, 1, "bob", "wrong"); /* later, and looked at first */
	until_pending(2);
	CHECK(pending_next(&t.login.pending)->friend);
	loop_add(&t.loop, &t.login.work);
	all_answered(3);
	CHECK(stranger->result == AUTH_NO && friend->result == AUTH_NO);
	CHECK(stranger->at == 2 && friend->at == 3);
}

/* Failures outlive the process: its successor gets the same memory. */
static void remembered(void)
{
	int fd = memfd_create("failures", MFD_CLOEXEC), small = memfd_create("small", 0);

	CHECK(fd >= 0 && ftruncate(fd, sizeof(struct throttle)) == 0);
	for (int i = 0; i < 2; i++) {
		start(open("users.cdb", O_RDONLY));
		login_remember(&t.login, fd);
		CHECK(t.login.throttle != &t.login.own_throttle);
		for (int n = 0; !i && n < THROTTLE_ADDRESS; n++)
			throttle_failed(t.login.throttle,
					(const uint8_t[16]){ [10] = 0xff, 0xff, 192, 0, 2, 1 },
					SLICE("app1"), loop_clock());
	}
	wrong("bob", "chosen-by-bob", AUTH_LATER);
	good("app1", "token-of-app1");
	good("bob", "chosen-by-bob"); /* what was right forgives the address */
	start(open("users.cdb", O_RDONLY));
	login_remember(&t.login, small);
	login_remember(&t.login, -1);
	CHECK(t.login.throttle == &t.login.own_throttle);
	wrong("bob", "wrong", AUTH_NO);
}

/* Only out.sub gets the password for the smarthost, and it gets nothing else. */
static void smarthost(void)
{
	static const uint8_t plain[] = { 0, 'u', 0, 'p', 'w' };
	struct auth_smarthost m = { .h = { 0 } };
	struct auth_network net = { .peer = { [10] = 0xff, 0xff, 10, 0, 0, 1 } };

	start(-1);
	memcpy(t.login.hostpass.plain, plain, sizeof plain);
	t.login.hostpass.n = sizeof plain;
	ask(&t.front, &m, sizeof m, AUTH_SMARTHOST, AUTH_PLAIN_MAX);
	CHECK(seen.lost && !chan_wired(&t.auth));
	start(-1);
	t.auth.peer = P_OUT_SUB;
	ask(&t.front, &m, sizeof m, AUTH_SMARTHOST, AUTH_PLAIN_MAX);
	CHECK_EQ(seen.result, AUTH_NO);
	memcpy(t.login.hostpass.plain, plain, sizeof plain);
	t.login.hostpass.n = sizeof plain;
	ask(&t.front, &m, sizeof m, AUTH_SMARTHOST, AUTH_PLAIN_MAX);
	CHECK_EQ(seen.result, AUTH_YES);
	CHECK(slice_eq((struct slice){ seen.grant, seen.n },
		       (struct slice){ plain, sizeof plain }));
	ask(&t.front, &net, sizeof net, AUTH_NETWORK, AUTH_GRANT_MAX);
	CHECK(seen.lost && !chan_wired(&t.auth));
	login_wipe(&t.login);
	CHECK(!t.login.hostpass.n &&
	      !memmem(&t.login.hostpass, sizeof t.login.hostpass, "pw", 2));
}

/* An account ends: its last grants with it. What is in the map beside accounts is no name. */
static void limits(void)
{
	struct entries all = { 0 };
	struct complaint why = { 0 };
	struct grant g;
	char soon[64];

	snprintf(soon, sizeof soon, "until=%lld quota=5 ", (long long)time(NULL) + 600);
	put(&all, "old", PASSHASH_TOKEN, "token", "until=1700000000 ");
	put(&all, "new", PASSHASH_TOKEN, "token", "until=99999999999 quota=5 ");
	put(&all, "soon", PASSHASH_TOKEN, "token", soon);
	put(&all, "odd", PASSHASH_TOKEN, "token", "until= ");
	entries_add(&all, SLICE(PASSHASH_PEPPER), SLICE("pepper"), 0, 0);
	CHECK(entries_sort(&all, &why) && source_cdb("limits.cdb", &all));
	entries_free(&all);
	start(open("limits.cdb", O_RDONLY));
	wrong("old", "token", AUTH_NO);
	CHECK(logged("user=old why=expired"));
	wrong("odd", "token", AUTH_NO);
	wrong(PASSHASH_PEPPER, "pepper", AUTH_NO);
	CHECK(!logged("user=*"));
	login("new", "token", 3);
	CHECK(seen.result == AUTH_YES &&
	      grant_open((struct slice){ seen.grant, seen.n }, grant_key, loop_clock(), &g));
	CHECK_SLICE(g.rights, "quota=5 @a.org me@b.org");
	CHECK(g.expires > loop_clock() + AUTH_GRANT_MS - 1000);
	login("soon", "token", 4);
	CHECK(seen.result == AUTH_YES &&
	      grant_open((struct slice){ seen.grant, seen.n }, grant_key, loop_clock(), &g));
	CHECK(g.expires <= loop_clock() + 600 * 1000 && g.expires > loop_clock() + 500 * 1000);
}

static void without_accounts(void)
{
	start(-1);
	wrong("app1", "token-of-app1", AUTH_NO);
}

static void damaged(void)
{
	int fd = open("users.cdb", O_RDWR);

	CHECK(ftruncate(fd, 2100) == 0);
	start(fd);
	CHECK(t.login.damaged);
	wrong("app1", "token-of-app1", AUTH_LATER);
}

int main(void)
{
	console_begin();
	accounts();
	storm();
	one_by_one();
	networks();
	remembered();
	smarthost();
	limits();
	without_accounts();
	damaged();
	TEST_END();
}
