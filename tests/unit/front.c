/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "smtpd/front/authline.h"

#include <string.h>

#include "smtpd/front/budget.h"
#include "smtpd/front/crashed.h"
#include "smtpd/front/front.h"
#include "smtpd/lib/memfd.h"
#include "smtpd/proto/base64.h"
#include "tests/unit/test.h"

static void test_budget(void)
{
	struct budget b = { .cap = 100 };
	uint64_t one = 0, two = 0;

	CHECK(budget_raise(&b, &one, 60));
	CHECK(!budget_raise(&b, &two, 41));
	CHECK_EQ(two, 0);
	CHECK(budget_raise(&b, &two, 40));
	CHECK(!budget_raise(&b, &one, 61));
	CHECK(budget_raise(&b, &one, 10)); /* never less than before */
	CHECK_EQ(one, 60);
	CHECK(!budget_raise(&b, &one, UINT64_MAX));
	budget_give(&b, &one);
	budget_give(&b, &one);
	CHECK_EQ(b.used, 40);
	CHECK(budget_raise(&b, &one, 60));
}

/* A letter that holds everything keeps large ones out, and small ones have a reserve. */
static void test_reserve(void)
{
	struct budget b = { .cap = 100, .small = 10, .reserve = 20 };
	uint64_t large = 0, one = 0, two = 0, three = 0;

	CHECK_EQ(budget_room(&b, 10), 120);
	CHECK_EQ(budget_room(&b, 11), 100);
	CHECK(!budget_raise(&b, &large, 101) && budget_raise(&b, &large, 100));
	CHECK(budget_raise(&b, &one, 10) && budget_raise(&b, &two, 10));
	CHECK(!budget_raise(&b, &three, 1) && !budget_raise(&b, &one, 11));
	CHECK(!budget_room(&b, 1) && !budget_room(&b, 11));
	budget_give(&b, &large);
	CHECK(budget_raise(&b, &one, 80) && !budget_raise(&b, &one, 91));
	budget_give(&b, &one);
	budget_give(&b, &two);
	CHECK_EQ(b.used, 0);
}

static bool print(const struct crashed *c, const char *sender, const char *text,
		  uint8_t out[32])
{
	int fd = memfd_make("text");
	bool ok = memfd_append(fd, 0, slice_of(text)) &&
		  crashed_print(c, slice_of(sender), fd, strlen(text), out);

	memfd_close(&fd);
	return ok;
}

static void test_crashed(void)
{
	static struct crashed c;
	uint8_t a[32], b[32], x[32] = { 0 };

	crashed_init(&c);
	CHECK(print(&c, "a@x", "text", a));
	CHECK(print(&c, "a@xt", "ext", b));
	CHECK(memcmp(a, b, 32) != 0);
	CHECK_EQ(crashed_find(&c, a), CRASHED_NOT);
	CHECK_EQ(crashed_note(&c, a), CRASHED_ONCE);
	CHECK_EQ(crashed_note(&c, b), CRASHED_ONCE);
	crashed_forget(&c, b);
	CHECK_EQ(crashed_find(&c, b), CRASHED_NOT);
	CHECK_EQ(crashed_note(&c, a), CRASHED_POISON);
	CHECK_EQ(crashed_find(&c, a), CRASHED_POISON);
	CHECK_EQ(c.used, 1);
	for (int i = 0; i < 1000; i++) {
		x[1] = (uint8_t)i;
		x[2] = (uint8_t)(i >> 8);
		x[0] = (uint8_t)(i * 31);
		CHECK_EQ(crashed_note(&c, x), CRASHED_ONCE);
		CHECK_EQ(crashed_find(&c, x), CRASHED_ONCE);
	}
	CHECK_EQ(c.used, CRASHED_MAX);
	/* A text that is shorter than it should be cannot be read. */
	CHECK(!crashed_print(&c, slice_of("a"), -1, 1, x));
}

static struct slice b64(const char *text, size_t n)
{
	static uint8_t mem[4096];
	struct buf b = BUF(mem);

	base64_put(&b, (struct slice){ (const uint8_t *)text, n });
	return buf_slice(&b);
}

#define B64(lit) b64(lit, sizeof(lit) - 1)

static unsigned offer;
static uint8_t said_mem[AUTHLINE_SAID];
static struct buf said;

static enum authline_next begin(struct authline *a, struct slice arg)
{
	said = BUF(said_mem);
	return authline_begin(a, arg, offer, &said);
}

static enum authline_next feed(struct authline *a, struct slice line)
{
	said = BUF(said_mem);
	return authline_feed(a, line, &said);
}

