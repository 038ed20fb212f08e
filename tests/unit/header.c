/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/header.h"

#include "tests/unit/test.h"

static void split(void)
{
	static const struct {
		const char *in, *header, *body;
		bool ok;
	} t[] = {
		{ "A: b\r\n\r\nbody\r\n", "A: b\r\n", "body\r\n", true },
		{ "A: b\r\nC: d\r\n\r\n", "A: b\r\nC: d\r\n", "", true },
		{ "\r\nbody", "", "body", true },
		{ "\r\n\r\nbody", "", "\r\nbody", true },
		{ "A: b\r\n", "A: b\r\n", "", false },
		{ "A: b", "A: b", "", false },
		{ "A: b\r", "A: b\r", "", false },
		{ "A: b\n\nx\r\n\r\ny", "A: b\n\nx\r\n", "y", true },
		{ "", "", "", false },
		{ "A: b\r\n \r\n\r\nx", "A: b\r\n \r\n", "x", true },
	};

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct slice h, b;

		CHECK_ROW(header_split(slice_of(t[i].in), &h, &b) == t[i].ok, t[i].in);
		CHECK_ROW(slice_eq(h, slice_of(t[i].header)), t[i].in);
		CHECK_ROW(slice_eq(b, slice_of(t[i].body)), t[i].in);
	}
}

static void next(void)
{
	struct slice rest =
		SLICE("From: a@b\r\nSubject:x\r\n\ty\r\n z\r\nOld :q\r\nbad line\r\n"
		      ":none\r\n  fold\r\nE:\r\nlast: no end");
	static const struct {
		const char *name, *body;
		bool loose;
	} t[] = {
		{ "From", " a@b", false }, { "Subject", "x\r\n\ty\r\n z", false },
		{ "Old", "q", true },	   { "", "", true },
		{ "", "", false },	   { "E", "", false },
		{ "", "", false },
	};
	struct header_field f;
	struct slice all = rest;
	size_t i = 0, sum = 0;

	for (; header_next(&rest, &f); i++, sum += f.raw.n) {
		CHECK(slice_eq(f.name, slice_of(t[i].name)));
		CHECK(slice_eq(f.body, slice_of(t[i].body)));
		CHECK(f.loose == t[i].loose || !f.name.n);
	}
	CHECK_EQ(i, sizeof t / sizeof *t);
	CHECK_EQ(sum, all.n - 0);
	CHECK_EQ(header_count(all, SLICE("SUBJECT")), 1);
	CHECK(header_find(all, SLICE("e"), &f) && f.raw.n == 4);
	CHECK(!header_find(all, SLICE("nope"), &f));
	rest = SLICE(" x: y\r\n");
	CHECK(header_next(&rest, &f) && !f.name.n && !rest.n);
}

