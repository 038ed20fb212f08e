/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/spf.h"

#include "smtpd/proto/host/zone.h"
#include "tests/unit/test.h"

static struct spf s;
static unsigned asks;
static char asked[8192]; /* "TYPE name" of each question, one a line */

static void run(const char *zone, const struct spf_who *who)
{
	static struct dnsmsg_answer a;
	struct slice name;
	uint16_t type;
	unsigned bad;

	asks = 0;
	*asked = 0;
	for (spf_init(&s, who); spf_ask(&s, &name, &type); asks++) {
		size_t n = strlen(asked);

		CHECK(!s.result && dnsmsg_question_ok(name));
		snprintf(asked + n, sizeof asked - n, "%u %.*s\n", type, (int)name.n,
			 (const char *)name.p);
		zone_find(slice_of(zone), name, type, &a, &bad);
		CHECK_ROW(!bad, zone);
		spf_answer(&s, a.kind, (struct slice){ a.records, a.len });
	}
	CHECK(asks <= SPF_ASKS && s.result && s.reason.n);
}

static enum spf_result check(const char *zone, const char *ip, const char *domain)
{
	struct spf_who who = {
		.helo = SLICE("mail.example.org"),
		.local = SLICE("joe"),
		.domain = slice_of(domain),
		.now = 1700000000,
	};

	CHECK(ipaddr_parse(slice_of(ip), &who.ip));
	run(zone, &who);
	return s.result;
}

#define V4 "192.0.2.1"
#define V6 "2001:db8::1"
#define HOSTS                      \
	"h.org A 192.0.2.1\n"      \
	"h.org AAAA 2001:db8::1\n" \
	"n.org A 192.0.2.77\n"     \
	"n.org AAAA 2001:db8::77\n"

