/* SPDX-License-Identifier: ISC */
#include "tests/unit/test.h"

#include "smtpd/lib/owner.h"
#include "smtpd/out/shape.h"

enum { S = 1000, GOOGLE = 1, OTHER = 2, BOX = 10, BOX2, BOX3 };

static struct shape s;
static struct turn t[SHAPE_TURNS];
static int64_t now, when;

/* 30 letters, one more a second, 60 a minute; waits of up to two minutes. */
static void fresh(void)
{
	shape_init(&s);
	s.limits = (struct shape_limits){ .burst = 30,
					  .every = S,
					  .minute = 60,
					  .connections = 4,
					  .refusals = 3,
					  .budget = 120 * S };
	memset(t, 0, sizeof t);
	now = 5 * S; /* a machine that has just started */
}

static enum shape_word enter(struct turn *x, uint64_t op, uint64_t box)
{
	shape_enter(&s, x, op, box, now);
	shape_next(&s, now, &when);
	return x->word;
}

/* A letter that goes at once and is taken. */
static bool sent(uint64_t op, uint64_t box)
{
	struct turn x = { .word = SHAPE_NONE };
	bool went = enter(&x, op, box) == SHAPE_GOES;

	if (went)
		shape_end(&s, &x, GMAIL_OK, now);
	else
		shape_leave(&x);
	return went;
}

static unsigned burst(uint64_t op, uint64_t box)
{
	unsigned n = 0;

	while (n < 1000 && sent(op, box))
		n++;
	return n;
}

static void buckets(void)
{
	fresh();
	CHECK_EQ(burst(GOOGLE, BOX), 30);
	CHECK_EQ(burst(OTHER, BOX2), 30); /* of another operator: nothing is shared */
	now += S - 1;
	CHECK_EQ(burst(GOOGLE, BOX), 0);
	now += 1;
	CHECK_EQ(burst(GOOGLE, BOX), 1);
	now += 29 * S;
	CHECK_EQ(burst(GOOGLE, BOX), 29);
	now += 300 * S;
	CHECK_EQ(burst(GOOGLE, BOX), 30);
	/* The operator's bucket is that of all its mailboxes. */
	fresh();
	CHECK_EQ(burst(GOOGLE, BOX), 30);
	CHECK_EQ(burst(GOOGLE, BOX2), 0);
	now += 2 * S;
	CHECK(sent(GOOGLE, BOX3));
	CHECK(sent(GOOGLE, BOX));
	CHECK(!sent(GOOGLE, BOX2));
	fresh();
	s.limits.burst = 1;
	CHECK_EQ(burst(GOOGLE, BOX), 1);
	now += S;
	CHECK_EQ(burst(GOOGLE, BOX), 1);
}

/* In any minute 60, whatever the buckets say (RULES, fact 7). */
static void minute(void)
{
	unsigned n = 0;
	int64_t from;

	fresh();
	from = now;
	for (; now < from + 60 * S; now += 100)
		n += burst(GOOGLE, BOX);
	CHECK_EQ(n, 60);
	CHECK_EQ(now, from + 60 * S);
	CHECK_EQ(burst(GOOGLE, BOX),
		 30); /* the first thirty are a minute old; the bucket is full again */
	fresh();
	s.limits.minute = 0;
	for (from = now, n = 0; now < from + 60 * S; now += 100)
		n += burst(GOOGLE, BOX);
	CHECK_EQ(n, 30 + 59);
}

/* Lap after lap of the ring. */
static void minutes(uint32_t most)
{
	int64_t at[400];
	unsigned n = 0;

	fresh();
	s.limits.burst = 1000;
	s.limits.minute = most;
	for (; n < 400; now += 700)
		while (n < 400 && sent(GOOGLE, BOX))
			at[n++] = now;
	for (unsigned i = most; i < n; i++)
		CHECK(at[i] >= at[i - most] + 60 * S);
}

