/* SPDX-License-Identifier: ISC */
/* SCRAM through auth's messages: an exchange that nobody keeps, and nothing that tells who has an account. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "keys/auth/host/sourcefile.h"
#include "keys/auth/login.h"
#include "smtpd/proto/grant.h"
#include "tests/unit/console.h"
#include "tests/unit/scramclient.h"

static const uint8_t grant_key[CTL_GRANT_KEY] = { 5 };

static struct {
	struct loop loop;
	struct chan front, auth;
	uint8_t rx[MSG_MAX], rx2[MSG_MAX];
	struct login login;
} t;

static struct {
	bool there;
	struct auth_reply r;
	uint8_t b[2048];
	struct slice tail;
} seen;

static void on_reply(struct ask *a, const void *reply, struct slice tail)
{
	(void)a;
	seen.there = true;
	seen.r = (struct auth_reply){ .result = 99 };
	if (reply)
		memcpy(&seen.r, reply, sizeof seen.r);
	if (tail.n)
		memcpy(seen.b, tail.p, tail.n);
	seen.tail = (struct slice){ seen.b, tail.n };
}

static void start(const char *path)
{
	int pair[2];

	CHECK(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair));
	loop_init(&t.loop, 8);
	chan_init(&t.front, &t.loop, P_AUTH, 8, t.rx);
	chan_init(&t.auth, &t.loop, P_FRONT_SUB, 8, t.rx2);
	t.auth.rules = login_rules;
	t.auth.nrules = AUTH_TYPES;
	t.auth.ctx = &t.login;
	chan_wire(&t.front, pair[0], 1);
	chan_wire(&t.auth, pair[1], 1);
	login_init(&t.login, &t.loop, open(path, O_RDONLY), grant_key);
}

static unsigned ask(uint16_t type, void *m, size_t size, struct slice tail)
{
	struct want w = { type, sizeof(struct auth_reply), sizeof seen.b };
	struct ask a = { .done = on_reply };

	seen.there = false;
	CHECK(chan_ask(&t.front, &a, m, size, tail, NULL, 0, &w, 5000));
	while (!seen.there)
		loop_round(&t.loop);
	return seen.r.result;
}

static struct scram_keys keys; /* what the client learned last: salt and iterations */
static uint8_t server_mem[512], last_mem[1024];
static struct slice server;

static unsigned first(const char *text)
{
	struct auth_scram m = { .peer = { 1 } };
	int64_t from = loop_clock();
	unsigned result = ask(AUTH_SCRAM_FIRST, &m, sizeof m, slice_of(text));
	struct buf salt = BUF(keys.salt);
	size_t at, end;

	if (result != AUTH_YES)
		return result;
	CHECK(loop_clock() - from >= LOGIN_FIRST_MS - 1);
	memcpy(server_mem, seen.b, seen.tail.n);
	server = (struct slice){ server_mem, seen.tail.n };
	at = slice_find(server, ',') + 3;
	end = slice_find(slice_from(server, at), ',');
	CHECK(base64_get(slice_head(slice_from(server, at), end), &salt));
	keys.salt_n = (uint8_t)salt.len;
	keys.iterations = 4096;
	CHECK(slice_iends(server, SLICE(",i=4096")));
	return result;
}

static unsigned final(const char *text, const char *password)
{
	struct auth_scram m = { .peer = { 1 }, .first_len = (uint16_t)strlen(text) };
	struct buf b = BUF(last_mem);

	buf_put(&b, slice_of(text));
	{
		struct buf end = { .p = b.p + b.len, .cap = b.cap - b.len };

		scramclient_final(&keys, slice_of(password), slice_of(text), server, &end);
		b.len += end.len;
	}
	return ask(AUTH_SCRAM_FINAL, &m, sizeof m, buf_slice(&b));
}

static void put(struct entries *all, const char *name, enum passhash_kind kind,
		const char *password)
{
	uint8_t mem[PASSHASH_MAX + 32];
	struct buf b = BUF(mem);

	CHECK(passhash_make(kind, slice_of(password), &b));
	buf_put(&b, SLICE(" @a.org"));
	entries_add(all, slice_of(name), buf_slice(&b), 1, 0);
}

static void save(struct entries *all, const char *path)
{
	struct complaint why = { 0 };

	entries_add(all, SLICE(PASSHASH_PEPPER), SLICE("pepper"), 0, 0);
	CHECK(entries_sort(all, &why) && source_cdb(path, all));
	entries_free(all);
}