/* One record at a.org beside HOSTS. */
static void records(void)
{
	static const struct {
		const char *ip, *record;
		enum spf_result want;
		const char *matched;
	} t[] = {
		{ V4, "", SPF_NEUTRAL, "" },
		{ V4, "-all", SPF_FAIL, "-all" },
		{ V4, "~all", SPF_SOFTFAIL, "~all" },
		{ V4, "?all", SPF_NEUTRAL, "?all" },
		{ V4, "all -all", SPF_PASS, "all" },
		{ V4, "ip4:192.0.2.0/31 -all", SPF_PASS, "ip4:192.0.2.0/31" },
		{ V4, "ip4:192.0.2.2/31 -all", SPF_FAIL, "-all" },
		{ V4, "ip4:10.0.0.0/0 -all", SPF_PASS, "ip4:10.0.0.0/0" },
		{ V6, "ip4:10.0.0.0/0 -all", SPF_FAIL, "-all" },
		{ V6, "ip6:2001:db8::/32 -all", SPF_PASS, "ip6:2001:db8::/32" },
		{ V6, "ip6:::/0 -all", SPF_PASS, "ip6:::/0" },
		{ V4, "ip6:::/0 -all", SPF_FAIL, "-all" },
		{ "::ffff:192.0.2.1", "ip6:::/0 ip4:192.0.2.1 -all", SPF_PASS,
		  "ip4:192.0.2.1" },
		{ V4, "ip6:::ffff:192.0.2.1 -all", SPF_PASS, "ip6:::ffff:192.0.2.1" },
		{ V4, "a -all", SPF_FAIL, "-all" },
		{ V4, "a:h.org -all", SPF_PASS, "a:h.org" },
		{ V6, "a:h.org -all", SPF_PASS, "a:h.org" },
		{ V4, "a:n.org -all", SPF_FAIL, "-all" },
		{ V4, "a:n.org/24//128 -all", SPF_PASS, "a:n.org/24//128" },
		{ V6, "a:n.org/24//128 -all", SPF_FAIL, "-all" },
		{ V6, "a:n.org//64 -all", SPF_PASS, "a:n.org//64" },
		{ V4, "a:n.org//0 -all", SPF_FAIL, "-all" },
		{ V6, "a:n.org/0 -all", SPF_FAIL, "-all" },
		{ V4, "a:n..org a:h.org -all", SPF_PASS, "a:h.org" },
		{ V4, "exists:h.org -all", SPF_PASS, "exists:h.org" },
		{ V4, "exists:six.org -all", SPF_PASS, "exists:six.org" },
		{ V4, "exists:no.org -all", SPF_FAIL, "-all" },
		{ V4, "mx -all", SPF_FAIL, "-all" },
		{ V4, "mx:m.org -all", SPF_PASS, "mx:m.org" },
		{ V6, "mx:m.org -all", SPF_PASS, "mx:m.org" },
		{ V4, "mx:null.org -all", SPF_FAIL, "-all" },
		{ V4, "mx:h.org -all", SPF_FAIL, "-all" },
		{ V4, "include:pass.org -all", SPF_PASS, "include:pass.org" },
		{ V4, "-include:pass.org +all", SPF_FAIL, "-include:pass.org" },
		{ V4, "include:fail.org ?all", SPF_NEUTRAL, "?all" },
		{ V4, "include:soft.org ~all", SPF_SOFTFAIL, "~all" },
		{ V4, "include:nothing.org -all", SPF_FAIL, "-all" },
		{ V4, "include:no.org +all", SPF_PERMERROR, "include:no.org" },
		{ V4, "include:h.org +all", SPF_PERMERROR, "include:h.org" },
		{ V4, "include:two.org +all", SPF_PERMERROR, "include:two.org" },
		{ V4, "include:bad.org +all", SPF_PERMERROR, "include:bad.org" },
		{ V4, "include:slow.org +all", SPF_TEMPERROR, "include:slow.org" },
		{ V4, "include:deep.org -all", SPF_PASS, "include:deep.org" },
		{ V4, "include:x..org +all", SPF_PERMERROR, "include:x..org" },
		{ V4, "redirect=fail.org", SPF_FAIL, "-all" },
		{ V4, "redirect=fail.org ip4:192.0.2.1", SPF_PASS, "ip4:192.0.2.1" },
		{ V4, "?all redirect=fail.org", SPF_NEUTRAL, "?all" },
		{ V4, "-include:away.org ?all", SPF_FAIL, "-include:away.org" },
		{ V4, "redirect=no.org", SPF_PERMERROR, "" },
		{ V4, "redirect=nothing.org", SPF_NEUTRAL, "" },
		{ V4, "redirect=slow.org", SPF_TEMPERROR, "" },
		{ V4, "a:slow.org -all", SPF_TEMPERROR, "a:slow.org" },
		{ V4, "mx:slow.org -all", SPF_TEMPERROR, "mx:slow.org" },
		{ V4, "mx:slowmx.org -all", SPF_TEMPERROR, "mx:slowmx.org" },
		{ V4, "exists:slow.org -all", SPF_TEMPERROR, "exists:slow.org" },
		{ V4, "-all include:bad.org foo", SPF_PERMERROR, "" },
		{ V4, "ptr -all", SPF_FAIL, "-all" },
		{ V4, "ptr:h.org -all", SPF_PASS, "ptr:h.org" },
		{ V4, "ptr:ORG -all", SPF_PERMERROR, "" },
		{ V4, "ptr:.org -all", SPF_FAIL, "-all" },
		{ V4, "ptr:x.h.org -all", SPF_FAIL, "-all" },
		{ V4, "ptr:igh.org -all", SPF_FAIL, "-all" },
		{ V4, "ptr:lie.org -all", SPF_FAIL, "-all" },
		{ V6, "ptr -all", SPF_FAIL, "-all" },
		{ "192.0.2.9", "ptr:h.org -all", SPF_FAIL, "-all" },
	};
	char zone[2048];

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		snprintf(
			zone, sizeof zone,
			"%s"
			"a.org TXT \"other\"\na.org TXT \"v=spf1 %s\"\n"
			"six.org AAAA 2001:db8::5\n"
			"m.org MX 1 n.org\nm.org MX 2 no.org\nm.org MX 3 h.org\n"
			"null.org MX 0 .\n"
			"slowmx.org MX 1 slow.org\nslowmx.org MX 2 h.org\n"
			"pass.org TXT \"v=spf1 +all\"\nfail.org TXT \"v=spf1 -all exp=why.org\"\n"
			"soft.org TXT \"v=spf1 ~all\"\nnothing.org TXT \"v=spf1\"\n"
			"two.org TXT \"v=spf1\"\ntwo.org TXT \"v=spf1\"\n"
			"bad.org TXT \"v=spf1 foo\"\nslow.org TIMEOUT\n"
			"deep.org TXT \"v=spf1 include:fail.org include:pass.org -all\"\n"
			"away.org TXT \"v=spf1 redirect=pass.org\"\n"
			"1.2.0.192.in-addr.arpa PTR high.org\nhigh.org A 192.0.2.1\n"
			"1.2.0.192.in-addr.arpa PTR lie.org\n"
			"1.2.0.192.in-addr.arpa PTR slow.org\n"
			"1.2.0.192.in-addr.arpa PTR h.org\n"
			"9.2.0.192.in-addr.arpa TIMEOUT\n",
			HOSTS, t[i].record);
		CHECK_ROW(check(zone, t[i].ip, "a.org") == t[i].want, t[i].record);
		CHECK_ROW(slice_eq(s.matched, slice_of(t[i].matched)), t[i].record);
		CHECK_ROW(!s.explanation.n, t[i].record);
	}
}

