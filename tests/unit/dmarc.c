/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/dmarc.h"

#include "tests/unit/dmarclaw.h"
#include "tests/unit/test.h"

/* --- records --- */

static const struct {
	const char *in;
	bool ok;
	enum dmarc_policy p, sp, np;
	char psd;
	const char *more; /* t: t=y, s: aspf=s, d: adkim=s, u: unusable */
} records[] = {
	{ "v=DMARC1", true, DMARC_P_NONE, 0, 0, 'u', "" },
	{ "v=DMARC1;", true, DMARC_P_NONE, 0, 0, 'u', "" },
	{ " v = DMARC1 ; p = reject ; ", true, DMARC_P_REJECT, 0, 0, 'u', "" },
	{ "v=DMARC1; p=quarantine; sp=reject; np=none", true, DMARC_P_QUARANTINE,
	  DMARC_P_REJECT, DMARC_P_NONE, 'u', "" },
	{ "v=DMARC1;sp=none;p=REJECT", true, DMARC_P_REJECT, DMARC_P_NONE, 0, 'u', "" },
	{ "v=DMARC1; P=reject; T=Y; aspf=S; adkim=s; PSD=n", true, DMARC_P_REJECT, 0, 0, 'n',
	  "tsd" },
	{ "v=DMARC1; psd=y; aspf=s", true, DMARC_P_NONE, 0, 0, 'y', "s" },
	{ "v=DMARC1; p=reject; psd=x; t=x; aspf=x; adkim=ss", true, DMARC_P_REJECT, 0, 0, 'u',
	  "" },
	{ "v=DMARC1; p=reject; pct=0; rf=afrf; ri=60; fo=1; new=thing; ;=; x", true,
	  DMARC_P_REJECT, 0, 0, 'u', "" },
	{ "v=DMARC1; p=reject; p=none", true, DMARC_P_REJECT, 0, 0, 'u', "" },
	/* RFC 9989 4.10.1: a policy that is not one */
	{ "v=DMARC1; p=deny", true, DMARC_P_NONE, 0, 0, 'u', "u" },
	{ "v=DMARC1; p=", true, DMARC_P_NONE, 0, 0, 'u', "u" },
	{ "v=DMARC1; p=reject; sp=deny", true, DMARC_P_NONE, 0, 0, 'u', "u" },
	{ "v=DMARC1; p=reject; sp=reject; np=deny; psd=n", true, DMARC_P_NONE, 0, 0, 'n', "u" },
	{ "v=DMARC1; p=deny; rua=mailto:a@b.c", true, DMARC_P_NONE, 0, 0, 'u', "" },
	{ "v=DMARC1; p=deny; rua=a@b.c , https://x!10m", true, DMARC_P_NONE, 0, 0, 'u', "" },
	{ "v=DMARC1; p=reject; sp=deny; rua=mailto:a@b.c", true, DMARC_P_NONE, 0, 0, 'u', "" },
	{ "v=DMARC1; p=deny; rua=a@b.c", true, DMARC_P_NONE, 0, 0, 'u', "u" },
	{ "v=DMARC1; p=deny; rua=mailto:", true, DMARC_P_NONE, 0, 0, 'u', "u" },
	{ "v=DMARC1; p=deny; rua=:a", true, DMARC_P_NONE, 0, 0, 'u', "u" },
	{ "v=DMARC1; p=deny; ruf=mailto:a@b.c", true, DMARC_P_NONE, 0, 0, 'u', "u" },
	{ "", false, 0, 0, 0, 0, "" },
	{ "v=DMARC1 p=reject", false, 0, 0, 0, 0, "" },
	{ "v=dmarc1; p=reject", false, 0, 0, 0, 0, "" },
	{ "v=DMARC2; p=reject", false, 0, 0, 0, 0, "" },
	{ "v=DMARC11; p=reject", false, 0, 0, 0, 0, "" },
	{ ";v=DMARC1; p=reject", false, 0, 0, 0, 0, "" },
	{ "p=reject; v=DMARC1", false, 0, 0, 0, 0, "" },
	{ "v=spf1 -all", false, 0, 0, 0, 0, "" },
};

