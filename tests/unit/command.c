/* SPDX-License-Identifier: ISC */
#include "tests/unit/test.h"

#include "smtpd/proto/command.h"

static void test_parse(void)
{
	struct command k = { 0 };

	CHECK(command_parse(SLICE("EHLO host.example"), &k));
	CHECK_SLICE(k.verb, "EHLO");
	CHECK_SLICE(k.arg, "host.example");
	CHECK(command_parse(SLICE("quit"), &k));
	CHECK_SLICE(k.verb, "quit");
	CHECK_SLICE(k.arg, "");
	CHECK(command_parse(SLICE("RSET \t "), &k));
	CHECK_SLICE(k.arg, "");
	CHECK(command_parse(SLICE("NOOP  x"), &k));
	CHECK_SLICE(k.arg, " x");
	k.verb = SLICE("old");
	CHECK(!command_parse(SLICE(""), &k));
	CHECK(!command_parse(SLICE(" "), &k));
	CHECK(!command_parse(SLICE(" QUIT"), &k));
	CHECK(!command_parse(SLICE("\tQUIT"), &k));
	CHECK(!command_parse(SLICE("QUIT\tx"), &k));
	CHECK(!command_parse(SLICE("QU1T"), &k));
	CHECK(!command_parse(SLICE("MAIL:"), &k));
	CHECK(!command_parse(SLICE("NOOP a\0b"), &k));
	CHECK(!command_parse(SLICE("NOOP a\rb"), &k));
	CHECK(!command_parse(SLICE("NOOP a\nRSET"), &k));
	CHECK(!command_parse(SLICE("NOOP a\tb"), &k));
	CHECK(!command_parse(SLICE("NOOP \x7f"), &k));
	CHECK(!command_parse(SLICE("NOOP \xe4"), &k));
	CHECK(!command_parse(SLICE("NOOP \xc2\x85"), &k));
	CHECK(!command_parse(SLICE("\x16\x03\x01"), &k));
	CHECK_SLICE(k.verb, "old");
	CHECK(command_parse(SLICE("NOOP \xc3\xa4"), &k));
}