static void identities(void)
{
	static const struct {
		const char *domain;
		enum spf_result want;
	} t[] = {
		{ "a.org", SPF_PASS },
		{ "A.ORG.", SPF_PASS },
		{ "no.org", SPF_NONE },
		{ "text.org", SPF_NONE },
		{ "two.org", SPF_PERMERROR },
		{ "slow.org", SPF_TEMPERROR },
		{ "localhost", SPF_NONE },
		{ "a..org", SPF_NONE },
		{ "[192.0.2.1]", SPF_NONE },
		{ "b\xc3\xbc"
		  "cher.org",
		  SPF_NONE },
		{ "xn--bcher-kva.org", SPF_PASS },
		{ "a234567890123456789012345678901234567890123456789012345678901234.org",
		  SPF_NONE },
	};
	static const char zone[] =
		"a.org TXT \"v=sp\" \"f1 +all\"\ntext.org TXT \"v=spf10 +all\"\n"
		"two.org TXT \"v=spf1 +all\"\ntwo.org TXT \"V=SPF1 -all\"\n"
		"slow.org SERVFAIL\nlocalhost TXT \"v=spf1 +all\"\n"
		"xn--bcher-kva.org TXT \"v=spf1 +all\"\n"
		"mail.h.org TXT \"v=spf1 exists:%{l}.%{o}.%{h} -all exp=%{d}\"\n"
		"postmaster.mail.h.org.mail.h.org A 127.0.0.2\n"
		"b.org TXT \"v=spf1 exists:%{l}.%{o}.%{h} -all\"\n"
		"postmaster.b.org.mail.h.org A 127.0.0.2\n";
	struct spf_who who = { .helo = SLICE("mail.h.org") };

	for (size_t i = 0; i < sizeof t / sizeof *t; i++)
		CHECK_ROW(check(zone, V4, t[i].domain) == t[i].want, t[i].domain);
	run(zone, &who); /* <> */
	CHECK_EQ(s.result, SPF_PASS);
	CHECK_SLICE(s.domain, "mail.h.org");
	who.domain = SLICE("b.org");
	run(zone, &who);
	CHECK_EQ(s.result, SPF_PASS);
	who.helo = SLICE("[192.0.2.1]");
	who.domain = SLICE("");
	run(zone, &who);
	CHECK(s.result == SPF_NONE && !asks);
}

/* "v=spf1", n times one term, and the end; n is the first %d of the term. */
static const char *many(const char *term, int n, const char *rest)
{
	static char zone[8192];
	int at = snprintf(zone, sizeof zone, "%sa.org TXT \"v=spf1", HOSTS);

	for (int i = 0; i < n; i++) {
		at += snprintf(zone + at, sizeof zone - (size_t)at, " ");
		at += snprintf(zone + at, sizeof zone - (size_t)at, term, i);
	}
	snprintf(zone + at, sizeof zone - (size_t)at, "%s", rest);
	return zone;
}

