/* SPDX-License-Identifier: ISC */
#include "tests/unit/test.h"

#include "smtpd/proto/path.h"

#define A16 "aaaaaaaaaaaaaaaa"
#define A63 A16 A16 A16 "aaaaaaaaaaaaaaa"
#define A64 A16 A16 A16 A16

static const struct {
	const char *in;
	unsigned allow;
	const char *out; /* as path_print() gives it; NULL: refused */
} cases[] = {
	{ "<a@b.c>", 0, "a@b.c" },
	{ "<a@b>", 0, "a@b" },
	{ "<A.b@EXAMPLE.com>", 0, "A.b@EXAMPLE.com" },
	{ "<a+tag@b.c>", 0, "a+tag@b.c" },
	{ "<!#$%&'*+-/=?^_`{|}~@b.c>", 0, "!#$%&'*+-/=?^_`{|}~@b.c" },
	{ "<a%b.c@d.e>", 0, "a%b.c@d.e" },
	{ "<b!a@d.e>", 0, "b!a@d.e" },
	{ "<a@b.c>x", 0, NULL },
	{ "<a@b.c> ", 0, NULL },
	{ " <a@b.c>", 0, NULL },
	{ "<a@b.c", 0, NULL },
	{ "a@b.c>", 0, NULL },
	{ "a@b.c", 0, NULL },
	{ "<a>", 0, NULL },
	{ "<a@>", 0, NULL },
	{ "<@b>", 0, NULL },
	{ "", 0, NULL },
	{ "<", PATH_NULL, NULL },
	{ "<a@b@c>", 0, NULL },
	{ "<a b@c>", 0, NULL },
	{ "<.a@b>", 0, NULL },
	{ "<a.@b>", 0, NULL },
	{ "<a..b@c>", 0, NULL },
	{ "<a@b,c>", 0, NULL },
	{ "<a@.b>", 0, NULL },
	{ "<a@b.>", 0, NULL },
	{ "<a@b..c>", 0, NULL },
	{ "<a@-b>", 0, NULL },
	{ "<a@b->", 0, NULL },
	{ "<a@b-.c>", 0, NULL },
	{ "<a@b--c.d>", 0, "a@b--c.d" },
	{ "<a@b_c>", 0, NULL },
	{ "<a@1.2>", 0, "a@1.2" },
	{ "<\xc3\xa4@b>", 0, NULL },
	{ "<a@\xc3\xa4>", 0, NULL },
	{ "<a(c)@b>", 0, NULL },
	{ "<a\r@b>", 0, NULL },
	{ "<a\n@b>", 0, NULL },
	/* quoted local parts */
	{ "<\"a\"@b>", 0, "a@b" },
	{ "<\"a b\"@c>", 0, "\"a b\"@c" },
	{ "<\"a@b\"@c>", 0, "\"a@b\"@c" },
	{ "<\"a>\"@c>", 0, "\"a>\"@c" },
	{ "<\"a\\\"b\\\\\"@c>", 0, "\"a\\\"b\\\\\"@c" },
	{ "<\"\\a\\.\\b\"@c>", 0, "a.b@c" },
	{ "<\".a\"@c>", 0, "\".a\"@c" },
	{ "<\"\"@c>", 0, "\"\"@c" },
	{ "<\"\"@c>", PATH_NULL, "\"\"@c" },
	{ "<\"a@c>", 0, NULL },
	{ "<\"a\\\"@c>", 0, NULL },
	{ "<\"a\"b@c>", 0, NULL },
	{ "<a\"b\"@c>", 0, NULL },
	{ "<\"a\tb\"@c>", 0, NULL },
	{ "<\"a\\\tb\"@c>", 0, NULL },
	{ "<\"a\x7f\"@c>", 0, NULL },
	{ "<\"\xe4\"@c>", 0, NULL },
	{ "<\"a\r\nb\"@c>", 0, NULL },
	/* address literals */
	{ "<a@[1.2.3.4]>", 0, "a@[1.2.3.4]" },
	{ "<a@[255.255.255.255]>", 0, "a@[255.255.255.255]" },
	{ "<a@[256.2.3.4]>", 0, NULL },
	{ "<a@[01.2.3.4]>", 0, NULL },
	{ "<a@[1.2.3]>", 0, NULL },
	{ "<a@[1.2.3.4.5]>", 0, NULL },
	{ "<a@[1.2.3.4>", 0, NULL },
	{ "<a@[]>", 0, NULL },
	{ "<a@[IPv6:2001:db8::1]>", 0, "a@[IPv6:2001:db8::1]" },
	{ "<a@[ipv6:::1]>", 0, "a@[ipv6:::1]" },
	{ "<a@[IPv6:::ffff:1.2.3.4]>", 0, "a@[IPv6:::ffff:1.2.3.4]" },
	{ "<a@[2001:db8::1]>", 0, NULL },
	{ "<a@[IPv6:1.2.3.4]>", 0, NULL },
	{ "<a@[IPv6:1::2::3]>", 0, NULL },
	{ "<a@[IPv6:fe80::1%1]>", 0, NULL },
	{ "<a@[X-tag:1]>", 0, NULL },
	{ "<a@[1.2.3.4]x>", 0, NULL },
	/* source routes */
	{ "<@a,@b.c:d@e>", 0, "d@e" },
	{ "<@a:d@e>", 0, "d@e" },
	{ "<@a:\"x y\"@e>", 0, "\"x y\"@e" },
	{ "<@a d@e>", 0, NULL },
	{ "<@a,:d@e>", 0, NULL },
	{ "<@a,b:d@e>", 0, NULL },
	{ "<@:d@e>", 0, NULL },
	{ "<@a:>", PATH_NULL, NULL },
	{ "<@[1.2.3.4]:d@e>", 0, NULL },
	/* RFC 6531: the domain is printed as DNS has it */
	{ "<\xc3\xa4@b>", PATH_UTF8, "\xc3\xa4@b" },
	{ "<a.\xe4\xbe\x8b@b>", PATH_UTF8, "a.\xe4\xbe\x8b@b" },
	{ "<\"\xc3\xa4\"@b>", PATH_UTF8, "\xc3\xa4@b" },
	{ "<\"\xc3\xa4 b\"@c>", PATH_UTF8, "\"\xc3\xa4 b\"@c" },
	{ "<a@b\xc3\xbc"
	  "cher.example>",
	  PATH_UTF8, "a@xn--bcher-kva.example" },
	{ "<\xc3@b>", PATH_UTF8, NULL },
	{ "<\xe4@b>", PATH_UTF8, NULL },
	{ "<\xc0\xaf@b>", PATH_UTF8, NULL },
	{ "<\xc2\x85@b>", PATH_UTF8, NULL },
	{ "<\"\xc2\x85\"@b>", PATH_UTF8, NULL },
	{ "<\"\\\xc3\xa4\"@b>", PATH_UTF8, NULL },
	{ "<a@\xe4>", PATH_UTF8, NULL },
	{ "<a@[\xc3\xa4]>", PATH_UTF8, NULL },
	{ "<@\xc3\xa4.c:d@e>", PATH_UTF8, NULL },
	/* what only some callers allow */
	{ "<>", PATH_NULL, "" },
	{ "<>", 0, NULL },
	{ "<>", PATH_BARE, NULL },
	{ "< >", PATH_NULL, NULL },
	{ "<postmaster>", PATH_BARE, "postmaster" },
	{ "<PostMaster>", PATH_BARE, "PostMaster" },
	{ "<postmaster@b>", PATH_BARE, "postmaster@b" },
	{ "<postmaster@>", PATH_BARE, NULL },
	{ "<postmaster>", 0, NULL },
	{ "<postmaster>", PATH_NULL, NULL },
	{ "<abuse>", PATH_BARE, NULL },
	{ "<postmasters>", PATH_BARE, NULL },
	/* lengths */
	{ "<" A63 "@b>", 0, A63 "@b" },
	{ "<" A64 "@b>", 0, A64 "@b" },
	{ "<" A64 "a@b>", 0, NULL },
	{ "<\"" A16 A16 A16 "aaaaaaaaaaaa b\"@b>", 0, "\"" A16 A16 A16 "aaaaaaaaaaaa b\"@b" },
	{ "<\"" A16 A16 A16 "aaaaaaaaaaaaa b\"@b>", 0, NULL },
	{ "<a@" A63 ">", 0, "a@" A63 },
	{ "<a@" A64 ">", 0, NULL },
	/* 256 and 257 with the brackets */
	{ "<" A64 "@" A63 "." A63 "." A16 A16 A16 "aaaaaaaaaaaaa>", 0,
	  A64 "@" A63 "." A63 "." A16 A16 A16 "aaaaaaaaaaaaa" },
	{ "<" A64 "@" A63 "." A63 "." A16 A16 A16 "aaaaaaaaaaaaaa>", 0, NULL },
	{ "<@" A63 "." A63 "." A63 ":" A16 A16 A16 "aaaaaaaaaaa@b>", 0,
	  A16 A16 A16 "aaaaaaaaaaa@b" },
	{ "<@" A63 "." A63 "." A63 ":" A16 A16 A16 "aaaaaaaaaaaa@b>", 0, NULL },
};

