/* SPDX-License-Identifier: ISC */
#include "init/clock/sntp.h"

#include "tests/unit/test.h"

#define COOKIE UINT64_C(0x0123456789abcdef)
#define SECOND INT64_C(1000000000)

enum { AT_STRATUM = 1, AT_ID = 12, AT_ORIGIN = 24, AT_RECEIVED = 32, AT_SENT = 40 };

/* 2026-11-22 00:00:00 UTC and half a second later */
static const uint8_t good[SNTP_SIZE] = {
	[0] = 0x24,
	[AT_STRATUM] = 2,
	[AT_ID] = 192,
	0,
	2,
	1,
	[AT_ORIGIN] = 1,
	0x23,
	0x45,
	0x67,
	0x89,
	0xab,
	0xcd,
	0xef,
	[AT_RECEIVED] = 0xee,
	0xac,
	0xaf,
	0x00,
	0,
	0,
	0,
	0,
	[AT_SENT] = 0xee,
	0xac,
	0xaf,
	0x00,
	0x80,
};

static const struct {
	const char *name;
	uint8_t at, value;
	enum sntp_kind kind;
} cases[] = {
	{ "as it is", AT_STRATUM, 2, SNTP_TIME },
	{ "version 3", 0, 0x1c, SNTP_TIME },
	{ "version 2", 0, 0x14, SNTP_BAD },
	{ "version 5", 0, 0x2c, SNTP_BAD },
	{ "leap second announced", 0, 0x64, SNTP_TIME },
	{ "unsynchronised", 0, 0xe4, SNTP_BAD },
	{ "a client's packet", 0, 0x23, SNTP_BAD },
	{ "broadcast", 0, 0x25, SNTP_BAD },
	{ "stratum 15", AT_STRATUM, 15, SNTP_TIME },
	{ "stratum 16", AT_STRATUM, 16, SNTP_BAD },
	{ "stratum 0 without letters", AT_STRATUM, 0, SNTP_BAD },
	{ "another origin", AT_ORIGIN, 2, SNTP_BAD },
	{ "another origin at its end", AT_ORIGIN + 7, 0xee, SNTP_BAD },
	{ "sent before received", AT_RECEIVED + 3, 1, SNTP_BAD },
};

static void test_parse(void)
{
	struct sntp_answer a = { .stratum = 99 };

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint8_t p[SNTP_SIZE];

		memcpy(p, good, sizeof p);
		p[cases[i].at] = cases[i].value;
		CHECK_ROW(sntp_parse((struct slice){ p, sizeof p }, COOKIE, &a) ==
				  cases[i].kind,
			  cases[i].name);
	}
	a.stratum = 99;
	for (size_t n = 0; n < SNTP_SIZE; n++)
		CHECK_EQ(sntp_parse((struct slice){ good, n }, COOKIE, &a), SNTP_BAD);
	CHECK_EQ(a.stratum, 99);
	CHECK_EQ(sntp_parse((struct slice){ good, sizeof good }, COOKIE, &a), SNTP_TIME);
	CHECK_EQ(a.received, INT64_C(1795305600) * SECOND);
	CHECK_EQ(a.sent, INT64_C(1795305600) * SECOND + SECOND / 2);
}

static void test_kiss(void)
{
	struct sntp_answer a;
	uint8_t p[SNTP_SIZE];

	memcpy(p, good, sizeof p);
	p[AT_STRATUM] = 0;
	memcpy(p + AT_ID, "RATE", 4);
	CHECK_EQ(sntp_parse((struct slice){ p, sizeof p }, COOKIE, &a), SNTP_KISS);
	CHECK(!strcmp(a.kiss, "RATE"));
	p[AT_ORIGIN] ^= 1; /* a stranger cannot silence us */
	CHECK_EQ(sntp_parse((struct slice){ p, sizeof p }, COOKIE, &a), SNTP_BAD);
}

static void test_eras(void)
{
	struct sntp_answer a;
	uint8_t p[SNTP_SIZE];

	memcpy(p, good, sizeof p);
	memset(p + AT_RECEIVED, 0, 16);
	CHECK_EQ(sntp_parse((struct slice){ p, sizeof p }, COOKIE, &a),
		 SNTP_BAD); /* no time at all */
	p[AT_SENT + 3] = 1;
	CHECK_EQ(sntp_parse((struct slice){ p, sizeof p }, COOKIE, &a), SNTP_TIME);
	CHECK_EQ(a.sent / SECOND, INT64_C(2085978497)); /* 2036-02-07 06:28:17 */
}

static void test_offset(void)
{
	struct sntp_answer a = { .received = 1000 * SECOND, .sent = 1001 * SECOND };

	/* our clock 100 s behind, half a second each way, one second of work */
	CHECK_EQ(sntp_offset(&a, 899 * SECOND + SECOND / 2, 901 * SECOND + SECOND / 2),
		 100 * SECOND);
	a.received = a.sent = INT64_C(9000000000) * SECOND; /* far apart: no overflow */
	CHECK_EQ(sntp_offset(&a, 0, 0), INT64_C(9000000000) * SECOND);
}

static void test_put(void)
{
	uint8_t p[SNTP_SIZE];
	struct buf b = BUF(p);
	uint8_t all = 0;

	sntp_put(&b, COOKIE);
	CHECK_EQ(b.len, SNTP_SIZE);
	CHECK_EQ(p[0], 0x23);
	for (int i = 1; i < AT_SENT; i++)
		all |= p[i];
	CHECK_EQ(all, 0);
	CHECK_EQ(p[AT_SENT], 0x01);
	CHECK_EQ(p[AT_SENT + 7], 0xef);
}

int main(void)
{
	test_parse();
	test_kiss();
	test_eras();
	test_offset();
	test_put();
	TEST_END();
}