static void term_limit(void)
{
	static const char *const term[] = { "a:n.org", "ptr:no.org" };

	for (int i = 0; i < 2; i++) {
		CHECK_EQ(check(many(term[i], 9, " ~all\"\n"), V4, "a.org"), SPF_SOFTFAIL);
		CHECK_EQ(check(many(term[i], 10, " ~all\"\n"), V4, "a.org"), SPF_SOFTFAIL);
		CHECK_EQ(asks, 11);
		CHECK_EQ(check(many(term[i], 11, " ~all\"\n"), V4, "a.org"), SPF_PERMERROR);
		CHECK_EQ(asks, 11);
	}
	/* those that look nothing up do not count, nor does what stands behind the match */
	CHECK_EQ(check(many("ip4:10.0.0.1", 30, " a:h.org a a a a a a a a a a -all\"\n"), V4,
		       "a.org"),
		 SPF_PASS);
	/* redirect is one of them */
	CHECK_EQ(check(many("a:n.org", 9, " redirect=b.org\"\nb.org TXT \"v=spf1 -all\"\n"), V4,
		       "a.org"),
		 SPF_FAIL);
	CHECK_EQ(check(many("a:n.org", 10, " redirect=b.org\"\nb.org TXT \"v=spf1 -all\"\n"),
		       V4, "a.org"),
		 SPF_PERMERROR);
	/* and what is included, also after its end */
	CHECK_EQ(check(many("a:n.org", 4,
			    " include:b.org a:h.org -all\"\n"
			    "b.org TXT \"v=spf1 a:n.org a:n.org a:n.org a:n.org\"\n"),
		       V4, "a.org"),
		 SPF_PASS);
	CHECK_EQ(check(many("a:n.org", 5,
			    " include:b.org a:h.org -all\"\n"
			    "b.org TXT \"v=spf1 a:n.org a:n.org a:n.org a:n.org\"\n"),
		       V4, "a.org"),
		 SPF_PERMERROR);
	CHECK_EQ(check("a.org TXT \"v=spf1 include:a.org\"\n", V4, "a.org"), SPF_PERMERROR);
	CHECK_EQ(asks, 11);
	CHECK_EQ(check("a.org TXT \"v=spf1 redirect=%{d}\"\n", V4, "a.org"), SPF_PERMERROR);
	CHECK_EQ(asks, 11);
	/* %{p} looks up, too: one for each record */
	CHECK_EQ(check(many("a:n.org", 8, " a:%{p}.x.org a:h.org -all\"\n"), V4, "a.org"),
		 SPF_PERMERROR);
	CHECK_EQ(check(many("a:n.org", 7, " a:%{p}.x.org a:h.org -all\"\n"), V4, "a.org"),
		 SPF_PASS);
	CHECK_EQ(check(many("a:n.org", 6, " a:%{p}.x.org a:%{p}.y.org a:h.org -all\"\n"), V4,
		       "a.org"),
		 SPF_PASS);
}

static void void_limit(void)
{
	static const char *const term[] = { "a:no%d.org", "mx:h%d.org", "exists:no%d.org" };

	for (int i = 0; i < 3; i++) {
		CHECK_EQ(check(many(term[i], 1, " ?all\"\n"), V4, "a.org"), SPF_NEUTRAL);
		CHECK_EQ(check(many(term[i], 2, " -all\"\n"), V4, "a.org"), SPF_FAIL);
		CHECK_EQ(check(many(term[i], 3, " -all\"\n"), V4, "a.org"), SPF_PERMERROR);
	}
	/* the client's own missing PTR is not the domain's fault, nor is an MX host without an address */
	CHECK_EQ(check(many("ptr", 5, " -all\"\n"), V4, "a.org"), SPF_FAIL);
	CHECK_EQ(check(many("mx:m.org", 2, " -all\"\nm.org MX 1 no1.org\nm.org MX 1 no2.org\n"),
		       V4, "a.org"),
		 SPF_FAIL);
	/* the explanation does not count */
	CHECK_EQ(check(many("a:no%d.org", 2, " -all exp=no.org\"\n"), V4, "a.org"), SPF_FAIL);
}

