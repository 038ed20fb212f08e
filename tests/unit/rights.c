/* SPDX-License-Identifier: ISC */
#include "smtpd/check/rights.h"

#include "tests/unit/test.h"

static const struct grant grant = { .account = SLICE("app1"),
				    .rights = SLICE("@a.org me@b.org Odd+Tag@b.org") };

static const struct {
	const char *sender;
	const char *why; /* NULL: allowed */
} senders[] = {
	{ "x@a.org", NULL },
	{ "X@A.ORG", NULL },
	{ "\"x y\"@a.org", NULL },
	{ "me@b.org", NULL },
	{ "ME@B.org", NULL },
	{ "\"me\"@b.org", NULL },
	{ "\"m\\e\"@b.org", NULL },
	{ "odd+tag@b.org", NULL },
	{ "", NULL },
	{ "you@b.org", "Sender <you@b.org> is not allowed for account app1" },
	{ "me+tag@b.org", "<me+tag@b.org>" },
	{ "odd@b.org", "<odd@b.org>" },
	{ "x@sub.a.org", "<x@sub.a.org>" },
	{ "x@aa.org", "<x@aa.org>" },
	{ "x@a.org.c.org", "<x@a.org.c.org>" },
	{ "\"x@a.org\"@c.org", "<\"x@a.org\"@c.org>" },
	{ "\"me@b.org \"@b.org", "b.org" },
	{ "x@[192.0.2.1]", "192.0.2.1" },
};

/* S5: each way to put somebody else's address where readers look for the author's. */
static const struct {
	const char *header;
	const char *why; /* NULL: allowed */
} headers[] = {
	{ "From: x@a.org\r\n", NULL },
	{ "From: \"you@c.org\" <x@a.org>\r\n", NULL }, /* a display name is only a name */
	{ "from: X <me@b.org>\r\nSender: x@a.org\r\n", NULL },
	{ "From: x@a.org, me@b.org\r\n", NULL },
	{ "From:\r\n x@a.org\r\n", NULL },
	{ "From: (you@c.org) x@a.org\r\n", NULL },
	{ "From: =?utf-8?q?you=40c.org?= <x@a.org>\r\n", NULL },
	{ "From: \"me\"@b.org\r\n", NULL },
	{ "From: x@a.org\r\nResent-From: me@b.org\r\nResent-Sender: y@a.org\r\n", NULL },
	{ "From: x@a.org\r\nReply-To: you@c.org\r\nTo: you@c.org\r\n", NULL },
	{ "Subject: none\r\n", "There is no From" },
	{ "From: you@c.org\r\n", "From <you@c.org> is not allowed for account app1" },
	{ "From: x@a.org, you@c.org\r\n", "From <you@c.org>" },
	{ "From: you@c.org, x@a.org\r\n", "From <you@c.org>" },
	{ "From: x@a.org\r\nFrom: you@c.org\r\n", "From <you@c.org>" },
	{ "From: you@c.org\r\nFrom: x@a.org\r\n", "From <you@c.org>" },
	{ "From: x@a.org\r\nfROM: you@c.org\r\n", "<you@c.org>" },
	{ "From: x@a.org,\r\n you@c.org\r\n", "From <you@c.org>" },
	{ "From: x@a.org\r\nSender: boss@c.org\r\n", "Sender <boss@c.org>" },
	{ "Sender: x@a.org\r\n", "There is no From" },
	{ "From: x@a.org\r\nSender: x@a.org\r\nSender: boss@c.org\r\n", "<boss@c.org>" },
	{ "From: x@a.org\r\nResent-From: you@c.org\r\n", "Resent-From <you@c.org>" },
	{ "From: x@a.org\r\nResent-From: x@a.org\r\nResent-From: you@c.org\r\n",
	  "Resent-From <you@c.org>" },
	{ "From: x@a.org\r\nResent-Sender: you@c.org\r\n", "Resent-Sender <you@c.org>" },
	{ "From: you+tag@b.org\r\n", "<you+tag@b.org>" },
	{ "From: \"x@a.org\" <you@c.org>\r\n", "<you@c.org>" },
	{ "From: <x@a.org> <you@c.org>\r\n", "not a list" },
	{ "From: you@c.org <x@a.org>\r\n", "not a list" },
	{ "From: group: you@c.org;\r\n", "not a list" },
	{ "From: x@a.org, group: you@c.org;\r\n", "not a list" },
	{ "From: group:;\r\n", "not a list" },
	{ "From: undisclosed-recipients:;\r\n", "not a list" },
	{ "From: \r\n", "not a list" },
	{ "From: <>\r\n", "not a list" },
	{ "From: x\r\n", "not a list" },
	{ "From: =?utf-8?q?you=40c.org?=\r\n", "not a list" },
	{ "From: =?utf-8?q?you?=@a.org\r\n", "not a list" },
	{ "From: x@a.org(you@c.org)\r\n", NULL },
	{ "From: x@(you@c.org)a.org\r\n", "not a list" },
	{ "From: x @a.org\r\n", "not a list" },
	{ "From: x@[192.0.2.1]\r\n", "not a list" },
	{ "From: <@a.org:you@c.org>\r\n", "not a list" },
	{ "From: x@a.org;you@c.org\r\n", "not a list" },
	{ "From: x@a.org\r\nSender: \r\n", "Sender is not a list" },
	{ "From: x@a.org\\,you@c.org\r\n", "not a list" },
	{ "From: \"x\\\"@a.org, \\\"\"@c.org\r\n", "c.org>" },
	{ "From: x@a.org.\r\n", "not a list" },
	{ "From: you@c.org\xc0\xa0@a.org\r\n", "not a list" },
};

int main(void)
{
	for (size_t i = 0; i < sizeof senders / sizeof *senders; i++) {
		uint8_t mem[400];
		struct buf why = BUF(mem);
		struct path p;

		CHECK_ROW(path_addr(slice_of(senders[i].sender), PATH_NULL, &p),
			  senders[i].sender);
		CHECK_ROW(rights_sender(&grant, &p, &why) == !senders[i].why,
			  senders[i].sender);
		buf_u8(&why, 0);
		CHECK_ROW(!senders[i].why || strstr((char *)mem, senders[i].why), (char *)mem);
	}
	for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
		uint8_t mem[400];
		struct buf why = BUF(mem);
		struct slice domain = { NULL, 0 };
		bool ok = rights_header(&grant, slice_of(headers[i].header), &domain, &why);

		CHECK_ROW(ok == !headers[i].why, headers[i].header);
		CHECK_ROW(!ok || slice_iends(domain, SLICE(".org")), headers[i].header);
		buf_u8(&why, 0);
		CHECK_ROW(!headers[i].why || strstr((char *)mem, headers[i].why), (char *)mem);
	}
	TEST_END();
}
