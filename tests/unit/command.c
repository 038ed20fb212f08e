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
	CHECK(!command_parse(SLICE("\x16\x03\x01"), &k));
	CHECK_SLICE(k.verb, "old");
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
	{ "FROM:<a@b> SIZE=100000000000000000000", false, COMMAND_SYNTAX, 0, 0 },
	{ "FROM:<a@b> SIZE=", false, COMMAND_SYNTAX, 0, 0 },
	{ "FROM:<a@b> SIZE", false, COMMAND_SYNTAX, 0, 0 },
	{ "FROM:<a@b> SIZE=-1", false, COMMAND_SYNTAX, 0, 0 },
	{ "FROM:<a@b> SIZE=1 SIZE=1", false, COMMAND_SYNTAX, 0, 0 },
	{ "FROM:<a@b> SIZE=1=1", false, COMMAND_SYNTAX, 0, 0 },
	{ "FROM:<a@b>  SIZE=1", false, COMMAND_SYNTAX, 0, 0 },
	{ "FROM:<a@b> BODY=7BIT", false, COMMAND_OK, 0, COMMAND_7BIT },
	{ "FROM:<a@b> body=8bitmime SIZE=5", false, COMMAND_OK, 5, COMMAND_8BIT },
	{ "FROM:<a@b> BODY=BINARYMIME", false, COMMAND_PARAM, 0, 0 },
	{ "FROM:<a@b> BODY", false, COMMAND_SYNTAX, 0, 0 },
	{ "FROM:<a@b> SMTPUTF8", false, COMMAND_PARAM, 0, 0 },
	{ "FROM:<a@b> RET=HDRS", false, COMMAND_PARAM, 0, 0 },
	{ "FROM:<a@b> -X=1", false, COMMAND_SYNTAX, 0, 0 },
	{ "FROM:<a@b> X_Y=1", false, COMMAND_SYNTAX, 0, 0 },
	{ "FROM:<a@b> AUTH=<>", true, COMMAND_OK, 0, 0 },
	{ "FROM:<a@b> AUTH=e+3Dmc2@b", true, COMMAND_OK, 0, 0 },
	{ "FROM:<a@b> AUTH=e+3dmc2@b", true, COMMAND_SYNTAX, 0, 0 },
	{ "FROM:<a@b> AUTH=e+3", true, COMMAND_SYNTAX, 0, 0 },
	{ "FROM:<a@b> AUTH=", true, COMMAND_SYNTAX, 0, 0 },
	{ "FROM:<a@b> AUTH", true, COMMAND_SYNTAX, 0, 0 },
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

static const struct {
	const char *arg;
	enum command_error want;
} rcpts[] = {
	{ "TO:<a@b>", COMMAND_OK },	      { "to: <a@b>", COMMAND_OK },
	{ "TO:<@r:a@b>", COMMAND_OK },	      { "TO:<Postmaster>", COMMAND_OK },
	{ "TO:<\"a> b\"@c>", COMMAND_OK },    { "TO:<>", COMMAND_PATH },
	{ "TO:<a>", COMMAND_PATH },	      { "TO:<a@b><c@d>", COMMAND_PATH },
	{ "TO:<a@b> <c@d>", COMMAND_SYNTAX }, { "TO:<a@b> NOTIFY=NEVER", COMMAND_PARAM },
	{ "TO:<a@b> ", COMMAND_SYNTAX },      { "TO<a@b>", COMMAND_SYNTAX },
	{ "FROM:<a@b>", COMMAND_SYNTAX },     { "", COMMAND_SYNTAX },
};

static void test_rcpt(void)
{
	for (size_t i = 0; i < sizeof rcpts / sizeof *rcpts; i++) {
		struct path p = { 0 };
		enum command_error e = command_rcpt(slice_of(rcpts[i].arg), &p);

		CHECK_ROW(e == rcpts[i].want, rcpts[i].arg);
		CHECK_ROW(!e == (p.local.p != NULL), rcpts[i].arg);
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
	test_rcpt();
	for (size_t i = 0; i < sizeof helos / sizeof *helos; i++)
		CHECK_ROW(command_helo(slice_of(helos[i].arg)) == helos[i].ok, helos[i].arg);
	TEST_END();
}