/* n hosts, of which the last is the client. */
static const char *hosts(const char *record, const char *owner, const char *format, int n)
{
	static char zone[4096];
	int at = snprintf(zone, sizeof zone, "a.org TXT \"v=spf1 %s\"\n", record);

	for (int i = 1; i <= n; i++) {
		at += snprintf(zone + at, sizeof zone - (size_t)at, "%s ", owner);
		at += snprintf(zone + at, sizeof zone - (size_t)at, format, i);
		at += snprintf(zone + at, sizeof zone - (size_t)at, "\nh%d.a.org A %s\n", i,
			       i == n ? V4 : "10.0.0.1");
	}
	return zone;
}

static void host_limits(void)
{
	static const struct {
		int n;
		enum spf_result mx, ptr;
	} t[] = {
		{ 9, SPF_PASS, SPF_PASS },
		{ 10, SPF_PASS, SPF_PASS },
		{ 11, SPF_PERMERROR, SPF_FAIL },
	};
	static const char arpa[] = "1.2.0.192.in-addr.arpa";

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		CHECK_EQ(check(hosts("mx -all", "a.org", "MX 1 h%d.a.org", t[i].n), V4,
			       "a.org"),
			 t[i].mx);
		CHECK_EQ(check(hosts("ptr -all", arpa, "PTR h%d.a.org", t[i].n), V4, "a.org"),
			 t[i].ptr);
		CHECK(asks <= 2 + SPF_HOSTS);
	}
	/* a match among the first ten comes before the error */
	CHECK_EQ(check(hosts("mx -all", "a.org", "MX 1 h%d.a.org", 12), "10.0.0.1", "a.org"),
		 SPF_PASS);
	CHECK_EQ(asks, 3);
	/* names that are not below the target cost no question */
	CHECK_EQ(check(hosts("ptr:b.org -all", arpa, "PTR h%d.a.org", 10), V4, "a.org"),
		 SPF_FAIL);
	CHECK_EQ(asks, 2);
}

