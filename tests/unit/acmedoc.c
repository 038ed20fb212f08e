/* SPDX-License-Identifier: ISC */
#include "keys/acme/acmedoc.h"

#include "tests/unit/test.h"

static struct json j;

#define URL(x) "\"https://ca.example/" x "\""
#define NEEDED "\"newNonce\":" URL("n") ",\"newAccount\":" URL("a") ",\"newOrder\":" URL("o")

static void directory(void)
{
	struct acmedoc_directory d;

	CHECK(acmedoc_directory(&j, SLICE("{" NEEDED "}"), "", &d));
	CHECK(!strcmp(d.nonce, "https://ca.example/n") &&
	      !strcmp(d.account, "https://ca.example/a") &&
	      !strcmp(d.order, "https://ca.example/o") && !d.renewal[0] && !d.terms[0] &&
	      !d.profile);
	CHECK(acmedoc_directory(
		&j,
		SLICE("{\"x\":\"https://community.example/\"," NEEDED
		      ",\"renewalInfo\":" URL("r") ",\"meta\":{\"termsOfService\":" URL(
			      "t") ",\"profiles\":{"
				   "\"classic\":\"x\",\"short\":"
				   "\"y\"}}}"),
		"short", &d));
	CHECK(!strcmp(d.renewal, "https://ca.example/r") &&
	      !strcmp(d.terms, "https://ca.example/t") && d.profile);
	CHECK(acmedoc_directory(&j,
				SLICE("{" NEEDED ",\"meta\":{\"profiles\":{\"classic\":1}}}"),
				"short", &d) &&
	      !d.profile);
	CHECK(!acmedoc_directory(
		&j, SLICE("{\"newNonce\":" URL("n") ",\"newOrder\":" URL("o") "}"), "", &d));
	CHECK(!acmedoc_directory(
		&j,
		SLICE("{\"newNonce\":\"http://ca.example/n\",\"newAccount\":" URL(
			"a") ",\"newOrder\":" URL("o") "}"),
		"", &d));
	CHECK(!acmedoc_directory(&j, SLICE("<html>"), "", &d));
}

static void order(void)
{
	static char text[1024];
	struct acmedoc_order o;

	CHECK(acmedoc_order(&j,
			    SLICE("{\"status\":\"pending\",\"authorizations\":[" URL(
				    "1") "," URL("2") "],\"finalize\":" URL("f") "}"),
			    &o));
	CHECK(o.status == ACMEDOC_PENDING && o.nauth == 2 &&
	      !strcmp(o.auth[1], "https://ca.example/2") &&
	      !strcmp(o.finalize, "https://ca.example/f") && !o.certificate[0] &&
	      !o.problem[0]);
	CHECK(acmedoc_order(
		&j,
		SLICE("{\"status\":\"invalid\",\"error\":{\"detail\":\"no way\"},"
		      "\"authorizations\":[" URL("1") "],\"finalize\":" URL("f") "}"),
		&o));
	CHECK(o.status == ACMEDOC_INVALID && !strcmp(o.problem, "no way"));
	/* valid, and no certificate; no authorization; one that is no URL; one too many */
	CHECK(!acmedoc_order(&j,
			     SLICE("{\"status\":\"valid\",\"authorizations\":[" URL(
				     "1") "],\"finalize\":" URL("f") "}"),
			     &o));
	CHECK(acmedoc_order(
		&j,
		SLICE("{\"status\":\"valid\",\"certificate\":" URL(
			"c") ",\"authorizations\":[" URL("1") "],\"finalize\":" URL("f") "}"),
		&o));
	CHECK(o.status == ACMEDOC_VALID && !strcmp(o.certificate, "https://ca.example/c"));
	CHECK(!acmedoc_order(
		&j,
		SLICE("{\"status\":\"ready\",\"authorizations\":[],\"finalize\":" URL("f") "}"),
		&o));
	CHECK(!acmedoc_order(
		&j,
		SLICE("{\"status\":\"ready\",\"authorizations\":[7],\"finalize\":" URL("f") "}"),
		&o));
	for (unsigned n = ACMEDOC_NAMES; n <= ACMEDOC_NAMES + 1; n++) {
		strcpy(text,
		       "{\"status\":\"odd\",\"finalize\":" URL("f") ",\"authorizations\":[");
		for (unsigned i = 0; i < n; i++)
			strcat(text, i ? "," URL("x") : URL("x"));
		strcat(text, "]}");
		CHECK(acmedoc_order(&j, slice_of(text), &o) == (n == ACMEDOC_NAMES));
	}
}

