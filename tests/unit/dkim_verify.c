/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/dkim_verify.h"

#include <stdlib.h>

#include "smtpd/proto/header.h"

#include "tests/unit/test.h"

/* Signed by dkimpy with keys made for this test and thrown away. */
#define LETTER                                      \
	"From: Ann <ann@example.net>\r\n"           \
	"To: Bob <bob@example.org>\r\n"             \
	"Subject: two\r\n"                          \
	"\tlines\r\n"                               \
	"Date: Sat, 07 Nov 2026 10:00:00 +0000\r\n" \
	"\r\n"                                      \
	"One  line. \r\n"                           \
	"\r\n"                                      \
	"End\r\n"                                   \
	"\r\n"
#define RSA                                                                            \
	"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.net;\r\n"     \
	" i=@example.net; q=dns/txt; s=r; t=1795369250; h=from : to : subject :\r\n"   \
	" date : from; bh=2r+ae9Wp1oiLk9icQXBBl8KwmKihIe4ueD0J8r3FC/U=;\r\n"           \
	" b=d/LLG+jBhPEhPXAE+1X8ZEalOUTjrV4y1hyKdkmfN7xDH0hrdKLCCPCX+ohhqPXvxfId1\r\n" \
	" Y9Pxfzth56E7WvIyykFqXLWRb8odAfA18o5AOVi8kmVXVJ71XgA5q2uBBAsRpozi3jF/+yD\r\n" \
	" X/damHEEfiBsu1HjuVRP59uWqvA/xo4=\r\n"
#define ED                                                                             \
	"DKIM-Signature: v=1; a=ed25519-sha256; c=simple/simple; d=example.net;\r\n"   \
	" i=@example.net; q=dns/txt; s=e; t=1795369250; h=from : to : subject :\r\n"   \
	" date : from; bh=Kv8n+xxGMNIaILd3TjfiQ7Y379bdS6EFs2GrPyYHrM8=;\r\n"           \
	" b=AG9mWViy5JwvgX58WCBPACt/ZlqW1lpQF0IgRp2kbIJ653/LOxAqUdZq+L9l6zrna0Iuc\r\n" \
	" D6uUKc3H7eP8P5rBg==\r\n"
#define PART                                                                           \
	"DKIM-Signature: v=1; a=rsa-sha256; c=simple/relaxed; d=example.net;\r\n"      \
	" i=@example.net; l=18; q=dns/txt; s=r; t=1795369250; h=from : to :\r\n"       \
	" subject : date : from;\r\n"                                                  \
	" bh=2r+ae9Wp1oiLk9icQXBBl8KwmKihIe4ueD0J8r3FC/U=;\r\n"                        \
	" b=ReTw0QkPhfUXFQr/huP9C5y069X8b6R9brmQ1mzSGFph5Ax5uDkRkEsnhlVw4u4Njc8j4\r\n" \
	" IsqaQu/c0EtmOpia3aJ+Ws6vLy+MZR9VZYhXrewC9Na1Z1pSwG859ywbTMQtg7VPeSscjUz\r\n" \
	" AcAZ9qyP8CUTEJzTe7PAo6+dwb3kOUM=\r\n"
#define SUB                                                                            \
	"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/simple; d=example.net;\r\n"      \
	" i=x@sub.example.net; q=dns/txt; s=r; t=1795369250; h=from : to :\r\n"        \
	" subject : date : from;\r\n"                                                  \
	" bh=Kv8n+xxGMNIaILd3TjfiQ7Y379bdS6EFs2GrPyYHrM8=;\r\n"                        \
	" b=hmhCXjd+FJi9wWPNgvAMO7atBNTArCSFXTcLtxqhxOnrSMOrP/YMRcdNxY2D5yyqlEQkA\r\n" \
	" 5XE2GeOUpqDnCqYW73aNBJZeVkxgP8LDh/nVjY05IM3XiFCuqHRkHYBAF4zyp6BeMuVvaNZ\r\n" \
	" WyzcggTcHCXOCDtFS9Rb2Usa5sc9Q/I=\r\n"
