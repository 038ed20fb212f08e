/* SPDX-License-Identifier: ISC */
/* Whose turn it is: accounts, destinations, operators, pauses; and a long random day. */
#include "tests/unit/test.h"

#include <stdlib.h>

#include "smtpd/queue/sched.h"

static struct world {
	struct ledger g;
	struct sched s;
	uint64_t id;
	int64_t now;
	uint32_t random;
} w;

static void begin(void)
{
	ledger_init(&w.g);
	sched_init(&w.s, &w.g);
	w.now = 1000000;
}

static void put(const char *account, const char *domain, unsigned n)
{
	uint8_t head[256];
	struct buf b = BUF(head);
	struct keys k;

	buf_u8(&b, 'R');
	buf_be16(&b, (uint16_t)(strlen(domain) + 2));
	buf_put(&b, SLICE("u@"));
	buf_put(&b, slice_of(domain));
	buf_u8(&b, 'A');
	buf_be16(&b, (uint16_t)strlen(account));
	buf_put(&b, slice_of(account));
	sched_keys(&w.s, buf_slice(&b), &k);
	CHECK_EQ(k.n, 1);
	while (n--) {
		struct jr r = { .letter = ++w.id, .len = 100 };
		uint32_t i = ledger_add(&w.g, &r, 0, &(struct jr_letter){ .nrcpt = 1 });

		sched_own(&w.s, i, &k);
		ledger_wait(&w.g, w.g.letter[i].first, w.now);
	}
}

struct run {
	bool used;
	uint32_t rcpt;
	struct slot slot;
};

/* Begins what is next. False: nothing, or its destination is paused. */
static bool start(struct run *r)
{
	int64_t until = 0;
	uint32_t k = sched_next(&w.s, w.now, &until);

	if (k == LEDGER_NONE || until)
		return false;
	r->used = true;
	r->rcpt = k;
	sched_begin(&w.s, k, w.now, &r->slot);
	w.g.rcpt[k].state = RCPT_SENT;
	return true;
}

static void finish(struct run *r, enum dest_end how, uint64_t group)
{
	sched_end(&w.s, &r->slot, how, group, w.now);
	r->used = false;
	if (how == DEST_WELL)
		ledger_drop(&w.g, w.g.rcpt[r->rcpt].letter);
	else
		ledger_wait(&w.g, r->rcpt, w.now);
}

/* It ended without a word about its destination, and the letter is taken away. */
static void vanish(struct run *r, uint64_t group)
{
	finish(r, DEST_UNCLEAR, group);
	ledger_drop(&w.g, w.g.rcpt[r->rcpt].letter);
}

static unsigned start_all(struct run *r, unsigned max)
{
	unsigned n = 0;

	while (n < max && start(&r[n]))
		n++;
	return n;
}

static uint64_t account_of(const struct run *r)
{
	return w.g.letter[w.g.rcpt[r->rcpt].letter].r.letter;
}

static void test_turns(void)
{
	struct run r[3];

	begin();
	put("many", "x.example", 1);
	put("many", "y.example", 500);
	put("many", "z.example", 500);
	put("few", "v.example", 1);
	CHECK_EQ(start_all(r, 3), 3);
	CHECK_EQ(account_of(&r[0]), 1);	   /* first come */
	CHECK_EQ(account_of(&r[1]), 1002); /* and the other account is next */
	CHECK_EQ(account_of(&r[2]), 2);
	CHECK(w.s.accounts.used == 3);
	CHECK_EQ(account_find(&w.s.accounts, 12345), NULL);
}

static void test_width(void)
{
	struct run r[DEST_MOST + 2];
	unsigned most = 1, rounds = 0, cap = SCHED_STRANGERS;

	begin();
	put("a", "x.example", 400);
	cap = cap < (unsigned)DEST_MOST ? cap : (unsigned)DEST_MOST;
	while (most < cap) {
		unsigned n = start_all(r, DEST_MOST + 2);

		CHECK_EQ(n, most);
		while (n--)
			finish(&r[n], DEST_WELL, 0);
		most++;
		CHECK(++rounds < 100);
	}
	CHECK_EQ(start_all(r, DEST_MOST + 2), most); /* and no further */
	finish(&r[--most], DEST_SLOW, 0);
	finish(&r[--most], DEST_SLOW, 0);
	CHECK_EQ(start_all(r, 1), 0); /* two fewer */
}

/* One that hangs has one connection; another account and another domain go on. */
static void test_slow(void)
{
	struct run r[4], more[2];

	begin();
	put("a", "hangs.example", 50);
	CHECK_EQ(start_all(r, 4), 1);
	put("a", "x.example", 1);
	put("b", "hangs.example", 1);
	put("b", "y.example", 1);
	CHECK_EQ(start_all(more, 2), 2);
	CHECK(!start(&r[1]));
	finish(&r[0], DEST_UNCLEAR, 0);
	CHECK(start(&r[0]));
}

