/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/dnsmsg.h"

#include "tests/unit/test.h"

enum { ID = 0x1234, Q = 12 /* offset of the question's name */ };

static uint8_t mem[8192];
static struct buf m;
static struct dnsmsg_answer got;

static void put_name(const char *text)
{
	struct slice name = slice_of(text);

	while (name.n) {
		struct slice label = slice_head(name, slice_find(name, '.'));

		buf_u8(&m, label.n);
		buf_put(&m, label);
		name = slice_from(name, label.n + 1);
	}
	buf_u8(&m, 0);
}

static void start(uint16_t flags, unsigned an, unsigned ns, unsigned ar, const char *name,
		  uint16_t type)
{
	m = BUF(mem);
	buf_be16(&m, ID);
	buf_be16(&m, flags);
	buf_be16(&m, 1);
	buf_be16(&m, an);
	buf_be16(&m, ns);
	buf_be16(&m, ar);
	put_name(name);
	buf_be16(&m, type);
	buf_be16(&m, 1);
}

static void rr(const char *owner, uint16_t type, uint32_t ttl, size_t len)
{
	if (owner)
		put_name(owner);
	else
		buf_be16(&m, 0xc000 | Q);
	buf_be16(&m, type);
	buf_be16(&m, 1);
	buf_be32(&m, ttl);
	buf_be16(&m, len);
}

static enum dnsmsg_kind parse(const char *name, uint16_t type)
{
	dnsmsg_parse(buf_slice(&m), ID, slice_of(name), type, &got);
	return got.kind;
}

static struct slice nth(unsigned i)
{
	struct cur c = CUR(((struct slice){ got.records, got.len }));
	struct slice r = { NULL, 0 };

	do
		if (!dnsmsg_record(&c, &r))
			return (struct slice){ NULL, 0 };
	while (i--);
	return r;
}

static void names(void)
{
	static const struct {
		const char *in;
		bool ok, question;
	} t[] = {
		{ "a", true, true },
		{ "a.b", true, true },
		{ "_dmarc.a-b.c0", true, true },
		{ "", false, false },
		{ ".", false, false },
		{ "a.", false, false },
		{ ".a", false, false },
		{ "a..b", false, false },
		{ "a b", false, true },
		{ "a+~\\/:.b", false, true },
		{ "a\x7f", false, false },
		{ "a\t.b", false, false },
		{ "012345678901234567890123456789012345678901234567890123456789012.x", true,
		  true },
		{ "0123456789012345678901234567890123456789012345678901234567890123.x", false,
		  false },
		{ "\xc3\xa4.x", false, false },
	};
	uint8_t big[256];

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		CHECK_ROW(dnsmsg_name_ok(slice_of(t[i].in)) == t[i].ok, t[i].in);
		CHECK_ROW(dnsmsg_question_ok(slice_of(t[i].in)) == t[i].question, t[i].in);
	}
	for (size_t i = 0; i < sizeof big; i++)
		big[i] = i % 2 ? '.' : 'a';
	CHECK(dnsmsg_name_ok((struct slice){ big, 253 }));
	CHECK(!dnsmsg_name_ok((struct slice){ big, 255 }));
	CHECK(dnsmsg_question_ok((struct slice){ big, 253 }));
	CHECK(!dnsmsg_question_ok((struct slice){ big, 255 }));
}

static void query(void)
{
	static const char want[] = "\x12\x34\x01\0\0\1\0\0\0\0\0\1\7example\3org\0\0\x0f\0\1"
				   "\0\0\x29\x04\xd0\0\0\0\0\0";
	uint8_t q[DNSMSG_QUERY], big[253];
	struct buf b = BUF(q);

	dnsmsg_query(&b, ID, SLICE("example.org"), DNSMSG_MX, false);
	CHECK_EQ(b.len, sizeof want);
	CHECK(!memcmp(q, want, sizeof want));
	b = BUF(q);
	for (size_t i = 0; i < sizeof big; i++)
		big[i] = i % 2 ? '.' : 'a';
	dnsmsg_query(&b, ID, (struct slice){ big, 253 }, DNSMSG_MX, true);
	CHECK(!b.bad && b.len == DNSMSG_QUERY);
	CHECK(q[3] == 0x20 && q[DNSMSG_QUERY - 4] == 0x80); /* AD and DO */
	b = BUF(q);
	dnsmsg_query(&b, ID, SLICE("a..b"), DNSMSG_A, false);
	CHECK(b.bad);
}