#define P_RSA                                                                      \
	"MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCRIIt8gB82aGJy9xfuunRSc1+xt/4YsqZe" \
	"nlG2AhQE/LM5hDY6AEkJytgkDuLGJ1gTZgK8sKhPe2+LAQfGJgwktl3B30QOyu0DZt0sBxeE" \
	"/xAc8wNHZe5xIsTT1/YYwzyj+h8kRqMjXR/B7A0YF+Ivk80isxqk+mGT3p+rMtIYGQIDAQAB"
#define P_RAW                                                                      \
	"MIGJAoGBAJEgi3yAHzZoYnL3F+66dFJzX7G3/hiypl6eUbYCFAT8szmENjoASQnK2CQO4sYn" \
	"WBNmArywqE97b4sBB8YmDCS2XcHfRA7K7QNm3SwHF4T/EBzzA0dl7nEixNPX9hjDPKP6HyRG" \
	"oyNdH8HsDRgX4i+TzSKzGqT6YZPen6sy0hgZAgMBAAE="
#define P_SMALL                                                                    \
	"MIGeMA0GCSqGSIb3DQEBAQUAA4GMADCBiAKBgAC//idmEDJdvk5hsniOC/AlIejGq6cEZtRi" \
	"RTg7631GNKwxhIj6KYLTzgB63YQN5rq8lOEEDBsS8cp5MHBkJ+tfbm0X/ZcPSRO0ZSrYAlk0" \
	"Gelrc6WK/Elt1tUJwgFvqinJ/6IxZEBv2GBeWRpQf+qh9AXXVEVk4zggBCrgrkDZAgMBAAE="
#define P_ED "JBsdbsMWKCB5NcUtEMcOGKUwLUrsq9v2armsdLMk1P0="

enum { NOW = 1795369300 };

#define KEY_RSA "v=DKIM1; k=rsa; p=" P_RSA

static struct dkim_verify v;

/* One letter, one answer for every name; `step` is the size of the pieces of the body. */
static void run(struct slice text, enum dnsmsg_kind kind, const char *record, uint64_t now,
		size_t step)
{
	uint8_t mem[1024], name_mem[600];
	struct buf records = BUF(mem), name = BUF(name_mem);
	struct slice header, body;

	buf_be16(&records, strlen(record));
	buf_put(&records, slice_of(record));
	header_split(text, &header, &body);
	dkim_verify_init(&v, header, now);
	for (; body.n; body = slice_from(body, step))
		dkim_verify_body(&v, slice_head(body, step));
	dkim_verify_end(&v);
	for (; dkim_verify_ask(&v, &name); name.len = 0) {
		CHECK(slice_iends(buf_slice(&name), SLICE("._domainkey.example.net")));
		dkim_verify_answer(&v, kind,
				   kind == DNSMSG_OK ? buf_slice(&records)
						     : (struct slice){ NULL, 0 });
	}
}

static enum dkim_verdict one(const char *text, const char *record)
{
	run(slice_of(text), DNSMSG_OK, record, NOW, 7);
	CHECK_EQ(v.n, 1);
	return v.sig[0].verdict;
}

static void good(void)
{
	static const char *const t[][2] = {
		{ RSA LETTER, KEY_RSA },
		{ RSA LETTER, "p=" P_RSA },
		{ RSA LETTER, "v=DKIM1; p=" P_RAW ";" },
		{ RSA LETTER, KEY_RSA "; t=y:s; s=email; h=sha1 : sha256; n=note" },
		{ ED LETTER, "v=DKIM1; k=ed25519; p=" P_ED },
		{ PART LETTER, KEY_RSA },
		{ PART LETTER "more\r\n", KEY_RSA },
		{ SUB LETTER, KEY_RSA },
	};

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		CHECK_ROW(one(t[i][0], t[i][1]) == DKIM_PASS, t[i][1]);
		for (size_t step = 1; step < 40; step++) {
			run(slice_of(t[i][0]), DNSMSG_OK, t[i][1], NOW, step);
			CHECK(v.sig[0].verdict == DKIM_PASS);
		}
	}
	CHECK_SLICE(v.sig[0].domain, "example.net");
	CHECK_SLICE(v.sig[0].selector, "r");
}