static const struct {
	const char *in, *want; /* addresses, a space between; NULL: refused */
} addresses[] = {
	{ "joe@example.org", "joe@example.org" },
	{ " joe@example.org ", "joe@example.org" },
	{ "<joe@example.org>", "joe@example.org" },
	{ "Joe <joe@example.org>", "joe@example.org" },
	{ "\"Joe, \\\"J\\\" <x@y>\" <joe@example.org>", "joe@example.org" },
	{ "Joe Q. Public <joe.q+tag@example.org>", "joe.q+tag@example.org" },
	{ "=?utf-8?q?J=C3=B6?= <joe@example.org>", "joe@example.org" },
	{ "joe@example.org (Joe (the) \\) man)", "joe@example.org" },
	{ "(a)Joe(b)<joe@example.org>(c)", "joe@example.org" },
	{ "Joe\r\n <joe@example.org>", "joe@example.org" },
	{ "a@b.c,\r\n\td@e.f , G <g@h.i>", "a@b.c d@e.f g@h.i" },
	{ "\"a b\"@c.d", "\"a b\"@c.d" },
	{ "Me <\"a@b\"@c.d>", "\"a@b\"@c.d" },
	{ "a@localhost", "a@localhost" },
	{ "", NULL },
	{ "joe", NULL },
	{ "joe@", NULL },
	{ "@example.org", NULL },
	{ "joe@example.org.", NULL },
	{ ".joe@example.org", NULL },
	{ "a..b@example.org", NULL },
	{ "joe@exam_ple.org", NULL },
	{ "joe@[192.0.2.1]", NULL },
	{ "joe @example.org", NULL },
	{ "joe@(x)example.org", NULL },
	{ "joe(x)@example.org", NULL },
	{ "< joe@example.org>", NULL },
	{ "<joe@example.org >", NULL },
	{ "<@x.y:joe@example.org>", NULL },
	{ "friends: joe@example.org;", NULL },
	{ "undisclosed:;", NULL },
	{ "joe@example.org,", NULL },
	{ ",joe@example.org", NULL },
	{ "a@b.c,,d@e.f", NULL },
	{ "a@b.c d@e.f", NULL },
	{ "a@b.c <d@e.f>", NULL },
	{ "Joe <a@b.c> <d@e.f>", NULL },
	{ "Joe <a@b.c", NULL },
	{ "Joe a@b.c>", NULL },
	{ "(Joe <a@b.c>", NULL },
	{ "\"Joe <a@b.c>", NULL },
	{ "Jo\xc3\xab <a@b.c>", "a@b.c" }, /* RFC 6532 */
	{ "Jo\xeb <a@b.c>", NULL },
	{ "=?utf-8?q?joe?=@example.org", NULL },
	{ "\"a\r\n b\"@c.d", NULL },
	{ "a@b.c\r\n", NULL },
	{ "a@b.c\r\nBcc: x@y", NULL },
	{ "a@b@c", NULL },
	{ "a@b.c, d@e.f, g@h.i, j@k.l", NULL }, /* more than cap */
	{ "((((((((((((((((a)))))))))))))))) a@b.c", "a@b.c" },
	{ "(((((((((((((((((a))))))))))))))))) a@b.c", NULL },
};

static void addrs(void)
{
	for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
		struct header_addr a[3];
		uint8_t mem[256];
		struct buf out = BUF(mem);
		size_t n = 0;
		bool ok = header_addresses(slice_of(addresses[i].in), a, 3, &n);

		CHECK_ROW(ok == !!addresses[i].want, addresses[i].in);
		for (size_t j = 0; ok && j < n; j++) {
			if (j)
				buf_u8(&out, ' ');
			buf_put(&out, a[j].local);
			buf_u8(&out, '@');
			buf_put(&out, a[j].domain);
		}
		CHECK_ROW(slice_eq(buf_slice(&out), slice_of(addresses[i].want)),
			  addresses[i].in);
	}
}

#define FROM "From: a@b.c\r\n"

