/* SPDX-License-Identifier: ISC */
#include "tests/unit/reportlaw.h"
#include "tests/unit/test.h"

static uint8_t room[1024 * 1024];
static uint8_t text[sizeof room + 1];

static const struct report plain = {
	.hostname = SLICE("mail.example.org"),
	.domain = SLICE("example.org"),
	.to = SLICE("app@example.org"),
	.header =
		SLICE("From: app@example.org\r\nMessage-ID: <1@example.org>\r\nSubject: x\r\n"),
	.arrived = 86400,
	.now = 86460,
	.until = 2 * 86400,
	.id = { 1, 2, 3, 0xff },
};

static const struct report_rcpt failed = {
	.action = REPORT_FAILED,
	.final = SLICE("bob@far.example"),
	.host = SLICE("mx.far.example"),
	.text = SLICE("no such user"),
	.code = 550,
	.enhanced = { 5, 1, 1 },
	.time = 86430,
};

static struct slice make(const struct report *r, const struct report_rcpt *t, size_t n,
			 bool *eight)
{
	struct buf out = BUF(room);

	CHECK(report_put(r, t, n, &out, eight));
	CHECK(!report_law(r, buf_slice(&out), *eight));
	memcpy(text, room, out.len);
	text[out.len] = 0;
	return buf_slice(&out);
}

static bool has(const char *what)
{
	return strstr((const char *)text, what) != NULL;
}

static void test_plain(void)
{
	static const char *const lines[] = {
		"From: Mail Delivery System <MAILER-DAEMON@example.org>\r\n",
		"\r\nTo: <app@example.org>\r\n",
		"\r\nDate: Fri, 02 Jan 1970 00:01:00 +0000\r\n",
		"\r\nAuto-Submitted: auto-replied\r\n",
		"\r\nMIME-Version: 1.0\r\n",
		"\r\nContent-Type: multipart/report; report-type=delivery-status;\r\n"
		"\tboundary=\"=_010203ff000000000000000000000000\"\r\n",
		"\r\nIn-Reply-To: <1@example.org>\r\n",
		"\r\n<bob@far.example>\r\n    mx.far.example said:\r\n    550 5.1.1 no such user\r\n",
		"\r\nReporting-MTA: dns; mail.example.org\r\n"
		"Arrival-Date: Fri, 02 Jan 1970 00:00:00 +0000\r\n\r\n"
		"Final-Recipient: rfc822; bob@far.example\r\nAction: failed\r\nStatus: 5.1.1\r\n"
		"Remote-MTA: dns; mx.far.example\r\n"
		"Diagnostic-Code: smtp; 550 5.1.1 no such user\r\n"
		"Last-Attempt-Date: Fri, 02 Jan 1970 00:00:30 +0000\r\n\r\n--",
		"Content-Type: text/rfc822-headers\r\n\r\nFrom: app@example.org\r\n",
	};
	bool eight;

	make(&plain, &failed, 1, &eight);
	CHECK(!eight);
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
		CHECK_ROW(has(lines[i]), lines[i]);
	CHECK(!has("Content-Transfer-Encoding"));
	CHECK(!has("Original-"));
}

/* To postmaster about a stranger's letter: no advice, whose it was, and how many more there are. */
static void test_notice(void)
{
	static const char *const lines[] = {
		"\r\nTo: <postmaster@example.org>\r\nSubject: Lost: a letter that was to be forwarded\r\n",
		", about a letter\r\nfrom <ann?To: x@far.example> of\r\n",
		"\r\nWho sent it was told that it arrived, and is not told of this.\r\n",
		"more such letters: 12.\r\n",
		"\r\n<bob@far.example>\r\n    mx.far.example said:\r\n    550 5.1.1 no such user\r\n\r\n--",
	};
	struct report r = plain;
	bool eight;

	r.notice = true;
	r.to = SLICE("postmaster@example.org");
	r.sender = SLICE("ann\nTo: x@far.example");
	r.untold = 12;
	make(&r, &failed, 1, &eight);
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
		CHECK_ROW(has(lines[i]), lines[i]);
	CHECK(!has("Please") && !has("your letter"));
	r.untold = 0;
	make(&r, &failed, 1, &eight);
	CHECK(!has("more such"));
}

