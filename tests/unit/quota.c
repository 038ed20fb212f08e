/* SPDX-License-Identifier: ISC */
#include "smtpd/check/quota.h"

#include "tests/unit/test.h"

enum { MIN = 60 * 1000, HOUR = 60 * MIN, DAY = 24 * HOUR };

static struct quota q;
static uint32_t day_limit;
static const struct slice app = { (const uint8_t *)"app1", 4 };
static char why[QUOTA_WHY + 1];

static enum quota_word ask(struct slice account, uint32_t rcpts, int64_t now)
{
	struct buf b = { .p = (uint8_t *)why, .cap = QUOTA_WHY };
	enum quota_word word = quota_ask(&q, account, day_limit, rcpts, now, &b);

	CHECK(!b.bad);
	why[b.len] = 0;
	return word;
}

static enum quota_word take(struct slice account, uint32_t rcpts, int64_t now)
{
	enum quota_word word = ask(account, rcpts, now);

	if (word == QUOTA_FINE)
		quota_take(&q, account, rcpts, now);
	return word;
}

static void start(uint32_t letters, uint32_t rcpts)
{
	memset(&q, 0, sizeof q);
	q.letters = letters;
	day_limit = rcpts;
}

static void limits(void)
{
	uint32_t letters, rcpts;

	start(3, 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(take(app, 50, 1000), QUOTA_FINE);
	CHECK_EQ(take(app, 1, 1000), QUOTA_LATER);
	CHECK(!strcmp(why,
		      "Account app1 has reached its limit of 3 letters in an hour, please try "
		      "again in 65 min"));
	CHECK_EQ(take(SLICE("app2"), 1, 1000), QUOTA_FINE);
	quota_used(&q, app, 1000, &letters, &rcpts);
	CHECK(letters == 3 && rcpts == 150);
	CHECK_EQ(take(app, 1, 65 * MIN - 1), QUOTA_LATER);
	CHECK(strstr(why, "in 1 min"));
	CHECK_EQ(take(app, 1, 65 * MIN), QUOTA_FINE);

	start(0, 10);
	CHECK_EQ(take(app, 11, 0), QUOTA_NEVER);
	CHECK(strstr(why, "more recipients than account app1 may write to in a day: 10"));
	CHECK_EQ(take(app, 8, HOUR), QUOTA_FINE);
	CHECK_EQ(take(app, 2, 5 * HOUR), QUOTA_FINE);
	CHECK_EQ(take(app, 1, 5 * HOUR), QUOTA_LATER);
	CHECK(strstr(why,
		     "10 recipients in a day, please try again in 1260 min")); /* at 26 h */
	CHECK_EQ(take(app, 9, 5 * HOUR), QUOTA_LATER);
	CHECK(strstr(why, "in 1500 min")); /* at 30 h */
	CHECK_EQ(take(app, 9, 26 * HOUR), QUOTA_LATER);
	CHECK_EQ(take(app, 8, 26 * HOUR), QUOTA_FINE);

	start(0, 0);
	for (int i = 0; i < 1000; i++)
		CHECK_EQ(take(app, 1000, 0), QUOTA_FINE);
}

/* Whatever the times: no hour holds more than the limit, and what is promised comes true. */
static void law(void)
{
	static int64_t sent[10000];
	size_t n = 0, first = 0;
	int64_t now = 7 * DAY;
	uint32_t r = 1;

	start(20, 0);
	while (n < sizeof sent / sizeof *sent) {
		unsigned wait;

		r = r * 1103515245 + 12345;
		now += r >> 16 & 1 ? (r >> 17) % 2000 : (r >> 17) % (8 * MIN);
		if (take(app, 1, now) == QUOTA_FINE) {
			sent[n++] = now;
			while (sent[first] <= now - HOUR)
				first++;
			CHECK(n - first <= 20);
			continue;
		}
		CHECK(sscanf(strstr(why, "again in"), "again in %u", &wait) == 1 && wait <= 65);
		CHECK_EQ(ask(app, 1, now + (int64_t)wait * MIN), QUOTA_FINE);
		now += (int64_t)wait * MIN; /* asking moves the windows forward */
	}
}

static void back(void)
{
	uint32_t letters, rcpts;

	start(1, 5);
	CHECK_EQ(take(app, 5, HOUR), QUOTA_FINE);
	CHECK_EQ(take(app, 1, HOUR), QUOTA_LATER);
	quota_back(&q, app, 5, HOUR, HOUR + 3 * MIN);
	CHECK_EQ(take(app, 5, HOUR + 4 * MIN), QUOTA_FINE);
	quota_back(&q, app, 5, HOUR + 4 * MIN, 3 * DAY); /* long over */
	quota_used(&q, app, 3 * DAY, &letters, &rcpts);
	CHECK(letters == 0 && rcpts == 0);
	/* What is over is not taken off a later part that stands at its place. */
	CHECK_EQ(take(app, 5, 4 * DAY), QUOTA_FINE);
	quota_back(&q, app, 5, 4 * DAY - (QUOTA_PARTS + 1) * DAY / QUOTA_PARTS, 4 * DAY);
	quota_used(&q, app, 4 * DAY, &letters, &rcpts);
	CHECK_EQ(rcpts, 5);
	quota_back(&q, SLICE("nobody"), 5, 3 * DAY, 3 * DAY);
}

/* One entry more than there is room for: the one that sent least goes. */
static void many(void)
{
	char name[16];
	uint32_t letters, rcpts;

	start(0, 1000000);
	for (uint32_t i = 0; i <= QUOTA_ACCOUNTS; i++) {
		snprintf(name, sizeof name, "a%u", i);
		quota_take(&q, slice_of(name), i == 7 ? 1 : 10 + i, HOUR);
	}
	quota_used(&q, SLICE("a7"), HOUR, &letters, &rcpts);
	CHECK(!letters && !rcpts);
	quota_used(&q, SLICE("a6"), HOUR, &letters, &rcpts);
	CHECK(letters == 1 && rcpts == 16);
	quota_used(&q, slice_of(name), HOUR, &letters, &rcpts);
	CHECK(letters == 1 && rcpts == 10 + QUOTA_ACCOUNTS);
	quota_take(&q, SLICE(""), 1, HOUR);
}

int main(void)
{
	limits();
	law();
	back();
	many();
	TEST_END();
}