static const struct {
	const char *arg;
	bool auth;
	enum command_error want;
	uint64_t size;
	enum command_body body;
} mails[] = {
	{ "FROM:<a@b>", false, COMMAND_OK, 0, COMMAND_7BIT },
	{ "from:<a@b>", false, COMMAND_OK, 0, COMMAND_7BIT },
	{ "FROM:<>", false, COMMAND_OK, 0, COMMAND_7BIT },
	{ "FROM: <a@b>", false, COMMAND_OK, 0, COMMAND_7BIT },
	{ "FROM:  <a@b>", false, COMMAND_PATH, 0, 0 },
	{ "FROM :<a@b>", false, COMMAND_SYNTAX, 0, 0 },
	{ " FROM:<a@b>", false, COMMAND_SYNTAX, 0, 0 },
	{ "FROM", false, COMMAND_SYNTAX, 0, 0 },
	{ "FROM:", false, COMMAND_PATH, 0, 0 },
	{ "", false, COMMAND_SYNTAX, 0, 0 },
	{ "TO:<a@b>", false, COMMAND_SYNTAX, 0, 0 },
	{ "FROM:a@b", false, COMMAND_PATH, 0, 0 },
	{ "FROM:<a>", false, COMMAND_PATH, 0, 0 },
	{ "FROM:<postmaster>", false, COMMAND_PATH, 0, 0 },
	{ "FROM:<a@b>SIZE=1", false, COMMAND_PATH, 0, 0 },
	{ "FROM:<a@b> ", false, COMMAND_SYNTAX, 0, 0 },
	{ "FROM:<a@b> SIZE=0", false, COMMAND_OK, 0, 0 },
	{ "FROM:<a@b> size=1000", false, COMMAND_OK, 1000, 0 },
	{ "FROM:<a@b> SIZE=18446744073709551615", false, COMMAND_OK, UINT64_MAX, 0 },
	{ "FROM:<a@b> SIZE=18446744073709551616", false, COMMAND_OK, UINT64_MAX, 0 },
	{ "FROM:<a@b> SIZE=100000000000000000000", false, COMMAND_SIZE, 0, 0 },
	{ "FROM:<a@b> SIZE=", false, COMMAND_SYNTAX, 0, 0 },
	{ "FROM:<a@b> SIZE", false, COMMAND_SIZE, 0, 0 },
	{ "FROM:<a@b> SIZE=-1", false, COMMAND_SIZE, 0, 0 },
	{ "FROM:<a@b> SIZE=1 SIZE=1", false, COMMAND_TWICE, 0, 0 },
	{ "FROM:<a@b> SIZE=1=1", false, COMMAND_SYNTAX, 0, 0 },
	{ "FROM:<a@b>  SIZE=1", false, COMMAND_SYNTAX, 0, 0 },
	{ "FROM:<a@b> BODY=7BIT", false, COMMAND_OK, 0, COMMAND_7BIT },
	{ "FROM:<a@b> body=8bitmime SIZE=5", false, COMMAND_OK, 5, COMMAND_8BIT },
	{ "FROM:<a@b> BODY=BINARYMIME", false, COMMAND_BODY, 0, 0 },
	{ "FROM:<a@b> BODY", false, COMMAND_BODY, 0, 0 },
	{ "FROM:<a@b> SMTPUTF8", false, COMMAND_OK, 0, 0 },
	{ "FROM:<a@b> BODY=8BITMIME smtputf8", false, COMMAND_OK, 0, COMMAND_8BIT },
	{ "FROM:<a@b> SMTPUTF8 SMTPUTF8", false, COMMAND_TWICE, 0, 0 },
	{ "FROM:<a@b> SMTPUTF8=1", false, COMMAND_SMTPUTF8, 0, 0 },
	{ "FROM:<a@b> SMTPUTF8=", false, COMMAND_SYNTAX, 0, 0 },
	{ "FROM:<\xc3\xa4@b> SMTPUTF8", false, COMMAND_OK, 0, 0 },
	{ "FROM:<a@\xc3\xa4.b> SMTPUTF8", false, COMMAND_OK, 0, 0 },
	{ "FROM:<\xc3\xa4@b>", false, COMMAND_UTF8, 0, 0 },
	{ "FROM:<a@\xc3\xa4.b>", false, COMMAND_UTF8, 0, 0 },
	{ "FROM:<\xe4@b> SMTPUTF8", false, COMMAND_PATH, 0, 0 },
	{ "FROM:<a@b> RET=HDRS", false, COMMAND_PARAM, 0, 0 },
	{ "FROM:<a@b> -X=1", false, COMMAND_SYNTAX, 0, 0 },
	{ "FROM:<a@b> X_Y=1", false, COMMAND_SYNTAX, 0, 0 },
	{ "FROM:<a@b> AUTH=<>", true, COMMAND_OK, 0, 0 },
	{ "FROM:<a@b> AUTH=e+3Dmc2@b", true, COMMAND_OK, 0, 0 },
	{ "FROM:<a@b> AUTH=e+3dmc2@b", true, COMMAND_AUTH, 0, 0 },
	{ "FROM:<a@b> AUTH=e+3", true, COMMAND_AUTH, 0, 0 },
	{ "FROM:<a@b> AUTH=", true, COMMAND_SYNTAX, 0, 0 },
	{ "FROM:<a@b> AUTH", true, COMMAND_AUTH, 0, 0 },
	{ "FROM:<a@b> AUTH=<>", false, COMMAND_PARAM, 0, 0 },
};

