/* SPDX-License-Identifier: ISC */
/* keygen over the life of a domain's keys, with a name server and a clock of the test's; keys in this folder. */
#define _GNU_SOURCE
#include "keys/holder/dkimlife.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "init/topology.h"
#include "keys/holder/dkimkey.h"
#include "tests/unit/test.h"

enum { START = 1700000000, DAY = 86400, DAYS = 90 };

static struct loop loop;
static struct chan asker, server;
static uint8_t rx[2][MSG_MAX];
static int64_t now;
static struct dkimlife life;

/* What dns answers. */
static struct {
	uint8_t name[256], text[DKIMKEY_RECORD];
	struct buf asked, record; /* the last question; the one record there is */
	unsigned questions;
	enum dns_result result;
} dns;

static int64_t clock_of_mine(void)
{
	return now;
}

static void on_query(void *ctx, struct call *c)
{
	struct dns_reply r = { .result = (uint8_t)dns.result };
	uint8_t mem[DNS_TAIL];
	struct buf tail = BUF(mem);

	(void)ctx;
	dns.questions++;
	dns.asked = BUF(dns.name);
	buf_put(&dns.asked, c->tail);
	if (dns.result == DNS_OK) {
		r.n = 2;
		buf_be16(&tail, 5);
		buf_put(&tail, SLICE("other"));
		buf_be16(&tail, (uint16_t)dns.record.len);
		buf_put(&tail, buf_slice(&dns.record));
	}
	chan_answer(&c->token, &r, sizeof r, buf_slice(&tail));
}

static const struct rule rules[DNS_TYPES] = { [DNS_QUERY] = { .from = 1u << P_KEYGEN,
							      .size = sizeof(struct dns_query),
							      .tail_max = 253,
							      .run = on_query } };

static void wire(void)
{
	int pair[2];

	CHECK(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair));
	chan_init(&asker, &loop, P_DNS, 1, rx[0]);
	chan_init(&server, &loop, P_KEYGEN, 1, rx[1]);
	server.rules = rules;
	server.nrules = DNS_TYPES;
	chan_wire(&asker, pair[0], 1);
	chan_wire(&server, pair[1], 1);
}

static void begin(bool second, const char *domains)
{
	life = (struct dkimlife){ .loop = &loop,
				  .dns = &asker,
				  .now = clock_of_mine,
				  .domains = slice_of(domains),
				  .selector = SLICE("sel"),
				  .rsa = !second,
				  .ed25519 = true,
				  .retired = true,
				  .bits = 2048,
				  .days = DAYS };
	dkimlife_init(&life);
}

/* The next round, now; the first one, which makes no next keys, goes with the second. */
static void round_once(void)
{
	unsigned to = life.round ? life.round + 1 : 2;

	life.timer.due = 0;
	dns.questions = 0;
	while (life.round < to)
		loop_round(&loop);
}

/* "old now next" by numbers, as the disk has it; *r is left with it. */
static void roles(const char *want, struct dkimring *r)
{
	char got[40];

	CHECK_EQ(dkimring_load(true, SLICE("a.example"), false, r), KEYFILE_WHOLE);
	snprintf(got, sizeof got, "%u %u %u", r->key[DKIMRING_OLD].number,
		 r->key[DKIMRING_NOW].number, r->key[DKIMRING_NEXT].number);
	CHECK(!strcmp(got, want));
}

/* dns has the record of that key. */
static void publish(const struct dkimring *r, enum dkimring_role role)
{
	static struct dkimrsa work;

	dns.record = BUF(dns.text);
	dkimkey_text(true, (struct slice){ r->key[role].secret, r->key[role].n }, &work,
		     &dns.record);
	CHECK(!dns.record.bad);
	dns.result = DNS_OK;
}

static void one_key_after_the_other(void)
{
	static struct dkimring first, r;

	now = START;
	begin(true, "a.example");
	dns.result = DNS_NXDOMAIN;
	round_once();
	roles("0 1 2", &first);
	CHECK_EQ(first.key[DKIMRING_NOW].at, START);
	CHECK_SLICE(buf_slice(&dns.asked), "sel-2._domainkey.a.example");
	/* Seen, but it is not time; time, but another key's record, none, and no answer. */
	publish(&first, DKIMRING_NEXT);
	now = START + DAYS * DAY - 1;
	round_once();
	CHECK(life.timer.due > loop.now + DKIMLIFE_SOON_MS);
	now++;
	publish(&first, DKIMRING_NOW);
	round_once();
	for (dns.result = DNS_NODATA; dns.result <= DNS_FAILED; dns.result++) {
		round_once();
		CHECK(life.timer.due <= loop.now + DKIMLIFE_SOON_MS);
	}
	roles("0 1 2", &r);
	publish(&first, DKIMRING_NEXT);
	round_once();
	roles("1 2 0", &r);
	CHECK(r.key[DKIMRING_OLD].at == now && r.key[DKIMRING_NOW].at == now);
	CHECK(!memcmp(r.key[DKIMRING_NOW].secret, first.key[DKIMRING_NEXT].secret, 32));
	CHECK(!memcmp(r.key[DKIMRING_OLD].secret, first.key[DKIMRING_NOW].secret, 32));
	/* The old record is asked for after seven days, and gone when dns says so and not before. */
	dns.result = DNS_NXDOMAIN;
	now += DKIMLIFE_KEEP - 1;
	round_once();
	CHECK_EQ(dns.questions, 0);
	now++;
	publish(&first, DKIMRING_NOW);
	round_once();
	CHECK_SLICE(buf_slice(&dns.asked), "sel._domainkey.a.example");
	dns.result = DNS_FAILED;
	round_once();
	roles("1 2 0", &r);
	dns.result = DNS_NXDOMAIN;
	round_once();
	roles("0 2 0", &r);
	round_once();
	roles("0 2 3", &r);
	CHECK(memcmp(r.key[DKIMRING_NEXT].secret, first.key[DKIMRING_NOW].secret, 32));
	CHECK_SLICE(buf_slice(&dns.asked), "sel-3._domainkey.a.example");
	dkimlife_wipe(&life);
	loop_drop(&loop, &life.timer);
}