static void check(void)
{
	static const struct {
		const char *in;
		enum header_fault want;
		const char *name;
	} t[] = {
		{ FROM, HEADER_OK, "" },
		{ FROM
		  "To: x@y\r\nSubject: hi\r\nDate: 1 Jan 2026 00:00 GMT\r\nMessage-ID: <a@b>\r\n",
		  HEADER_OK, "" },
		{ FROM "X-A: 1\r\nX-A: 2\r\nReceived: a\r\nReceived: b\r\n", HEADER_OK, "" },
		{ "", HEADER_FROM, "From" },
		{ "To: a@b.c\r\n", HEADER_FROM, "From" },
		{ "From: a@b.c, d@e.f\r\n", HEADER_FROM, "From" },
		{ "From: nobody\r\n", HEADER_FROM, "From" },
		{ FROM FROM, HEADER_DUPLICATE, "From" },
		{ FROM "fRoM: a@b.c\r\n", HEADER_DUPLICATE, "fRoM" },
		{ FROM "Subject: a\r\nSubject: b\r\n", HEADER_DUPLICATE, "Subject" },
		{ FROM "Date: 1 Jan 26 00:00 Z\r\nDate: 1 Jan 26 00:00 Z\r\n", HEADER_DUPLICATE,
		  "Date" },
		{ FROM "Content-Type: a\r\ncontent-type: a\r\n", HEADER_DUPLICATE,
		  "content-type" },
		{ FROM "Sender: x\r\n", HEADER_SENDER, "Sender" },
		{ FROM "Sender: x@y.z, a@b.c\r\n", HEADER_SENDER, "Sender" },
		{ FROM "Sender: X <x@y.z>\r\n", HEADER_OK, "" },
		{ FROM "Message-ID: a@b\r\n", HEADER_ID, "Message-ID" },
		{ FROM "Message-ID: <a>\r\n", HEADER_ID, "Message-ID" },
		{ FROM "Message-ID: <a@b> <c@d>\r\n", HEADER_ID, "Message-ID" },
		{ FROM "Message-ID:\r\n <a.1@[192.0.2.1]>\r\n", HEADER_OK, "" },
		{ FROM "Subject: \xc3\xa4\r\n", HEADER_8BIT, "Subject" },
		{ FROM "Subject: a\x01\r\n", HEADER_MALFORMED, "Subject" },
		{ FROM "Subject: a\x7f\r\n", HEADER_MALFORMED, "Subject" },
		{ FROM "Subject: a\rb\r\n", HEADER_MALFORMED, "Subject" },
		{ FROM "Subject: a\nb\r\n", HEADER_MALFORMED, "Subject" },
		{ FROM "Subject : a\r\n", HEADER_MALFORMED, "Subject" },
		{ FROM "Subject: a\r\n \r\n b\r\n", HEADER_MALFORMED, "Subject" },
		{ FROM "Subject:\r\n a\r\n", HEADER_OK, "" },
		{ FROM "no colon\r\n", HEADER_MALFORMED, "" },
		{ FROM ": empty\r\n", HEADER_MALFORMED, "" },
		{ " fold\r\n" FROM, HEADER_MALFORMED, "" },
		{ FROM "Subject: no end", HEADER_MALFORMED, "" },
	};

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct slice name;

		CHECK_ROW(header_check(slice_of(t[i].in), false, &name) == t[i].want, t[i].in);
		CHECK_ROW(slice_eq(name, slice_of(t[i].name)), t[i].in);
	}
	for (int i = 0; i <= HEADER_FAULTS; i++)
		CHECK(header_fault_text(i).n > 6);
}

