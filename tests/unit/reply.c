/* SPDX-License-Identifier: ISC */
#include "tests/unit/test.h"

#include "smtpd/proto/reply.h"

#define R(lit) SLICE(lit)
#define X50    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static const struct {
	struct slice in;
	enum reply_step step;
	unsigned code;
	enum verdict verdict;
	const char *enhanced, *text;
} cases[] = {
	{ R("250 ok\r\n"), REPLY_DONE, 250, V_OK, "2.0.0", "ok" },
	{ R("250\r\n"), REPLY_DONE, 250, V_OK, "2.0.0", "" },
	{ R("250 \r\n"), REPLY_DONE, 250, V_OK, "2.0.0", "" },
	{ R("250 2.1.5 ok\r\n"), REPLY_DONE, 250, V_OK, "2.1.5", "ok" },
	{ R("250 2.1.5\r\n"), REPLY_DONE, 250, V_OK, "2.1.5", "" },
	{ R("550 5.7.26 no way\r\n"), REPLY_DONE, 550, V_PERM, "5.7.26", "no way" },
	{ R("550 5.7.999 x\r\n"), REPLY_DONE, 550, V_PERM, "5.7.999", "x" },
	{ R("550 5.7.1000 x\r\n"), REPLY_DONE, 550, V_PERM, "5.0.0", "5.7.1000 x" },
	{ R("550 5.7 x\r\n"), REPLY_DONE, 550, V_PERM, "5.0.0", "5.7 x" },
	{ R("550 5.7.1x\r\n"), REPLY_DONE, 550, V_PERM, "5.0.0", "5.7.1x" },
	{ R("550 5.007.01 x\r\n"), REPLY_DONE, 550, V_PERM, "5.7.1", "x" },
	{ R("421 5.7.32 not aligned\r\n"), REPLY_DONE, 421, V_TEMP, "4.0.0",
	  "5.7.32 not aligned" },
	{ R("550 4.2.1 x\r\n"), REPLY_DONE, 550, V_PERM, "5.0.0", "4.2.1 x" },
	{ R("452-4.2.2 The inbox is\r\n452-4.2.2  full.\r\n452 4.2.2 go away - gsmtp\r\n"),
	  REPLY_DONE, 452, V_TEMP, "4.2.2", "The inbox is full. go away - gsmtp" },
	{ R("550-\r\n550-5.1.1 late\r\n550 x\r\n"), REPLY_DONE, 550, V_PERM, "5.0.0",
	  "late x" },
	{ R("571 not here\r\n"), REPLY_DONE, 571, V_PERM, "5.0.0", "not here" },
	{ R("354 go\r\n"), REPLY_DONE, 354, V_TEMP, "3.0.0", "go" },
	{ R("250 a\xe4\x01\x7f\tb\0c\rd\r\n"), REPLY_DONE, 250, V_OK, "2.0.0", "a??? b?c?d" },
	{ R("250 ok\r\n250 next\r\n"), REPLY_DONE, 250, V_OK, "2.0.0", "ok" },
	/* not yet */
	{ R(""), REPLY_MORE, 0, V_TEMP, "4.0.0", "" },
	{ R("250 ok\r"), REPLY_MORE, 0, V_TEMP, "4.0.0", "" },
	{ R("250-ok\r\n250"), REPLY_MORE, 250, V_TEMP, "4.0.0", "ok" },
	/* never */
	{ R("250 ok\n"), REPLY_BAD, 0, V_TEMP, "4.0.0", "" },
	{ R("\n"), REPLY_BAD, 0, V_TEMP, "4.0.0", "" },
	{ R("\r\n"), REPLY_BAD, 0, V_TEMP, "4.0.0", "" },
	{ R("25\r\n"), REPLY_BAD, 0, V_TEMP, "4.0.0", "" },
	{ R("2500 ok\r\n"), REPLY_BAD, 0, V_TEMP, "4.0.0", "" },
	{ R("250+ok\r\n"), REPLY_BAD, 0, V_TEMP, "4.0.0", "" },
	{ R("ok\r\n"), REPLY_BAD, 0, V_TEMP, "4.0.0", "" },
	{ R(" 250 ok\r\n"), REPLY_BAD, 0, V_TEMP, "4.0.0", "" },
	{ R("199 ok\r\n"), REPLY_BAD, 0, V_TEMP, "4.0.0", "" },
	{ R("200 ok\r\n"), REPLY_DONE, 200, V_OK, "2.0.0", "ok" },
	{ R("599 no\r\n"), REPLY_DONE, 599, V_PERM, "5.0.0", "no" },
	{ R("600 ok\r\n"), REPLY_BAD, 0, V_TEMP, "4.0.0", "" },
	{ R("550-a\r\n250 b\r\n"), REPLY_BAD, 550, V_TEMP, "4.0.0", "a" },
	{ R("250-a\r\nb\r\n"), REPLY_BAD, 250, V_TEMP, "4.0.0", "a" },
};

static void check_result(size_t i, const struct reply *r, enum reply_step got)
{
	uint8_t room[16];
	struct buf b = BUF(room);

	CHECK_ROW(got == cases[i].step && r->step == got, (const char *)cases[i].in.p);
	CHECK_ROW(r->code == cases[i].code, (const char *)cases[i].in.p);
	CHECK_ROW(reply_verdict(r) == cases[i].verdict, (const char *)cases[i].in.p);
	CHECK_ROW(slice_eq(reply_text(r), slice_of(cases[i].text)),
		  (const char *)cases[i].in.p);
	reply_put_enhanced(r, &b);
	CHECK_ROW(slice_eq(buf_slice(&b), slice_of(cases[i].enhanced)),
		  (const char *)cases[i].in.p);
}