static void test_dead(void)
{
	struct run r;
	int64_t until = 0;
	uint32_t k;

	begin();
	put("a", "dead.example", 3);
	CHECK(start(&r));
	finish(&r, DEST_DEAD, 0);
	/* Everything for it is to be put back, until the same moment. */
	for (int i = 0; i < 3; i++) {
		k = sched_next(&w.s, w.now, &until);
		CHECK_EQ(until, w.now + CONFIG_SMTPD_QUEUE_RETRY * 1000ll);
		ledger_wait(&w.g, k, until);
	}
	CHECK_EQ(sched_next(&w.s, w.now, &until), LEDGER_NONE);
	w.now = until;
	CHECK(start(&r)); /* one probe */
	CHECK_EQ(sched_next(&w.s, w.now, &until), LEDGER_NONE);
	w.now++;
	finish(&r, DEST_DEAD, 0);
	k = sched_next(&w.s, w.now, &until);
	CHECK_EQ(until, w.now + 2 * CONFIG_SMTPD_QUEUE_RETRY * 1000ll); /* longer */
	CHECK(sched_dest(&w.s, k)->failures == 2);
	w.now = until;
	CHECK(start(&r));
	finish(&r, DEST_WELL, 0);
	CHECK(start(&r));
}

/* RULES S13 and fact 6: ten minutes for all domains of the operator, then one connection, then one
 * more at a time. */
static void test_stop(void)
{
	struct run r[8];
	int64_t until = 0;
	unsigned n;

	begin();
	put("a", "x.example", 20);
	put("a", "y.example", 20);
	CHECK_EQ(start_all(r, 8), 2);
	finish(&r[0], DEST_WELL, 77);
	finish(&r[1], DEST_WELL, 77);
	n = start_all(r, 8);
	CHECK_EQ(n, 2); /* the operator's gate, which two letters passed */
	w.now++;
	finish(&r[0], DEST_STOP, 77);
	finish(&r[1], DEST_STOP, 77); /* began before that: tells nothing new */
	for (int i = 0; i < 38; i++) {
		uint32_t k = sched_next(&w.s, w.now, &until);

		CHECK_EQ(until, w.now + 600000);
		if (k != LEDGER_NONE)
			ledger_wait(&w.g, k, until);
	}
	w.now = until;
	CHECK_EQ(start_all(r, 8), 1);
	w.now++;
	finish(&r[0], DEST_STOP, 77);
	while (sched_next(&w.s, w.now, &until) != LEDGER_NONE)
		ledger_wait(&w.g, sched_next(&w.s, w.now, &until), until);
	CHECK_EQ(until, w.now + 600000);
	w.now = until;
	CHECK_EQ(start_all(r, 8), 1);
	finish(&r[0], DEST_WELL, 77);
	CHECK_EQ(start_all(r, 8), 2);
}

/* Silent destinations do not take all deliveries; one account does not either. */
static void test_shares(void)
{
	struct run r[SCHED_ACTIVE + 1], known, more[2];
	char name[32];

	begin();
	put("a", "known.example", 2);
	CHECK(start(&known));
	finish(&known, DEST_WELL, 0);
	for (int i = 0; i < SCHED_ACTIVE; i++) {
		snprintf(name, sizeof name, "s%d.example", i);
		put(i % 2 ? "b" : "c", name, 1);
	}
	CHECK(start(&known));
	CHECK_EQ(start_all(r, SCHED_ACTIVE + 1), SCHED_STRANGERS);
	put("d", "known.example", 1);
	CHECK(start(&more[0])); /* its gate is two wide by now */
	finish(&r[0], DEST_UNCLEAR, 0);
	CHECK(start(&r[0]));
	CHECK(!start(&more[1]));

	begin();
	for (int i = 0; i < SCHED_STRANGERS; i++) { /* proven ones, one each */
		snprintf(name, sizeof name, "p%d.example", i);
		put("a", name, 1);
	}
	CHECK_EQ(start_all(r, SCHED_ACTIVE), SCHED_STRANGERS);
	for (int i = 0; i < SCHED_STRANGERS; i++)
		finish(&r[i], DEST_WELL, 0);
	for (int i = 0; i < SCHED_STRANGERS; i++) {
		snprintf(name, sizeof name, "p%d.example", i);
		put("a", name, 2);
	}
	CHECK_EQ(start_all(r, SCHED_ACTIVE), SCHED_ACCOUNT);
	put("b", "p0.example", 1);
	put("b", "new.example", 1);
	CHECK(start(&more[0]));
	finish(&r[0], DEST_WELL, 0);
	CHECK(start(&r[0]));
}