#define AUTH(challenges)                                                               \
	"{\"status\":\"pending\",\"identifier\":{\"type\":\"dns\",\"value\":\"a.b\"}," \
	"\"challenges\":[" challenges "]}"

static void auth(void)
{
	struct acmedoc_auth a;

	CHECK(acmedoc_auth(
		&j,
		SLICE(AUTH("{\"type\":\"dns-01\",\"url\":" URL(
			"1") ",\"token\":\"x\"},"
			     "{\"type\":\"http-01\",\"status\":\"invalid\",\"url\":" URL(
				     "2") ",\"token\":\"Az-_9\","
					  "\"error\":{\"detail\":\"it \\\"is\\\" closed\"}}")),
		"http-01", &a));
	CHECK(a.status == ACMEDOC_PENDING && a.challenge == ACMEDOC_INVALID &&
	      !strcmp(a.name, "a.b") && !strcmp(a.url, "https://ca.example/2") &&
	      !strcmp(a.token, "Az-_9") && !strcmp(a.problem, "it \"is\" closed"));
	CHECK(acmedoc_auth(&j, SLICE(AUTH("{\"type\":\"dns-01\",\"url\":" URL("1") "}")),
			   "http-01", &a) &&
	      !a.url[0]);
	/* a token that would lead elsewhere is none */
	CHECK(acmedoc_auth(&j,
			   SLICE(AUTH("{\"type\":\"http-01\",\"url\":" URL(
				   "1") ",\"token\":\"../x\"}")),
			   "http-01", &a) &&
	      !a.url[0]);
	CHECK(!acmedoc_auth(&j,
			    SLICE("{\"status\":\"valid\",\"identifier\":{\"type\":\"ip\","
				  "\"value\":\"::1\"}}"),
			    "http-01", &a));
	CHECK(!acmedoc_auth(&j, SLICE("{}"), "http-01", &a));
}

static void problem(void)
{
	static char text[4096];
	struct acmedoc_problem p;

	acmedoc_problem(
		&j,
		SLICE("{\"type\":\"urn:ietf:params:acme:error:badNonce\",\"detail\":\"x\"}"),
		&p);
	CHECK(!strcmp(p.type, "badNonce") && !strcmp(p.detail, "x"));
	acmedoc_problem(&j, SLICE("{\"type\":\"about:blank\"}"), &p);
	CHECK(!p.type[0] && !p.detail[0]);
	acmedoc_problem(&j, SLICE("502"), &p);
	CHECK(!p.type[0] && !p.detail[0]);
	strcpy(text, "{\"detail\":\"");
	memset(text + strlen(text), 'y', ACMEDOC_TEXT + 50);
	strcat(text, "\"}");
	acmedoc_problem(&j, slice_of(text), &p);
	CHECK_EQ(strlen(p.detail), ACMEDOC_TEXT);
}

#define WINDOW(a, b) "{\"suggestedWindow\":{\"start\":\"" a "\",\"end\":\"" b "\"}}"

static const struct {
	const char *text;
	int64_t start, end; /* start -1: refused */
} windows[] = {
	{ WINDOW("1970-01-01T00:00:10Z", "1970-01-02T00:00:00Z"), 10, 86400 },
	{ WINDOW("1970-01-01t02:00:10.123456+02:00", "1970-01-01T22:00:00-02:00"), 10, 86400 },
	{ WINDOW("1970-01-02T00:00:00Z", "1970-01-02T00:00:00Z"), -1, 0 },
	{ WINDOW("1970-01-02T00:00:00", "1970-01-03T00:00:00Z"), -1, 0 },
	{ WINDOW("1970-02-30T00:00:00Z", "1970-04-03T00:00:00Z"), -1, 0 },
	{ WINDOW("1970-01-02 00:00:00Z", "1970-04-03T00:00:00Z"), -1, 0 },
	{ WINDOW("1970-01-02T00:00:00ZZ", "1970-04-03T00:00:00Z"), -1, 0 },
	{ "{}", -1, 0 },
};