static void record_rows(void)
{
	for (size_t i = 0; i < sizeof records / sizeof *records; i++) {
		const char *more = records[i].more;
		struct dmarc_record r = { 0 }, untouched = { 0 };

		CHECK_ROW(dmarc_record_parse(slice_of(records[i].in), &r) == records[i].ok,
			  records[i].in);
		if (!records[i].ok) {
			CHECK_ROW(!memcmp(&r, &untouched, sizeof r), records[i].in);
			continue;
		}
		CHECK_ROW(r.there && r.p == records[i].p && r.sp == records[i].sp &&
				  r.np == records[i].np && r.psd == records[i].psd,
			  records[i].in);
		CHECK_ROW(r.testing == !!strchr(more, 't') &&
				  r.strict[DMARC_SPF] == !!strchr(more, 's') &&
				  r.strict[DMARC_DKIM] == !!strchr(more, 'd') &&
				  r.unusable == !!strchr(more, 'u'),
			  records[i].in);
	}
}

/* --- verdicts --- */

#define DEEP "b.c.d.e.f.g" /* and two labels: the longest name of which no walk skips a label */

static const struct {
	const char *name, *txt; /* NULL: the name exists. "!": it cannot be looked up. */
} zone[] = {
	{ "_dmarc.example.com", "v=DMARC1; p=reject; sp=quarantine; np=none" },
	{ "sub.example.com", NULL },
	{ "_dmarc.own.example.com", "v=DMARC1; p=quarantine; t=y" },
	{ "_dmarc.strict.example.com", "v=DMARC1; p=reject; t=y; aspf=s; adkim=s" },
	{ "_dmarc.dept.example.com", "v=DMARC1; p=reject; psd=n" },
	{ "_dmarc.lost.example.com", "!" },
	{ "lost2.example.com", "!" },
	{ "_dmarc.bank", "v=DMARC1; p=reject; psd=y; np=quarantine" },
	{ "_dmarc.own.bank", "v=DMARC1; p=none" },
	{ "_dmarc.twice.example", "v=DMARC1; p=reject" },
	{ "_dmarc.twice.example", "v=DMARC1; p=none" },
	{ "_dmarc.mixed.example", "v=spf1 -all" },
	{ "_dmarc.mixed.example", "v=DMARC1; p=reject" },
	{ "_dmarc.bad.example", "v=DMARC1; p=deny" },
	{ "_dmarc.no-p.example", "v=DMARC1" },
	{ "_dmarc.same.example", "v=DMARC1; p=reject; np=reject" },
	{ "_dmarc.g.net", "v=DMARC1; p=reject" },
	{ "_dmarc.c.d.e.f.g.net", "v=DMARC1; p=quarantine; psd=n" },
	{ "_dmarc.b.c.d.e.f.g.org", "v=DMARC1; p=reject; psd=y" },
	{ "_dmarc.a.b.c.d.e.f.g.h.info", "v=DMARC1; p=reject" },
	{ "_dmarc.c.d.e.f.g.h.info", "!" },
};

static struct dmarc d;

static enum dnsmsg_kind look_up(struct slice name, struct buf *out)
{
	enum dnsmsg_kind kind = DNSMSG_NXDOMAIN;

	for (size_t i = 0; i < sizeof zone / sizeof *zone; i++) {
		struct slice txt = slice_of(zone[i].txt);

		if (!slice_eq(name, slice_of(zone[i].name)))
			continue;
		if (slice_eq(txt, SLICE("!")))
			return DNSMSG_SERVFAIL;
		if (kind == DNSMSG_NXDOMAIN)
			kind = DNSMSG_NODATA;
		if (!txt.n)
			continue;
		kind = DNSMSG_OK;
		buf_be16(out, txt.n);
		buf_put(out, txt);
	}
	return kind;
}

/* "spf=d", "dkim=d", "spf?d", "dkim?d": passed, or a temporary error. */
static void add(struct slice words)
{
	while (words.n) {
		struct slice one = slice_word(&words);
		enum dmarc_means means = slice_iprefix(one, SLICE("spf")) ? DMARC_SPF
									  : DMARC_DKIM;

		one = slice_from(one, means == DMARC_SPF ? 3 : 4);
		dmarc_add(&d, means, slice_from(one, 1), one.p[0] == '=');
	}
}

