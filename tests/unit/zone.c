/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/host/zone.h"

#include "tests/unit/test.h"

static const char zone[] = "# a comment\n"
			   "a.org A 192.0.2.1\r\n"
			   "A.org. A 192.0.2.2\n"
			   "a.org AAAA 2001:db8::1\n"
			   "a.org MX 10 mx.a.org.\n"
			   "a.org TXT \"one; \" \"tw\\\"o\\046\" three\n"
			   "1.2.0.192.in-addr.arpa PTR a.org.\n"
			   "_25._tcp.a.org TLSA 3 1 1 00fFa0\n"
			   "null.org MX 0 .\n"
			   "sp\\032ace.org A 192.0.2.3\n"
			   "c.org CNAME d.org\n"
			   "d.org CNAME a.org.\n"
			   "loop.org CNAME loop.org\n"
			   "slow.org A 192.0.2.1\n"
			   "slow.org TIMEOUT\n"
			   "fail.org SERVFAIL\n"
			   "odd.org SOA what ever\n";

static struct dnsmsg_answer got;

static bool find(const char *text, const char *name, uint16_t type, enum dnsmsg_kind kind)
{
	unsigned bad;

	zone_find(slice_of(text), slice_of(name), type, &got, &bad);
	return !bad && got.kind == kind && (kind == DNSMSG_OK) == (got.len > 0);
}

#define CHECK_ANSWER(name, type, octets)                                       \
	do {                                                                   \
		CHECK(find(zone, name, type, DNSMSG_OK));                      \
		CHECK_SLICE(((struct slice){ got.records, got.len }), octets); \
	} while (0)

static unsigned bad_line(const char *text, uint16_t type)
{
	unsigned bad;

	zone_find(slice_of(text), SLICE("a.org"), type, &got, &bad);
	return bad;
}

int main(void)
{
	CHECK_ANSWER("a.ORG", DNSMSG_A, "\0\4\xc0\0\2\1\0\4\xc0\0\2\2");
	CHECK_ANSWER("a.org", DNSMSG_AAAA, "\0\x10\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1");
	CHECK_ANSWER("a.org", DNSMSG_MX, "\0\x0a\0\x0amx.a.org");
	CHECK_ANSWER("a.org", DNSMSG_TXT, "\0\x0fone; tw\"o.three");
	CHECK_ANSWER("1.2.0.192.in-addr.arpa", DNSMSG_PTR, "\0\5a.org");
	CHECK_ANSWER("_25._tcp.a.org", DNSMSG_TLSA, "\0\6\3\1\1\0\xff\xa0");
	CHECK_ANSWER("null.org", DNSMSG_MX, "\0\2\0\0");
	CHECK_ANSWER("sp ace.org", DNSMSG_A, "\0\4\xc0\0\2\3");
	CHECK_ANSWER("c.org", DNSMSG_A, "\0\4\xc0\0\2\1\0\4\xc0\0\2\2");
	CHECK(find(zone, "a.org", DNSMSG_TLSA, DNSMSG_NODATA));
	CHECK(find(zone, "odd.org", DNSMSG_A, DNSMSG_NODATA));
	CHECK(find(zone, "b.org", DNSMSG_A, DNSMSG_NXDOMAIN));
	CHECK(find(zone, "loop.org", DNSMSG_A, DNSMSG_MALFORMED));
	CHECK(find("a.org CNAME b.org", "a.org", DNSMSG_A, DNSMSG_NXDOMAIN));
	unsigned bad;

	zone_find(slice_of(zone), SLICE("slow.org"), DNSMSG_A, &got, &bad);
	CHECK(!bad && got.kind == DNSMSG_SERVFAIL);
	CHECK(find(zone, "fail.org", DNSMSG_MX, DNSMSG_SERVFAIL));

	CHECK_EQ(bad_line("\nnonsense", DNSMSG_A), 2);
	CHECK_EQ(bad_line("a.org A 192.0.2", DNSMSG_A), 1);
	CHECK_EQ(bad_line("a.org AAAA 192.0.2.1", DNSMSG_AAAA), 1);
	CHECK_EQ(bad_line("a.org MX mx.a.org", DNSMSG_MX), 1);
	CHECK_EQ(bad_line("a.org MX 10", DNSMSG_MX), 1);
	CHECK_EQ(bad_line("a.org MX 65536 a", DNSMSG_MX), 1);
	CHECK_EQ(bad_line("a.org MX 10 a b", DNSMSG_MX), 1);
	CHECK_EQ(bad_line("a.org TLSA 3 1 1 0", DNSMSG_TLSA), 1);
	CHECK_EQ(bad_line("a.org TLSA 3 1 256 00", DNSMSG_TLSA), 1);
	CHECK_EQ(bad_line("a.org TXT", DNSMSG_TXT), 1);
	CHECK_EQ(bad_line("a.org TXT \"x", DNSMSG_TXT), 1);
	CHECK_EQ(bad_line("a\\999.org A 1.2.3.4", DNSMSG_A), 1);
	CHECK_EQ(bad_line("a.org A 192.0.2", DNSMSG_TXT), 0);
	TEST_END();
}