static const struct {
	const char *text;
	unsigned wait; /* 100 s after the beginning of time */
} retries[] = {
	{ "5", 5 },
	{ "0", 0 },
	{ "86401", 86400 },
	{ "99999999999", 0 },
	{ "-1", 0 },
	{ "soon", 0 },
	{ "Thu, 01 Jan 1970 00:02:00 GMT", 20 },
	{ "Thu, 01 Jan 1970 00:01:00 GMT", 0 },
	{ "Thu, 01 Jan 1970 00:02:00 CET", 0 },
	{ "Thu, 01 Foo 1970 00:02:00 GMT", 0 },
	{ "", 0 },
};

static const struct {
	const char *text, *target;
} links[] = {
	{ "<https://a/1>;rel=\"alternate\"", "https://a/1" },
	{ "<https://a/1>; title=x; rel=alternate", "https://a/1" },
	{ "<https://a/1>;rel=\"index\"", "" },
	{ "<https://a/1>", "" },
	{ "<https://a/1;rel=\"alternate\"", "" },
	{ "https://a/1;rel=alternate", "" },
	{ "", "" },
};

static void rest(void)
{
	struct acmedoc_window w;

	for (size_t i = 0; i < sizeof windows / sizeof *windows; i++) {
		bool good = acmedoc_window(&j, slice_of(windows[i].text), &w);

		CHECK_ROW(good == (windows[i].start >= 0), windows[i].text);
		if (good)
			CHECK_ROW(w.start == windows[i].start && w.end == windows[i].end,
				  windows[i].text);
	}
	for (size_t i = 0; i < sizeof retries / sizeof *retries; i++)
		CHECK_ROW(acmedoc_retry(slice_of(retries[i].text), 100) == retries[i].wait,
			  retries[i].text);
	for (size_t i = 0; i < sizeof links / sizeof *links; i++)
		CHECK_ROW(slice_eq(acmedoc_link(slice_of(links[i].text), SLICE("alternate")),
				   slice_of(links[i].target)),
			  links[i].text);
}

#define PEM(kind, body) "-----BEGIN " kind "-----\n" body "\n-----END " kind "-----\n"

static void chain(void)
{
	uint8_t mem[10];
	struct buf b = BUF(mem);

	CHECK(acmedoc_chain(SLICE(PEM("CERTIFICATE", "YWJj") "\n" PEM("CERTIFICATE", "ZGU=")),
			    &b));
	CHECK(slice_eq(buf_slice(&b), SLICE("\0\3abc\0\2de")));
	b = BUF(mem);
	CHECK(!acmedoc_chain(SLICE(PEM("PRIVATE KEY", "YWJj")), &b));
	b = BUF(mem);
	CHECK(!acmedoc_chain(SLICE(PEM("CERTIFICATE", "YWJj") PEM("X", "YWJj")), &b));
	b = BUF(mem);
	CHECK(!acmedoc_chain(SLICE("-----BEGIN CERTIFICATE-----\nYWJj\n"), &b));
	b = BUF(mem);
	CHECK(!acmedoc_chain(SLICE(PEM("CERTIFICATE", "YW*j")), &b));
	b = BUF(mem);
	CHECK(!acmedoc_chain(SLICE(PEM("CERTIFICATE", "YWJjYWJjYWJj")), &b));
	b = BUF(mem);
	CHECK(!acmedoc_chain(SLICE(""), &b) && !acmedoc_chain(SLICE("hello"), &b));
}

int main(void)
{
	directory();
	order();
	auth();
	problem();
	rest();
	chain();
	TEST_END();
}
