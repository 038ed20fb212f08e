/* SPDX-License-Identifier: ISC */
/* Each record against a zone: all right, and each one wrong in turn. */
#include "tests/unit/test.h"

#include <stdlib.h>

#include "smtpd/proto/host/zone.h"
#include "smtpd/selfcheck/rowcheck.h"

#define HOME "a.example"
#define HOST "mail.a.example"
#define KEY  "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
#define PTR  "10.2.0.192.in-addr.arpa"

static struct world {
	struct publish_site site;
	char zone[4096];
	enum rowcheck_verdict verdict[PUBLISH_WHATS]; /* of the last domain that has it */
	struct rowcheck row;
	char seen[ROWCHECK_SEEN + 1];
} w;

static const char good[] = HOST
	" A 192.0.2.10\n" PTR " PTR " HOST ".\n" HOST " TXT \"v=spf1 a -all\"\n" HOME
	" MX 10 " HOST ".\n" HOME " MX 20 backup.example.\n" HOME " TXT \"v=spf1 a:" HOST
	" -all\"\n" HOME " TXT \"other=text\"\n"
	"s1-ed25519-3._domainkey." HOME " TXT \"v=DKIM1; k=ed25519; p=" KEY "\"\n"
	"s1-3._domainkey." HOME " TXT \"v=DKIM1; k=ed25519; p=" KEY "\"\n"
	"_dmarc." HOME " TXT \"v=DMARC1; p=reject\"\n"
	"_smtp._tls." HOME " TXT \"v=TLSRPTv1; rua=mailto:x@y.example\"\n";

static void run(const struct publish_at *at, enum rowcheck_kind kind)
{
	static struct dnsmsg_answer answer;
	uint8_t mem[512];
	struct buf name = BUF(mem);
	uint16_t type;
	unsigned bad = 0;

	rowcheck_init(&w.row, &w.site, at, kind);
	for (; rowcheck_ask(&w.row, &name, &type); name = (struct buf)BUF(mem)) {
		if (type == DNSMSG_CAA) {
			answer = (struct dnsmsg_answer){ .kind = DNSMSG_NODATA };
		} else {
			zone_find(slice_of(w.zone), buf_slice(&name), type, &answer, &bad);
			CHECK_ROW(!bad, w.zone);
		}
		rowcheck_answer(&w.row, answer.kind,
				(struct slice){ answer.records, answer.len });
	}
	CHECK(slice_cstr(buf_slice(&w.row.seen), w.seen, sizeof w.seen));
}

static void boot(void)
{
	w.site = (struct publish_site){ .host = SLICE(HOST),
					.domains = SLICE(HOME),
					.selector = SLICE("s1"),
					.second = true,
					.dkim_number = 3,
					.dkim = SLICE("v=DKIM1; k=ed25519; p=" KEY),
					.ca = SLICE("ca.example") };
	CHECK(ipaddr_parse(SLICE("192.0.2.10"), &w.site.v4));
	strcpy(w.zone, good);
}

/* The good zone with the lines of one name left out, and others. */
static void zone(const char *without, const char *with)
{
	struct slice text = slice_of(good);

	*w.zone = 0;
	while (text.n) {
		struct slice line = slice_head(text, slice_find(text, '\n') + 1);

		if (!slice_iprefix(line, slice_of(without)) || line.p[strlen(without)] != ' ')
			strncat(w.zone, (const char *)line.p, line.n);
		text = slice_from(text, line.n);
	}
	strcat(w.zone, with);
}

static void all(void)
{
	struct publish_at at = { .begun = false };

	memset(w.verdict, ROWCHECK_VERDICTS, sizeof w.verdict);
	while (publish_next(&w.site, &at)) {
		run(&at, ROWCHECK_RECORD);
		w.verdict[at.what] = w.row.verdict;
	}
}

static const enum rowcheck_verdict fine[PUBLISH_WHATS] = {
	[PUBLISH_A] = ROWCHECK_OK,	     [PUBLISH_AAAA] = ROWCHECK_NONE,
	[PUBLISH_PTR] = ROWCHECK_OK,	     [PUBLISH_PTR6] = ROWCHECK_NONE,
	[PUBLISH_CAA] = ROWCHECK_NONE,	     [PUBLISH_MX] = ROWCHECK_OK,
	[PUBLISH_SPF] = ROWCHECK_OK,	     [PUBLISH_DKIM] = ROWCHECK_OK,
	[PUBLISH_DKIM_SECOND] = ROWCHECK_OK, [PUBLISH_DMARC] = ROWCHECK_OK,
	[PUBLISH_TLSRPT] = ROWCHECK_OK,
};

