/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/der.h"

#include "tests/unit/test.h"

static uint8_t mem[70000], zeros[65536];

static void lengths(void)
{
	static const size_t n[] = { 0, 1, 127, 128, 255, 256, 65000, 65535, 65536 };

	for (size_t i = 0; i < sizeof n / sizeof *n; i++) {
		struct buf b = BUF(mem);
		size_t more = n[i] < 128 ? 0 : n[i] < 256 ? 1 : 2;

		der_put(&b, DER_OCTETS, (struct slice){ zeros, n[i] });
		CHECK_EQ(b.bad, n[i] > 65535);
		if (b.bad)
			continue;
		CHECK_EQ(b.len, 2 + more + n[i]);
		struct cur c = CUR(buf_slice(&b));

		CHECK_EQ(der_get(&c, DER_OCTETS).n, n[i]);
		CHECK(cur_done(&c));
		/* not one octet less of input, and not one octet less of room */
		c = CUR(slice_head(buf_slice(&b), b.len - 1));
		der_get(&c, DER_OCTETS);
		CHECK(c.bad);
		struct buf small = { .p = mem, .cap = b.len - 1 };

		der_put(&small, DER_OCTETS, (struct slice){ zeros, n[i] });
		CHECK(small.bad);
	}
}

static void numbers(void)
{
	struct buf b = BUF(mem);

	der_uint(&b, SLICE(""));
	der_uint(&b, SLICE("\0\0\x7f"));
	der_uint(&b, SLICE("\x80"));
	CHECK_SLICE(buf_slice(&b), "\2\1\0\2\1\x7f\2\2\0\x80");
	b = BUF(mem);
	der_when(&b, 0);
	der_when(&b, 2524607999);
	der_when(&b, 2524608000);
	CHECK_SLICE(buf_slice(&b), "\x17\r700101000000Z\x17\r491231235959Z\x18\x0f"
				   "20500101000000Z");
	der_when(&b, -1);
	CHECK(b.bad);
}

/* Lengths that are not the shortest, or not definite. */
static void refused(void)
{
	static const struct slice t[] = {
		SLICE("\4\x81\1x"),
		SLICE("\4\x82\0\1x"),
		SLICE("\4\x80x\0\0"),
		SLICE("\4\x83\0\0\1x"),
		SLICE("\2\1x"),
		SLICE("\4"),
		SLICE(""),
	};

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct cur c = CUR(t[i]);

		CHECK_EQ(der_get(&c, DER_OCTETS).n, 0);
		CHECK(c.bad);
	}
}

int main(void)
{
	lengths();
	numbers();
	refused();
	TEST_END();
}
