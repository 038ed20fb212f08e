/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/spf_macro.h"

#include "smtpd/proto/dnsmsg.h"
#include "tests/unit/test.h"

static struct spf_values values(const char *ip)
{
	struct spf_values v = {
		.local = SLICE("strong-bad"),
		.sender_domain = SLICE("email.example.com"),
		.domain = SLICE("email.example.com"),
		.helo = SLICE("mx.example.net"),
		.validated = SLICE("unknown"),
		.receiver = SLICE("us.example"),
		.now = 1700000000,
	};

	CHECK(ipaddr_parse(slice_of(ip), &v.ip));
	return v;
}

static void syntax(void)
{
	static const struct {
		const char *in;
		bool record, explain, domain;
	} t[] = {
		{ "", true, true, false },
		{ "a.b", true, true, true },
		{ "a", true, true, false },
		{ "museum.", true, true, false },
		{ "a.museum.", true, true, true },
		{ "a.museum..", true, true, false },
		{ "a.123", true, true, false },
		{ "a.1b3", true, true, true },
		{ "a.b-c", true, true, true },
		{ "a.1-2", true, true, true },
		{ "a.-b", true, true, false },
		{ "a.b-", true, true, false },
		{ "a:b/c.d", true, true, true },
		{ "%{i}", true, true, true },
		{ "%{i}.", true, true, false },
		{ "%{i}.com", true, true, true },
		{ "%{d.}com", true, true, false },
		{ "a.b%{i}", true, true, true },
		{ "a.b%%", true, true, true },
		{ "a%_b%-c.d", true, true, true },
		{ "a b", false, true, false },
		{ "a.%", false, false, false },
		{ "a.%{", false, false, false },
		{ "%{i", false, false, false },
		{ "%{}", false, false, false },
		{ "%{a}", false, false, false },
		{ "%{c}", false, true, false },
		{ "%{R}%{t}", false, true, false },
		{ "%{d0}", false, false, false },
		{ "%{d1r.-+,/_=}", true, true, true },
		{ "%{d1R}", true, true, true },
		{ "%{dr1}", false, false, false },
		{ "%{d99999999999999999999}", false, false, false },
		{ "%{d.x}", false, false, false },
		{ "%(d)", false, false, false },
		{ "a.b\xc3\xa4", false, false, false },
		{ "a\tb", false, false, false },
	};

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct slice in = slice_of(t[i].in);

		CHECK_ROW(spf_macro_string(in, SPF_MACRO_RECORD) == t[i].record, t[i].in);
		CHECK_ROW(spf_macro_string(in, SPF_MACRO_EXPLAIN) == t[i].explain, t[i].in);
		CHECK_ROW(spf_macro_domain(in) == t[i].domain, t[i].in);
	}
	CHECK(spf_macro_validated(SLICE("a.%{ir}.%{P1r}.b")));
	CHECK(!spf_macro_validated(SLICE("p.%{ir}.%%{p}")));
}

/* RFC 7208 7.4 and what it leaves out. */
static void texts(void)
{
	static const struct {
		const char *ip, *in, *out;
	} t[] = {
		{ "192.0.2.3", "%{s}", "strong-bad@email.example.com" },
		{ "192.0.2.3", "%{o} %{d} %{d4} %{d3}",
		  "email.example.com email.example.com email.example.com email.example.com" },
		{ "192.0.2.3", "%{d2} %{d1} %{dr} %{d2r}",
		  "example.com com com.example.email example.email" },
		{ "192.0.2.3", "%{l} %{l-} %{lr} %{lr-} %{l1r-}",
		  "strong-bad strong.bad strong-bad bad.strong strong" },
		{ "192.0.2.3", "%{i} %{ir} %{v} %{c}",
		  "192.0.2.3 3.2.0.192 in-addr 192.0.2.3" },
		{ "2001:db8::cb01", "%{c} %{v}", "2001:db8::cb01 ip6" },
		{ "2001:db8::cb01", "%{i}",
		  "2.0.0.1.0.d.b.8.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.c.b.0.1" },
		{ "2001:db8::cb01", "%{i2r} %{i1}", "0.2 1" },
		{ "192.0.2.3", "%{h}|%{p}|%{r}|%{t}",
		  "mx.example.net|unknown|us.example|1700000000" },
		{ "192.0.2.3", "%{S} %{L-}", "strong-bad%40email.example.com strong.bad" },
		{ "192.0.2.3", "100%% a%_b%-c", "100% a b%20c" },
		{ "192.0.2.3", "%{i99}%{o18446744073709551615}", "192.0.2.3email.example.com" },
	};

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct spf_values v = values(t[i].ip);
		uint8_t mem[256];
		struct buf out = BUF(mem);

		spf_macro_text(slice_of(t[i].in), &v, &out);
		CHECK_ROW(!out.bad && slice_eq(buf_slice(&out), slice_of(t[i].out)), t[i].in);
	}
}