/* As many silent destinations as may be tried, each for an account of its own. */
static void fill_strangers(struct run *r)
{
	char name[32];

	for (int i = 0; i < SCHED_STRANGERS; i++) {
		snprintf(name, sizeof name, "silent%d.example", i);
		put(name, name, 1);
	}
	CHECK_EQ(start_all(r, SCHED_STRANGERS), SCHED_STRANGERS);
}

/* The first letter that it takes opens a destination to those who waited among the unknown. */
static void test_proven(void)
{
	struct run r[SCHED_STRANGERS], more[2];

	begin();
	fill_strangers(r);
	put("a", "new.example", 1);
	put("b", "other.example", 1);
	put("c", "new.example", 1);
	CHECK(!start(&more[0]));
	finish(&r[0], DEST_UNCLEAR, 0);
	CHECK(start(&more[0]));
	CHECK(!start(&more[1]));
	finish(&more[0], DEST_WELL, 0);
	CHECK_EQ(start_all(more, 2), 2);
}

/* A lane that goes from one gate to wait at another leaves its place to the next at the first. */
static void test_two_gates(void)
{
	struct run r[SCHED_STRANGERS], x, more;

	begin();
	put("a", "x.example", 1);
	CHECK(start(&x));
	finish(&x, DEST_WELL, 77);
	put("b", "new.example", 1);
	for (int i = 0; i < 2; i++) {
		CHECK(start(&x));
		finish(&x, DEST_SLOW, 77);
	}
	ledger_drop(&w.g, w.g.rcpt[x.rcpt].letter);
	put("a", "x.example", 1);
	CHECK(start(&x)); /* all that 77 takes */
	put("b", "new.example", 1);
	put("c", "new.example", 1);
	CHECK(!start(&more));
	put("d", "x.example", 1);
	CHECK(!start(&more));
	fill_strangers(r);
	vanish(&x, 77);
	CHECK(start(&more));
}

/* A destination that changes its operator leaves nobody waiting for the old one. */
static void test_operators(void)
{
	struct run y, x;

	begin();
	put("z", "y.example", 1);
	put("a", "x.example", 1);
	for (int i = 0; i < 2; i++) {
		CHECK(start(&y));
		finish(&y, DEST_SLOW, 77);
	}
	CHECK(start(&y)); /* all that 77 takes */
	put("b", "x.example", 1);
	put("c", "x.example", 1);
	for (const char *c = "d\0e\0f\0g\0"; *c; c += 2)
		put(c, "x.example", 1);
	CHECK(!start(&x));
	vanish(&y, 0);
	for (int i = 0; i < 7; i++) {
		bool begun = start(&x);

		CHECK(begun);
		if (begun)
			vanish(&x, 88);
	}
	CHECK_EQ(w.g.letters, 0);
}

/* The same between being woken and its turn: what stays with the old operator goes on. */
static void test_operators_turn(void)
{
	struct run first, y, z, more;

	begin();
	put("a", "x.example", 1);
	CHECK(start(&first));
	finish(&first, DEST_WELL, 0);
	put("a", "x.example", 1);
	CHECK(start(&first)); /* nothing is known of an operator */
	put("b", "x.example", 1);
	CHECK(start(&more));
	vanish(&more, 77);
	put("a", "y.example", 1);
	put("b", "z.example", 1);
	CHECK(start(&y));
	CHECK(start(&z));
	vanish(&z, 77);
	finish(&y, DEST_SLOW, 77);
	CHECK(start(&y));
	finish(&y, DEST_SLOW, 77);
	CHECK(start(&y)); /* all that 77 takes */
	for (const char *c = "c\0d\0"; *c; c += 2)
		put(c, "x.example", 1);
	put("e", "z.example", 1);
	CHECK(!start(&more));
	vanish(&y, 77);
	vanish(&first, 88);
	CHECK(start(&more));
	CHECK(start(&y));
	CHECK(start(&z));
}

/* p0.example and so on have taken a letter each. */
static void begin_proven(void)
{
	struct run r;
	char name[32];

	begin();
	for (int i = 0; i < SCHED_ACCOUNT; i++) {
		snprintf(name, sizeof name, "p%d.example", i);
		put("a", name, 1);
		CHECK(start(&r));
		finish(&r, DEST_WELL, 0);
	}
}