static void explanations(void)
{
	static const struct {
		const char *record, *rest, *want;
	} t[] = {
		{ "-all exp=e.org", "e.org TXT \"%{i} is no %{d}, says %{r} at %{t}\"",
		  "192.0.2.1 is no a.org, says unknown at 1700000000" },
		{ "-all exp=e.org", "e.org TXT \"two \" \"strings\"", "two strings" },
		{ "-all exp=%{l}.%{o}", "joe.a.org TXT \"for %{l}\"", "for joe" },
		{ "-all exp=e.org", "e.org TXT \"one\"\ne.org TXT \"two\"", "" },
		{ "-all exp=e.org", "e.org TXT \"100%\"", "" },
		{ "-all exp=e.org", "e.org TXT \"line\\010line\"", "" },
		{ "-all exp=e.org", "e.org TXT \"\\195\\164\"", "" },
		{ "-all exp=e.org", "e.org TIMEOUT", "" },
		{ "-all exp=no.org", "", "" },
		{ "-all exp=e..org", "", "" },
		{ "-all exp=e.org", "e.org TXT \"%{p}\"\n1.2.0.192.in-addr.arpa PTR h.org",
		  "h.org" },
		{ "-all exp=e.org", "e.org TXT \"%{p}\"\n1.2.0.192.in-addr.arpa PTR n.org",
		  "unknown" },
		{ "-all exp=e.org",
		  "e.org TXT \"%{p}\"\n1.2.0.192.in-addr.arpa PTR h.org\n"
		  "1.2.0.192.in-addr.arpa PTR b.a.org\nb.a.org A 192.0.2.1",
		  "b.a.org" },
		{ "-all exp=%{p}", "h.org TXT \"%{p} again\"\n1.2.0.192.in-addr.arpa PTR h.org",
		  "h.org again" },
		{ "include:b.org -all exp=e.org",
		  "b.org TXT \"v=spf1 -all exp=no.org\"\ne.org TXT \"mine\"", "mine" },
		{ "include:b.org -all",
		  "b.org TXT \"v=spf1 -all exp=e.org\"\ne.org TXT \"other\"", "" },
		{ "-include:b.org exp=e.org",
		  "b.org TXT \"v=spf1 all\"\ne.org TXT \"mine, %{d}\"", "mine, a.org" },
		{ "redirect=b.org exp=no.org",
		  "b.org TXT \"v=spf1 -all exp=e.org\"\ne.org TXT \"its, %{d}\"",
		  "its, b.org" },
		{ "redirect=b.org exp=e.org", "b.org TXT \"v=spf1 -all\"\ne.org TXT \"mine\"",
		  "" },
	};
	char zone[2048], text[SPF_EXPLANATION + 2] = "";

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		snprintf(zone, sizeof zone, "%sa.org TXT \"v=spf1 %s\"\n%s\n", HOSTS,
			 t[i].record, t[i].rest);
		CHECK_ROW(check(zone, V4, "a.org") == SPF_FAIL, t[i].rest);
		CHECK_ROW(slice_eq(s.explanation, slice_of(t[i].want)), t[i].rest);
	}
	for (size_t n = SPF_EXPLANATION - 1; n <= SPF_EXPLANATION + 1; n++) {
		memset(text, 'x', n);
		snprintf(zone, sizeof zone,
			 "a.org TXT \"v=spf1 -all exp=e.org\"\ne.org TXT \"%s\"\n", text);
		CHECK_EQ(check(zone, V4, "a.org"), SPF_FAIL);
		CHECK_EQ(s.explanation.n, n <= SPF_EXPLANATION ? n : 0);
	}
	CHECK_EQ(check("a.org TXT \"v=spf1 ~all exp=e.org\"\n", V4, "a.org"), SPF_SOFTFAIL);
	CHECK_EQ(asks, 1);
}

/* What is asked, in order. */
static void questions(void)
{
	check("a.org TXT \"v=spf1 a mx exists:%{ir}.%{v}.x.org ptr include:b.org -all\"\n"
	      "a.org A 10.0.0.1\na.org MX 1 m.org\nm.org A 10.0.0.1\n"
	      "1.2.0.192.in-addr.arpa PTR h.a.org\nb.org TXT \"v=spf1 mx:%{d2r}\"\n",
	      V4, "a.org");
	CHECK_EQ(s.result, SPF_FAIL);
	CHECK(!strcmp(asked, "16 a.org\n1 a.org\n15 a.org\n1 m.org\n"
			     "1 1.2.0.192.in-addr.x.org\n28 1.2.0.192.in-addr.x.org\n"
			     "12 1.2.0.192.in-addr.arpa\n1 h.a.org\n16 b.org\n15 org.b\n"));
	check("a.org TXT \"v=spf1 a mx -all\"\na.org MX 1 m.org\na.org AAAA 2001:db8::9\n", V6,
	      "a.org");
	CHECK(!strcmp(asked, "16 a.org\n28 a.org\n15 a.org\n28 m.org\n"));
}

/* %{p} is looked up for each domain, and the name nearest to it is taken. */
static void validated(void)
{
	check("a.org TXT \"v=spf1 exists:%{p}.x.org include:b.org exists:%{p}.y.org -all\"\n"
	      "b.org TXT \"v=spf1 exists:%{p}.x.org\"\nh.b.org.x.org A 10.0.0.1\n"
	      "h.a.org.y.org A 127.0.0.2\n1.2.0.192.in-addr.arpa PTR h.b.org\n"
	      "1.2.0.192.in-addr.arpa PTR h.a.org\nh.a.org A 192.0.2.1\nh.b.org A 192.0.2.7\n",
	      V4, "a.org");
	CHECK_EQ(s.result, SPF_PASS);
	CHECK_SLICE(s.matched, "exists:%{p}.y.org");
	CHECK(!strcmp(asked, "16 a.org\n12 1.2.0.192.in-addr.arpa\n1 h.a.org\n"
			     "1 h.a.org.x.org\n28 h.a.org.x.org\n16 b.org\n"
			     "12 1.2.0.192.in-addr.arpa\n1 h.b.org\n1 h.a.org\n"
			     "1 h.a.org.x.org\n28 h.a.org.x.org\n"
			     "12 1.2.0.192.in-addr.arpa\n1 h.a.org\n1 h.a.org.y.org\n"));
}