/* The caller keeps what was left and puts more behind it. */
static void check_case(size_t i, size_t split)
{
	struct slice in = slice_head(cases[i].in, split), all = cases[i].in;
	struct reply r = { 0 };
	enum reply_step got = reply_feed(&r, &in);

	if (got == REPLY_MORE) {
		in = slice_from(all, split - in.n);
		got = reply_feed(&r, &in);
	}
	check_result(i, &r, got);
}

static void check_bytewise(size_t i)
{
	struct slice all = cases[i].in;
	struct reply r = { 0 };
	enum reply_step got = REPLY_MORE;
	size_t from = 0;

	for (size_t to = 0; to <= all.n && got == REPLY_MORE; to++) {
		struct slice in = { all.p + from, to - from };

		got = reply_feed(&r, &in);
		from = to - in.n;
	}
	check_result(i, &r, got);
}

static void test_rest(void)
{
	struct slice in = SLICE("250 a\r\n451 b\r\n");
	struct reply r = { 0 };

	CHECK_EQ(reply_feed(&r, &in), REPLY_DONE);
	CHECK_SLICE(in, "451 b\r\n");
	CHECK_EQ(reply_feed(&r, &in), REPLY_DONE); /* stays; the next one has its own struct */
	CHECK_SLICE(in, "451 b\r\n");
}

static void test_ehlo(void)
{
	struct slice in = SLICE("250-STARTTLS at your service\r\n250-size 157286400\r\n"
				"250-8BITMIME\r\n250-PIPELININGS\r\n250 SMTPUTF8\r\n");
	struct reply r = { 0 };

	CHECK_EQ(reply_feed(&r, &in), REPLY_DONE);
	CHECK_EQ(r.caps, REPLY_SIZE | REPLY_8BITMIME | REPLY_SMTPUTF8);
	CHECK_EQ(r.size, 157286400);
	r = (struct reply){ 0 };
	in = SLICE("250-x\r\n250-SIZE\r\n250-STARTTLS\r\n250 PIPELINING\r\n");
	CHECK_EQ(reply_feed(&r, &in), REPLY_DONE);
	CHECK_EQ(r.caps, REPLY_SIZE | REPLY_STARTTLS | REPLY_PIPELINING);
	CHECK_EQ(r.size, 0);
	r = (struct reply){ 0 };
	in = SLICE("250-x\r\n250 SIZE 99999999999999999999\r\n");
	CHECK_EQ(reply_feed(&r, &in), REPLY_DONE);
	CHECK_EQ(r.size, 0);
}

/* A line of n octets with its CRLF. */
static enum reply_step feed_line(size_t n)
{
	static uint8_t line[REPLY_LINE + 2];
	struct slice in = { line, n };
	struct reply r = { 0 };
	enum reply_step got;

	memset(line, 'x', sizeof line);
	memcpy(line, "250 ", 4);
	memcpy(line + n - 2, "\r\n", 2);
	got = reply_feed(&r, &in);
	CHECK(got != REPLY_DONE || r.text_n == REPLY_TEXT);
	return got;
}

static enum reply_step feed_lines(unsigned n)
{
	struct reply r = { 0 };
	struct slice in;

	for (unsigned i = 1; i < n; i++) {
		in = SLICE("250-x\r\n");
		if (reply_feed(&r, &in) == REPLY_BAD)
			return REPLY_BAD;
	}
	in = SLICE("250 x\r\n");
	return reply_feed(&r, &in);
}

static void test_bounds(void)
{
	static uint8_t endless[REPLY_LINE];
	struct slice in = { endless, REPLY_LINE - 1 };
	struct reply r = { 0 };

	CHECK_EQ(feed_line(REPLY_LINE - 1), REPLY_DONE);
	CHECK_EQ(feed_line(REPLY_LINE), REPLY_DONE);
	CHECK_EQ(feed_line(REPLY_LINE + 1), REPLY_BAD);
	CHECK_EQ(reply_feed(&r, &in), REPLY_MORE);
	in.n++;
	CHECK_EQ(reply_feed(&r, &in), REPLY_BAD);
	CHECK_EQ(feed_lines(REPLY_LINES - 1), REPLY_DONE);
	CHECK_EQ(feed_lines(REPLY_LINES), REPLY_DONE);
	CHECK_EQ(feed_lines(REPLY_LINES + 1), REPLY_BAD);
	r = (struct reply){ 0 };
	for (int i = 0; i < 9; i++) {
		in = SLICE("250-" X50 "\r\n");
		CHECK_EQ(reply_feed(&r, &in), REPLY_MORE);
	}
	in = SLICE("250 2.0.0 y\r\n");
	CHECK_EQ(reply_feed(&r, &in), REPLY_DONE);
	CHECK_EQ(r.text_n, REPLY_TEXT);
}

int main(void)
{
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		check_bytewise(i);
		for (size_t split = 0; split <= cases[i].in.n; split++)
			check_case(i, split);
	}
	test_rest();
	test_ehlo();
	test_bounds();
	TEST_END();
}