#define FIRST(name) "n,,n=" name ",r=fyko+d2lbbFgONRv9qkxdawL"

static void right(void)
{
	struct auth_offer offer = { .h = { 0 } };
	struct cur c;
	struct grant g;

	start("scram.cdb");
	CHECK(ask(AUTH_OFFER, &offer, sizeof offer, SLICE("")) == AUTH_YES);
	CHECK_EQ(seen.r.offer, AUTH_OFFER_SCRAM);
	CHECK_EQ(first(FIRST("ann")), AUTH_YES);
	CHECK_EQ(final(FIRST("ann"), "secret-of-ann"), AUTH_YES);
	c = CUR(seen.tail);
	CHECK(slice_iprefix(cur_take(&c, seen.r.server_len), SLICE("v=")));
	CHECK_EQ(seen.r.server_len, AUTH_SCRAM_SERVER);
	CHECK_SLICE(cur_take(&c, seen.r.account_len), "ann");
	CHECK(grant_open(c.s, grant_key, loop_clock(), &g));
	CHECK_SLICE(g.account, "ann");
	CHECK_SLICE(g.rights, "@a.org");
}

/* Who has no such keys, or no account, is asked on as if he had, with a salt that stays. */
static void wrong(void)
{
	uint8_t salt[SCRAM_SALT];
	int64_t from;

	CHECK_EQ(first(FIRST("ann")), AUTH_YES);
	from = loop_clock();
	CHECK_EQ(final(FIRST("ann"), "secret-of-bob"), AUTH_NO);
	CHECK(loop_clock() - from >= LOGIN_FAIL_MS - 1 && !seen.tail.n);
	CHECK_EQ(first(FIRST("token")), AUTH_YES);
	CHECK_EQ(final(FIRST("token"), "the-token"), AUTH_NO);
	CHECK_EQ(first(FIRST("nobody")), AUTH_YES);
	memcpy(salt, keys.salt, sizeof salt);
	CHECK_EQ(final(FIRST("nobody"), "secret-of-ann"), AUTH_NO);
	CHECK(!logged("nobody"));
	CHECK(first(FIRST("nobody2")) == AUTH_YES && memcmp(salt, keys.salt, sizeof salt) != 0);
	start("scram.cdb");
	CHECK(first(FIRST("nobody")) == AUTH_YES && !memcmp(salt, keys.salt, sizeof salt));
	CHECK_EQ(first("n,,x"), AUTH_NO);
	for (int i = 0; i < THROTTLE_ADDRESS; i++)
		throttle_failed(t.login.throttle, (const uint8_t[16]){ 1 }, SLICE("x"),
				loop_clock());
	CHECK_EQ(first(FIRST("ann")), AUTH_YES);
	CHECK_EQ(final(FIRST("ann"), "secret-of-ann"), AUTH_LATER);
}

/* The stored keys serve PLAIN, too, as dear as they are. */
static void plain(void)
{
	struct auth_login m = { .peer = { 2 }, .user_len = 3 };

	start("scram.cdb");
	CHECK_EQ(ask(AUTH_LOGIN, &m, sizeof m, SLICE("annsecret-of-ann")), AUTH_YES);
	CHECK(seen.r.server_len == 0 && seen.r.account_len == 0);
	m.h = (struct msg){ 0 };
	CHECK_EQ(ask(AUTH_LOGIN, &m, sizeof m, SLICE("annsecret-of-bob")), AUTH_NO);
	CHECK(t.login.have[PASSHASH_SCRAM] && !t.login.have[PASSHASH_CHOSEN]);
}

/* Nobody has such keys: not offered, and nobody gets in that way. */
static void none(void)
{
	struct auth_offer offer = { .h = { 0 } };

	start("token.cdb");
	CHECK(ask(AUTH_OFFER, &offer, sizeof offer, SLICE("")) == AUTH_YES);
	CHECK_EQ(seen.r.offer, 0);
	CHECK_EQ(first(FIRST("token")), AUTH_YES);
	CHECK_EQ(final(FIRST("token"), "the-token"), AUTH_NO);
}

int main(void)
{
	struct entries all = { 0 };

	console_begin();
	CHECK(sodium_init() >= 0);
	put(&all, "ann", PASSHASH_SCRAM, "secret-of-ann");
	put(&all, "token", PASSHASH_TOKEN, "the-token");
	save(&all, "scram.cdb");
	put(&all, "token", PASSHASH_TOKEN, "the-token");
	save(&all, "token.cdb");
	right();
	wrong();
	plain();
	none();
	TEST_END();
}