static void test_fields(void)
{
	static const struct {
		const char *name;
		struct report_rcpt t;
		const char *envid, *wants;
	} rows[] = {
		{ "expired",
		  { REPORT_FAILED, .final = SLICE("a@b.example"), .code = 451,
		    .enhanced = { 4, 7, 1 } },
		  NULL,
		  "Action: failed\r\nStatus: 5.4.7\r\n" },
		{ "delayed",
		  { REPORT_DELAYED, .final = SLICE("a@b.example") },
		  NULL,
		  "Action: delayed\r\nStatus: 4.0.0\r\nWill-Retry-Until: Sat, 03 Jan 1970 00:00:00 +0000\r\n" },
		{ "relayed",
		  { REPORT_RELAYED, .final = SLICE("a@b.example"), .code = 250,
		    .enhanced = { 2, 1, 5 } },
		  NULL,
		  "Action: relayed\r\nStatus: 2.1.5\r\n" },
		{ "nobody spoke",
		  { REPORT_FAILED, .final = SLICE("a@b.example"),
		    .text = SLICE("no such domain"), .code = 550, .enhanced = { 5, 1, 2 } },
		  NULL,
		  "Status: 5.1.2\r\nDiagnostic-Code: x-tinpost; no such domain\r\n" },
		{ "orcpt",
		  { REPORT_FAILED, .final = SLICE("a@b.example"),
		    .orcpt = SLICE("rfc822;x+2By@c.example") },
		  NULL,
		  "Original-Recipient: rfc822; x+y@c.example\r\nFinal-Recipient: rfc822; a@b.example\r\n" },
		{ "orcpt without a type",
		  { REPORT_FAILED, .final = SLICE("a@b.example"), .orcpt = SLICE("x") },
		  NULL,
		  "Original-Recipient: rfc822; a@b.example\r\n" },
		{ "orcpt with a line end",
		  { REPORT_FAILED, .final = SLICE("a@b.example"),
		    .orcpt = SLICE("rfc822;x+0D+0AAction: y") },
		  NULL,
		  "Original-Recipient: rfc822; x+0D+0AAction: y\r\n" },
		{ "alias",
		  { REPORT_FAILED, .final = SLICE("a@b.example"),
		    .named = SLICE("info@example.org") },
		  NULL,
		  "Original-Recipient: rfc822; info@example.org\r\n" },
		{ "envid",
		  { REPORT_FAILED, .final = SLICE("a@b.example") },
		  "QQ+3D1",
		  "Original-Envelope-Id: QQ=1\r\nReporting-MTA" },
		{ "UTF-8 address",
		  { REPORT_FAILED, .final = SLICE("b\xc3\xbc\xf0\x9f\x98\x80@b.example") },
		  NULL,
		  "Final-Recipient: utf-8; b\\x{FC}\\x{1F600}@b.example\r\n" },
		{ "octets that are no UTF-8",
		  { REPORT_FAILED, .final = SLICE("\xc3@\xff.example") },
		  NULL,
		  "Final-Recipient: utf-8; ?@?.example\r\n" },
		{ "a reply with line ends",
		  { REPORT_FAILED, .final = SLICE("a@b.example"), .host = SLICE("mx\r\nX: y"),
		    .text = SLICE("no\r\n\r\n--=_010203ff000000000000000000000000\r\n"),
		    .code = 550 },
		  NULL,
		  "Diagnostic-Code: smtp; 550 no?"
		  "?"
		  "?"
		  "?"
		  "--=_0102" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct report r = plain;
		bool eight;

		r.envid = slice_of(rows[i].envid);
		make(&r, &rows[i].t, 1, &eight);
		CHECK_ROW(has(rows[i].wants), rows[i].name);
	}
}

static void test_many(void)
{
	struct report_rcpt t[3] = { failed, failed, failed };
	bool eight;

	t[1].action = REPORT_RELAYED;
	t[1].final = SLICE("eve@far.example");
	t[2].action = REPORT_DELAYED;
	make(&plain, t, 3, &eight);
	CHECK(has("Subject: Undeliverable"));
	CHECK(has("Action: failed") && has("Action: relayed") && has("Action: delayed"));
	make(&plain, t + 1, 1, &eight);
	CHECK(has("Subject: Relayed"));
	make(&plain, t + 1, 2, &eight);
	CHECK(has("Subject: Delayed"));
}

static void test_returned(void)
{
	static uint8_t line[1100];
	static const char umlaut[] = "Subject: \xc3\xbc\r\nFrom: a@b.example\r\n";
	struct report r = plain;
	struct buf header = BUF(line);
	bool eight;

	r.body = SLICE("\r\nhello\r\n");
	make(&r, &failed, 1, &eight);
	CHECK(!eight && has("Content-Type: message/rfc822\r\n\r\nFrom: app@example.org\r\n"));
	CHECK(has("Subject: x\r\n\r\nhello\r\n\r\n--="));
	r.body = SLICE("\r\nh\xc3\xa4llo\r\n");
	make(&r, &failed, 1, &eight);
	CHECK(eight && has("h\xc3\xa4llo"));
	CHECK(has("Content-Transfer-Encoding: 8bit\r\n\r\nThis is a report"));
	CHECK(has("message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n"));
	r.header = slice_of(umlaut);
	make(&r, &failed, 1, &eight);
	CHECK(!eight && has("Content-Type: message/global\r\n"
			    "Content-Transfer-Encoding: quoted-printable\r\n"));
	CHECK(has("Subject:=20=C3=BC\r\n") && has("\r\n\r\nh=C3=A4llo\r\n"));
	r.body.p = NULL;
	make(&r, &failed, 1, &eight);
	CHECK(has("Content-Type: message/global-headers\r\n"));
	/* a field with a long line is left out; a body with one is not returned */
	buf_put(&header, SLICE("X-Long: "));
	while (header.len < 1000)
		buf_u8(&header, 'x');
	buf_put(&header, SLICE("\r\nSubject: after\r\n"));
	r.header = buf_slice(&header);
	r.body = SLICE("\r\nshort\r\n");
	make(&r, &failed, 1, &eight);
	CHECK(!has("X-Long") && has("Subject: after") && has("short"));
	r.body = r.header;
	make(&r, &failed, 1, &eight);
	CHECK(has("text/rfc822-headers"));
}

static void test_refused(void)
{
	struct report r = plain;
	struct buf small = { .p = room, .cap = 300 }, out = BUF(room);
	bool eight;

	CHECK(!report_put(&r, &failed, 1, &small, &eight));
	r.header = SLICE("X: =_010203ff000000000000000000000000\r\n");
	CHECK(!report_put(&r, &failed, 1, &out, &eight));
	r.header = plain.header;
	r.body = SLICE("\r\n--=_010203ff000000000000000000000000\r\n");
	CHECK(!report_put(&r, &failed, 1, &out, &eight));
}

int main(void)
{
	test_plain();
	test_notice();
	test_fields();
	test_many();
	test_returned();
	test_refused();
	TEST_END();
}