static void test_plain(void)
{
	static const struct {
		const char *text;
		size_t n;
		enum authline_next next;
	} rows[] = {
#define ROW(lit, next) { lit, sizeof(lit) - 1, next }
		ROW("\0u\0p", AUTHLINE_DONE),	ROW("u\0u\0p", AUTHLINE_DONE),
		ROW("v\0u\0p", AUTHLINE_BAD),	ROW("\0u\0", AUTHLINE_BAD),
		ROW("\0\0p", AUTHLINE_BAD),	ROW("\0u", AUTHLINE_BAD),
		ROW("u", AUTHLINE_BAD),		ROW("", AUTHLINE_BAD),
		ROW("\0u\0p\0q", AUTHLINE_BAD),
	};
	struct authline a;
	uint8_t big[AUTH_USER_MAX + AUTH_PASSWORD_MAX + 8];

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		CHECK_EQ(begin(&a, SLICE("PLAIN")), AUTHLINE_ASK);
		CHECK(strcmp(authline_prompt(&a), "334 ") == 0);
		CHECK_ROW((feed(&a, b64(rows[i].text, rows[i].n)) == rows[i].next),
			  rows[i].text);
	}
	/* The longest name and password, and one more octet of each. */
	for (size_t more = 0; more < 3; more++) {
		size_t user = AUTH_USER_MAX + (more == 1),
		       pass = AUTH_PASSWORD_MAX + (more == 2);

		memset(big, 'x', sizeof big);
		big[0] = big[1 + user] = 0;
		begin(&a, SLICE("plain"));
		CHECK_EQ(feed(&a, b64((char *)big, 2 + user + pass)),
			 more ? AUTHLINE_BAD : AUTHLINE_DONE);
	}
	authline_wipe(&a);
	for (size_t i = 0; i < sizeof a.password; i++)
		if (a.password[i])
			CHECK(!"password is wiped");
}

static void test_login(void)
{
	struct authline a;

	CHECK_EQ(begin(&a, SLICE("LOGIN")), AUTHLINE_ASK);
	CHECK_EQ(feed(&a, B64("user")), AUTHLINE_ASK);
	CHECK(strcmp(authline_prompt(&a), "334 UGFzc3dvcmQ6") == 0);
	CHECK_EQ(feed(&a, B64("pa\0ss")), AUTHLINE_DONE);
	CHECK_SLICE(((struct slice){ a.user, a.user_n }), "user");
	CHECK_SLICE(((struct slice){ a.password, a.password_n }), "pa\0ss");
	CHECK_EQ(begin(&a, SLICE("LOGIN =")), AUTHLINE_BAD);
	CHECK_EQ(begin(&a, SLICE("LOGIN dXNlcg==")), AUTHLINE_ASK);
	CHECK_EQ(feed(&a, SLICE("*")), AUTHLINE_CANCEL);
	CHECK_EQ(begin(&a, SLICE("PLAIN ")), AUTHLINE_BAD);
	CHECK_EQ(begin(&a, SLICE("PLAIN !!!!")), AUTHLINE_BAD);
	CHECK_EQ(begin(&a, SLICE("CRAM-MD5")), AUTHLINE_WHAT);
	CHECK_EQ(begin(&a, SLICE("")), AUTHLINE_WHAT);
}

static void test_scram(void)
{
	static uint8_t big[AUTHLINE_SAID + 1];
	struct authline a;

	CHECK_EQ(begin(&a, SLICE("SCRAM-SHA-256")), AUTHLINE_WHAT); /* not offered */
	offer = AUTH_OFFER_SCRAM;
	CHECK_EQ(begin(&a, SLICE("scram-sha-256")), AUTHLINE_ASK);
	CHECK(strcmp(authline_prompt(&a), "334 ") == 0);
	CHECK_EQ(feed(&a, B64("n,,n=u,r=x")), AUTHLINE_FIRST);
	CHECK_SLICE(((struct slice){ a.first, a.password_n }), "n,,n=u,r=x");
	CHECK_EQ(feed(&a, B64("c=biws,r=xy,p=z")), AUTHLINE_FINAL);
	CHECK_SLICE(((struct slice){ a.first, a.password_n }), "n,,n=u,r=x");
	CHECK_SLICE(buf_slice(&said), "c=biws,r=xy,p=z");
	CHECK_EQ(feed(&a, SLICE("")), AUTHLINE_AGREED);
	memset(big, 'x', sizeof big);
	for (size_t more = 0; more < 2; more++) {
		CHECK_EQ(begin(&a, SLICE("SCRAM-SHA-256")), AUTHLINE_ASK);
		CHECK_EQ(feed(&a, b64((char *)big, AUTH_SCRAM_FIRST_MAX + more)),
			 more ? AUTHLINE_BAD : AUTHLINE_FIRST);
		begin(&a, SLICE("SCRAM-SHA-256"));
		feed(&a, B64("x"));
		CHECK_EQ(feed(&a, b64((char *)big, AUTH_SCRAM_FINAL_MAX + more)),
			 more ? AUTHLINE_BAD : AUTHLINE_FINAL);
	}
	CHECK_EQ(begin(&a, SLICE("SCRAM-SHA-256 =")), AUTHLINE_BAD);
	CHECK_EQ(begin(&a, SLICE("SCRAM-SHA-256 biwsbj11LHI9eA==")), AUTHLINE_FIRST);
	CHECK_EQ(feed(&a, SLICE("")), AUTHLINE_BAD);
	begin(&a, SLICE("SCRAM-SHA-256 biwsbj11LHI9eA=="));
	CHECK_EQ(feed(&a, SLICE("*")), AUTHLINE_CANCEL);
	begin(&a, SLICE("SCRAM-SHA-256 biwsbj11LHI9eA=="));
	feed(&a, B64("x"));
	CHECK_EQ(feed(&a, B64("x")), AUTHLINE_BAD);
	offer = 0;
}

