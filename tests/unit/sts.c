/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/sts.h"

#include "tests/unit/test.h"

static uint8_t mem[4096];
static struct buf records;

static void put(const char *txt)
{
	buf_be16(&records, (uint16_t)strlen(txt));
	buf_put(&records, slice_of(txt));
}

static const char *id_of(void)
{
	static char out[64];
	struct slice id;
	bool ok = sts_record(buf_slice(&records), &id);

	records = BUF(mem);
	return ok && slice_cstr(id, out, sizeof out) ? out : "-";
}

static void record(void)
{
	static const struct {
		const char *txt, *id;
	} t[] = {
		{ "v=STSv1; id=20160831085700Z;", "20160831085700Z" },
		{ "v=STSv1;id=1", "1" },
		{ "v=STSv1 ; x=y ;\tid=a1 ; z=w;", "a1" },
		{ "v=STSv1; id=01234567890123456789012345678901",
		  "01234567890123456789012345678901" },
		{ "v=STSv1; id=012345678901234567890123456789012", "-" },
		{ "v=STSv1; id=", "-" },
		{ "v=STSv1; id=a-b", "-" },
		{ "v=STSv1; id=a; id=b", "-" },
		{ "v=STSv1;", "-" },
		{ "v=STSv1", "-" },
		{ "v=STSv10; id=a", "-" },
		{ "V=STSv1; id=a", "-" },
		{ " v=STSv1; id=a", "-" },
		{ "v=STSv1; ID=a", "-" },
		{ "v=STSv1 id=a", "-" },
		{ "", "-" },
	};

	records = BUF(mem);
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		put(t[i].txt);
		CHECK_ROW(!strcmp(id_of(), t[i].id), t[i].txt);
	}
	put("something else");
	put("v=STSv1; id=7;");
	put("v=spf1 -all");
	CHECK(!strcmp(id_of(), "7"));
	put("v=STSv1; id=7;");
	put("v=STSv1; id=7;");
	CHECK(!strcmp(id_of(), "-"));
	CHECK(!strcmp(id_of(), "-"));
}

#define V "version: STSv1\n"
#define M "mode: enforce\n"
#define A "max_age: 86400\n"
#define X "mx: mail.example.com\n"

static void policy(void)
{
	static const struct {
		const char *text, *hosts; /* NULL: no policy */
	} t[] = {
		{ V M A X, "mail.example.com" },
		{ "version: STSv1\r\nmode: enforce\r\nmx: Mail.example.com\r\nmx: *.example.net\r\nmax_age: 86400\r\n\r\n",
		  "mail.example.com *.example.net" },
		{ X A M "version:STSv1", "mail.example.com" },
		{ V M A X "mode: none\nmax_age: x\nversion: 2\n", "mail.example.com" },
		{ V M A X "later: thing\n", "mail.example.com" },
		{ V "mode: none\n" A, "" },
		{ V M A, NULL },
		{ V M X, NULL },
		{ V A X, NULL },
		{ M A X, NULL },
		{ V M A X "nothing\n", NULL },
		{ V "mode: Enforce\n" A X, NULL },
		{ "version: STSv2\n" M A X, NULL },
		{ V M "max_age: 31557600\n" X, "mail.example.com" },
		{ V M "max_age: 31557601\n" X, NULL },
		{ V M "max_age: -1\n" X, NULL },
		{ V M "max_age:\n" X, NULL },
		{ V M A "mx: *\n", NULL },
		{ V M A "mx: *.*.example.com\n", NULL },
		{ V M A "mx: a b\n", NULL },
		{ V M A "mx:\n", NULL },
		{ V M A "mx: .example.com\n", NULL },
		{ "<html>\n", NULL },
		{ "", NULL },
	};
	static struct sts_policy p;

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		memset(&p, 0x55, sizeof p);
		CHECK_ROW(sts_parse(slice_of(t[i].text), &p) == (t[i].hosts != NULL),
			  t[i].text);
		if (!t[i].hosts)
			CHECK(p.mode == 0x55);
		else
			CHECK_ROW(slice_eq((struct slice){ p.hosts, p.hosts_n },
					   slice_of(t[i].hosts)),
				  t[i].text);
	}
	CHECK(sts_parse(slice_of(V "mode: testing\n" A X), &p));
	CHECK(p.mode == STS_TESTING && p.max_age == 86400);
}

/* As many hosts as fit, and one octet more. */
static void bounds(void)
{
	static char text[2048];
	static struct sts_policy p;
	struct buf b = { .p = (uint8_t *)text, .cap = sizeof text };

	buf_put(&b, SLICE(V M A));
	for (int i = 0; i < 102; i++)
		buf_put(&b, SLICE("mx: abcde.xyz\n"));
	CHECK(sts_parse(buf_slice(&b), &p));
	CHECK_EQ(p.hosts_n, 102 * 10 - 1);
	buf_put(&b, SLICE("mx: a.xy\n"));
	CHECK(sts_parse(buf_slice(&b), &p));
	CHECK_EQ(p.hosts_n, STS_HOSTS);
	buf_put(&b, SLICE("mx: a\n"));
	CHECK(!sts_parse(buf_slice(&b), &p));
}

int main(void)
{
	record();
	policy();
	bounds();
	TEST_END();
}