/* What is changed gets its verdict, and nothing else another one than before. */
static void one_changed(void)
{
	static const struct {
		const char *without, *with;
		enum publish_what what;
		enum rowcheck_verdict verdict;
	} rows[] = {
		{ "", "", PUBLISH_A, ROWCHECK_OK },
		{ "", HOST " A 192.0.2.11\n", PUBLISH_A, ROWCHECK_WRONG },
		{ "", HOST " AAAA 2001:db8::1\n", PUBLISH_AAAA, ROWCHECK_UNKNOWN },
		{ PTR, "", PUBLISH_PTR, ROWCHECK_WRONG },
		{ PTR, PTR " PTR other.example.\n", PUBLISH_PTR, ROWCHECK_WRONG },
		{ "", PTR " PTR other.example.\n", PUBLISH_PTR, ROWCHECK_OK },
		{ PTR, PTR " TIMEOUT\n", PUBLISH_PTR, ROWCHECK_UNKNOWN },
		{ "", HOME " MX 5 other.example.\n", PUBLISH_MX, ROWCHECK_WRONG },
		{ "", HOME " MX 10 other.example.\n", PUBLISH_MX, ROWCHECK_OK },
		{ "", HOME " TXT \"v=spf1 -all\"\n", PUBLISH_SPF, ROWCHECK_WRONG },
		{ "s1-3._domainkey." HOME, "", PUBLISH_DKIM, ROWCHECK_WRONG },
		{ "s1-3._domainkey." HOME,
		  "s1-3._domainkey." HOME
		  " TXT \"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHUR8=\"\n",
		  PUBLISH_DKIM, ROWCHECK_WRONG },
		{ "s1-3._domainkey." HOME, "s1-3._domainkey." HOME " TXT \"v=DKIM1; p=\"\n",
		  PUBLISH_DKIM, ROWCHECK_WRONG },
		{ "", "s1-3._domainkey." HOME " TXT \"v=DKIM1; p=\"\n", PUBLISH_DKIM,
		  ROWCHECK_WRONG },
		{ "s1-3._domainkey." HOME,
		  "s1-3._domainkey." HOME " TXT \" v = DKIM1;n=note; k=ed25519; p= " KEY
		  " \"\n",
		  PUBLISH_DKIM, ROWCHECK_OK },
		{ "s1-ed25519-3._domainkey." HOME, "", PUBLISH_DKIM_SECOND, ROWCHECK_WRONG },
		{ "_dmarc." HOME, "", PUBLISH_DMARC, ROWCHECK_WRONG },
		{ "", "_dmarc." HOME " TXT \"v=DMARC1; p=none\"\n", PUBLISH_DMARC,
		  ROWCHECK_WRONG },
		{ "_dmarc." HOME, "_dmarc." HOME " TXT \"v=DMARC1; p=never\"\n", PUBLISH_DMARC,
		  ROWCHECK_WRONG },
		{ "_dmarc." HOME, "_dmarc.example TXT \"v=DMARC1; p=none; psd=n\"\n",
		  PUBLISH_DMARC, ROWCHECK_OK },
		{ "_dmarc." HOME, "_dmarc." HOME " SERVFAIL\n", PUBLISH_DMARC,
		  ROWCHECK_UNKNOWN },
		{ "_smtp._tls." HOME, "", PUBLISH_TLSRPT, ROWCHECK_NONE },
		{ "_smtp._tls." HOME, "_smtp._tls." HOME " TXT \"v=TLSRPTv1; rua=x\"\n",
		  PUBLISH_TLSRPT, ROWCHECK_WRONG },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		boot();
		zone(*rows[i].without ? rows[i].without : "-", rows[i].with);
		all();
		for (unsigned what = 0; what < PUBLISH_WHATS; what++)
			CHECK_ROW(w.verdict[what] ==
					  (what == rows[i].what ? rows[i].verdict : fine[what]),
				  rows[i].with);
	}
}

/* The name in HELO has a record of its own; an address that we do not know judges nothing. */
static void spf_of_the_host(void)
{
	struct publish_at at = { .what = PUBLISH_SPF, .domain = SLICE(HOST) };

	boot();
	run(&at, ROWCHECK_RECORD);
	CHECK_EQ(w.row.verdict, ROWCHECK_OK);
	zone(HOST, HOST " A 192.0.2.10\n");
	run(&at, ROWCHECK_RECORD);
	CHECK_EQ(w.row.verdict, ROWCHECK_WRONG);
	CHECK(strstr(w.seen, "192.0.2.10 none"));
	zone(HOST, HOST " TXT \"v=spf1 ip4:192.0.2.11 ~all\"\n");
	run(&at, ROWCHECK_RECORD);
	CHECK(!strcmp(w.seen, "192.0.2.10 softfail; ~all"));
	zone(HOST, HOST " TXT \"v=spf1 include:slow.example -all\"\nslow.example TIMEOUT\n");
	run(&at, ROWCHECK_RECORD);
	CHECK_EQ(w.row.verdict, ROWCHECK_UNKNOWN);
	w.site.v4 = (struct ipaddr){ .b = { 0 } };
	run(&at, ROWCHECK_RECORD);
	CHECK_EQ(w.row.verdict, ROWCHECK_UNKNOWN);
}