static void addresses(void)
{
	start(0x8180, 3, 0, 1, "ExAmple.org", DNSMSG_A);
	rr(NULL, DNSMSG_A, 300, 4);
	buf_be32(&m, 0xc0000201);
	rr("other.org", DNSMSG_A, 1, 4);
	buf_be32(&m, 0xc0000202);
	rr("EXAMPLE.org", DNSMSG_A, 200, 4);
	buf_be32(&m, 0xc0000203);
	rr("", 41, 0, 0);
	CHECK_EQ(parse("example.ORG", DNSMSG_A), DNSMSG_OK);
	CHECK_EQ(got.n, 2);
	CHECK_EQ(got.ttl, 200);
	CHECK_SLICE(nth(0), "\xc0\0\2\1");
	CHECK_SLICE(nth(1), "\xc0\0\2\3");
	CHECK(!nth(2).p);
	/* every shorter message is refused, and so is a longer one */
	for (size_t n = 0; n < m.len; n++) {
		dnsmsg_parse((struct slice){ mem, n }, ID, SLICE("example.org"), DNSMSG_A,
			     &got);
		CHECK(got.kind == (n < 29 ? DNSMSG_FOREIGN : DNSMSG_MALFORMED) && !got.n);
	}
	buf_u8(&m, 0);
	CHECK_EQ(parse("example.org", DNSMSG_A), DNSMSG_MALFORMED);
	/* not ours */
	m.len--;
	CHECK_EQ(parse("example.com", DNSMSG_A), DNSMSG_FOREIGN);
	CHECK_EQ(parse("example.org", DNSMSG_AAAA), DNSMSG_FOREIGN);
	mem[1] ^= 1;
	CHECK_EQ(parse("example.org", DNSMSG_A), DNSMSG_FOREIGN);
	mem[1] ^= 1;
	mem[2] ^= 0x80;
	CHECK_EQ(parse("example.org", DNSMSG_A), DNSMSG_FOREIGN);
	/* the wrong size of an address */
	start(0x8180, 1, 0, 0, "example.org", DNSMSG_AAAA);
	rr(NULL, DNSMSG_AAAA, 300, 4);
	buf_be32(&m, 1);
	CHECK_EQ(parse("example.org", DNSMSG_AAAA), DNSMSG_MALFORMED);
}

static void mx_and_txt(void)
{
	start(0x8180, 2, 0, 0, "example.org", DNSMSG_MX);
	rr(NULL, DNSMSG_MX, 0x80000001, 2 + 3 + 2);
	buf_be16(&m, 10);
	buf_put(&m, SLICE("\2MX"));
	buf_be16(&m, 0xc000 | Q);
	rr(NULL, DNSMSG_MX, 7, 3);
	buf_be16(&m, 0);
	buf_u8(&m, 0);
	CHECK_EQ(parse("example.org", DNSMSG_MX), DNSMSG_OK);
	CHECK_EQ(got.ttl, 0);
	CHECK_SLICE(nth(0), "\0\nmx.example.org");
	CHECK_SLICE(nth(1), "\0\0");
	start(0x8180, 2, 0, 0, "example.org", DNSMSG_TXT);
	rr(NULL, DNSMSG_TXT, 5, 9);
	buf_put(&m, SLICE("\3v=x\0\3 y "));
	rr(NULL, DNSMSG_TXT, 5, 1);
	buf_u8(&m, 0);
	CHECK_EQ(parse("example.org", DNSMSG_TXT), DNSMSG_OK);
	CHECK_SLICE(nth(0), "v=x y ");
	CHECK_EQ(nth(1).n, 0);
	start(0x8180, 1, 0, 0, "example.org", DNSMSG_TXT);
	rr(NULL, DNSMSG_TXT, 5, 3);
	buf_put(&m, SLICE("\3ab"));
	CHECK_EQ(parse("example.org", DNSMSG_TXT), DNSMSG_MALFORMED);
	/* a host with a space in it */
	start(0x8180, 1, 0, 0, "example.org", DNSMSG_MX);
	rr(NULL, DNSMSG_MX, 5, 6);
	buf_put(&m, SLICE("\0\1\2a \0"));
	CHECK_EQ(parse("example.org", DNSMSG_MX), DNSMSG_MALFORMED);
}