static void test_mail(void)
{
	for (size_t i = 0; i < sizeof mails / sizeof *mails; i++) {
		struct command_mail m = { .size = 77 };
		enum command_error e = command_mail(slice_of(mails[i].arg), mails[i].auth, &m);

		CHECK_ROW(e == mails[i].want, mails[i].arg);
		CHECK_ROW(m.size == (e ? 77 : mails[i].size), mails[i].arg);
		CHECK_ROW(e || m.body == mails[i].body, mails[i].arg);
	}
}

#define X10  "xxxxxxxxxx"
#define X100 X10 X10 X10 X10 X10 X10 X10 X10 X10 X10

/* RFC 3461: what the letter says. */
static const struct {
	const char *arg;
	enum command_error want;
	const char *ret, *envid;
} dsn_mails[] = {
	{ "FROM:<a@b> RET=FULL", COMMAND_OK, "FULL", "" },
	{ "FROM:<> ret=hdrs ENVID=QQ+2B1", COMMAND_OK, "hdrs", "QQ+2B1" },
	{ "FROM:<a@b> ENVID=" X100, COMMAND_OK, "", X100 },
	{ "FROM:<a@b> ENVID=" X100 "x", COMMAND_ENVID, "", "" },
	{ "FROM:<a@b> ENVID=", COMMAND_SYNTAX, "", "" },
	{ "FROM:<a@b> ENVID", COMMAND_ENVID, "", "" },
	{ "FROM:<a@b> ENVID=a+", COMMAND_ENVID, "", "" },
	{ "FROM:<a@b> ENVID=a+4", COMMAND_ENVID, "", "" },
	{ "FROM:<a@b> ENVID=a+4g", COMMAND_ENVID, "", "" },
	{ "FROM:<a@b> ENVID=a+0D+0A", COMMAND_ENVID, "", "" },
	{ "FROM:<a@b> ENVID=a+7F", COMMAND_ENVID, "", "" },
	{ "FROM:<a@b> ENVID=a+20+7E", COMMAND_OK, "", "a+20+7E" },
	{ "FROM:<a@b> ENVID=a=b", COMMAND_SYNTAX, "", "" },
	{ "FROM:<a@b> ENVID=a ENVID=a", COMMAND_TWICE, "", "" },
	{ "FROM:<a@b> RET=", COMMAND_SYNTAX, "", "" },
	{ "FROM:<a@b> RET=BODY", COMMAND_RET, "", "" },
	{ "FROM:<a@b> RET=FULL RET=FULL", COMMAND_TWICE, "", "" },
	{ "FROM:<a@b> NOTIFY=NEVER", COMMAND_PARAM, "", "" },
	{ "FROM:<a@b> ORCPT=rfc822;a@b", COMMAND_PARAM, "", "" },
};

static void test_dsn_mail(void)
{
	for (size_t i = 0; i < sizeof dsn_mails / sizeof *dsn_mails; i++) {
		struct command_mail m = { 0 };
		struct slice arg = slice_of(dsn_mails[i].arg);

		CHECK_ROW(command_mail(arg, true, &m) == dsn_mails[i].want, dsn_mails[i].arg);
		CHECK_ROW(slice_eq(m.ret, slice_of(dsn_mails[i].ret)), dsn_mails[i].arg);
		CHECK_ROW(slice_eq(m.envid, slice_of(dsn_mails[i].envid)), dsn_mails[i].arg);
		CHECK_ROW(dsn_mails[i].want || command_mail(arg, false, &m) == COMMAND_PARAM,
			  dsn_mails[i].arg);
	}
}