static void keys(void)
{
	static const struct {
		const char *record;
		enum dkim_verdict want;
	} t[] = {
		{ "", DKIM_PERMERROR },
		{ "v=DKIM1; k=rsa", DKIM_PERMERROR },
		{ "v=DKIM1; k=rsa; p=", DKIM_PERMERROR },
		{ "v=DKIM2; k=rsa; p=" P_RSA, DKIM_PERMERROR },
		{ "k=rsa; v=DKIM1; p=" P_RSA, DKIM_PERMERROR },
		{ "v=DKIM1; k=rsa; p=" P_SMALL, DKIM_FAIL },
		{ "v=DKIM1; k=rsa; p=" P_ED, DKIM_PERMERROR },
		{ "v=DKIM1; k=ed25519; p=" P_ED, DKIM_PERMERROR },
		{ "v=DKIM1; k=ed25519; p=" P_RSA, DKIM_PERMERROR },
		{ "v=DKIM1; k=rsa; h=sha1; p=" P_RSA, DKIM_PERMERROR },
		{ "v=DKIM1; k=rsa; s=tlsrpt; p=" P_RSA, DKIM_PERMERROR },
		{ "v=DKIM1; k=rsa; p=" P_RSA "; p=" P_RSA, DKIM_PERMERROR },
		{ "v=DKIM1; k=rsa; p=!" P_RSA, DKIM_PERMERROR },
		{ "v=spf1 -all", DKIM_PERMERROR },
	};

	for (size_t i = 0; i < sizeof t / sizeof *t; i++)
		CHECK_ROW(one(RSA LETTER, t[i].record) == t[i].want && v.sig[0].reason.n,
			  t[i].record);
	CHECK_EQ(one(SUB LETTER, KEY_RSA "; t=s"), DKIM_PERMERROR);
	run(SLICE(RSA LETTER), DNSMSG_NXDOMAIN, "", NOW, 9);
	CHECK_EQ(v.sig[0].verdict, DKIM_PERMERROR);
	run(SLICE(RSA LETTER), DNSMSG_NODATA, "", NOW, 9);
	CHECK_EQ(v.sig[0].verdict, DKIM_PERMERROR);
	run(SLICE(RSA LETTER), DNSMSG_SERVFAIL, "", NOW, 9);
	CHECK_EQ(v.sig[0].verdict, DKIM_TEMPERROR);
	run(SLICE(RSA LETTER), DNSMSG_MALFORMED, "", NOW, 9);
	CHECK_EQ(v.sig[0].verdict, DKIM_TEMPERROR);
}

/* The letter with `from` replaced by `to` where it stands first. */
static enum dkim_verdict edited(const char *letter, const char *from, const char *to)
{
	static char text[4096];
	const char *at = strstr(letter, from);

	CHECK_ROW(at, from);
	snprintf(text, sizeof text, "%.*s%s%s", at ? (int)(at - letter) : 0, letter, to,
		 at ? at + strlen(from) : "");
	return one(text, KEY_RSA);
}