static void check_case(size_t i)
{
	struct path p = { 0 }, q;
	uint8_t room[PATH_OCTETS];
	struct buf b = BUF(room);
	bool ok = path_parse(slice_of(cases[i].in), cases[i].allow, &p);

	CHECK_ROW(ok == (cases[i].out != NULL), cases[i].in);
	if (!ok) {
		CHECK_ROW(!p.local.p && !p.domain.p, cases[i].in);
		return;
	}
	path_print(&p, &b);
	CHECK_ROW(!b.bad && slice_eq(buf_slice(&b), slice_of(cases[i].out)), cases[i].in);
	CHECK_ROW(path_addr(buf_slice(&b), cases[i].allow, &q), cases[i].in);
	CHECK_ROW(path_eq(&p, &q), cases[i].in);
	CHECK_ROW(path_null(&p) == !b.len, cases[i].in);
}

static void test_nul(void)
{
	struct path p;

	CHECK(!path_parse(SLICE("<a\0@b>"), 0, &p));
	CHECK(!path_parse(SLICE("<a@b\0>"), 0, &p));
	CHECK(!path_parse(SLICE("<\"a\0\"@b>"), 0, &p));
	CHECK(!path_parse(SLICE("<a@b>\0"), 0, &p));
}

static void test_take(void)
{
	struct cur c = CUR(SLICE("<\"a> b\"@c> SIZE=1"));
	struct path p;

	CHECK(path_take(&c, 0, &p));
	CHECK_SLICE(c.s, " SIZE=1");
	CHECK_SLICE(p.local, "\"a> b\"");
	CHECK(!path_take(&c, 0, &p));
	CHECK(c.bad);
}

