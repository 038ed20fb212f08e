/* SPDX-License-Identifier: ISC */
#include "smtpd/lib/certspki.h"

#include "tests/unit/issue.h"

/* The way to the key, by hand; `key` has a long length. */
#define HEAD "\x30\x82\x01\x1b\x30\x81\xff"
#define V3   "\xa0\x03\x02\x01\x02"
#define FILL "\x02\x01\x05\x30\x00\x30\x81\x80"

static uint8_t taken[512];
static struct buf got;

/* In two pieces, cut at `at`. */
static bool find(struct slice in, size_t at)
{
	struct certspki w = { 0 };

	got = BUF(taken);
	buf_put(&got, certspki_feed(&w, slice_head(in, at)));
	buf_put(&got, certspki_feed(&w, slice_from(in, at)));
	return certspki_done(&w);
}

static void made(struct buf *b, bool version)
{
	b->len = 0;
	buf_put(b, SLICE(HEAD));
	if (version)
		buf_put(b, SLICE(V3));
	buf_put(b, SLICE(FILL));
	for (int i = 0; i < 128; i++)
		buf_u8(b, 0x30);
	buf_put(b, SLICE("\x30\x02xx\x30\x01y\x30\x03key\x30\x01z"));
}

static void pieces(void)
{
	uint8_t mem[512];
	struct buf b = BUF(mem);

	for (int version = 0; version < 2; version++) {
		made(&b, version);
		for (size_t at = 0; at <= b.len; at++) {
			CHECK(find(buf_slice(&b), at));
			CHECK_SLICE(buf_slice(&got), "\x30\x03key");
		}
	}
	for (size_t n = 0; n + 3 < b.len; n++)
		CHECK(!find(slice_head(buf_slice(&b), n), 5));
	CHECK(find(slice_head(buf_slice(&b), b.len - 3), 5));
}

static void malformed(void)
{
	static const struct slice t[] = {
		SLICE("\x31\x03\x30\x01\x02"),
		SLICE("\x30\x80\x30\x01\x02"),
		SLICE("\x30\x84\0\0\0\1\x30\x01\x02"),
		SLICE("\x30\x03\x30\x01\x03\x01\x01"),
		SLICE(HEAD V3 "\x03\x01\x05\x30\x00\x30\x00\x30\x00\x30\x00\x30\x00\x30\x00"),
		SLICE(HEAD V3 V3 FILL),
	};

	for (size_t i = 0; i < sizeof t / sizeof *t; i++)
		for (size_t at = 0; at <= t[i].n; at++)
			CHECK(!find(t[i], at) && !got.len);
}

static void real(void)
{
	static struct cert c;
	static struct issued leaf;
	CERT_NEST(key, 512);

	cert_make(&c, "a.example");
	put_rsa(&key, 2048 / 8);
	issue(&leaf, &c, "a.example", "leaf", buf_slice(&key), false);
	CHECK(find(buf_slice(&leaf.der), 100));
	CHECK(slice_eq(buf_slice(&got), buf_slice(&key)));
}

int main(void)
{
	pieces();
	malformed();
	real();
	TEST_END();
}