static void edits(void)
{
	static const struct {
		const char *from, *to;
		enum dkim_verdict want;
	} t[] = {
		{ "From: Ann", "from:   Ann", DKIM_PASS }, /* what relaxed form forgives */
		{ "two\r\n\tlines", "two lines", DKIM_PASS },
		{ "One  line. ", "One line.", DKIM_PASS },
		{ "End\r\n\r\n", "End\r\n", DKIM_PASS },
		{ "To: Bob", "X-New: 1\r\nTo: Bob", DKIM_PASS },
		{ "From: Ann", "From: Eve", DKIM_FAIL },
		{ "ann@", "eve@", DKIM_FAIL },
		{ "Date:", "Subject: x\r\nDate:", DKIM_FAIL },
		{ "Date:", "From: eve@example.net\r\nDate:", DKIM_FAIL },
		{ "From: Ann", "From: eve@example.net\r\nFrom: Ann", DKIM_FAIL },
		{ "End", "Ende", DKIM_FAIL },
		{ "One", "\r\nOne", DKIM_FAIL },
		{ "t=1795369250", "t=1795369251", DKIM_FAIL },
		{ "v=1", "v=2", DKIM_PERMERROR },
		{ "v=1;", "", DKIM_PERMERROR },
		{ "v=1", "v=1; v=1", DKIM_PERMERROR },
		{ "rsa-sha256", "rsa-sha1", DKIM_PERMERROR },
		{ "rsa-sha256", "dsa-sha256", DKIM_PERMERROR },
		{ "rsa-sha256", "ed25519-sha256", DKIM_PERMERROR },
		{ "relaxed/relaxed", "relaxed/nofws", DKIM_PERMERROR },
		{ "relaxed/relaxed", "relaxed", DKIM_FAIL },
		{ "d=example.net", "d=exa mple.net", DKIM_PERMERROR },
		{ "d=example.net;", "", DKIM_PERMERROR },
		{ "i=@example.net", "i=@example.com", DKIM_PERMERROR },
		{ "i=@example.net", "i=@xexample.net", DKIM_PERMERROR },
		{ "i=@example.net", "i=example.net", DKIM_PERMERROR },
		{ "i=@example.net", "i=", DKIM_PERMERROR },
		{ "i=@example.net", "i=@EXAMPLE.net", DKIM_FAIL },
		{ "i=@example.net", "i=@a.example.net", DKIM_FAIL },
		{ "q=dns/txt", "q=other", DKIM_PERMERROR },
		{ "h=from : to : subject :\r\n date : from", "h=to:subject", DKIM_PERMERROR },
		{ "h=from :", "h=from : :", DKIM_PERMERROR },
		{ "bh=", "bh=A", DKIM_PERMERROR },
		{ "b=d/", "b=!", DKIM_PERMERROR },
		{ "b=d/", "b=e/", DKIM_FAIL },
		{ "3FC/U=;", "3FC/U;", DKIM_FAIL }, /* read, but signed otherwise */
		{ "WqvA/xo4=", "WqvA/xo4", DKIM_PASS },
		{ "WqvA/xo4=", "WqvA/xo", DKIM_PERMERROR },
		{ "t=1795369250", "t=soon", DKIM_PERMERROR },
		{ "t=1795369250", "t=1795369250; x=1795369250", DKIM_PERMERROR },
		{ "t=1795369250", "t=1795369250; x=1795369299", DKIM_FAIL },
		{ "t=1795369250", "t=1795370000", DKIM_FAIL },
		{ "s=r;", "s=r; l=17;", DKIM_FAIL },
		{ "s=r;", "s=r; l=-1;", DKIM_PERMERROR },
		{ "s=r;", "s=r; =;", DKIM_PERMERROR },
		{ "s=r;", "s=;", DKIM_PERMERROR },
		{ "s=r;", "s=r; n=\xc3\xa4;", DKIM_FAIL },
	};

	for (size_t i = 0; i < sizeof t / sizeof *t; i++)
		CHECK_ROW(edited(RSA LETTER, t[i].from, t[i].to) == t[i].want, t[i].to);
	CHECK_EQ(edited(PART LETTER, "End", "Ende"), DKIM_FAIL);
	CHECK_EQ(one(PART LETTER, KEY_RSA "; t=y"), DKIM_PASS);
	CHECK_SLICE(v.sig[0].reason, "good signature over a part of the body, testing key");
	CHECK_EQ(one(RSA "X: y\r\n" LETTER, KEY_RSA "; t=y"), DKIM_PASS);
	CHECK_EQ(one(RSA "From: eve@example.net\r\n" LETTER, KEY_RSA "; t=y"), DKIM_FAIL);
	CHECK_SLICE(v.sig[0].reason, "signature differs, testing key");
	CHECK_EQ(edited(PART LETTER, "End\r\n", ""), DKIM_FAIL);
	CHECK_SLICE(v.sig[0].reason, "body is shorter than l=");
	CHECK_EQ(edited(RSA LETTER, "s=r;", "s=r; l=19;"),
		 DKIM_FAIL); /* all of it is right, and not enough */
	CHECK_SLICE(v.sig[0].reason, "body is shorter than l=");
	CHECK_EQ(edited(PART LETTER, "two\r\n\tlines", "two lines"), DKIM_FAIL);
	/* a clock that is not known judges no times */
	run(SLICE(RSA LETTER), DNSMSG_OK, KEY_RSA, 0, 9);
	CHECK_EQ(v.sig[0].verdict, DKIM_PASS);
	run(SLICE(RSA LETTER), DNSMSG_OK, KEY_RSA, 1795369250 - DKIM_DRIFT, 9);
	CHECK_EQ(v.sig[0].verdict, DKIM_PASS);
	run(SLICE(RSA LETTER), DNSMSG_OK, KEY_RSA, 1795369250 - DKIM_DRIFT - 1, 9);
	CHECK_EQ(v.sig[0].verdict, DKIM_FAIL);
}

