/* SPDX-License-Identifier: ISC */
#include "tests/unit/test.h"

#include "smtpd/lib/bytes.h"

static void test_slices(void)
{
	struct slice s = SLICE("ab@cd@e"), none = { NULL, 0 }, rest;

	CHECK_EQ(slice_of(NULL).n, 0);
	CHECK_SLICE(slice_of("xy"), "xy");
	CHECK(slice_eq(none, SLICE("")));
	CHECK(slice_eq(s, SLICE("ab@cd@e")));
	CHECK(!slice_eq(s, SLICE("ab@cd@E")));
	CHECK(!slice_eq(s, SLICE("ab@cd@")));
	CHECK(slice_ieq(s, SLICE("AB@cd@E")));
	CHECK(!slice_ieq(SLICE("@"), SLICE("`"))); /* 0x40 and 0x60 are no letters */
	CHECK(!slice_ieq(SLICE("["), SLICE("{")));
	CHECK(slice_iprefix(s, none));
	CHECK(slice_iprefix(s, SLICE("AB")));
	CHECK(slice_iprefix(s, s));
	CHECK(!slice_iprefix(SLICE("a"), SLICE("ab")));
	CHECK(slice_iends(s, SLICE("@E")));
	CHECK(slice_iends(s, none));
	CHECK(!slice_iends(SLICE("e"), SLICE("@e")));
	CHECK_SLICE(slice_from(s, 6), "e");
	CHECK_SLICE(slice_from(s, 7), "");
	CHECK_SLICE(slice_from(s, SIZE_MAX), "");
	CHECK_SLICE(slice_head(s, 2), "ab");
	CHECK_SLICE(slice_head(s, 7), "ab@cd@e");
	CHECK_SLICE(slice_head(s, 8), "ab@cd@e");
	CHECK_SLICE(slice_trim(SLICE(" \t x y\t ")), "x y");
	CHECK_SLICE(slice_trim(SLICE(" \t ")), "");
	CHECK_SLICE(slice_trim(SLICE("\r\n")), "\r\n");
	CHECK_EQ(slice_find(s, '@'), 2);
	CHECK_EQ(slice_find(s, 'x'), 7);
	CHECK_EQ(slice_find(none, 'x'), 0);
	CHECK_EQ(slice_rfind(s, '@'), 5);
	CHECK_EQ(slice_rfind(s, 'a'), 0);
	CHECK_EQ(slice_rfind(s, 'x'), 7);
	CHECK(slice_hash(SLICE_HASH, none) == SLICE_HASH);
	CHECK(slice_hash(SLICE_HASH, SLICE("FooBar")) == 0x85944171f73967e8u); /* published */
	CHECK(slice_hash(slice_hash(SLICE_HASH, SLICE("foo")), SLICE("bar")) ==
	      slice_hash(SLICE_HASH, SLICE("foobar")));
	rest = SLICE("  one two ");
	CHECK_SLICE(slice_word(&rest), "one");
	CHECK_SLICE(slice_word(&rest), "two");
	CHECK_SLICE(slice_word(&rest), "");
	CHECK_EQ(rest.n, 0);
}

static void test_cstr(void)
{
	char z[4] = "zzz";

	CHECK(!slice_cstr(SLICE("abcd"), z, sizeof z));
	CHECK(slice_cstr(SLICE("abc"), z, sizeof z) && !strcmp(z, "abc"));
	CHECK(slice_cstr(SLICE(""), z, sizeof z) && !z[0]);
	CHECK(!slice_cstr(SLICE("a\0b"), z, sizeof z));
	CHECK(!slice_cstr(SLICE(""), z, 0));
}

static void test_numbers(void)
{
	uint64_t v = 7;

	CHECK(!slice_u64(SLICE(""), 9, &v));
	CHECK(!slice_u64(SLICE("+1"), 9, &v));
	CHECK(!slice_u64(SLICE("1 "), 9, &v));
	CHECK(!slice_u64(SLICE("1:"), 99, &v));
	CHECK(!slice_u64(SLICE("1/"), 99, &v));
	CHECK_EQ(v, 7);
	CHECK(slice_u64(SLICE("254"), 255, &v) && v == 254);
	CHECK(slice_u64(SLICE("255"), 255, &v) && v == 255);
	CHECK(!slice_u64(SLICE("256"), 255, &v) && v == 255);
	CHECK(slice_u64(SLICE("0"), 0, &v) && v == 0);
	CHECK(!slice_u64(SLICE("1"), 0, &v));
	CHECK(slice_u64(SLICE("18446744073709551615"), UINT64_MAX, &v) && v == UINT64_MAX);
	CHECK(!slice_u64(SLICE("18446744073709551616"), UINT64_MAX, &v));
	CHECK(!slice_u64(SLICE("99999999999999999999"), UINT64_MAX, &v));
	CHECK(slice_eq_ct(SLICE("key"), SLICE("key")));
	CHECK(!slice_eq_ct(SLICE("key"), SLICE("kez")));
	CHECK(!slice_eq_ct(SLICE("key"), SLICE("ke")));
	CHECK(slice_eq_ct(SLICE(""), SLICE("")));
}