static const struct {
	const char *arg;
	enum command_error want;
	const char *notify, *orcpt;
} rcpts[] = {
	{ "TO:<a@b>", COMMAND_OK, "", "" },
	{ "to: <a@b>", COMMAND_OK, "", "" },
	{ "TO:<@r:a@b>", COMMAND_OK, "", "" },
	{ "TO:<Postmaster>", COMMAND_OK, "", "" },
	{ "TO:<\"a> b\"@c>", COMMAND_OK, "", "" },
	{ "TO:<>", COMMAND_PATH, "", "" },
	{ "TO:<a>", COMMAND_PATH, "", "" },
	{ "TO:<a@b><c@d>", COMMAND_PATH, "", "" },
	{ "TO:<a@b> <c@d>", COMMAND_SYNTAX, "", "" },
	{ "TO:<a@b> FOO=NEVER", COMMAND_PARAM, "", "" },
	{ "TO:<a@b> SIZE=1", COMMAND_PARAM, "", "" },
	{ "TO:<a@b> RET=FULL", COMMAND_PARAM, "", "" },
	{ "TO:<a@b> ", COMMAND_SYNTAX, "", "" },
	{ "TO<a@b>", COMMAND_SYNTAX, "", "" },
	{ "FROM:<a@b>", COMMAND_SYNTAX, "", "" },
	{ "", COMMAND_SYNTAX, "", "" },
	/* RFC 3461 4.1 */
	{ "TO:<a@b> NOTIFY=NEVER", COMMAND_OK, "NEVER", "" },
	{ "TO:<a@b> notify=success,FAILURE,Delay", COMMAND_OK, "success,FAILURE,Delay", "" },
	{ "TO:<a@b> NOTIFY=DELAY", COMMAND_OK, "DELAY", "" },
	{ "TO:<a@b> NOTIFY", COMMAND_NOTIFY, "", "" },
	{ "TO:<a@b> NOTIFY=", COMMAND_SYNTAX, "", "" },
	{ "TO:<a@b> NOTIFY=ALWAYS", COMMAND_NOTIFY, "", "" },
	{ "TO:<a@b> NOTIFY=NEVER,DELAY", COMMAND_NOTIFY, "", "" },
	{ "TO:<a@b> NOTIFY=DELAY,NEVER", COMMAND_NOTIFY, "", "" },
	{ "TO:<a@b> NOTIFY=DELAY,", COMMAND_NOTIFY, "", "" },
	{ "TO:<a@b> NOTIFY=,DELAY", COMMAND_NOTIFY, "", "" },
	{ "TO:<a@b> NOTIFY=DELAY,DELAY", COMMAND_NOTIFY, "", "" },
	{ "TO:<a@b> NOTIFY=DELAY NOTIFY=DELAY", COMMAND_TWICE, "", "" },
	/* RFC 3461 4.2 */
	{ "TO:<a@b> ORCPT=rfc822;c@d", COMMAND_OK, "", "rfc822;c@d" },
	{ "TO:<a@b> ORCPT=x-y;a+3Db NOTIFY=NEVER", COMMAND_OK, "NEVER", "x-y;a+3Db" },
	{ "TO:<a@b> ORCPT=utf-8;\\x{FC}@d", COMMAND_OK, "", "utf-8;\\x{FC}@d" },
	{ "TO:<a@b> ORCPT=a;12345" X100 X100 X100 X100 X10 X10 X10 X10 X10 X10 X10 X10 X10
	  "xxx",
	  COMMAND_OK, "",
	  "a;12345" X100 X100 X100 X100 X10 X10 X10 X10 X10 X10 X10 X10 X10 "xxx" },
	{ "TO:<a@b> ORCPT=a;12345" X100 X100 X100 X100 X10 X10 X10 X10 X10 X10 X10 X10 X10
	  "xxxx",
	  COMMAND_ORCPT, "", "" },
	{ "TO:<a@b> ORCPT=c@d", COMMAND_ORCPT, "", "" },
	{ "TO:<a@b> ORCPT=;c@d", COMMAND_ORCPT, "", "" },
	{ "TO:<a@b> ORCPT=rfc822;", COMMAND_ORCPT, "", "" },
	{ "TO:<a@b> ORCPT=rfc822;a+3d", COMMAND_ORCPT, "", "" },
	{ "TO:<a@b> ORCPT=rfc822;a+0Ab", COMMAND_ORCPT, "", "" },
	{ "TO:<a@b> ORCPT=rfc 822;a", COMMAND_ORCPT, "", "" },
	{ "TO:<a@b> ORCPT", COMMAND_ORCPT, "", "" },
};