/* RSA has five names in h=. */
static void many_names(void)
{
	char h[4 * DKIM_NAMES] = "h=";

	for (size_t n = 5; n < DKIM_NAMES; n++)
		strcat(h, "x : ");
	CHECK_EQ(edited(RSA LETTER, "h=", h), DKIM_FAIL);
	strcat(h, "x : ");
	CHECK_EQ(edited(RSA LETTER, "h=", h), DKIM_PERMERROR);
}

static void several(void)
{
	static uint8_t mem[64 * 1024];
	struct buf b = BUF(mem);

	run(SLICE(LETTER), DNSMSG_OK, KEY_RSA, NOW, 9);
	CHECK_EQ(v.n, 0);
	run(SLICE(RSA ED PART LETTER), DNSMSG_OK, KEY_RSA, NOW, 9);
	CHECK_EQ(v.n, 3);
	CHECK_EQ(v.sig[0].verdict, DKIM_PASS);
	CHECK_EQ(v.sig[1].verdict, DKIM_PERMERROR);
	CHECK_EQ(v.sig[2].verdict, DKIM_PASS);
	for (int i = 0; i < DKIM_SIGNATURES + 1; i++)
		buf_put(&b, SLICE(RSA));
	buf_put(&b, SLICE(LETTER));
	run(buf_slice(&b), DNSMSG_OK, KEY_RSA, NOW, 9);
	CHECK_EQ(v.n, DKIM_SIGNATURES);
	for (size_t i = 0; i < v.n; i++)
		CHECK_EQ(v.sig[i].verdict, DKIM_PASS);
	b.len = 0;
	for (int i = 0; i < DKIM_FIELDS - 5; i++)
		buf_put(&b, SLICE("X: y\r\n"));
	buf_put(&b, SLICE(RSA LETTER));
	run(buf_slice(&b), DNSMSG_OK, KEY_RSA, NOW, 9);
	CHECK_EQ(v.sig[0].verdict, DKIM_PASS);
	b.len = 0;
	for (int i = 0; i < DKIM_FIELDS - 4; i++)
		buf_put(&b, SLICE("X: y\r\n"));
	buf_put(&b, SLICE(RSA LETTER));
	run(buf_slice(&b), DNSMSG_OK, KEY_RSA, NOW, 9);
	CHECK_EQ(v.sig[0].verdict, DKIM_PERMERROR);
}

