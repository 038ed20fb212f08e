/* SPDX-License-Identifier: ISC */
/* The powers of mont52 against those of mont64. The source is included: on every processor its C is tried, with the real
 * instructions unit/rsa64 does. */
#define MONT52_PLAIN 1
#define mont52_has   plain_has
#define mont52_set   plain_set
#define mont52_put   plain_put
#define mont52_get   plain_get
#define mont52_power plain_power
#include "keys/holder/mont52.c"
#include "tests/unit/random64.h"
#include "tests/unit/test.h"

enum { W = MONT52_WORDS };

static struct mont64 modulus[2];
static struct mont64_work work;
static struct mont52 o;
static uint8_t e[2][MONT52_EXP];
static void set(unsigned odd, uint8_t top, uint8_t fill, size_t octets)
{
	uint8_t m[MONT52_EXP];

	memset(m, fill, sizeof m);
	m[0] = top;
	m[MONT52_EXP - 1] |= 1;
	for (size_t i = 0; i < MONT52_EXP; i++)
		e[odd][i] = i < MONT52_EXP - octets ? 0 : (uint8_t)random64();
	CHECK(mont64_init(&modulus[odd], mont64_kernel(0), W, m, sizeof m));
	CHECK(mont52_set(&o, odd, &modulus[odd], &work, e[odd] + MONT52_EXP - octets, octets));
}

/* x^e mod m by mont64. */
static void expect(unsigned odd, const uint64_t *x, uint64_t *out)
{
	static const uint64_t unit[W] = { 1 };

	mont64_mul(&modulus[odd], &work, out, x, modulus[odd].r2);
	mont64_power(&modulus[odd], &work, out, e[odd], MONT52_EXP);
	mont64_mul(&modulus[odd], &work, out, out, unit);
	mont64_whole(&modulus[odd], out);
}

static void number(unsigned odd, unsigned kind, uint64_t *x)
{
	memset(x, 0, W * sizeof *x);
	if (kind == 1) {
		x[0] = 1;
	} else if (kind == 2) { /* m - 1 */
		memcpy(x, modulus[odd].m, W * sizeof *x);
		x[0]--;
	} else if (kind > 2) {
		for (int i = 0; i < W; i++)
			x[i] = kind == 3 ? ~(uint64_t)0 : random64();
		x[W - 1] >>= 2; /* below every modulus here */
	}
}

static void powers(void)
{
	uint64_t x[2 * MONT52_PAIRS][W], want[W], got[W];

	for (unsigned lane = 0; lane < 2 * MONT52_PAIRS; lane++) {
		number(lane % 2, lane / 2 + (unsigned)(random64() % 2) * 3, x[lane]);
		mont52_put(&o, lane, x[lane]);
	}
	mont52_power(&o);
	for (unsigned lane = 0; lane < 2 * MONT52_PAIRS; lane++) {
		expect(lane % 2, x[lane], want);
		mont52_get(&o, lane, got);
		mont64_whole(&modulus[lane % 2], got);
		CHECK(memcmp(want, got, sizeof got) == 0);
	}
}

static void in_and_out(void)
{
	uint64_t x[W], got[W];

	for (unsigned lane = 0; lane < 2 * MONT52_PAIRS; lane++) {
		for (int i = 0; i < W; i++)
			x[i] = random64();
		mont52_put(&o, lane, x);
		mont52_get(&o, lane, got);
		CHECK(memcmp(x, got, sizeof x) == 0);
		for (int j = 0; j < MONT52_DIGITS; j++)
			CHECK(!(o.x[j][lane] >> 52));
	}
}

int main(void)
{
	static const uint8_t long_exponent[MONT52_EXP + 1] = { 1 };

	if (!mont64_kernel(0)) /* a 32-bit host */
		return 0;
	in_and_out();
	set(0, 0xff, 0xff, MONT52_EXP);
	set(1, 0x80, 0x00, MONT52_EXP);
	powers();
	set(0, 0xc0, 0xff, 1);
	set(1, 0xff, 0x5a, MONT52_EXP - 1);
	powers();
	powers();
	CHECK(!mont52_set(&o, 0, &modulus[0], &work, long_exponent, sizeof long_exponent));
	modulus[0].n = W + MONT64_BLOCK;
	CHECK(!mont52_set(&o, 0, &modulus[0], &work, e[0], MONT52_EXP));
	TEST_END();
}