static void test_rcpt(void)
{
	for (size_t i = 0; i < sizeof rcpts / sizeof *rcpts; i++) {
		struct command_rcpt r = { 0 };
		struct slice arg = slice_of(rcpts[i].arg);
		enum command_error e = command_rcpt(arg, true, false, &r);
		bool dsn = r.notify.n || r.orcpt.n;

		CHECK_ROW(e == rcpts[i].want, rcpts[i].arg);
		CHECK_ROW(!e == (r.to.local.p != NULL), rcpts[i].arg);
		CHECK_ROW(slice_eq(r.notify, slice_of(rcpts[i].notify)), rcpts[i].arg);
		CHECK_ROW(slice_eq(r.orcpt, slice_of(rcpts[i].orcpt)), rcpts[i].arg);
		CHECK_ROW(e || command_rcpt(arg, false, false, &r) ==
					  (dsn ? COMMAND_PARAM : COMMAND_OK),
			  rcpts[i].arg);
	}
}

static void test_rcpt_utf8(void)
{
	const struct slice arg = SLICE("TO:<\xc3\xa4@b>");
	struct command_rcpt r;

	CHECK_EQ(command_rcpt(arg, false, false, &r), COMMAND_UTF8);
	CHECK_EQ(command_rcpt(arg, false, true, &r), COMMAND_OK);
	CHECK_SLICE(r.to.local, "\xc3\xa4");
	CHECK_EQ(command_rcpt(SLICE("TO:<a@b> SMTPUTF8"), false, true, &r), COMMAND_PARAM);
}

/* Every refusal has a code, an enhanced code and words. */
static void test_faults(void)
{
	for (int e = COMMAND_SYNTAX; e < COMMAND_ERRORS; e++)
		for (int rcpt = 0; rcpt < 2; rcpt++) {
			const char *t = command_fault((enum command_error)e, rcpt);
			bool other = rcpt ? e >= COMMAND_SIZE && e <= COMMAND_ENVID
					  : e >= COMMAND_NOTIFY;

			CHECK((t == NULL) == other);
			CHECK(!t ||
			      (t[0] == '5' && t[3] == ' ' && t[4] == '5' && strlen(t) > 20));
		}
}

#define A63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct {
	const char *arg;
	bool ok;
} helos[] = {
	{ "host.example.com", true },
	{ "localhost", true },
	{ "my_pc", true },
	{ "1.2.3.4", true },
	{ "[1.2.3.4]", true },
	{ "[IPv6:2001:db8::1]", true },
	{ "", false },
	{ "a b", false },
	{ "a.", false },
	{ ".a", false },
	{ "a..b", false },
	{ "-a.b", false },
	{ "a-.b", false },
	{ "a@b", false },
	{ "[", false },
	{ "[]", false },
	{ "[1.2.3.4", false },
	{ "[1.2.3.4]]", false },
	{ "[IPv6:]", false },
	{ "[2001:db8::1]", false },
	{ "[IPv6:1.2.3.4]", false },
	{ "a\xe4", false },
	{ A63, true },
	{ A63 "a", false },
	{ A63 "." A63 "." A63 "." A63, true },
	{ A63 "." A63 "." A63 "." A63 ".a", false },
};

int main(void)
{
	test_parse();
	test_mail();
	test_dsn_mail();
	test_rcpt();
	test_rcpt_utf8();
	test_faults();
	for (size_t i = 0; i < sizeof helos / sizeof *helos; i++)
		CHECK_ROW(command_helo(slice_of(helos[i].arg)) == helos[i].ok, helos[i].arg);
	TEST_END();
}