static struct ipaddr addr(const char *text)
{
	struct ipaddr a = { 0 };

	CHECK(ipaddr_parse(slice_of(text), &a));
	return front_who(&a);
}

static void test_clients(void)
{
	static struct rates c;
	enum { HOUR = 3600 * 1000, N = 4 };
	struct ipaddr a = addr("192.0.2.1"), b = addr("192.0.2.2"), x;
	int64_t now = 5000;

	for (int i = 0; i < N; i++) {
		CHECK(rates_may(&c, a.b, now, N));
		rates_count(&c, a.b, now, N);
	}
	CHECK(!rates_may(&c, a.b, now, N));
	CHECK(rates_may(&c, a.b, now, 0));
	CHECK(rates_may(&c, b.b, now, N));
	CHECK(!rates_may(&c, a.b, now + HOUR / N - 1, N));
	CHECK(rates_may(&c, a.b, now + HOUR / N, N)); /* a share of the hour, a letter */
	/* One network of IPv6 is one client; its neighbour is another. */
	x = addr("2001:db8::1");
	for (int i = 0; i < N; i++)
		rates_count(&c, x.b, now, N);
	x = addr("2001:db8::ffff:2");
	CHECK(!rates_may(&c, x.b, now, N));
	x = addr("2001:db8:0:1::1");
	CHECK(rates_may(&c, x.b, now, N));
	/* A crowd of others pushes out those who owe less than it does, and rows of the past first. */
	for (unsigned i = 0; i < RATES_MAX - 2; i++) {
		x = addr("10.0.0.0");
		x.b[14] = (uint8_t)(i >> 8);
		x.b[15] = (uint8_t)i;
		rates_count(&c, x.b, now, N);
	}
	CHECK(!rates_may(&c, a.b, now, N));
	rates_count(&c, b.b, now, 1);
	CHECK(!rates_may(&c, b.b, now, 1) && !rates_may(&c, a.b, now, N));
	now += 2 * HOUR;
	CHECK(rates_may(&c, a.b, now, N));
	rates_count(&c, a.b, now, 1);
	CHECK(!rates_may(&c, a.b, now, 1));
}

/* Auth is not wired here: who is not known is not asked about either, and has no grant. */
static void test_known(void)
{
	static struct front f = { .sub = true, .proc.loop.now = 1000 };
	static struct chan none = { .watch.fd = -1 };
	static struct session s;
	struct account_known *k = &f.known[7 % ACCOUNT_KNOWN];

	f.auth = &none;
	s.front = &f;
	s.peer.b[15] = 7;
	CHECK(!account_network(&s) && s.grant_n == 0);
	*k = (struct account_known){
		.peer = s.peer, .until = 1001, .grant_n = 2, .grant = "xy"
	};
	CHECK(!account_network(&s));
	CHECK_SLICE(((struct slice){ s.grant, s.grant_n }), "xy");
	CHECK_SLICE(((struct slice){ s.account, s.account_n }), AUTH_MYNETWORKS);
	/* A log-in that cannot be asked leaves it its name. */
	s.stream.out = BUF(s.out);
	s.auth =
		(struct authline){ .user = "u", .user_n = 1, .password = "p", .password_n = 1 };
	account_login(&s);
	CHECK_SLICE(((struct slice){ s.account, s.account_n }), AUTH_MYNETWORKS);
	s.grant_n = 0;
	s.peer.b[0] = 1; /* another one at the same place */
	CHECK(!account_network(&s) && s.grant_n == 0);
	s.peer.b[0] = 0;
	f.proc.loop.now = 1001; /* no longer */
	CHECK(!account_network(&s) && s.grant_n == 0);
	s.implicit = true;
	f.proc.loop.now = 1000;
	CHECK(!account_network(&s) && s.grant_n == 0);
}

int main(void)
{
	test_known();
	test_clients();
	test_budget();
	test_reserve();
	test_crashed();
	test_plain();
	test_login();
	test_scram();
	TEST_END();
}