static void in_line(void)
{
	fresh();
	CHECK_EQ(burst(GOOGLE, BOX), 30);
	CHECK_EQ(enter(&t[0], GOOGLE, BOX), SHAPE_WAITS);
	CHECK_EQ(when, now + S);
	CHECK_EQ(enter(&t[1], GOOGLE, BOX), SHAPE_WAITS);
	CHECK_EQ(enter(&t[2], OTHER, BOX2), SHAPE_GOES); /* held up by nobody */
	shape_leave(&t[2]);
	now += S - 1;
	CHECK(!shape_next(&s, now, &when));
	now += 1;
	CHECK(shape_next(&s, now, &when) == &t[0] && t[0].word == SHAPE_GOES);
	CHECK(!shape_next(&s, now, &when));
	CHECK_EQ(when, now + S);
	shape_leave(&t[1]); /* gave up: costs nothing */
	now += S;
	CHECK(sent(GOOGLE, BOX));
	CHECK_EQ(s.op[0].active, 1);
	shape_end(&s, &t[0], GMAIL_OK, now);
	CHECK_EQ(s.op[0].active, 0);
	CHECK_EQ(s.op[0].turns, 0);
	CHECK_EQ(s.box[0].turns, 0);
	CHECK(!shape_next(&s, now, &when));
	CHECK(when == INT64_MAX);
}

/* A wait that would be longer than the budget is known at once; one just within it is waited for. */
static void budget(void)
{
	fresh();
	s.limits.budget = 2 * S;
	CHECK_EQ(burst(GOOGLE, BOX), 30);
	CHECK_EQ(enter(&t[0], GOOGLE, BOX), SHAPE_WAITS);
	CHECK_EQ(enter(&t[1], GOOGLE, BOX), SHAPE_WAITS);
	CHECK_EQ(enter(&t[2], GOOGLE, BOX), SHAPE_LATE);
	shape_leave(&t[2]);
	now += 1;
	CHECK_EQ(enter(&t[2], GOOGLE, BOX), SHAPE_LATE); /* 2,999 ms */
	shape_leave(&t[2]);
	shape_leave(&t[1]);
	CHECK_EQ(enter(&t[1], GOOGLE, BOX), SHAPE_WAITS); /* 1,999 ms */
	/* Those of the mailbox alone count, too. */
	fresh();
	s.limits.budget = S;
	CHECK_EQ(burst(GOOGLE, BOX), 30);
	s.op[0].full = 0;
	CHECK_EQ(enter(&t[0], GOOGLE, BOX), SHAPE_WAITS);
	CHECK_EQ(enter(&t[1], GOOGLE, BOX), SHAPE_LATE);
	/* The same behind a connection that hangs: when the time is over. */
	fresh();
	s.limits.budget = 2 * S;
	CHECK_EQ(enter(&t[0], GOOGLE, BOX), SHAPE_GOES);
	CHECK_EQ(enter(&t[1], GOOGLE, BOX), SHAPE_WAITS);
	CHECK_EQ(when, now + 2 * S + 1);
	now += 2 * S;
	CHECK(!shape_next(&s, now, &when));
	now += 1;
	CHECK(shape_next(&s, now, &when) == &t[1] && t[1].word == SHAPE_LATE);
	fresh();
	s.limits.budget = 0;
	CHECK_EQ(burst(GOOGLE, BOX), 30);
	CHECK_EQ(enter(&t[0], GOOGLE, BOX), SHAPE_LATE);
}

/* How many may be under way at the same time. Ends those it began, as taken. */
static unsigned wide(uint64_t op)
{
	unsigned n = 0;

	while (n < 10 && enter(&t[n], op, BOX) == SHAPE_GOES)
		n++;
	shape_leave(&t[n]);
	for (unsigned i = 0; i < n; i++)
		shape_leave(&t[i]);
	return n;
}

static void connections(void)
{
	fresh();
	s.limits.burst = 1000;
	s.limits.minute = 0;
	for (unsigned n = 1; n <= 4; n++) {
		CHECK_EQ(wide(GOOGLE), n);
		CHECK(sent(GOOGLE, BOX));
	}
	CHECK_EQ(wide(GOOGLE), 4);
	CHECK_EQ(wide(OTHER), 1);
}

static bool ends(struct turn *x, enum gmail_class said)
{
	CHECK_EQ(enter(x, GOOGLE, BOX), SHAPE_GOES);
	return shape_end(&s, x, said, now);
}