/* Records that are open at once share SPF_TEXT; what has ended gives its part back. */
static void room(void)
{
	static char zone[24 * 1024];
	char pad[256];
	int at = 0;

	memset(pad, 'x', 250);
	pad[250] = 0;
	for (int big = 0; big < 2; big++) {
		at = 0;
		for (int i = 0; i < 3; i++) {
			at += snprintf(zone + at, sizeof zone - (size_t)at,
				       "a%d.org TXT \"v=spf1 include:a%d.org\"", i, i + 1);
			for (int k = 0; k < (big ? 14 : 10); k++)
				at += snprintf(zone + at, sizeof zone - (size_t)at,
					       " \" y=%s\"", pad);
			at += snprintf(zone + at, sizeof zone - (size_t)at, "\n");
		}
		snprintf(zone + at, sizeof zone - (size_t)at, "a3.org TXT \"v=spf1 +all\"\n");
		CHECK_EQ(check(zone, V4, "a0.org"), big ? SPF_PERMERROR : SPF_PASS);
		snprintf(zone + at, sizeof zone - (size_t)at,
			 "a3.org TXT \"v=spf1 ?all\"\na.org TXT \"v=spf1 include:a2.org "
			 "include:a2.org include:a2.org include:a2.org redirect=a2.org\"\n");
		CHECK_EQ(check(zone, V4, "a.org"), SPF_NEUTRAL);
	}
}

/* The answer to what is asked now, which is of this type: at most one record. */
static void tell(uint16_t type, enum dnsmsg_kind kind, struct slice record)
{
	static uint8_t mem[SPF_TEXT + 100];
	struct buf b = BUF(mem);
	struct slice name;
	uint16_t asked_type;

	if (record.n) {
		buf_be16(&b, (uint16_t)record.n);
		buf_put(&b, record);
	}
	CHECK(spf_ask(&s, &name, &asked_type) && asked_type == type && !b.bad);
	spf_answer(&s, kind, buf_slice(&b));
}

static void begin(struct slice record)
{
	struct spf_who who = { .helo = SLICE("mail.example.org"), .domain = SLICE("a.org") };

	CHECK(ipaddr_parse(SLICE(V4), &who.ip));
	spf_init(&s, &who);
	tell(DNSMSG_TXT, DNSMSG_OK, record);
}

/* To the octet: the record and the name it is for. */
static void room_left(void)
{
	static char record[SPF_TEXT];

	memset(record, 'x', sizeof record);
	memcpy(record, "v=spf1 y=", 9);
	for (size_t n = SPF_TEXT - 6; n <= SPF_TEXT - 4; n++) {
		begin((struct slice){ (uint8_t *)record, n });
		CHECK_EQ(s.result, n + 5 <= SPF_TEXT ? SPF_NEUTRAL : SPF_PERMERROR);
	}
}

/* AAAA is asked for beyond what RFC 7208 5.7 wants: that it fails is no error. */
static void exists_without_aaaa(void)
{
	begin(SLICE("v=spf1 exists:six.org -all"));
	tell(DNSMSG_A, DNSMSG_NODATA, SLICE(""));
	tell(DNSMSG_AAAA, DNSMSG_SERVFAIL, SLICE(""));
	CHECK_EQ(s.result, SPF_FAIL);
	CHECK_EQ(s.voids, 1);
}

int main(void)
{
	records();
	identities();
	term_limit();
	void_limit();
	host_limits();
	explanations();
	questions();
	validated();
	room();
	room_left();
	exists_without_aaaa();
	CHECK_SLICE(spf_result_text(SPF_TEMPERROR), "temperror");
	TEST_END();
}
