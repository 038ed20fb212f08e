/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/spf_record.h"

#include "tests/unit/test.h"

static void version(void)
{
	CHECK(spf_record_is(SLICE("v=spf1")));
	CHECK(spf_record_is(SLICE("V=sPf1 -all")));
	CHECK(!spf_record_is(SLICE("v=spf10")));
	CHECK(!spf_record_is(SLICE("v=spf1\t-all")));
	CHECK(!spf_record_is(SLICE("v=spf")));
	CHECK(!spf_record_is(SLICE(" v=spf1 -all")));
	CHECK(!spf_record_is(SLICE("")));
}

static void whole(void)
{
	static const struct {
		const char *in;
		bool ok;
	} t[] = {
		{ "", true },
		{ "  -all  ", true },
		{ " +a -mx ~ptr ?exists:a.b ALL", true },
		{ " a\tmx", false },
		{ " \xc3\xa4", false },
		{ " all:a.b", false },
		{ " all/8", false },
		{ " all.", false },
		{ " --all", false },
		{ " -", false },
		{ " a: mx", false },
		{ " a:b", false },
		{ " a:a.b/0//0", true },
		{ " a/32//128", true },
		{ " a/33", false },
		{ " a//129", false },
		{ " a/08", false },
		{ " a//00", false },
		{ " a/", false },
		{ " a//", false },
		{ " a//64/24", false },
		{ " a/24/64", false },
		{ " a/99999999999999999999", false },
		{ " mx:a.b/8", true },
		{ " mx:a.b:8080", false },
		{ " a:foo:bar/baz.example.com/8", true },
		{ " a:%{ir/}.x.org/8", true },
		{ " ptr", true },
		{ " ptr:", false },
		{ " ptr/0", false },
		{ " include", false },
		{ " include:", false },
		{ " include:a.b/8", false },
		{ " include:%{d}", true },
		{ " exists", false },
		{ " exists:a.b/24", false },
		{ " ip4:1.2.3.4", true },
		{ " ip4:1.2.3.4/0", true },
		{ " ip4:1.2.3.4/32", true },
		{ " ip4:1.2.3.4/33", false },
		{ " ip4:1.2.3.4/032", false },
		{ " ip4:1.2.3.4//32", false },
		{ " ip4:1.2.3.4/", false },
		{ " ip4:1.2.3", false },
		{ " ip4:1.2.3.256", false },
		{ " ip4:::1", false },
		{ " ip4", false },
		{ " ip4:", false },
		{ " ip6:::1", true },
		{ " ip6:::1/128", true },
		{ " ip6:::1/129", false },
		{ " ip6:1.2.3.4", false },
		{ " ip6:::ffff:1.2.3.4", true },
		{ " ip6:1:2", false },
		{ " ip6", false },
		{ " redirect=a.b", true },
		{ " redirect=a.b redirect=a.b", false },
		{ " redirect=a.b exp=a.b", true },
		{ " exp=a.b EXP=a.b", false },
		{ " exp=", false },
		{ " redirect=", false },
		{ " redirect", false },
		{ " redirect:a.b", false },
		{ " -redirect=a.b", false },
		{ " a.b_c-d=e/f:%{i}", true },
		{ " a.b=", true },
		{ " x=%a", false },
		{ " =x", false },
		{ " 1x=y", false },
		{ " moo", false },
		{ " moo:a.b", false },
		{ " -all moo", false },
		{ " -all moo:a.b", true },
		{ " moo:a.b -all", false },
		{ " -all moo:%x", false },
		{ " -all moo/8", false },
		{ " -all ip4", false },
	};
	char record[128];

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct slice redirect, exp;

		snprintf(record, sizeof record, "v=spf1%s", t[i].in);
		CHECK_ROW(spf_record_check(slice_of(record), &redirect, &exp) == t[i].ok,
			  t[i].in);
	}
}

static void terms(void)
{
	struct slice record = SLICE("v=spf1 -A:x.org/24//64  mx//48 ?ip4:192.0.2.0/24 "
				    "ip6:2001:db8::/32 a/8 foo=bar Exp=e.org redirect=r.org ");
	struct cur c = spf_record_terms(record);
	struct slice redirect, exp;
	struct spf_term t;

	CHECK(spf_record_term(&c, &t) && t.kind == SPF_A && t.qualifier == '-');
	CHECK_SLICE(t.spec, "x.org");
	CHECK_SLICE(t.text, "-A:x.org/24//64");
	CHECK(t.bits4 == 24 && t.bits6 == 64);
	CHECK(spf_record_term(&c, &t) && t.kind == SPF_MX && t.qualifier == '+');
	CHECK(!t.spec.n && t.bits4 == 32 && t.bits6 == 48);
	CHECK(spf_record_term(&c, &t) && t.kind == SPF_IP4 && t.qualifier == '?');
	CHECK_EQ(t.net.bits, 96 + 24);
	CHECK(spf_record_term(&c, &t) && t.kind == SPF_IP6 && t.net.bits == 32);
	CHECK(spf_record_term(&c, &t) && t.kind == SPF_A && t.bits4 == 8 && t.bits6 == 128);
	CHECK(spf_record_term(&c, &t) && t.kind == SPF_OTHER);
	CHECK(spf_record_term(&c, &t) && t.kind == SPF_EXP);
	CHECK(spf_record_term(&c, &t) && t.kind == SPF_REDIRECT);
	CHECK(!spf_record_term(&c, &t) && cur_done(&c));
	CHECK(spf_record_check(record, &redirect, &exp));
	CHECK_SLICE(redirect, "r.org");
	CHECK_SLICE(exp, "e.org");
	CHECK(spf_record_check(SLICE("v=spf1"), &redirect, &exp) && !redirect.n && !exp.n);
}

int main(void)
{
	version();
	whole();
	terms();
	TEST_END();
}
