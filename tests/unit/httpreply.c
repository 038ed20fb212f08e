/* SPDX-License-Identifier: ISC */
#include "smtpd/fetch/httpreply.h"

#include "tests/unit/test.h"

enum { CAP = 20 };

static uint8_t mem[CAP];
static struct httpreply r;

/* In pieces of `step` octets. */
static void feed(const char *text, size_t step)
{
	struct slice in = slice_of(text);

	httpreply_start(&r, BUF(mem));
	for (; in.n; in = slice_from(in, step))
		if (!httpreply_feed(&r, slice_head(in, step)))
			return;
}

#define OK   "HTTP/1.1 200 OK\r\n"
#define TEXT "Content-Type: text/plain\r\n"

static const struct {
	const char *reply, *body, *why; /* body NULL: refused, or not complete */
} rows[] = {
	{ OK TEXT "Content-Length: 5\r\n\r\nhello", "hello", NULL },
	{ OK "content-type:TEXT/Plain; charset=utf-8\r\nContent-Length: 5\r\n\r\nhello more",
	  "hello", NULL },
	{ OK "Server: x\r\n" TEXT
	     "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nA: b\r\n\r\n",
	  "hello", NULL },
	{ "HTTP/1.0 200 OK\r\n" TEXT "Content-Length: 0\r\n\r\n", "", NULL },
	{ OK TEXT "Content-Length: 20\r\n\r\n01234567890123456789", "01234567890123456789",
	  NULL },
	{ OK TEXT "Content-Length: 21\r\n\r\n012345678901234567890", NULL,
	  "the body is too long" },
	{ OK TEXT "Content-Length: 5\r\n\r\nhell", NULL, NULL },
	{ OK TEXT "\r\nhello", NULL, "the length of the body is not stated" },
	{ OK "Content-Type: text/html\r\nContent-Length: 5\r\n\r\nhello", NULL,
	  "not text/plain" },
	{ OK "Content-Type: text/plainer\r\nContent-Length: 5\r\n\r\nhello", NULL,
	  "not text/plain" },
	{ OK "Content-Typed: text/plain\r\nContent-Length: 5\r\n\r\nhello", NULL,
	  "not text/plain" },
	{ OK "Content-Length: 5\r\n\r\nhello", NULL, "not text/plain" },
	{ "HTTP/1.1 301 Moved\r\nLocation: https://x/\r\n" TEXT
	  "Content-Length: 5\r\n\r\nhello",
	  NULL, "the status is not 200" },
	{ "HTTP/1.1 404 No\r\n" TEXT "Content-Length: 5\r\n\r\nhello", NULL,
	  "the status is not 200" },
	{ "HTTP/1.1 204 No\r\n" TEXT "\r\n", NULL, "the status is not 200" },
	{ OK TEXT
	  "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
	  NULL, "the reply is not HTTP" },
	{ OK TEXT "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", NULL,
	  "the reply is not HTTP" },
	{ "220 mail.example ESMTP\r\n", NULL, "the reply is not HTTP" },
	{ "HTTP/1.1 101 Up\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", NULL,
	  "the status is not 200" },
};

static void table(size_t step)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		feed(rows[i].reply, step);
		CHECK_ROW(r.done == (rows[i].body != NULL), rows[i].reply);
		if (rows[i].why)
			CHECK_ROW(r.why && !strcmp(r.why, rows[i].why),
				  r.why ? r.why : rows[i].reply);
		else
			CHECK_ROW(!r.why, r.why);
		if (rows[i].body)
			CHECK_ROW(slice_eq(buf_slice(&r.body), slice_of(rows[i].body)),
				  rows[i].reply);
	}
}

/* A header that does not end. */
static void long_header(void)
{
	static char text[16 * 1024];

	memset(text, 'x', sizeof text - 1);
	memcpy(text, OK, sizeof OK - 1);
	feed(text, 100);
	CHECK(r.why && !r.done);
}

int main(void)
{
	table(10000);
	table(1);
	table(3);
	long_header();
	TEST_END();
}