/* RFC 5322 3.3 and 4.3: what clients write, and what they must not. */
static void dates(void)
{
	static const struct {
		const char *in;
		bool ok;
	} t[] = {
		{ " Fri, 27 Nov 2026 19:57:03 +0000", true },
		{ " Fri, 27 Nov 2026 19:57:03 +0000 (UTC)", true },
		{ "Fri,  7 Nov 2026 19:57 -0330", true },
		{ " 7 nov 2026 19:57:60 GMT", true },
		{ "\r\n Fri,\r\n 27 Nov 2026\r\n 19:57:03 +0100\r\n (CET)", true },
		{ " Fri (a day), 27 (\\)) Nov 26 19 : 57 : 03 EST", true },
		{ " 29 Feb 2024 00:00:00 +0000", true },
		{ " 29 Feb 2000 00:00:00 +0000", true },
		{ " 31 Dec 99 23:59:59 Z", true },
		{ " 1 Jan 126 00:00 CEST", true }, /* RFC 5322 4.3: three digits */
		{ " 1 Jan 10000 00:00:00 +0000", true },
		{ " 1 Jan 2026 00:00:00 ESTEST", false },
		{ " hello", false },
		{ "", false },
		{ " now", false },
		{ " 2026-11-27T19:57:03Z", false },
		{ " 1795809423", false },
		{ " Fri Nov 27 19:57:03 2026", false },
		{ " Fri 27 Nov 2026 19:57:03 +0000", false },
		{ " Fre, 27 Nov 2026 19:57:03 +0000", false },
		{ " Fri, 27 Nova 2026 19:57:03 +0000", false },
		{ " Fri, 27 11 2026 19:57:03 +0000", false },
		{ " Fri, 27Nov2026 19:57:03 +0000", true }, /* [CFWS] in 4.3 */
		{ " Fri, 27 Nov 202619:57:03 +0000", false },
		{ " Fri, 27 Nov 2026 19:57:03", false },
		{ " Fri, 27 Nov 2026 19:57:03 +000", false },
		{ " Fri, 27 Nov 2026 19:57:03 +00000", false },
		{ " Fri, 27 Nov 2026 19:57:03 0000", false },
		{ " Fri, 27 Nov 2026 19:57:03 +0060", false },
		{ " Fri, 27 Nov 2026 19:57:03 +0059", true },
		{ " Fri, 27 Nov 2026 24:00:00 +0000", false },
		{ " Fri, 27 Nov 2026 23:60:00 +0000", false },
		{ " Fri, 27 Nov 2026 23:59:61 +0000", false },
		{ " Fri, 27 Nov 2026 9:57:03 +0000", false },
		{ " Fri, 27 Nov 2026 19:57: +0000", false },
		{ " 0 Nov 2026 19:57:03 +0000", false },
		{ " 31 Nov 2026 19:57:03 +0000", false },
		{ " 027 Nov 2026 19:57:03 +0000", false },
		{ " 29 Feb 2026 00:00:00 +0000", false },
		{ " 29 Feb 1900 00:00:00 +0000", false },
		{ " 1 Jan 6 00:00:00 +0000", false },
		{ " 1 Jan 1899 00:00:00 +0000", false },
		{ " 1 Jan 1900 00:00:00 +0000", true },
		{ " 1 Jan 2026 00:00:00 +0000 (unclosed", false },
		{ " 1 Jan 2026 00:00:00 +0000 more", false },
	};

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		char text[200];
		struct slice name;

		snprintf(text, sizeof text, FROM "Date:%s\r\n", t[i].in);
		CHECK_ROW(header_check(slice_of(text), false, &name) ==
				  (t[i].ok ? HEADER_OK : HEADER_DATE),
			  t[i].in);
		CHECK_ROW(slice_eq(name, t[i].ok ? SLICE("") : SLICE("Date")), t[i].in);
	}
}

/* RFC 5322 3.6.4, with what clients write beside it: dots anywhere, quoted left sides, literals. */
static void ids(void)
{
	static const struct {
		const char *in;
		bool ok;
	} t[] = {
		{ " <CAF=Yx+1_2$3.abc@mail.gmail.com>", true },
		{ " <20261127.a/b'c{d}@host>", true },
		{ " (made here) <a@b> (and there)", true },
		{ " <a..b.@host_name>", true },
		{ " <\"a b\"@c>", true },
		{ " <\"a\\\"@\"@c>", true },
		{ " <a@[IPv6:2001:db8::1]>", true },
		{ " <@b>", false },
		{ " <a@>", false },
		{ " <a b@c>", false },
		{ " <a@b c>", false },
		{ " <a(b)@c>", false },
		{ " <a@b@c>", false },
		{ " <a@[b>", false },
		{ " <a@b]>", false },
		{ " <a@[b]c>", false },
		{ " <\"a@c>", false },
		{ " <\"a\"b@c>", false },
		{ " <a:b@c>", false },
		{ " <a@b>, <c@d>", false },
		{ " <a@b", false },
		{ "", false },
	};

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		char text[200];
		struct slice name;

		snprintf(text, sizeof text, FROM "Message-ID:%s\r\n", t[i].in);
		CHECK_ROW(header_check(slice_of(text), false, &name) ==
				  (t[i].ok ? HEADER_OK : HEADER_ID),
			  t[i].in);
	}
}