static void run(const char *row)
{
	while (!d.verdict && d.asked < 100) {
		uint8_t mem[1024], name_mem[DNSMSG_NAME];
		struct buf answer = BUF(mem), name = BUF(name_mem);
		enum dnsmsg_kind kind;

		if (!dmarc_ask(&d, &name))
			break;
		CHECK_ROW(dnsmsg_name_ok(buf_slice(&name)), row);
		kind = look_up(buf_slice(&name), &answer);
		dmarc_answer(&d, kind, buf_slice(&answer));
	}
	CHECK_ROW(d.verdict && d.reason.n, row);
}

static const struct {
	const char *from, *ids;
	enum dmarc_verdict verdict;
	enum dmarc_policy disposition;
	const char *record, *org;
	unsigned asked;
} verdicts[] = {
	/* the same domain: one name is enough */
	{ "example.com", "spf=example.com", DMARC_PASS, 0, "example.com", "example.com", 1 },
	{ "EXAMPLE.com", "dkim=other.org dkim=Example.COM", DMARC_PASS, 0, "example.com",
	  "example.com", 1 },
	{ "strict.example.com", "dkim=strict.example.com", DMARC_PASS, 0, "strict.example.com",
	  "strict.example.com", 1 },
	/* nothing vouches */
	{ "example.com", "", DMARC_FAIL, DMARC_P_REJECT, "example.com", "", 1 },
	{ "example.com", "spf=example.org dkim=com", DMARC_FAIL, DMARC_P_REJECT, "example.com",
	  "example.com", 2 },
	{ "example.com", "dkim=xexample.com", DMARC_FAIL, DMARC_P_REJECT, "example.com",
	  "example.com", 2 },
	{ "no-p.example", "", DMARC_FAIL, DMARC_P_NONE, "no-p.example", "", 1 },
	/* relaxed: below, above, beside */
	{ "example.com", "spf=bounce.example.com", DMARC_PASS, 0, "example.com", "example.com",
	  3 },
	{ "sub.example.com", "dkim=example.com", DMARC_PASS, 0, "example.com", "example.com",
	  3 },
	{ "sub.example.com", "dkim=a.b.example.com", DMARC_PASS, 0, "example.com",
	  "example.com", 5 },
	{ "own.example.com", "dkim=example.com", DMARC_PASS, 0, "own.example.com",
	  "example.com", 3 },
	/* sp, np, and p where the record is its own; t=y */
	{ "sub.example.com", "", DMARC_FAIL, DMARC_P_QUARANTINE, "example.com", "example.com",
	  4 },
	{ "none.example.com", "", DMARC_FAIL, DMARC_P_NONE, "example.com", "example.com", 4 },
	{ "own.example.com", "", DMARC_FAIL, DMARC_P_NONE, "own.example.com", "", 1 },
	{ "strict.example.com", "spf=example.com", DMARC_FAIL, DMARC_P_QUARANTINE,
	  "strict.example.com", "", 1 },
	{ "a.same.example", "", DMARC_FAIL, DMARC_P_REJECT, "same.example", "same.example", 3 },
	/* psd=n: an organisation within another */
	{ "dept.example.com", "dkim=x.dept.example.com", DMARC_PASS, 0, "dept.example.com",
	  "dept.example.com", 2 },
	{ "dept.example.com", "dkim=example.com", DMARC_FAIL, DMARC_P_REJECT,
	  "dept.example.com", "dept.example.com", 1 },
	{ "example.com", "dkim=dept.example.com", DMARC_FAIL, DMARC_P_REJECT, "example.com",
	  "example.com", 3 },
	{ "example.com", "dkim=x.dept.example.com", DMARC_FAIL, DMARC_P_REJECT, "example.com",
	  "example.com", 4 },
	{ "x.dept.example.com", "", DMARC_FAIL, DMARC_P_REJECT, "dept.example.com",
	  "dept.example.com", 2 },
	/* psd=y: the organisation is one label below it */
	{ "mail.corp.bank", "dkim=x.corp.bank", DMARC_PASS, 0, "bank", "corp.bank", 4 },
	{ "corp.bank", "dkim=x.corp.bank", DMARC_PASS, 0, "bank", "corp.bank", 3 },
	{ "corp.bank", "dkim=other.bank dkim=bank", DMARC_FAIL, DMARC_P_QUARANTINE, "bank",
	  "corp.bank", 3 },
	{ "x.own.bank", "", DMARC_FAIL, DMARC_P_NONE, "own.bank", "own.bank", 3 },
	{ "bank", "dkim=bank", DMARC_PASS, 0, "bank", "bank", 1 },
	{ "bank", "dkim=corp.bank", DMARC_FAIL, DMARC_P_REJECT, "bank", "bank", 1 },
	/* what is not a record, or not one of a kind */
	{ "example.net", "spf=example.net", DMARC_NONE, 0, "", "example.net", 2 },
	{ "localhost", "", DMARC_NONE, 0, "", "localhost", 1 },
	{ "twice.example", "spf=twice.example", DMARC_NONE, 0, "", "twice.example", 2 },
	{ "mixed.example", "", DMARC_FAIL, DMARC_P_REJECT, "mixed.example", "", 1 },
	{ "bad.example", "spf=bad.example", DMARC_NONE, 0, "bad.example", "", 1 },
	{ "a.bad.example", "", DMARC_NONE, 0, "bad.example", "bad.example", 3 },
	/* seven labels remain of eight and more */
	{ "a." DEEP ".net", "", DMARC_FAIL, DMARC_P_QUARANTINE, "c.d.e.f.g.net",
	  "c.d.e.f.g.net", 3 },
	{ "x.y.a." DEEP ".net", "", DMARC_FAIL, DMARC_P_QUARANTINE, "c.d.e.f.g.net",
	  "c.d.e.f.g.net", 3 },
	{ "1.2.3.4.5.6.7.8.9.example.com", "", DMARC_FAIL, DMARC_P_NONE, "example.com",
	  "example.com", 9 },
	{ "1.2.3.4.5.6.7", "", DMARC_NONE, 0, "", "1.2.3.4.5.6.7", 7 },
	{ "1.2.3.4.5.6.7.8", "", DMARC_NONE, 0, "", "1.2.3.4.5.6.7.8", 8 },
	{ "1.2.3.4.5.6.7.8.9.10", "", DMARC_NONE, 0, "", "1.2.3.4.5.6.7.8.9.10", 8 },
	{ "g.net", "dkim=1.2.3.4.5.6.7.8.9.g.net", DMARC_PASS, 0, "g.net", "g.net", 8 },
	{ "g.net", "dkim=1.2.3.4.c.d.e.f.g.net", DMARC_FAIL, DMARC_P_REJECT, "g.net", "g.net",
	  5 },
	{ "x.a." DEEP ".org", "dkim=x.y.z.a." DEEP ".org", DMARC_PASS, 0, "b.c.d.e.f.g.org",
	  "a.b.c.d.e.f.g.org", 3 },
	{ "x.a." DEEP ".org", "dkim=y.a." DEEP ".org dkim=z.b." DEEP ".org", DMARC_PASS, 0,
	  "b.c.d.e.f.g.org", "a.b.c.d.e.f.g.org", 3 },
	{ "x.a." DEEP ".org", "dkim=a." DEEP ".org", DMARC_PASS, 0, "b.c.d.e.f.g.org",
	  "a.b.c.d.e.f.g.org", 2 },
	/* what cannot be looked up, and what it does not matter to */
	{ "lost.example.com", "spf=lost.example.com", DMARC_TEMPERROR, 0, "", "", 1 },
	{ "a.lost.example.com", "", DMARC_TEMPERROR, 0, "", "", 2 },
	{ "example.com", "dkim=a.lost.example.com", DMARC_TEMPERROR, 0, "example.com",
	  "example.com", 4 },
	{ "example.com", "dkim=lost.example.com dkim=b.example.com", DMARC_PASS, 0,
	  "example.com", "example.com", 4 },
	{ "lost2.example.com", "", DMARC_TEMPERROR, 0, "example.com", "example.com", 4 },
	{ "lost2.example.com", "dkim=example.com", DMARC_PASS, 0, "example.com", "example.com",
	  3 },
	{ "a.b.c.d.e.f.g.h.info", "dkim=a.b.c.d.e.f.g.h.info", DMARC_PASS, 0,
	  "a.b.c.d.e.f.g.h.info", "a.b.c.d.e.f.g.h.info", 1 },
	/* SPF or DKIM may pass another time: only where that would be enough */
	{ "example.com", "spf?example.com", DMARC_TEMPERROR, 0, "example.com", "", 1 },
	{ "example.com", "dkim?a.example.com", DMARC_TEMPERROR, 0, "example.com", "example.com",
	  3 },
	{ "example.com", "dkim?a.example.com dkim=b.example.com", DMARC_PASS, 0, "example.com",
	  "example.com", 4 },
	{ "example.com", "dkim?example.org spf?org", DMARC_FAIL, DMARC_P_REJECT, "example.com",
	  "example.com", 2 },
	{ "strict.example.com", "dkim?example.com", DMARC_FAIL, DMARC_P_QUARANTINE,
	  "strict.example.com", "", 1 },
	/* not names */
	{ "", "spf=example.com", DMARC_PERMERROR, 0, "", "", 0 },
	{ "a..b", "", DMARC_PERMERROR, 0, "", "", 0 },
	{ "[192.0.2.1]", "", DMARC_PERMERROR, 0, "", "", 0 },
	{ "example.com", "spf= dkim=.com dkim=*.example.com", DMARC_FAIL, DMARC_P_REJECT,
	  "example.com", "", 1 },
};