/* What is asked for, with d= and s= replaced; empty: nothing, and a verdict. */
static void names(void)
{
	static char label[65], deep[256];
	static const struct {
		const char *s, *d, *want;
	} t[] = {
		{ "s", "EXAMPLE.net", "s._domainkey.EXAMPLE.net" },
		{ "a.b", "example.net", "a.b._domainkey.example.net" },
		{ "s",
		  "b\xc3\xbc"
		  "cher.example",
		  "s._domainkey.xn--bcher-kva.example" },
		{ "\xc3\xbc", "example.net", "xn--tda._domainkey.example.net" },
		{ "s", "\xc3.example", "" },
		{ "s", "a..b", "" },
		{ "s", "a b", "" },
		{ "s", label, "" },
		{ "s", deep, "" }, /* longer than a name may be, with what stands before it */
	};
	uint8_t mem[300];
	struct slice header, body;

	memset(label, 'a', 64);
	snprintf(deep, sizeof deep, "%.62s.%.62s.%.62s.%.52s", label, label, label, label);
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		static uint8_t text[2048];
		struct buf name = BUF(mem);
		struct buf in = BUF(text);

		buf_put(&in, SLICE("DKIM-Signature: v=1; a=rsa-sha256; h=from; b=eA==; s="));
		buf_put(&in, slice_of(t[i].s));
		buf_put(&in, SLICE("; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;\r\n"
				   " c=relaxed/relaxed; d="));
		buf_put(&in, slice_of(t[i].d));
		buf_put(&in, SLICE("; i=x@"));
		buf_put(&in, slice_of(t[i].d));
		buf_put(&in, SLICE("\r\nFrom: a@b\r\n\r\n"));
		header_split(buf_slice(&in), &header, &body);
		dkim_verify_init(&v, header, NOW);
		memset(text, 0, sizeof text); /* nothing of it is needed any more */
		dkim_verify_end(&v);
		CHECK_ROW(v.n == 1 && dkim_verify_ask(&v, &name) == (*t[i].want != 0),
			  t[i].want);
		CHECK_ROW(slice_eq(buf_slice(&name), slice_of(t[i].want)), t[i].want);
		CHECK_ROW((v.sig[0].verdict == DKIM_PERMERROR) == !*t[i].want, t[i].want);
	}
}

/* The first DKIM_BODIES forms are hashed, each once however many signatures need it. */
static void forms(void)
{
	static uint8_t mem[16 * 1024];
	struct buf b = BUF(mem);
	struct slice header, body;

	for (int i = 0; i < DKIM_BODIES + 1; i++) {
		if (i)
			buf_put(&b, SLICE(RSA));
		buf_put(&b,
			slice_head(SLICE(RSA), SLICE(RSA).n - slice_of(strstr(RSA, " t=")).n));
		buf_put(&b, SLICE(" l="));
		buf_dec(&b, i);
		buf_put(&b, SLICE(";"));
		buf_put(&b, slice_of(strstr(RSA, " t=")));
	}
	buf_put(&b, SLICE(LETTER));
	CHECK(!b.bad);
	header_split(buf_slice(&b), &header, &body);
	dkim_verify_init(&v, header, NOW);
	CHECK_EQ(v.n, DKIM_SIGNATURES);
	CHECK_EQ(v.sums, DKIM_BODIES);
	CHECK_EQ(v.sig[7].verdict, DKIM_PENDING);
	CHECK_EQ(v.sig[6].verdict, DKIM_PERMERROR);
	CHECK_SLICE(v.sig[6].reason, "too many forms of the body");
	CHECK(sizeof v < 10 * 1024);
}

int main(void)
{
	names();
	forms();
	good();
	keys();
	edits();
	many_names();
	several();
	TEST_END();
}