/* Until the account has all that it may have. */
static void fill_account(struct run *r, int from)
{
	char name[32];

	for (int n = from; n < SCHED_ACCOUNT; n++) {
		snprintf(name, sizeof name, "p%d.example", n);
		put("a", name, 1);
		CHECK(start(&r[n]));
	}
	put("a", "p1.example", 1);
}

/* An account with all that it may have leaves the places it was woken for to others. */
static void test_full_account(void)
{
	struct run r[SCHED_ACTIVE], more[2];

	begin_proven();
	put("a", "p0.example", 4);
	CHECK_EQ(start_all(r, SCHED_ACTIVE), 2);
	fill_account(r, 2);
	put("b", "p0.example", 1);
	CHECK(!start(&more[0]));
	finish(&r[0], DEST_UNCLEAR, 0);
	CHECK_EQ(start_all(more, 2), 2);
	CHECK(more[0].slot.account != more[1].slot.account);

	begin_proven();
	put("b", "p0.example", 1);
	CHECK(start(&more[0]));
	put("a", "p0.example", 3);
	CHECK_EQ(start_all(r, SCHED_ACTIVE), 1);
	fill_account(r, 1);
	put("c", "p0.example", 1);
	CHECK(!start(&more[1]));
	vanish(&more[0], 0);
	CHECK(start(&more[1]));
}

static uint32_t dice(uint32_t n)
{
	w.random = w.random * 1664525 + 1013904223;
	return (w.random >> 8) % n;
}

/* Whatever happens in whatever order: nothing is lost in a lane, and every count ends at zero. */
static void test_day(uint32_t seed)
{
	static struct run r[SCHED_ACTIVE];
	char account[16], name[32];
	unsigned spins = 0;

	begin();
	w.random = seed;
	for (int i = 0; i < 4000 || w.g.letters; i++) {
		struct run *x = &r[dice(SCHED_ACTIVE)];
		uint32_t dir = dice(4);
		int64_t until = 0;
		uint32_t k;

		w.now += dice(50);
		if (i < 4000 && !dir) {
			snprintf(account, sizeof account, "a%u", dice(5));
			snprintf(name, sizeof name, "d%u.example", dice(40));
			put(account, name, 1 + dice(3));
		} else if (x->used && dice(2)) {
			enum dest_end how = i < 4000 ? (enum dest_end)dice(5) : DEST_WELL;

			/* The first twenty domains are run by three operators. */
			finish(x, how, dice(2) ? 1 + w.g.rcpt[x->rcpt].dest % 3 : 0);
		} else if (!x->used) {
			k = sched_next(&w.s, w.now, &until);
			if (k != LEDGER_NONE && until)
				ledger_wait(&w.g, k, until);
			else if (k != LEDGER_NONE)
				start(x);
		} else if (i < 4000 && dice(20) == 0 && w.g.letters) {
			/* Somebody takes a letter away, wherever it is. */
			k = dice(w.g.top_letter);
			if (w.g.letter[k].r.letter &&
			    w.g.rcpt[w.g.letter[k].first].state != RCPT_SENT)
				ledger_drop(&w.g, k);
		}
		if (i >= 4000)
			w.now += 1000;
		if (++spins > 400000)
			break;
	}
	CHECK_EQ(w.g.letters, 0);
	for (uint32_t i = 0; i < w.s.dests.used; i++) {
		CHECK_EQ(w.s.dests.all[i].gate.active, 0);
		CHECK(link_empty(&w.s.dests.all[i].lanes));
		CHECK(link_empty(&w.s.dests.all[i].gate.parked));
	}
	CHECK_EQ(w.s.strangers.active, 0);
	CHECK(link_empty(&w.s.strangers.parked) && link_empty(&w.s.ring));
	for (unsigned i = 0; i < ACCOUNT_BUCKETS; i++)
		CHECK(!w.s.accounts.bucket[i]);
}

/* What nobody needs is forgotten, the oldest first. */
static void test_forget(void)
{
	struct run r;
	char name[32];

	begin();
	for (int i = 0; i < 3 * DEST_IDLE; i++) {
		snprintf(name, sizeof name, "d%d.example", i);
		put("a", name, 1);
		CHECK(start(&r));
		finish(&r, DEST_WELL, (uint64_t)i / 4);
	}
	CHECK(w.s.dests.nidle <= DEST_IDLE);
	CHECK(w.s.dests.used < 2 * DEST_IDLE + 16);
}

int main(void)
{
	test_turns();
	test_width();
	test_slow();
	test_dead();
	test_stop();
	test_shares();
	test_proven();
	test_two_gates();
	test_operators();
	test_operators_turn();
	test_full_account();
	for (uint32_t seed = 1; seed <= 20; seed++)
		test_day(seed);
	test_forget();
	TEST_END();
}