static void verdict_rows(void)
{
	for (size_t i = 0; i < sizeof verdicts / sizeof *verdicts; i++) {
		char row[256];

		snprintf(row, sizeof row, "%s %s: %u, %u, '%s'", verdicts[i].from,
			 verdicts[i].ids, verdicts[i].verdict, verdicts[i].asked,
			 verdicts[i].org);
		dmarc_init_domain(&d, slice_of(verdicts[i].from));
		add(slice_of(verdicts[i].ids));
		run(row);
		CHECK_ROW(d.verdict == verdicts[i].verdict, row);
		CHECK_ROW(d.disposition == verdicts[i].disposition, row);
		CHECK_ROW(slice_eq(d.record.domain, slice_of(verdicts[i].record)), row);
		CHECK_ROW(slice_eq(d.org, slice_of(verdicts[i].org)), row);
		CHECK_ROW(d.asked == verdicts[i].asked, row);
		CHECK_ROW((d.by.n > 0) == (d.verdict == DMARC_PASS), row);
		CHECK_ROW(d.verdict == DMARC_NONE || d.record.there == (d.policy > 0), row);
	}
}

/* A name with no room for "_dmarc." is not asked for, and nothing is said of its existence. */
static void long_names(void)
{
	static char author[254];
	int n = 0;

	for (int i = 0; i < 4; i++)
		n += snprintf(author + n, sizeof author - n, "%059d.", i);
	snprintf(author + n, sizeof author - n, "example.com");
	CHECK_EQ(strlen(author), 251);
	dmarc_init_domain(&d, slice_of(author));
	run(author);
	CHECK_EQ(d.verdict, DMARC_FAIL);
	CHECK_EQ(d.disposition, DMARC_P_NONE); /* np: the domain itself was asked for */
	CHECK_SLICE(d.org, "example.com");
	dmarc_init_domain(&d, SLICE("example.com"));
	dmarc_add(&d, DMARC_DKIM, slice_of(author), true);
	run(author);
	CHECK_EQ(d.verdict, DMARC_PASS);
}