/* RULES, fact 6. */
static void told_to_stop(void)
{
	fresh();
	s.limits.burst = 1000;
	s.limits.minute = 0;
	CHECK(sent(GOOGLE, BOX) && sent(GOOGLE, BOX));
	CHECK_EQ(enter(&t[0], GOOGLE, BOX), SHAPE_GOES);
	CHECK_EQ(enter(&t[1], GOOGLE, BOX), SHAPE_GOES);
	CHECK_EQ(enter(&t[2], GOOGLE, BOX), SHAPE_GOES);
	CHECK_EQ(enter(&t[3], GOOGLE, BOX), SHAPE_WAITS);
	now += 10;
	CHECK(shape_end(&s, &t[0], GMAIL_RATE, now));
	CHECK(shape_next(&s, now, &when) == &t[3] && t[3].word == SHAPE_STOPPED);
	shape_leave(&t[3]);
	CHECK_EQ(enter(&t[4], OTHER, BOX2), SHAPE_GOES);
	now += 10;
	CHECK(!shape_end(&s, &t[1], GMAIL_RATE, now)); /* began before it: no news */
	CHECK(!shape_end(&s, &t[2], GMAIL_OK, now));
	now += OUT_RATE_MS - 11;
	CHECK_EQ(shape_left(&s.op[0], now), 1);
	CHECK_EQ(enter(&t[0], GOOGLE, BOX), SHAPE_STOPPED);
	shape_leave(&t[0]);
	now += 1;
	CHECK_EQ(shape_left(&s.op[0], now), 0);
	CHECK_EQ(wide(GOOGLE), 1);
	CHECK(ends(&t[0], GMAIL_RATE)); /* again: ten minutes more */
	CHECK_EQ(shape_left(&s.op[0], now), OUT_RATE_MS);
	now += OUT_RATE_MS;
	CHECK(sent(GOOGLE, BOX));
	CHECK_EQ(wide(GOOGLE), 2);
	CHECK(!ends(&t[0], GMAIL_TEMP)); /* neither a success nor a stop */
	CHECK_EQ(wide(GOOGLE), 2);
	CHECK(sent(GOOGLE, BOX));
	CHECK_EQ(wide(GOOGLE), 3);
}

static void refused(void)
{
	fresh();
	s.limits.burst = 1000;
	for (int i = 0; i < 2; i++) {
		CHECK(!ends(&t[0], GMAIL_REPUTATION));
		CHECK(!ends(&t[0], GMAIL_REPUTATION));
		CHECK(!ends(&t[0], GMAIL_POLICY));
		CHECK(!ends(&t[0], GMAIL_OK)); /* it is not so bad */
	}
	CHECK(!ends(&t[0], GMAIL_REPUTATION));
	CHECK(!ends(&t[0], GMAIL_PERM));
	CHECK(!ends(&t[0], GMAIL_REPUTATION));
	now += 1;
	CHECK(ends(&t[0], GMAIL_REPUTATION));
	CHECK_EQ(s.op[0].refused, 3);
	CHECK_EQ(enter(&t[0], GOOGLE, BOX), SHAPE_STOPPED);
	shape_leave(&t[0]);
	now += OUT_RATE_MS;
	CHECK(ends(&t[0], GMAIL_REPUTATION)); /* nothing has become better */
}

/* 4.2.1: the mailbox gets one a second from now on, others of the operator do not wait for it. */
static void too_fast(void)
{
	fresh();
	CHECK(!ends(&t[0], GMAIL_FAST));
	CHECK_EQ(burst(GOOGLE, BOX), 0);
	CHECK_EQ(burst(GOOGLE, BOX2), 29);
	fresh();
	CHECK(!ends(&t[0], GMAIL_FAST));
	now += S;
	CHECK_EQ(burst(GOOGLE, BOX), 1);
}

static void handed_back(void)
{
	fresh();
	shape_stop(&s, GOOGLE, 5 * S, now);
	shape_stop(&s, OTHER, INT64_MAX, now);
	CHECK_EQ(enter(&t[0], GOOGLE, BOX), SHAPE_STOPPED);
	CHECK_EQ(enter(&t[1], OTHER, BOX), SHAPE_STOPPED);
	shape_stop(&s, GOOGLE, 1, now); /* less than is known */
	CHECK_EQ(shape_left(t[0].op, now), 5 * S);
	CHECK_EQ(shape_left(t[1].op, now), OUT_RATE_MS);
}