static void keys_and_names_that_are_not_there(void)
{
	struct publish_at at = { .what = PUBLISH_DKIM, .domain = SLICE(HOME) };

	boot();
	w.site.dkim = SLICE("");
	run(&at, ROWCHECK_RECORD);
	CHECK_EQ(w.row.verdict, ROWCHECK_UNKNOWN);
	run(&at, ROWCHECK_STS);
	CHECK_EQ(w.row.verdict, ROWCHECK_NONE);
	strcat(w.zone, "_mta-sts." HOME " TXT \"v=STSv1; id=1\"\n");
	run(&at, ROWCHECK_STS);
	CHECK_EQ(w.row.verdict, ROWCHECK_OK);
}

static void route(void)
{
	struct publish_at at = { .domain = SLICE("to.example") };
	struct ipaddr want;

	boot();
	strcat(w.zone, "to.example MX 20 b.to.example.\nto.example MX 5 a.to.example.\n"
		       "a.to.example A 192.0.2.25\na.to.example AAAA 2001:db8::25\n");
	run(&at, ROWCHECK_ROUTE);
	CHECK(!w.row.over && ipaddr_parse(SLICE("192.0.2.25"), &want) &&
	      ipaddr_eq(&w.row.v4, &want));
	CHECK(ipaddr_parse(SLICE("2001:db8::25"), &want) && ipaddr_eq(&w.row.v6, &want));
	CHECK(!strcmp(w.seen, "a.to.example"));
	strcpy(w.zone, "to.example A 192.0.2.26\n");
	run(&at, ROWCHECK_ROUTE);
	CHECK(!w.row.over && ipaddr_parse(SLICE("192.0.2.26"), &want) &&
	      ipaddr_eq(&w.row.v4, &want));
	strcpy(w.zone, "to.example MX 5 a.to.example.\n");
	run(&at, ROWCHECK_ROUTE);
	CHECK(w.row.over && w.row.verdict == ROWCHECK_UNKNOWN);
}

/* RFC 8659: properties in one record set each; where `at` names above are asked before. */
static void caa(void)
{
	static const struct {
		const char *set; /* flag tag value; several by `|` */
		enum rowcheck_verdict verdict;
	} rows[] = {
		{ "\0issue ca.example", ROWCHECK_OK },
		{ "\0issue other.example", ROWCHECK_WRONG },
		{ "\0issue other.example|\0issue ca.example", ROWCHECK_OK },
		{ "\0ISSUE CA.example; accounturi=https://ca.example/1", ROWCHECK_OK },
		{ "\0issue ca.example; accounturi=https://ca.example/2", ROWCHECK_WRONG },
		{ "\0issue ca.example; validationmethods=http-01", ROWCHECK_OK },
		{ "\0issue ;", ROWCHECK_WRONG },
		{ "\0issuewild other.example", ROWCHECK_OK },
		{ "\0iodef mailto:x@y.example", ROWCHECK_OK },
		{ "\x80tbs x|\0issue ca.example", ROWCHECK_WRONG },
		{ "\x01tbs x|\0issue ca.example", ROWCHECK_OK },
	};
	struct publish_at at = { .what = PUBLISH_CAA, .domain = SLICE(HOST) };
	uint8_t mem[512], asked[512];
	uint16_t type;

	boot();
	w.site.ca_account = SLICE("https://ca.example/1");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buf b = BUF(mem), name = BUF(asked);
		const char *p = rows[i].set;

		do {
			size_t n = 1 + strcspn(p + 1, "|"), tag = strcspn(p + 1, " ");

			buf_be16(&b, (uint16_t)n);
			buf_u8(&b, (uint8_t)*p);
			buf_u8(&b, (uint8_t)tag);
			buf_put(&b, (struct slice){ (const uint8_t *)p + 1, tag });
			buf_put(&b,
				(struct slice){ (const uint8_t *)p + 2 + tag, n - 2 - tag });
			p += n;
		} while (*p++ == '|');
		rowcheck_init(&w.row, &w.site, &at, ROWCHECK_RECORD);
		CHECK(rowcheck_ask(&w.row, &name, &type) && type == DNSMSG_CAA);
		rowcheck_answer(&w.row, i & 1 ? DNSMSG_NODATA : DNSMSG_OK,
				i & 1 ? (struct slice){ NULL, 0 } : buf_slice(&b));
		if (i & 1) {
			name = (struct buf)BUF(asked);
			CHECK(rowcheck_ask(&w.row, &name, &type));
			CHECK_SLICE(buf_slice(&name), HOME);
			rowcheck_answer(&w.row, DNSMSG_OK, buf_slice(&b));
		}
		CHECK(!rowcheck_ask(&w.row, &name, &type));
		CHECK_ROW(w.row.verdict == rows[i].verdict, rows[i].set + 1);
	}
}

int main(void)
{
	one_changed();
	spf_of_the_host();
	keys_and_names_that_are_not_there();
	route();
	caa();
	TEST_END();
}
