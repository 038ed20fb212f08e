/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/tlsa.h"

#include "tests/unit/test.h"

#define S32 "0123456789abcdef0123456789abcdef"
#define S64 S32 "fedcba9876543210fedcba9876543210"

static uint8_t mem[4096];
static struct buf records;
static struct tls_pins got;

static void put(struct slice r)
{
	buf_be16(&records, (uint16_t)r.n);
	buf_put(&records, r);
}

static size_t read_all(void)
{
	tlsa_pins(buf_slice(&records), &got);
	records = BUF(mem);
	return got.n;
}

static void one(void)
{
	static const struct {
		struct slice r;
		bool ok;
	} t[] = {
		{ SLICE("\3\1\1" S32), true },	  { SLICE("\3\0\2" S64), true },
		{ SLICE("\2\0\1" S32), true },	  { SLICE("\2\1\2" S64), true },
		{ SLICE("\3\1\0x"), true },	  { SLICE("\2\0\0" S64 S64), true },
		{ SLICE("\0\1\1" S32), false },	  { SLICE("\1\0\1" S32), false },
		{ SLICE("\4\1\1" S32), false },	  { SLICE("\3\2\1" S32), false },
		{ SLICE("\3\1\3" S32), false },	  { SLICE("\3\1\1" S64), false },
		{ SLICE("\3\1\2" S32), false },	  { SLICE("\3\1\1" S32 "x"), false },
		{ SLICE("\xff\1\1" S32), false }, { SLICE("\3\1"), false },
	};

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		put(t[i].r);
		CHECK_EQ(read_all(), t[i].ok);
		if (!t[i].ok)
			continue;
		CHECK_EQ(got.pin[0].use, t[i].r.p[0] == 3 ? TLS_PIN_EE : TLS_PIN_TA);
		CHECK_EQ(got.pin[0].key, t[i].r.p[1]);
		CHECK_EQ(got.pin[0].sha512, t[i].r.p[2] == 2);
		if (t[i].r.p[2])
			CHECK(memcmp(got.pin[0].sum, t[i].r.p + 3, t[i].r.n - 3) == 0);
	}
	/* SHA-256 of "x" */
	put(SLICE("\3\1\0x"));
	read_all();
	CHECK(memcmp(got.pin[0].sum, "\x2d\x71\x16\x42", 4) == 0);
	CHECK_EQ(read_all(), 0);
}

/* RFC 7671 9: SHA-512 beats SHA-256 of the same usage and selector, and nothing else. */
static void agility(void)
{
	put(SLICE("\3\1\1" S32));
	put(SLICE("\3\1\2" S64));
	put(SLICE("\3\0\1" S32));
	put(SLICE("\2\1\1" S32));
	put(SLICE("\3\1\0x"));
	put(SLICE("\0\1\2" S64));
	CHECK_EQ(read_all(), 4);
	CHECK(got.pin[0].sha512);
	CHECK(got.pin[3].exact);
}

static void many(void)
{
	for (int i = 0; i < TLS_PINS_MAX + 1; i++)
		put(SLICE("\3\1\1" S32));
	CHECK_EQ(read_all(), TLS_PINS_MAX);
}

int main(void)
{
	uint8_t name[64];
	struct buf b = BUF(name);

	records = BUF(mem);
	one();
	agility();
	many();
	tlsa_name(&b, SLICE("mx.example"));
	CHECK_SLICE(buf_slice(&b), "_25._tcp.mx.example");
	TEST_END();
}