static void chain(unsigned links, enum dnsmsg_kind want)
{
	char from[16], to[16];

	start(0x8180, links + 1, 0, 0, "c0.x", DNSMSG_A);
	snprintf(from, sizeof from, "c%u.x", links);
	rr(from, DNSMSG_A, 50, 4); /* order does not matter */
	buf_be32(&m, 5);
	for (unsigned i = links; i-- > 0;) {
		snprintf(from, sizeof from, "c%u.x", i);
		snprintf(to, sizeof to, "c%u.x", i + 1);
		rr(from, DNSMSG_CNAME, 40 + i, strlen(to) + 2);
		put_name(to);
	}
	CHECK_EQ(parse("c0.x", DNSMSG_A), want);
	CHECK_EQ(got.n, want == DNSMSG_OK);
	if (links && want == DNSMSG_OK)
		CHECK_EQ(got.ttl, 40);
}

static void negative(void)
{
	start(0x8183, 0, 1, 0, "no.org", DNSMSG_A);
	rr("org", DNSMSG_SOA, 900, 22);
	buf_put(&m, SLICE("\0\0\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\1\0"));
	CHECK_EQ(parse("no.org", DNSMSG_A), DNSMSG_NXDOMAIN);
	CHECK_EQ(got.ttl, 256);
	mem[3] = 0x80;
	CHECK_EQ(parse("no.org", DNSMSG_A), DNSMSG_NODATA);
	for (unsigned rcode = 1; rcode < 16; rcode++) {
		mem[3] = 0x80 | rcode;
		if (rcode != 3)
			CHECK_EQ(parse("no.org", DNSMSG_A), DNSMSG_SERVFAIL);
	}
	mem[2] |= 2;
	CHECK_EQ(parse("no.org", DNSMSG_A), DNSMSG_TRUNCATED);
	start(0x8180, 0, 0, 1, "no.org", DNSMSG_A);
	rr("", 41, 0x01000000, 0);
	CHECK_EQ(parse("no.org", DNSMSG_A), DNSMSG_SERVFAIL);
	start(0x8180, 0, 0, 0, "no.org", DNSMSG_A);
	CHECK_EQ(parse("no.org", DNSMSG_A), DNSMSG_NODATA);
	CHECK_EQ(got.ttl, 0);
	/* a CNAME to itself */
	start(0x8180, 1, 0, 0, "no.org", DNSMSG_A);
	rr(NULL, DNSMSG_CNAME, 9, 2);
	buf_be16(&m, 0xc000 | Q);
	CHECK_EQ(parse("no.org", DNSMSG_A), DNSMSG_MALFORMED);
}