/* No letter makes more names be asked for than these. */
static void most(void)
{
	static const char digit[] = "123456789abc";
	static char id[12][64];

	dmarc_init_domain(&d, SLICE("g.net"));
	for (int i = 0; i < 12; i++) {
		snprintf(id[i], sizeof id[i], "%c.1.2.3.4.5.6.7.8.c.d.e.f.g.net", digit[i]);
		dmarc_add(&d, DMARC_DKIM, slice_of(id[i]), true);
	}
	CHECK_EQ(d.n, DMARC_IDENTIFIERS);
	run("most");
	CHECK_EQ(d.verdict, DMARC_FAIL);
	CHECK_EQ(d.asked,
		 2 + 4 * (DMARC_WALK - 2)); /* a fifth walk might go beyond DMARC_ASKS */
}

static void authors(void)
{
	static const struct {
		const char *header, *author;
	} t[] = {
		{ "From: a@Example.COM\r\n", "example.com" },
		{ "X: y\r\nfrom: \"A, B\" <a@example.com>\r\n", "example.com" },
		{ "From: a@b.c,\r\n d@B.C\r\n", "b.c" },
		{ "From: a@b\xc3\xbc"
		  "cher.example\r\n",
		  "xn--bcher-kva.example" },
		{ "From: a@b\xc3\xbc"
		  "cher.example, b@xn--bcher-kva.example\r\n",
		  "xn--bcher-kva.example" },
		{ "From: a@b.c, d@e.f\r\n", "" },
		{ "From: a@b.c\r\nFrom: a@b.c\r\n", "" },
		{ "From: a@b.c, nobody\r\n", "" },
		{ "From: a@\xc3.c\r\n", "" },
		{ "From: a@[192.0.2.1]\r\n", "" },
		{ "From: undisclosed:;\r\n", "" },
		{ "From:\r\n", "" },
		{ "To: a@b.c\r\n", "" },
		{ "", "" },
	};

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		dmarc_init(&d, slice_of(t[i].header));
		CHECK_ROW(slice_eq(d.verdict ? SLICE("") : d.author, slice_of(t[i].author)),
			  t[i].header);
		CHECK_ROW((d.verdict == DMARC_PERMERROR && d.reason.n) == !*t[i].author,
			  t[i].header);
	}
	dmarc_init(&d, SLICE("From: a@b.c, d@e.f\r\n"));
	dmarc_add(&d, DMARC_SPF, SLICE("b.c"), true);
	run("no author");
	CHECK_EQ(d.asked, 0);
	CHECK_EQ(d.verdict, DMARC_PERMERROR);
}

