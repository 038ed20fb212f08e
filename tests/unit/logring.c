/* SPDX-License-Identifier: ISC */
/* The ring of log lines against a list that forgets nothing. */
#include "init/log/logring.h"

#include "tests/unit/test.h"

enum { CAP = 100, LINES = 400 };

static uint8_t mem[CAP + 8];
static char text[LINES][64]; /* what was put */
static uint64_t place[LINES + 1];

static void test_all(unsigned step)
{
	struct logring r;
	uint64_t at = 0;
	uint8_t octets[64];

	memset(mem, 0xAA, sizeof mem);
	logring_init(&r, mem, CAP);
	for (unsigned i = 0, first = 0, seen = 0; i < LINES; i++) {
		struct buf b = BUF(octets);
		unsigned n = i * 7 % 50;

		memset(text[i], 'a' + (int)(i % 26), n);
		place[i] = r.end;
		logring_put(&r, (struct slice){ (const uint8_t *)text[i], n });
		place[i + 1] = r.end;
		while (place[first] < r.first)
			first++;
		CHECK_EQ(place[first], r.first); /* a whole line begins there */
		CHECK(r.end - r.first <= CAP);
		CHECK(i == LINES - 1 || r.end - r.first + 2 + 49 > CAP || first == 0);
		if (i % step)
			continue;
		/* In order, none twice; those that are gone are counted. */
		while (logring_get(&r, &at, &b)) {
			seen = seen < first ? first : seen;
			CHECK_EQ(b.len, seen * 7 % 50);
			CHECK(!memcmp(octets, text[seen], b.len));
			CHECK_EQ(at, place[++seen]);
			b.len = 0;
		}
		CHECK_EQ(seen, i + 1);
		logring_release(&r, at);
	}
	CHECK(step > 1 ? r.lost > 10 : r.lost == 0);
	for (unsigned i = CAP; i < sizeof mem; i++)
		CHECK_EQ(mem[i], 0xAA);
}

/* Wanted are those since the last release, however many were read. */
static void test_lost(void)
{
	struct logring r;
	uint8_t octets[64];
	struct buf b = BUF(octets);
	uint64_t at = 0, before;

	logring_init(&r, mem, CAP);
	for (unsigned i = 0; i < 4; i++)
		logring_put(&r, SLICE("123456789012345678"));
	CHECK_EQ(r.lost, 0);
	CHECK(logring_get(&r, &at, &b));
	logring_put(&r, SLICE("x"));
	CHECK_EQ(r.lost, 0); /* it had room */
	logring_put(&r, SLICE("123456789012345678"));
	CHECK_EQ(r.lost, 1);
	logring_release(&r, 60);
	logring_put(&r, SLICE("123456789012345678"));
	CHECK_EQ(r.lost, 1);
	before = r.end;
	logring_put(&r, (struct slice){ octets, 0 });
	CHECK(r.end == before + 2);
	/* Too long for it, or for the reader. */
	logring_put(&r, (struct slice){ (const uint8_t *)text, CAP - 1 });
	CHECK_EQ(r.lost, 2);
	logring_put(&r, (struct slice){ (const uint8_t *)text, CAP - 2 });
	CHECK_EQ(r.end - r.first, CAP);
	at = 0;
	b = (struct buf)BUF(octets);
	CHECK(!logring_get(&r, &at, &b) && !at && !b.len && !b.bad);
}

int main(void)
{
	test_all(1);
	test_all(17);
	test_lost();
	TEST_END();
}