/* RFC 6532: after SMTPUTF8 values may have characters above ASCII, but nothing else that is above 127. */
static void utf8(void)
{
	static const struct {
		const char *in;
		enum header_fault want;
	} t[] = {
		{ FROM "Subject: \xc3\xa4\r\n", HEADER_OK },
		{ "From: J\xc3\xb6rg <j\xc3\xb6rg@b.c>\r\n", HEADER_OK },
		{ "From: \"J\xc3\xb6rg\" (\xc3\xb6) <\"j\xc3\xb6\"@b.c>\r\n", HEADER_OK },
		{ "From: a@b\xc3\xbc.c\r\n", HEADER_FROM },
		{ FROM "Subject: \xe4\r\n", HEADER_8BIT },
		{ FROM "Subject: \xc3\r\n \xa4\r\n", HEADER_8BIT },
		{ FROM "Subject: \xc2\x85\r\n", HEADER_8BIT },
		{ FROM "S\xc3\xa4-t: a\r\n", HEADER_MALFORMED },
		{ FROM "Message-ID: <\xc3\xa4@b>\r\n", HEADER_ID },
	};
	struct slice name;

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		CHECK_ROW(header_check(slice_of(t[i].in), true, &name) == t[i].want, t[i].in);
		CHECK_ROW(header_check(slice_of(t[i].in), false, &name) == HEADER_8BIT,
			  t[i].in);
	}
}

/* RULES S4, S6, F12: what is not forwarded, and what is not our business. */
static void strangers(void)
{
	static const struct {
		const char *in;
		bool utf8;
		enum header_fault want;
	} t[] = {
		{ FROM, false, HEADER_OK },
		{ "", false, HEADER_FROM },
		{ "To: a@b.c\r\n", false, HEADER_FROM },
		{ "From: nobody\r\n", false, HEADER_FROM },
		{ "From: \r\n", false, HEADER_FROM },
		{ "From: <>\r\n", false, HEADER_FROM },
		{ "From: a@b.c <d@e.f>\r\n", false, HEADER_OK },
		{ "From: [x] a@b.c <d@e.f>\r\n", false, HEADER_OK },
		{ "From: a@b.c\r\n <d@e.f>\r\n", false, HEADER_OK },
		{ "From: a@b.c d@e.f\r\n", false, HEADER_FROM },
		{ "From: <a@b.c> <d@e.f>\r\n", false, HEADER_FROM },
		{ "From: <a@b.c> d@e.f\r\n", false, HEADER_FROM },
		{ "From: undisclosed:;\r\n", false, HEADER_FROM },
		{ "From: (((((a@b.c\r\n", false, HEADER_FROM },
		{ "From: a@b.c, d@e.f\r\n", false, HEADER_FROM },
		{ "From: a@b.c, d@b.c\r\n", false, HEADER_FROM },
		{ FROM FROM, false, HEADER_DUPLICATE },
		{ FROM "Date: a\r\nDate: a\r\n", false, HEADER_DUPLICATE },
		{ FROM "references: a\r\nReferences: a\r\n", false, HEADER_DUPLICATE },
		{ FROM "MIME-Version: 1\r\nMIME-Version: 1\r\n", false, HEADER_OK },
		{ FROM "Bcc: a\r\nBcc: a\r\n", false, HEADER_OK },
		{ FROM "Sender: x\r\n", false, HEADER_OK },
		{ FROM "Message-ID: odd\r\n", false, HEADER_OK },
		{ FROM "Subject : a\r\n", false, HEADER_OK },
		{ FROM "Subject: a\r\n \r\n b\x01\r\n", false, HEADER_OK },
		{ FROM "no colon\r\n", false, HEADER_MALFORMED },
		{ FROM "Subject: \xc3\xa4\r\n", false, HEADER_8BIT },
		{ FROM "Subject: \xc3\xa4\r\n", true, HEADER_OK },
		{ FROM "Subject: \xe4\r\n", true, HEADER_8BIT },
		{ "From: a@b\xc3\xbc.c\r\n", true, HEADER_OK },
		{ "From: a@b\xc3\xbc.c\r\n", false, HEADER_8BIT },
	};
	struct header_addr a;
	struct slice name;
	size_t n;

	for (size_t i = 0; i < sizeof t / sizeof *t; i++)
		CHECK_ROW(header_check_stranger(slice_of(t[i].in), t[i].utf8, &name) ==
				  t[i].want,
			  t[i].in);
	/* What stands in the name is not whom DMARC asks. */
	CHECK(header_authors(SLICE(" a@b.c <d@e.f>"), &a, 1, &n) && n == 1);
	CHECK_SLICE(a.domain, "e.f");
	CHECK(!header_addresses(SLICE(" a@b.c <d@e.f>"), &a, 1, &n));
}