/* A new start goes on where it was; a disk that cannot be written changes nothing. */
static void restarts(void)
{
	static struct dkimring r, again;

	roles("0 2 3", &r);
	begin(true, "a.example");
	publish(&r, DKIMRING_NEXT);
	round_once();
	roles("0 2 3", &again);
	CHECK(!memcmp(&r, &again, sizeof r));
	now += DAYS * DAY;
	CHECK(!mkdir("a/ed25519/.new", 0700) && !mkdir("b/ed25519/.new", 0700));
	round_once();
	roles("0 2 3", &again);
	CHECK(!rmdir("a/ed25519/.new") && !rmdir("b/ed25519/.new"));
	round_once();
	roles("2 3 0", &again);
	loop_drop(&loop, &life.timer);
}

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

/* What is damaged stays so, and nothing is made in its place; the domain beside it has its keys. */
static void damaged(void)
{
	static struct dkimring r;

	put("a/ed25519/b.example", "x");
	put("b/ed25519/b.example", "");
	begin(true, "b.example c.example");
	dns.result = DNS_NXDOMAIN;
	round_once();
	CHECK_EQ(dkimring_load(true, SLICE("b.example"), false, &r), KEYFILE_DAMAGED);
	CHECK_EQ(dkimring_load(true, SLICE("c.example"), false, &r), KEYFILE_WHOLE);
	loop_drop(&loop, &life.timer);
	/* The key of an older build: every domain's first one; damaged, it is nobody's, and none is made. */
	CHECK(keyfile_save(KEYFILE_ED25519, SLICE("thirty-two octets are one secret")) &&
	      !unlink("a/ed25519/b.example") && !unlink("b/ed25519/b.example"));
	begin(true, "b.example d.example");
	while (!life.round)
		loop_round(&loop);
	CHECK_EQ(dkimring_load(true, SLICE("d.example"), false, &r), KEYFILE_WHOLE);
	CHECK(!r.key[DKIMRING_NEXT].number && life.timer.due <= loop.now);
	round_once();
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(dkimring_load(true, i ? SLICE("b.example") : SLICE("d.example"), false,
				       &r),
			 KEYFILE_WHOLE);
		CHECK(r.key[DKIMRING_NOW].at == now && r.key[DKIMRING_NEXT].number == 2 &&
		      !memcmp(r.key[DKIMRING_NOW].secret, "thirty-two", 10));
	}
	loop_drop(&loop, &life.timer);
	put("a/ed25519/key", "x");
	put("b/ed25519/key", "x");
	begin(true, "e.example");
	round_once();
	CHECK_EQ(dkimring_load(true, SLICE("e.example"), false, &r), KEYFILE_DAMAGED);
	CHECK(access("a/ed25519/e.example", F_OK) != 0);
	CHECK(!unlink("a/ed25519/key") && !unlink("b/ed25519/key"));
	loop_drop(&loop, &life.timer);
}

/* Both algorithms: a ring of its own for each, and a selector. */
static void two_signatures(void)
{
	static struct dkimring r;

	begin(false, "f.example");
	life.days = 0;
	round_once();
	CHECK_EQ(dns.questions, 0);
	CHECK_EQ(dkimring_load(false, SLICE("f.example"), false, &r), KEYFILE_WHOLE);
	CHECK(r.key[DKIMRING_NOW].n == 896 && !r.key[DKIMRING_NEXT].number);
	CHECK_EQ(dkimring_load(true, SLICE("f.example"), false, &r), KEYFILE_WHOLE);
	life.days = DAYS;
	round_once();
	CHECK_EQ(dns.questions, 2);
	CHECK_SLICE(buf_slice(&dns.asked), "sel-ed25519-2._domainkey.f.example");
	loop_drop(&loop, &life.timer);
}

/* Every octet cut off, every role and number wrong. */
static void files(void)
{
	static const uint8_t good[] = { 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 1, 7,
					1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 9, 0, 1, 8 };
	uint8_t bad[sizeof good];
	static struct dkimring r;

	for (size_t n = 0; n <= sizeof good; n++)
		CHECK_EQ(dkimring_parse((struct slice){ good, n }, &r), n == sizeof good);
	CHECK(r.key[DKIMRING_OLD].secret[0] == 7 && r.key[DKIMRING_NOW].at == 9);
	CHECK(dkimring_parse((struct slice){ good + 16, 16 }, &r));
	for (uint8_t role = 0; role < 5; role++)
		for (uint8_t number = 0; number < 4; number++) {
			memcpy(bad, good, sizeof bad);
			bad[16] = role;
			bad[20] = number;
			CHECK_EQ(dkimring_parse((struct slice){ bad, sizeof bad }, &r),
				 role == 1 && number > 1);
		}
}

int main(void)
{
	static const char *const folders[] = { "a",	 "b",	      "a/dkim",
					       "b/dkim", "a/ed25519", "b/ed25519" };

	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
		CHECK(!mkdir(folders[i], 0700));
	loop_init(&loop, 16);
	wire();
	files();
	one_key_after_the_other();
	restarts();
	damaged();
	two_signatures();
	TEST_END();
}