static bool name_is(const char *spec, struct slice local, struct slice want)
{
	struct spf_values v = values("192.0.2.3");
	uint8_t mem[2 * DNSMSG_NAME];
	struct buf out = BUF(mem);

	v.local = local;
	spf_macro_name(slice_of(spec), &v, &out);
	return want.n ? !out.bad && slice_eq(buf_slice(&out), want) : out.bad;
}

static void names(void)
{
	struct slice joe = SLICE("joe");
	char spec[4096] = "", want[DNSMSG_NAME + 1] = "", label[70];

	CHECK(name_is("%{ir}.sbl.example.org.", joe, SLICE("3.2.0.192.sbl.example.org")));
	CHECK(name_is("%{l}.x.org", SLICE("a b/c"), SLICE("a b/c.x.org")));
	CHECK(name_is("%{l+=}.x.org", SLICE("a+b=c"), SLICE("a.b.c.x.org")));
	CHECK(name_is("a..org", joe, SLICE("")));
	CHECK(name_is("%{l}.x.org", SLICE(".a"), SLICE("")));
	CHECK(name_is("%{l}.x.org", SLICE("\xc3\xa4"), SLICE(""))); /* RFC 8616 4 */
	CHECK(name_is("%{l}.x.org", SLICE("a\0b"), SLICE("")));
	memset(label, 'a', sizeof label);
	CHECK(name_is("%{l}.x.org", (struct slice){ (uint8_t *)label, 64 }, SLICE("")));
	memcpy(want, label, 63);
	memcpy(want + 63, ".x.org", 7);
	CHECK(name_is("%{l}.x.org", (struct slice){ (uint8_t *)label, 63 }, slice_of(want)));

	/* 253 octets stand, with 254 the first label goes, and with many more what is left of it (RFC 7208 7.3) */
	*want = 0;
	for (int i = 0; i < 250 / 2; i++)
		strcat(want, "a.");
	strcat(want, "org");
	CHECK_EQ(strlen(want), 253);
	CHECK(name_is(want, joe, slice_of(want)));
	snprintf(spec, sizeof spec, "b%s", want);
	CHECK(name_is(spec, joe, slice_of(want + 2)));
	*spec = 0;
	for (int i = 0; i < 200; i++)
		strcat(spec, "%{l}.");
	strcat(spec, want);
	CHECK(name_is(spec, joe, slice_of(want)));
	/* Room is made for the final dot alone: what is left of a label goes all the same. */
	*spec = 0;
	for (int i = 0; i < 100; i++)
		strcat(spec, "aaaa.");
	strcat(spec, "bb.org.");
	CHECK_EQ(strlen(spec), 2 * DNSMSG_NAME + 1);
	CHECK(name_is(spec, joe, (struct slice){ (uint8_t *)spec + 51 * 5, 49 * 5 + 6 }));
}

static void refused(void)
{
	struct spf_values v = values("192.0.2.3");
	uint8_t mem[8], big[SPF_MACRO_VALUE + 1], large[1024];
	struct buf out = BUF(mem);

	spf_macro_text(SLICE("12345678"), &v, &out);
	CHECK(!out.bad);
	out = BUF(mem);
	spf_macro_text(SLICE("123456789"), &v, &out);
	CHECK(out.bad);
	out = BUF(mem);
	spf_macro_text(SLICE("%{x}"), &v, &out);
	CHECK(out.bad);
	memset(big, 'a', sizeof big);
	v.helo = (struct slice){ big, SPF_MACRO_VALUE };
	out = BUF(large);
	spf_macro_text(SLICE("%{hr}"), &v, &out);
	CHECK(!out.bad && out.len == SPF_MACRO_VALUE);
	memset(big, '.', sizeof big);
	out = BUF(large);
	spf_macro_text(SLICE("%{hr}"), &v, &out);
	CHECK(!out.bad && out.len == SPF_MACRO_VALUE);
	v.helo.n++;
	out = BUF(large);
	spf_macro_text(SLICE("%{h}"), &v, &out);
	CHECK(out.bad);
	v.helo = SLICE("a\r\nb");
	out = BUF(large);
	spf_macro_text(SLICE("%{h}"), &v, &out);
	CHECK(out.bad);
	out = BUF(large);
	spf_macro_text(SLICE("%{H}"), &v, &out);
	CHECK_SLICE(buf_slice(&out), "a%0D%0Ab");
}

int main(void)
{
	syntax();
	texts();
	names();
	refused();
	TEST_END();
}