static uint8_t big[HEADER_OCTETS + 64];

/* FROM, then `name` and as many octets of value as make the field n octets long. */
static enum header_fault field(const char *name, size_t n)
{
	struct buf b = BUF(big);
	struct slice at;

	buf_put(&b, SLICE(FROM));
	buf_put(&b, slice_of(name));
	while (b.len < sizeof FROM - 1 + n - 2)
		buf_u8(&b, 'x');
	buf_put(&b, SLICE("\r\n"));
	CHECK_EQ(header_check_stranger(buf_slice(&b), false, &at),
		 header_check(buf_slice(&b), false, &at));
	return header_check(buf_slice(&b), false, &at);
}

/* RULES S6: what Gmail would refuse, at the limit and one beyond it. */
static void limits(void)
{
	struct buf b = BUF(big);
	struct slice at;

	CHECK_EQ(field("X: ", HEADER_FIELD), HEADER_OK);
	CHECK_EQ(field("X: ", HEADER_FIELD + 1), HEADER_LONG);
	CHECK_EQ(field("To: ", HEADER_FIELD + 1), HEADER_OK);
	CHECK_EQ(field("To: ", HEADER_OCTETS - sizeof FROM + 1), HEADER_OK);
	CHECK_EQ(field("To: ", HEADER_OCTETS - sizeof FROM + 2), HEADER_LARGE);
	CHECK_EQ(field("Subject: ", 9 + HEADER_SUBJECT + 2), HEADER_OK);
	CHECK_EQ(field("Subject: ", 9 + HEADER_SUBJECT + 3), HEADER_LONG_SUBJECT);
	buf_put(&b, SLICE(FROM));
	for (int i = 1; i < HEADER_FIELDS; i++)
		buf_put(&b, SLICE("X:y\r\n"));
	CHECK_EQ(header_check(buf_slice(&b), false, &at), HEADER_OK);
	buf_put(&b, SLICE("X:y\r\n"));
	CHECK_EQ(header_check(buf_slice(&b), false, &at), HEADER_MANY);
	b.len = 0;
	buf_put(&b, SLICE(FROM));
	for (int i = 0; i < HEADER_NAME; i++)
		buf_u8(&b, 'n');
	buf_put(&b, SLICE(":\r\n"));
	CHECK_EQ(header_check(buf_slice(&b), false, &at), HEADER_OK);
	b.len -= 3;
	buf_put(&b, SLICE("n:\r\n"));
	CHECK_EQ(header_check(buf_slice(&b), false, &at), HEADER_LONG_NAME);
	for (size_t n = HEADER_MSGID; n <= HEADER_MSGID + 1; n++) {
		b.len = 0;
		buf_put(&b, SLICE(FROM "Message-ID: <a@"));
		while (b.len < sizeof FROM + 11 + n - 1)
			buf_u8(&b, 'x');
		buf_put(&b, SLICE(">\r\n"));
		CHECK_EQ(header_check(buf_slice(&b), false, &at),
			 n > HEADER_MSGID ? HEADER_LONG_ID : HEADER_OK);
	}
}

int main(void)
{
	split();
	next();
	addrs();
	check();
	dates();
	ids();
	utf8();
	strangers();
	limits();
	TEST_END();
}