static void test_bytes(void)
{
	CHECK_EQ(byte_lower('A'), 'a');
	CHECK_EQ(byte_lower('Z'), 'z');
	CHECK_EQ(byte_lower('@'), '@');
	CHECK_EQ(byte_lower('['), '[');
	CHECK_EQ(byte_lower(0xc4), 0xc4);
	for (int c = 0; c < 256; c++) {
		int alpha = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

		CHECK_EQ(byte_alpha((uint8_t)c), alpha);
		CHECK_EQ(byte_digit((uint8_t)c), c >= '0' && c <= '9');
	}
}

static void test_buf(void)
{
	uint8_t room[8];
	struct buf b = BUF(room), tiny = { .p = room, .cap = 0 };

	buf_put(&b, SLICE("1234567"));
	CHECK_EQ(buf_room(&b), 1);
	buf_u8(&b, '8');
	CHECK_EQ(buf_room(&b), 0);
	CHECK(!b.bad);
	buf_put(&b, SLICE("")); /* nothing always fits */
	CHECK(!b.bad);
	buf_eat(&b, 3);
	CHECK_SLICE(buf_slice(&b), "45678");
	buf_put(&b, SLICE("abcd"));
	CHECK(b.bad);
	CHECK_SLICE(buf_slice(&b), "45678"); /* no part of what did not fit */
	buf_u8(&b, 'x');
	CHECK_EQ(b.len, 5); /* sticky */
	CHECK_EQ(buf_room(&b), 0);
	buf_eat(&b, 6);
	CHECK_EQ(b.len, 0);
	buf_u8(&tiny, 1);
	CHECK(tiny.bad);
}

static void test_print(void)
{
	uint8_t room[64];
	struct buf b = BUF(room);

	buf_dec(&b, 0);
	buf_u8(&b, ' ');
	buf_dec(&b, UINT64_MAX);
	buf_u8(&b, ' ');
	buf_dec_pad(&b, 7, 3);
	buf_dec_pad(&b, 1234, 3);
	CHECK_SLICE(buf_slice(&b), "0 18446744073709551615 0071234");
	b.len = 0;
	buf_be16(&b, 0x0102);
	buf_be32(&b, 0xfffefdfcu);
	CHECK_SLICE(buf_slice(&b), "\x01\x02\xff\xfe\xfd\xfc");
	b.len = 0;
	buf_be64(&b, 0x01fffefdfcfbfaf9u);
	CHECK_SLICE(buf_slice(&b), "\x01\xff\xfe\xfd\xfc\xfb\xfa\xf9");
	CHECK_EQ(cur_be64(&CUR(buf_slice(&b))), 0x01fffefdfcfbfaf9u);
	b.len = 0;
	buf_hex(&b, SLICE("\x00\x9f\xff"));
	buf_lower(&b, SLICE("AbZ[\xc4"));
	CHECK_SLICE(buf_slice(&b), "009fffabz[\xc4");
	b.len = 0;
	buf_dots(&b, (const uint8_t[]){ 4, 7, 255 });
	buf_visible(&b, SLICE(" ~\x1f\x7f\xc4\0a"));
	CHECK_SLICE(buf_slice(&b), "4.7.255 ~????a");
}

static void test_cur(void)
{
	struct cur c = CUR(SLICE("ab12\x01\x02\x03\x04\x05\x06\x07"));

	CHECK(cur_at(&c, 'a'));
	CHECK(!cur_try(&c, 'b'));
	cur_lit(&c, 'a');
	cur_word(&c, SLICE("B"));
	CHECK_SLICE(cur_span(&c, byte_digit, 2), "12");
	CHECK_EQ(cur_be16(&c), 0x0102);
	CHECK_EQ(cur_be32(&c), 0x03040506);
	CHECK(!cur_end(&c) && !cur_done(&c));
	CHECK_EQ(cur_u8(&c), 7);
	CHECK(cur_end(&c) && cur_done(&c));
	CHECK_EQ(cur_u8(&c), 0);
	CHECK(c.bad && cur_end(&c) && !cur_done(&c));

	c = CUR(SLICE("123"));
	cur_span(&c, byte_digit, 2);
	CHECK(c.bad); /* one more than asked for */
	c = CUR(SLICE("x"));
	cur_span(&c, byte_digit, 2);
	CHECK(c.bad); /* none */
	c = CUR(SLICE("x"));
	CHECK_EQ(cur_skip(&c, byte_digit).n, 0);
	CHECK(!c.bad);
	CHECK_EQ(cur_take(&c, 0).n, 0);
	CHECK_SLICE(cur_take(&c, 1), "x");
	CHECK_EQ(cur_take(&c, 1).n, 0);
	CHECK(c.bad);
	CHECK(!cur_try(&c, 'x') && !cur_at(&c, 'x')); /* sticky */
	c = CUR(SLICE("ab"));
	cur_word(&c, SLICE("abc"));
	CHECK(c.bad);
	c = CUR(SLICE("\x01\x02\x03"));
	cur_be32(&c);
	CHECK(c.bad);
	c = CUR(SLICE("b"));
	cur_lit(&c, 'a');
	CHECK(c.bad && c.s.n == 1);
}

int main(void)
{
	test_slices();
	test_cstr();
	test_numbers();
	test_bytes();
	test_buf();
	test_print();
	test_cur();
	TEST_END();
}