static void test_addr(void)
{
	struct path p;

	CHECK(path_addr(SLICE("a@b.c"), 0, &p));
	CHECK(path_addr(SLICE(""), PATH_NULL, &p) && path_null(&p));
	CHECK(!path_addr(SLICE(""), 0, &p));
	CHECK(!path_addr(SLICE("<a@b.c>"), 0, &p));
	CHECK(!path_addr(SLICE("@x:a@b.c"), 0, &p));
	CHECK(!path_addr(SLICE("@b.c"), 0, &p));
	CHECK(!path_addr(SLICE("a@b.c "), 0, &p));
	CHECK(!path_addr(SLICE("a@b.c\r\nDATA"), 0, &p));
	CHECK(path_addr(SLICE("postmaster"), PATH_BARE, &p));
	CHECK(!path_addr(SLICE("postmaster"), 0, &p));
	CHECK(path_addr(SLICE(A64 "@" A63 "." A63 "." A16 A16 A16 "aaaaaaaaaaaaa"), 0, &p));
	CHECK(!path_addr(SLICE(A64 "@" A63 "." A63 "." A16 A16 A16 "aaaaaaaaaaaaaa"), 0, &p));
}

static void test_name(void)
{
	CHECK(path_name(SLICE("a.b-c.d")));
	CHECK(path_name(SLICE(A63 "." A63 "." A63 "." A63)));
	CHECK(!path_name(SLICE(A63 "." A63 "." A63 "." A63 ".a")));
	CHECK(!path_name(SLICE("")));
	CHECK(!path_name(SLICE("a.b.")));
	CHECK(!path_name(SLICE("a b")));
	CHECK(!path_name(SLICE("[1.2.3.4]")));
}

static bool same(const char *x, const char *y)
{
	struct path a, b;

	return path_parse(slice_of(x), PATH_NULL | PATH_BARE, &a) &&
	       path_parse(slice_of(y), PATH_NULL | PATH_BARE, &b) && path_eq(&a, &b);
}

static void test_eq(void)
{
	CHECK(same("<a@b.C>", "<\"a\"@B.c>"));
	CHECK(same("<\"a\\b\"@c>", "<ab@c>"));
	CHECK(!same("<A@b>", "<a@b>"));
	CHECK(!same("<a@b>", "<a@c>"));
	CHECK(!same("<>", "<\"\"@c>"));
	CHECK(same("<>", "<>"));
}

static void test_join(void)
{
	uint8_t room[80];
	struct buf b = BUF(room);

	path_join(SLICE("a \"b"), SLICE("c"), &b);
	CHECK_SLICE(buf_slice(&b), "\"a \\\"b\"@c");
	b.len = 0;
	path_join(SLICE(A64), SLICE("c"), &b);
	CHECK(!b.bad && b.len == 66);
	b.len = 0;
	path_join(SLICE(A64 "a"), SLICE("c"), &b);
	CHECK(b.bad);
	b = (struct buf)BUF(room);
	path_join(SLICE("a\r\nb"), SLICE("c"), &b);
	CHECK(b.bad);
	b = (struct buf)BUF(room);
	path_join(SLICE(A16 A16 A16 "aaaaaaaaaaaaaa "), SLICE("c"), &b);
	CHECK(b.bad); /* 63 octets, 65 with the quotes */
}

int main(void)
{
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		check_case(i);
	test_nul();
	test_take();
	test_addr();
	test_name();
	test_eq();
	test_join();
	TEST_END();
}
