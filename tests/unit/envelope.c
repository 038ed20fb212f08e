/* SPDX-License-Identifier: ISC */
#include "tests/unit/test.h"

#include "smtpd/proto/envelope.h"

#define S0 "S\0\0"
#define S  "S\0\3a@b"
#define R1 "R\0\3c@d"
#define H  "HReceived: x\r\n"

static const struct {
	struct slice head;
	bool ok;
	size_t nrcpt;
} cases[] = {
	{ SLICE(S R1 H), true, 1 },
	{ SLICE(S R1 "H"), true, 1 },
	{ SLICE(S0 R1 R1 "H"), true, 2 },
	{ SLICE(R1 S "H"), true, 1 },
	{ SLICE(S R1 "O\0\3x@y" R1 "O\0\3x@y"
		     "H"),
	  true, 2 },
	{ SLICE(S "R\0\12postmasterH"), true, 1 },
	{ SLICE(S R1 "A\0\4app1G\0\3\0\1\2E\0\1hP\0\0071.2.3.4W\0\4SMTPT\0\6TLS1.2B\0\0018H"),
	  true, 1 },
	{ SLICE(S R1 "B\0\0017H"), true, 1 },
	{ SLICE(""), false, 0 },
	{ SLICE("H"), false, 0 },
	{ SLICE(S R1), false, 0 },	 /* no header */
	{ SLICE(R1 "H"), false, 0 },	 /* no sender */
	{ SLICE(S "H"), false, 0 },	 /* no recipient */
	{ SLICE(S S R1 "H"), false, 0 }, /* two senders */
	{ SLICE(S0 S0 R1 "H"), false, 0 },
	{ SLICE("O\0\3x@y" S R1 "H"), false, 0 }, /* original of nothing */
	{ SLICE(S "O\0\3x@y" R1 "H"), false, 0 },
	{ SLICE(S R1 "O\0\3x@yO\0\3x@yH"), false, 0 }, /* two originals of one */
	{ SLICE(S R1 "O\0\3x@yN\0\5NEVERC\0\012rfc822;x@y" R1 "C\0\012rfc822;x@yN\0\7FAILUREH"),
	  true, 2 },
	{ SLICE(S R1 "F\0\4HDRSI\0\1xU\0\0011Q\0\00242H"), true, 1 },
	{ SLICE(S R1 "N\0\5NEVERN\0\5NEVERH"), false, 0 },
	{ SLICE("N\0\5NEVER" S R1 "H"), false, 0 },
	{ SLICE(S R1 "F\0\4HDRSN\0\5NEVERH"), false, 0 }, /* of whom? */
	{ SLICE(S R1 "F\0\4HDRSF\0\4FULLH"), false, 0 },
	{ SLICE(S R1 "A\0\1aA\0\1aH"), false, 0 }, /* two accounts */
	{ SLICE(S R1 "G\0\1aG\0\1aH"), false, 0 },
	{ SLICE(S R1 "A\0\0H"), false, 0 },  /* empty account */
	{ SLICE(S R1 "X\0\1aH"), false, 0 }, /* unknown tag */
	{ SLICE(S R1 "s\0\1aH"), false, 0 },
	{ SLICE(S "R\0\0H"), false, 0 },  /* nobody */
	{ SLICE(S "R\0\1cH"), false, 0 }, /* no path */
	{ SLICE("S\0\1a" R1 "H"), false, 0 },
	{ SLICE("S\0\5<a@b>" R1 "H"), false, 0 },
	{ SLICE("S\0\12postmaster" R1 "H"), false, 0 },
	{ SLICE(S "R\0\5c@d\r\nH"), false, 0 }, /* a line break is a command to come */
	{ SLICE(S R1 "E\0\3a\r\nH"), false, 0 },
	{ SLICE(S R1 "E\0\1\xe4H"), false, 0 },
	{ SLICE(S R1 "B\0\0019H"), false, 0 },
	{ SLICE(S R1 "B\0\00288H"), false, 0 },
	{ SLICE(S R1 "E"), false, 0 }, /* cut short */
	{ SLICE(S R1 "E\0"), false, 0 },
	{ SLICE(S R1 "E\0\2a"), false, 0 },
	{ SLICE(S R1 "E\0\2H"), false, 0 },
};

static void test_check(void)
{
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		size_t n = 99;
		bool ok = envelope_check(cases[i].head, &n);

		CHECK_EQ(ok, cases[i].ok);
		CHECK_EQ(n, ok ? cases[i].nrcpt : 99);
		if (ok != cases[i].ok)
			fprintf(stderr, "\trow %zu\n", i);
	}
}