static void other_types(void)
{
	start(0x81a0, 1, 0, 0, "1.2.0.192.in-addr.arpa", DNSMSG_PTR);
	rr(NULL, DNSMSG_PTR, 9, 6);
	put_name("ma.x");
	CHECK_EQ(parse("1.2.0.192.in-addr.arpa", DNSMSG_PTR), DNSMSG_OK);
	CHECK_SLICE(nth(0), "ma.x");
	CHECK(got.secure);
	start(0x8180, 1, 0, 0, "_25._tcp.a.b", DNSMSG_TLSA);
	rr(NULL, DNSMSG_TLSA, 9, 4);
	buf_put(&m, SLICE("x"));
	CHECK_EQ(parse("_25._tcp.a.b", DNSMSG_TLSA), DNSMSG_OK);
	CHECK_SLICE(nth(0), "x");
	CHECK(!got.secure);
	m.len--;
	mem[m.len - 4] = 3;
	CHECK_EQ(parse("_25._tcp.a.b", DNSMSG_TLSA), DNSMSG_MALFORMED);
	start(0x8180, 1, 0, 0, "a.b", DNSMSG_CAA);
	rr(NULL, DNSMSG_CAA, 9, 8);
	buf_put(&m, SLICE("\0\5issuex"));
	CHECK_EQ(parse("a.b", DNSMSG_CAA), DNSMSG_OK);
	CHECK_SLICE(nth(0), "\0\5issuex");
	mem[m.len - 7] = 7; /* a tag longer than the record; then one without an octet */
	CHECK_EQ(parse("a.b", DNSMSG_CAA), DNSMSG_MALFORMED);
	mem[m.len - 7] = 0;
	CHECK_EQ(parse("a.b", DNSMSG_CAA), DNSMSG_MALFORMED);
	/* an absence can be validated, a failure cannot */
	start(0x81a3, 0, 0, 0, "no.org", DNSMSG_A);
	CHECK(parse("no.org", DNSMSG_A) == DNSMSG_NXDOMAIN && got.secure);
	mem[3] = 0xa2;
	CHECK(parse("no.org", DNSMSG_A) == DNSMSG_SERVFAIL && !got.secure);
}

static void letter_case(void)
{
	start(0x8180, 0, 0, 0, "eXample.oRg", DNSMSG_A);
	CHECK(dnsmsg_same_case(buf_slice(&m), SLICE("eXample.oRg")));
	CHECK(!dnsmsg_same_case(buf_slice(&m), SLICE("example.oRg")));
	CHECK(!dnsmsg_same_case(buf_slice(&m), SLICE("eXample.oRg.x")));
	CHECK(!dnsmsg_same_case((struct slice){ mem, 20 }, SLICE("eXample.oRg")));
	CHECK(!dnsmsg_same_case((struct slice){ mem, 3 }, SLICE("eXample.oRg")));
}

/* Pointers that lead to themselves, forward, or out of the message. */
static void pointers(void)
{
	static const uint16_t to[] = { 0xc000 | (Q + 17), 0xc0ff, 0xffff, 0x8000 | Q,
				       0x4000 | Q };

	for (size_t i = 0; i < sizeof to / sizeof *to; i++) {
		start(0x8180, 1, 0, 0, "example.org", DNSMSG_A);
		buf_be16(&m, to[i]);
		buf_be16(&m, 1);
		buf_be16(&m, 1);
		buf_be32(&m, 1);
		buf_be16(&m, 4);
		buf_be32(&m, 1);
		CHECK(parse("example.org", DNSMSG_A) == DNSMSG_MALFORMED);
	}
}

/* More records than the bounds allow are no answer; a part of them neither. */
static void bounds(void)
{
	start(0x8180, 255, 0, 0, "a.b", DNSMSG_A);
	for (int i = 0; i < 255; i++) {
		rr(NULL, DNSMSG_A, 1, 4);
		buf_be32(&m, i);
	}
	CHECK_EQ(parse("a.b", DNSMSG_A), DNSMSG_OK);
	CHECK_EQ(got.n, 255);
	rr(NULL, DNSMSG_A, 1, 4);
	buf_be32(&m, 0);
	mem[6] = 1;
	mem[7] = 0;
	CHECK_EQ(parse("a.b", DNSMSG_A), DNSMSG_MALFORMED);
	CHECK_EQ(got.n, 0);
}

int main(void)
{
	names();
	query();
	addresses();
	mx_and_txt();
	chain(0, DNSMSG_OK);
	chain(1, DNSMSG_OK);
	chain(DNSMSG_CHAIN, DNSMSG_OK);
	chain(DNSMSG_CHAIN + 1, DNSMSG_MALFORMED);
	negative();
	other_types();
	letter_case();
	pointers();
	bounds();
	TEST_END();
}