static uint32_t dice_state;

static unsigned dice(unsigned sides)
{
	dice_state = dice_state * 1664525 + 1013904223;
	return (dice_state >> 16) % sides;
}

/* Names that are often ends of each other. */
static struct slice any_name(uint8_t *mem)
{
	struct buf b = { .p = mem, .cap = 64 };
	unsigned labels = dice(8) ? 1 + dice(4) : 5 + dice(7);

	while (labels--) {
		buf_u8(&b, dice(4) ? 'a' : 'b');
		if (labels)
			buf_u8(&b, '.');
	}
	return buf_slice(&b);
}

/* Zones and letters at random: the same verdict as without any short way. */
static void as_the_law_has_it(void)
{
	static const char *const txt[] = {
		"v=DMARC1; p=reject; sp=quarantine; np=none",
		"v=DMARC1; p=quarantine; t=y",
		"v=DMARC1; p=reject; psd=n",
		"v=DMARC1; p=reject; psd=y; np=quarantine; t=y",
		"v=DMARC1; p=none; adkim=s",
		"v=DMARC1; p=deny",
		"v=DMARC1; p=reject; psd=y",
		"",
	};
	static uint8_t mem[LAW_ENTRIES + LAW_IDS + 1][64];
	unsigned seen[DMARC_PERMERROR + 1] = { 0 };

	for (dice_state = 1; dice_state && seen[DMARC_PASS] < 20000;) {
		struct law l = { .author = any_name(mem[0]), .n = dice(6), .ids = dice(3) };

		for (size_t i = 0; i < l.n; i++) {
			l.domain[i] = any_name(mem[1 + i]);
			l.txt[i] = slice_of(txt[dice(8)]);
		}
		for (size_t i = 0; i < l.ids; i++)
			l.id[i] =
				(struct dmarc_identifier){ i ? DMARC_DKIM : DMARC_SPF, true,
							   any_name(mem[1 + LAW_ENTRIES + i]) };
		CHECK(law_run(&l, &d));
		seen[d.verdict]++;
	}
	CHECK(seen[DMARC_NONE] > 1000 && seen[DMARC_FAIL] > 1000);
}

int main(void)
{
	as_the_law_has_it();
	record_rows();
	verdict_rows();
	long_names();
	most();
	authors();
	CHECK_SLICE(dmarc_verdict_text(DMARC_TEMPERROR), "temperror");
	CHECK_SLICE(dmarc_policy_text(DMARC_P_QUARANTINE), "quarantine");
	TEST_END();
}