/* No prefix of a good head is good: H is missing, or something before it. */
static void test_cut(void)
{
	struct slice whole = SLICE(S R1 "O\0\3x@y"
					"E\0\1h"
					"H");
	size_t n;

	CHECK(envelope_check(whole, &n));
	for (size_t i = 0; i < whole.n; i++)
		CHECK(!envelope_check(slice_head(whole, i), &n));
}

static void test_write(void)
{
	uint8_t room[2048];
	struct buf b = BUF(room);
	struct slice v;
	struct cur c;
	enum env_tag tag;
	size_t n;

	envelope_put(&b, ENV_SENDER, SLICE(""));
	envelope_put(&b, ENV_RCPT, SLICE("a@b"));
	envelope_put(&b, ENV_ORIGINAL, SLICE("x@y"));
	envelope_put_header(&b, SLICE("R: S\r\n"));
	CHECK(!b.bad && envelope_check(buf_slice(&b), &n) && n == 1);
	CHECK(envelope_get(buf_slice(&b), ENV_SENDER, &v) && !v.n);
	CHECK(envelope_get(buf_slice(&b), ENV_RCPT, &v));
	CHECK_SLICE(v, "a@b");
	CHECK(envelope_get(buf_slice(&b), ENV_HEADER, &v));
	CHECK_SLICE(v, "R: S\r\n");
	CHECK(!envelope_get(buf_slice(&b), ENV_ACCOUNT, &v));
	c = CUR(buf_slice(&b));
	n = 0;
	while (envelope_next(&c, &tag, &v))
		n++;
	CHECK(n == 4 && cur_done(&c));
}

static void test_bounds(void)
{
	static uint8_t room[ENV_HEAD_MAX + 1], value[ENV_RECORD_MAX + 1];
	struct buf b = BUF(room);
	struct slice v, head;
	struct cur c;
	enum env_tag tag;
	size_t n;

	memset(value, 'a', sizeof value);
	envelope_put(&b, ENV_HELO, (struct slice){ value, ENV_RECORD_MAX });
	CHECK(!b.bad);
	c = CUR(buf_slice(&b));
	CHECK(envelope_next(&c, &tag, &v) && v.n == ENV_RECORD_MAX && cur_done(&c));
	envelope_put(&b, ENV_HELO, (struct slice){ value, ENV_RECORD_MAX + 1 });
	CHECK(b.bad);
	b = (struct buf)BUF(room);
	envelope_put(&b, ENV_HEADER, SLICE(""));
	CHECK(b.bad);
	b = (struct buf)BUF(room);
	buf_u8(&b, ENV_HELO);
	buf_be16(&b, ENV_RECORD_MAX + 1);
	buf_put(&b, (struct slice){ value, ENV_RECORD_MAX + 1 });
	c = CUR(buf_slice(&b));
	CHECK(!envelope_next(&c, &tag, &v) && c.bad);

	b = (struct buf)BUF(room);
	envelope_put(&b, ENV_SENDER, SLICE(""));
	envelope_put(&b, ENV_RCPT, SLICE("a@b"));
	buf_u8(&b, ENV_HEADER);
	head = (struct slice){ room, ENV_HEAD_MAX };
	CHECK(envelope_check(head, &n));
	head.n++;
	CHECK(!envelope_check(head, &n));
}

/* RFC 6531: addresses above ASCII only in a letter that says so, and then in UTF-8. */
static void test_utf8(void)
{
	static const struct {
		const char *sender, *rcpt, *utf8;
		bool ok;
	} t[] = {
		{ "\xc3\xa4@b", "c@d", "1", true },   { "a@b", "\xc3\xa4@d", "1", true },
		{ "a@b", "c@d", "1", true },	      { "a@b", "c@d", "0", false },
		{ "\xc3\xa4@b", "c@d", NULL, false }, { "a@b", "\xc3\xa4@d", NULL, false },
		{ "\xe4@b", "c@d", "1", false },
	};

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		uint8_t room[100];
		struct buf b = BUF(room);
		size_t n;

		envelope_put(&b, ENV_SENDER, slice_of(t[i].sender));
		envelope_put(&b, ENV_RCPT, slice_of(t[i].rcpt));
		if (t[i].utf8)
			envelope_put(&b, ENV_UTF8, slice_of(t[i].utf8));
		envelope_put_header(&b, SLICE(""));
		CHECK_ROW(envelope_check(buf_slice(&b), &n) == t[i].ok, t[i].sender);
	}
}

int main(void)
{
	test_check();
	test_cut();
	test_write();
	test_bounds();
	test_utf8();
	TEST_END();
}
