/* SPDX-License-Identifier: ISC */
#include "tests/unit/monttry.h"
#include "tests/unit/random64.h"
#include "tests/unit/test.h"

/* Words that carries run through: all ones, zeros, one bit, or anything. */
static void fill(uint64_t *x, size_t n)
{
	unsigned kind = (unsigned)(random64() >> 33) % 8;

	for (size_t i = 0; i < n; i++) {
		uint64_t r = random64();

		if (kind == 0)
			x[i] = ~(uint64_t)0;
		else if (kind == 1)
			x[i] = 0;
		else if (kind == 2)
			x[i] = r & 1 ? ~(uint64_t)0 : 0;
		else if (kind == 3)
			x[i] = (uint64_t)1 << r % 64;
		else if (kind == 4)
			x[i] = ~((uint64_t)1 << r % 64);
		else
			x[i] = r;
	}
}

static void every_kernel(void)
{
	uint64_t a[MONT64_MAX], b[MONT64_MAX], m[MONT64_MAX];

	for (size_t n = MONT64_BLOCK; n <= MONT64_MAX; n += MONT64_BLOCK)
		for (size_t i = 0; i < 600 / n; i++) {
			fill(a, n);
			fill(b, n);
			fill(m, n);
			CHECK(monttry(n, a, b, m));
		}
}

static void sizes(void)
{
	static const uint8_t m[8 * (MONT64_MAX + 1)] = { [8 * MONT64_MAX + 7] = 9 };
	const struct mont64_kernel *k = mont64_kernel(0);
	struct mont64 o;

	CHECK(mont64_init(&o, k, 8, m, sizeof m));
	CHECK(!mont64_init(&o, k, 7, m, sizeof m));
	CHECK(!mont64_init(&o, k, 9, m, sizeof m));
	CHECK(!mont64_init(&o, k, MONT64_MAX + 8, m, sizeof m));
	CHECK(!mont64_init(&o, k, 8, m, sizeof m - 1)); /* 0 is even */
}

/* x^e for exponents of every length up to some words, against multiplication. */
static void power(void)
{
	static struct mont64_work w;
	static struct mont64 o;
	uint64_t x[8], y[8], want[8], unit[8] = { 1 };
	uint8_t m[64], e[3];

	memset(m, 0xe7, sizeof m);
	for (unsigned v = 0; v < 70000; v += 1 + v / 9) {
		const struct mont64_kernel *k = mont64_kernel(v % 2);

		CHECK(mont64_init(&o, k ? k : mont64_kernel(0), 8, m, sizeof m));
		fill(x, 8);
		mont64_mul(&o, &w, y, x, o.r2);
		mont64_mul(&o, &w, want, unit, o.r2);
		for (unsigned i = 0; i < 24; i++) {
			mont64_square(&o, &w, want, want);
			if (v >> (23 - i) & 1)
				mont64_mul(&o, &w, want, want, y);
		}
		e[0] = (uint8_t)(v >> 16), e[1] = (uint8_t)(v >> 8), e[2] = (uint8_t)v;
		mont64_power(&o, &w, y, e, sizeof e);
		mont64_mul(&o, &w, y, y, unit);
		mont64_mul(&o, &w, want, want, unit);
		mont64_whole(&o, y);
		mont64_whole(&o, want);
		CHECK(memcmp(y, want, sizeof y) == 0);
	}
}

static void octets(void)
{
	static const uint8_t in[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 };
	uint8_t out[sizeof in + 9];
	uint64_t x[2];

	CHECK(mont64_get(x, 2, in, sizeof in) && x[0] == 0x0203040506070809u && x[1] == 1);
	CHECK(!mont64_get(x, 1, in, sizeof in));
	CHECK(mont64_get(x, 1, in, sizeof in - 1) && x[0] == 0x0102030405060708u);
	mont64_get(x, 2, in, sizeof in);
	mont64_put(x, 2, out, sizeof out);
	CHECK(memcmp(out + 9, in, sizeof in) == 0 && !memcmp(out, "\0\0\0\0\0\0\0\0", 9));
}

int main(void)
{
	if (!mont64_kernel(0)) /* a 32-bit host */
		return 0;
	every_kernel();
	sizes();
	power();
	octets();
	TEST_END();
}
