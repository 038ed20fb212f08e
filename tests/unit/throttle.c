/* SPDX-License-Identifier: ISC */
#include "keys/auth/throttle.h"

#include "tests/unit/test.h"

static struct throttle t;
static const uint8_t secret[32] = { 1 };
static const struct slice app = { (const uint8_t *)"app1", 4 },
			  two = { (const uint8_t *)"app2", 4 };

static const uint8_t *v4(uint8_t c, uint8_t d)
{
	static uint8_t a[4][16];
	static unsigned i;
	uint8_t *p = a[i++ % 4];

	memset(p, 0, 16);
	p[10] = p[11] = 0xff;
	p[12] = 10;
	p[14] = c;
	p[15] = d;
	return p;
}

static const uint8_t *v6(uint8_t net, uint8_t host)
{
	static uint8_t a[4][16];
	static unsigned i;
	uint8_t *p = a[i++ % 4];

	memset(p, 0, 16);
	p[0] = 0x20;
	p[7] = net;
	p[15] = host;
	return p;
}

static void addresses(void)
{
	throttle_init(&t, secret);
	for (int i = 0; i < THROTTLE_ADDRESS; i++) {
		CHECK(throttle_allows(&t, v4(1, 1), app, 0));
		throttle_failed(&t, v4(1, 1), app, 0);
		throttle_failed(&t, v6(1, (uint8_t)i), two, 0);
	}
	CHECK(!throttle_allows(&t, v4(1, 1), app, 0));
	CHECK(!throttle_allows(&t, v4(1, 1), two, 0));
	CHECK(throttle_allows(&t, v4(1, 2), app, 0)); /* his neighbour */
	CHECK(!throttle_allows(&t, v6(1, 77), app, 0));
	CHECK(throttle_allows(&t, v6(2, 77), app, 0));
	CHECK(!throttle_allows(&t, v4(1, 1), app, THROTTLE_WINDOW_MS - 1));
	CHECK(throttle_allows(&t, v4(1, 1), app, THROTTLE_WINDOW_MS));
}

/* Under attack: everybody may be wrong once, and nobody more often; where it was used before nothing changes. */
static void attack(void)
{
	throttle_init(&t, secret);
	throttle_worked(&t, v4(9, 9), app, 0);
	for (int i = 0; i < THROTTLE_ACCOUNT; i++) {
		CHECK(throttle_allows(&t, v4(200, 1), app, 0));
		throttle_failed(&t, v4((uint8_t)i, 1), app, 0);
		if (i == THROTTLE_ACCOUNT - 2)
			CHECK(throttle_allows(&t, v4(0, 1), app, 0));
	}
	CHECK(throttle_allows(&t, v4(200, 1), app, 0));
	CHECK(!throttle_allows(&t, v4(0, 1), app, 0));
	CHECK(throttle_allows(&t, v4(0, 1), two, 0));
	throttle_failed(&t, v4(200, 1), app, 0);
	CHECK(!throttle_allows(&t, v4(200, 1), app, 0));
	CHECK(throttle_allows(&t, v4(200, 1), app, THROTTLE_WINDOW_MS));
	for (int i = 0; i < THROTTLE_ADDRESS; i++) {
		CHECK(throttle_allows(&t, v4(9, 9), app, 0));
		throttle_failed(&t, v4(9, 9), app, 0);
	}
	CHECK(!throttle_allows(&t, v4(9, 9), app, 0));
}

static void success_forgives(void)
{
	throttle_init(&t, secret);
	for (int i = 0; i < THROTTLE_ADDRESS - 1; i++)
		throttle_failed(&t, v4(1, 1), app, 0);
	throttle_worked(&t, v4(1, 1), app, 0);
	throttle_failed(&t, v4(1, 1), app, 0);
	CHECK(throttle_allows(&t, v4(1, 1), app, 0));
}

/* Who shares the address does not lock out what worked from here; its own failures do. */
static void neighbours(void)
{
	throttle_init(&t, secret);
	throttle_worked(&t, v4(1, 1), app, 0);
	for (int i = 0; i < THROTTLE_ADDRESS; i++)
		throttle_failed(&t, v4(1, 1), two, 0);
	CHECK(!throttle_allows(&t, v4(1, 1), two, 0));
	CHECK(throttle_allows(&t, v4(1, 1), app, 0));
	for (int i = 0; i < THROTTLE_ADDRESS; i++)
		throttle_failed(&t, v4(1, 1), app, 0);
	CHECK(!throttle_allows(&t, v4(1, 1), app, 0));
	CHECK(!throttle_allows(&t, v4(1, 1), app, THROTTLE_WINDOW_MS - 1));
	CHECK(throttle_allows(&t, v4(1, 1), app, THROTTLE_WINDOW_MS));
}

/* A flood of addresses with one failure each does not wash out what has many. */
static void flood(void)
{
	throttle_init(&t, secret);
	for (int i = 0; i < THROTTLE_ADDRESS; i++)
		throttle_failed(&t, v4(1, 1), app, 0);
	for (int i = 0; i < 4 * THROTTLE_FAILURES; i++) {
		uint8_t p[16] = { 0x20, [6] = (uint8_t)(i >> 8), [7] = (uint8_t)i };

		throttle_failed(&t, p, two, 1);
	}
	CHECK(!throttle_allows(&t, v4(1, 1), app, 1));
	throttle_failed(&t, v4(2, 1), two, 1);
	CHECK(!throttle_allows(&t, v4(2, 1), two, 1)); /* it is known to be under attack */
}

/* Another process goes on where the one before ended, whatever secret it would have taken. */
static void resumed(void)
{
	static const uint8_t other[32] = { 2 };

	memset(&t, 0, sizeof t);
	throttle_resume(&t, secret);
	for (int i = 0; i < THROTTLE_ADDRESS; i++)
		throttle_failed(&t, v4(1, 1), app, 0);
	throttle_resume(&t, other);
	CHECK(!throttle_allows(&t, v4(1, 1), app, 0));
	memset(&t, 0xff, sizeof t); /* any octets do no harm */
	CHECK(throttle_allows(&t, v4(1, 1), app, 0));
	throttle_failed(&t, v4(1, 1), app, 0);
	throttle_worked(&t, v4(1, 1), app, 0);
}

int main(void)
{
	addresses();
	attack();
	success_forgives();
	neighbours();
	flood();
	resumed();
	TEST_END();
}