/* More operators and mailboxes than places: what is under way and what is stopped stays. */
static void crowd(void)
{
	fresh();
	shape_stop(&s, GOOGLE, OUT_RATE_MS, now);
	CHECK_EQ(enter(&t[0], OTHER, BOX), SHAPE_GOES);
	for (unsigned i = 0; i < 4 * (SHAPE_OPERATORS + SHAPE_BOXES); i++) {
		now++;
		CHECK(sent(100 + i, 100 + i));
	}
	CHECK(t[0].op->key == OTHER && t[0].op->active == 1 && t[0].box->key == BOX);
	CHECK_EQ(enter(&t[1], GOOGLE, BOX2), SHAPE_STOPPED);
	for (unsigned i = 2; i < SHAPE_TURNS; i++)
		CHECK_EQ(enter(&t[i], 10000 + i, 10000 + i), SHAPE_GOES);
	for (unsigned i = 0; i < SHAPE_TURNS; i++)
		shape_leave(&t[i]);
}

/* Letters that nobody waits for (FORWARD_SPOOL) are behind those of today, and leave them half of everything. */
static void yields(void)
{
	fresh();
	for (int i = 0; i < 8; i++)
		t[i].yields = i < 5;
	s.limits.minute = 0;
	CHECK_EQ(enter(&t[0], GOOGLE, BOX), SHAPE_GOES); /* the operator's one connection */
	CHECK_EQ(enter(&t[1], GOOGLE, BOX), SHAPE_WAITS);
	CHECK_EQ(enter(&t[5], GOOGLE, BOX2), SHAPE_WAITS); /* it passes the one before it */
	shape_end(&s, &t[0], GMAIL_OK, now);
	CHECK(shape_next(&s, now, &when) == &t[5]);
	CHECK(shape_next(&s, now, &when) == &t[1]); /* one of two */
	shape_end(&s, &t[1], GMAIL_OK, now);
	shape_end(&s, &t[5], GMAIL_OK, now);
	for (int i = 0; i < 5; i++)
		CHECK_EQ(enter(&t[i], GOOGLE, BOX),
			 i < 2 ? SHAPE_GOES : SHAPE_WAITS); /* of four */
	CHECK_EQ(enter(&t[5], GOOGLE, BOX2), SHAPE_GOES);
	CHECK_EQ(enter(&t[6], GOOGLE, BOX2), SHAPE_GOES);
	CHECK_EQ(enter(&t[7], GOOGLE, BOX2), SHAPE_WAITS);
	shape_leave(&t[0]);
	CHECK(shape_next(&s, now, &when) == &t[7]);
	CHECK(!shape_next(&s, now, &when));
	shape_leave(&t[1]); /* the connection is for one of them */
	CHECK(shape_next(&s, now, &when) == &t[2]);
	/* Fifteen of a bucket of thirty, thirty of a minute of sixty. */
	fresh();
	for (int i = 0; i < 15; i++) {
		t[0].yields = true;
		CHECK_EQ(enter(&t[0], GOOGLE, BOX), SHAPE_GOES);
		shape_end(&s, &t[0], GMAIL_OK, now);
	}
	CHECK_EQ(enter(&t[0], GOOGLE, BOX), SHAPE_WAITS);
	CHECK_EQ(burst(GOOGLE, BOX), 15);
	shape_leave(&t[0]);
	fresh();
	t[0].yields = true;
	s.limits.burst = 1000;
	for (int i = 0; i < 30; i++) {
		CHECK_EQ(enter(&t[0], OTHER, BOX2), SHAPE_GOES);
		shape_end(&s, &t[0], GMAIL_OK, now);
	}
	CHECK_EQ(enter(&t[0], OTHER, BOX2), SHAPE_WAITS);
	CHECK_EQ(burst(OTHER, BOX2), 30);
}

int main(void)
{
	buckets();
	minute();
	minutes(7);
	minutes(SHAPE_MINUTE ? SHAPE_MINUTE : 1);
	in_line();
	budget();
	connections();
	told_to_stop();
	refused();
	too_fast();
	handed_back();
	crowd();
	yields();
	TEST_END();
}
