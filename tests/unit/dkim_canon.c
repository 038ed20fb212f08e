/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/dkim_canon.h"

#include "tests/unit/test.h"

static const struct {
	const char *in, *relaxed;
} fields[] = {
	{ "A: X\r\n", "a:X\r\n" },
	{ "B : Y\t\r\n\tZ  \r\n", "b:Y Z\r\n" },
	{ "SUBJect:abc\r\n", "subject:abc\r\n" },
	{ "Subject:   \r\n", "subject:\r\n" },
	{ "Subject:\r\n", "subject:\r\n" },
	{ "Subject:\r\n \t\r\n a:b  c\r\n\t\r\n", "subject:a:b c\r\n" },
	{ "X: \xc3\xa4  \x01\x02 z\r\n", "x:\xc3\xa4 \x01\x02 z\r\n" },
};

static void headers(void)
{
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
		struct slice in = slice_of(fields[i].in);

		for (size_t at = 0; at <= in.n; at++) {
			uint8_t mem[64], raw[64];
			struct buf out = BUF(mem), simple = BUF(raw);
			struct dkim_sink to = { .buf = &out }, as_is = { .buf = &simple };

			dkim_canon_open(DKIM_RELAXED, slice_head(in, at), slice_from(in, at),
					&to);
			buf_put(&out, SLICE("\r\n"));
			dkim_canon_open(DKIM_SIMPLE, slice_head(in, at), slice_from(in, at),
					&as_is);
			CHECK_ROW(slice_eq(buf_slice(&out), slice_of(fields[i].relaxed)),
				  fields[i].in);
			CHECK_ROW(slice_eq(buf_slice(&simple), in), fields[i].in);
		}
	}
}

static const struct {
	const char *in, *relaxed, *simple;
} bodies[] = {
	{ "", "", "\r\n" },
	{ "\r\n", "", "\r\n" },
	{ "\r\n\r\n\r\n", "", "\r\n" },
	{ " \r\n", "", " \r\n" },
	{ " \r\n\t\r\n", "", " \r\n\t\r\n" },
	{ " C \r\nD \t E\r\n\r\n\r\n", " C\r\nD E\r\n", " C \r\nD \t E\r\n" },
	{ "a\r\n\r\n b\r\n", "a\r\n\r\n b\r\n", "a\r\n\r\n b\r\n" },
	{ "a\r\n  \r\nb", "a\r\n\r\nb\r\n", "a\r\n  \r\nb\r\n" },
	{ "\r\n\r\na\r\n", "\r\n\r\na\r\n", "\r\n\r\na\r\n" },
	{ "a  ", "a\r\n", "a  \r\n" },
	{ "a\rb\r", "a\rb\r\r\n", "a\rb\r\r\n" },
	{ "a \rb\n\r\r\n", "a \rb\n\r\r\n", "a \rb\n\r\r\n" },
};

static void body(struct slice in, enum dkim_canon canon, uint64_t limit, const char *want,
		 size_t a, size_t b)
{
	uint8_t mem[64];
	struct buf out = BUF(mem);
	struct dkim_body d;

	dkim_body_init(&d, canon, limit, (struct dkim_sink){ .buf = &out });
	dkim_body_feed(&d, slice_head(in, a));
	dkim_body_feed(&d, slice_head(slice_from(in, a), b));
	dkim_body_feed(&d, slice_from(in, a + b));
	dkim_body_end(&d);
	CHECK_ROW(slice_eq(buf_slice(&out), slice_head(slice_of(want), limit)), (char *)in.p);
	CHECK_EQ(d.size, strlen(want));
}

/* Whole, in two and in three parts split everywhere; every l=. */
static void body_all(void)
{
	for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
		struct slice in = slice_of(bodies[i].in);

		for (size_t a = 0; a <= in.n; a++)
			for (size_t b = 0; a + b <= in.n; b++) {
				body(in, DKIM_RELAXED, UINT64_MAX, bodies[i].relaxed, a, b);
				body(in, DKIM_SIMPLE, UINT64_MAX, bodies[i].simple, a, b);
			}
		for (uint64_t limit = 0; limit < 20; limit++)
			body(in, DKIM_RELAXED, limit, bodies[i].relaxed, 1, 0);
	}
}

static void hashed(void)
{
	/* RFC 8463 appendix A: the body of its letter */
	static const char want[] =
		"\xda\x35\x12\x38\x7f\x4d\x86\xd5\x46\x09\x05\x8d\xaf\xd0\x6b\x20"
		"\x03\xeb\x78\xa4\x23\x3b\xa4\xa7\xed\x72\x24\x7c\x95\x4e\xce\xff";
	uint8_t sum[32], again[32];
	br_sha256_context hash;
	struct dkim_body d;

	br_sha256_init(&hash);
	dkim_body_init(&d, DKIM_RELAXED, UINT64_MAX, (struct dkim_sink){ .hash = &hash });
	dkim_body_feed(
		&d, SLICE("Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n"));
	dkim_body_end(&d);
	br_sha256_out(&hash, sum);
	CHECK(!memcmp(sum, want, 32));
	br_sha256_init(&hash);
	dkim_canon_header(DKIM_RELAXED, SLICE("A: b\r\n"),
			  &(struct dkim_sink){ .hash = &hash });
	br_sha256_out(&hash, sum);
	br_sha256_init(&hash);
	dkim_canon_header(DKIM_SIMPLE, SLICE("a:b\r\n"), &(struct dkim_sink){ .hash = &hash });
	br_sha256_out(&hash, again);
	CHECK(!memcmp(sum, again, 32));
}

int main(void)
{
	headers();
	body_all();
	hashed();
	TEST_END();
}
