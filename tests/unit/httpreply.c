/* SPDX-License-Identifier: ISC */
#include "smtpd/http/httpreply.h"

#include "tests/unit/test.h"

enum { CAP = 20 };

static uint8_t mem[CAP];
static struct httpreply r;
static char fields[256]; /* NAME=VALUE; of each */

static void on_field(struct httpreply *reply, struct slice name, struct slice value)
{
	struct buf b = { .p = (uint8_t *)fields,
			 .cap = sizeof fields - 1,
			 .len = strlen(fields) };

	CHECK(reply == &r);
	buf_lower(&b, name);
	buf_u8(&b, '=');
	buf_put(&b, value);
	buf_u8(&b, ';');
	fields[b.bad ? 0 : b.len] = 0;
}

/* In pieces of `step` octets. */
static void feed(const char *text, size_t step, bool head)
{
	struct slice in = slice_of(text);

	fields[0] = 0;
	httpreply_start(&r, BUF(mem), head, on_field);
	for (; in.n; in = slice_from(in, step))
		if (!httpreply_feed(&r, slice_head(in, step)))
			return;
}

#define OK   "HTTP/1.1 200 OK\r\n"
#define TEXT "Content-Type: text/plain\r\n"

static const struct {
	const char *reply, *body, *why; /* body NULL: refused, or not complete */
	unsigned status;
} rows[] = {
	{ OK TEXT "Content-Length: 5\r\n\r\nhello", "hello", NULL, 200 },
	{ OK "Content-Length: 5\r\n\r\nhello more", "hello", NULL, 200 },
	{ OK "Server: x\r\n" TEXT
	     "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nA: b\r\n\r\n",
	  "hello", NULL, 200 },
	{ "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", "", NULL, 200 },
	{ OK "Content-Length: 20\r\n\r\n01234567890123456789", "01234567890123456789", NULL,
	  200 },
	{ OK "Content-Length: 21\r\n\r\n012345678901234567890", NULL, "the body is too long",
	  200 },
	{ OK "Content-Length: 5\r\n\r\nhell", NULL, NULL, 200 },
	{ OK TEXT "\r\nhello", NULL, "the length of the body is not stated", 200 },
	{ "HTTP/1.1 301 Moved\r\nLocation: https://x/\r\nContent-Length: 5\r\n\r\nhello",
	  "hello", NULL, 301 },
	{ "HTTP/1.1 404 No\r\nContent-Length: 5\r\n\r\nhello", "hello", NULL, 404 },
	{ "HTTP/1.1 204 No\r\n" TEXT "\r\n", "", NULL, 204 },
	{ OK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
	  NULL, "the reply is not HTTP", 0 },
	{ OK "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", NULL,
	  "the reply is not HTTP", 0 },
	{ "220 mail.example ESMTP\r\n", NULL, "the reply is not HTTP", 0 },
	{ "HTTP/1.1 101 Up\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", NULL,
	  "the length of the body is not stated", 101 },
};

static void table(size_t step)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		feed(rows[i].reply, step, false);
		CHECK_ROW(r.done == (rows[i].body != NULL), rows[i].reply);
		CHECK_ROW(r.status == rows[i].status, rows[i].reply);
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

/* Every field is told once, whole; a value that is too long, not at all. */
static void told(size_t step)
{
	static char text[2048];
	struct buf b = { .p = (uint8_t *)text, .cap = sizeof text - 1 };

	buf_put(&b,
		SLICE(OK "Replay-Nonce: abc\r\nLink: <a>;rel=\"x\"\r\nLink:\t<b> \r\nLong: "));
	for (int i = 0; i < HTTPREPLY_VALUE + 1; i++)
		buf_u8(&b, 'x');
	buf_put(&b, SLICE("\r\nEmpty:\r\nContent-Length: 3\r\n\r\nabc"));
	feed(text, step, false);
	CHECK(r.done &&
	      !strcmp(fields,
		      "replay-nonce=abc;link=<a>;rel=\"x\";link=<b>;empty=;content-length=3;"));
	/* the reply to HEAD ends with its header, whatever length it states */
	feed(OK "Replay-Nonce: n\r\nContent-Length: 9\r\n\r\n", step, true);
	CHECK(r.done && !r.why && !strcmp(fields, "replay-nonce=n;content-length=9;"));
	feed(OK "Replay-Nonce: n\r\n\r\n", step, true);
	CHECK(r.done && !r.why);
}

/* A header that does not end. */
static void long_header(void)
{
	static char text[16 * 1024];

	memset(text, 'x', sizeof text - 1);
	memcpy(text, OK, sizeof OK - 1);
	feed(text, 100, false);
	CHECK(r.why && !r.done);
}

int main(void)
{
	table(10000);
	table(1);
	table(3);
	told(10000);
	told(1);
	long_header();
	TEST_END();
}
