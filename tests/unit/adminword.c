/* SPDX-License-Identifier: ISC */
/* What is typed at the console, and what is printed there. */
#include "tests/unit/test.h"

#include "smtpd/admin/screen.h"
#include "smtpd/admin/word.h"

static const struct {
	const char *line;
	enum word_verb verb; /* WORD_VERBS: refused */
	uint64_t letter;
	const char *filter;
} words[] = {
	{ "", WORD_NONE, 0, "" },
	{ "   ", WORD_NONE, 0, "" },
	{ "?", WORD_HELP, 0, "" },
	{ "help", WORD_HELP, 0, "" },
	{ "l", WORD_LIST, 0, "" },
	{ " LIST ", WORD_LIST, 0, "" },
	{ "list app1", WORD_LIST, 0, "app1" },
	{ "l  gmail.com ", WORD_LIST, 0, "gmail.com" },
	{ "l a b", WORD_VERBS, 0, "" },
	{ "m", WORD_MORE, 0, "" },
	{ "s 7", WORD_SHOW, 7, "" },
	{ "s", WORD_VERBS, 0, "" },
	{ "s x", WORD_VERBS, 0, "" },
	{ "s 0", WORD_VERBS, 0, "" },
	{ "s 18446744073709551615", WORD_SHOW, UINT64_MAX, "" },
	{ "s 18446744073709551616", WORD_VERBS, 0, "" },
	{ "s 00000000000c", WORD_SHOW, 12, "" }, /* as the client was told */
	{ "s 00000000000C", WORD_SHOW, 12, "" },
	{ "s 00000000000g", WORD_VERBS, 0, "" },
	{ "s 000000000000", WORD_VERBS, 0, "" },
	{ "s 0000000000c", WORD_VERBS, 0, "" },
	{ "s 7 8", WORD_VERBS, 0, "" },
	{ "h 7", WORD_HOLD, 7, "" },
	{ "hold 7", WORD_HOLD, 7, "" },
	{ "r 7", WORD_RELEASE, 7, "" },
	{ "t 7", WORD_RETRY, 7, "" },
	{ "v 7", WORD_REMOVE, 7, "" },
	{ "V 7", WORD_DISCARD, 7, "" },
	{ "Remove 7", WORD_REMOVE, 7, "" },
	{ "H 7", WORD_VERBS, 0, "" }, /* keys are told apart by case */
	{ "f", WORD_FLUSH, 0, "" },
	{ "f 7", WORD_VERBS, 0, "" },
	{ "y", WORD_YES, 0, "" },
	{ "yess", WORD_VERBS, 0, "" },
	{ "quit", WORD_VERBS, 0, "" },
};

static void test_words(void)
{
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		struct word w = { .verb = WORD_VERBS };
		const char *fault = word_parse(slice_of(words[i].line), &w);

		CHECK_ROW(!fault == (words[i].verb != WORD_VERBS), words[i].line);
		CHECK_ROW(w.verb == words[i].verb, words[i].line);
		CHECK_ROW(w.letter == words[i].letter, words[i].line);
		CHECK_ROW(slice_eq(w.filter, slice_of(words[i].filter)), words[i].line);
	}
}

static const struct {
	const char *typed, *lines; /* each line ends with |, a refused one is ! */
} typed[] = {
	{ "l\n", "l|" },	   { "l\r\ns 1\r", "l|s 1|" }, { "l\n\n", "l||" },
	{ "l\r\n\n", "l||" },	   { "lx\b\n", "l|" },	       { "x\x7f\x7f\x7fl\n", "l|" },
	{ "hold 1\x15l\n", "l|" }, { "l\x1b[A\nl\n", "!l|" }, /* an arrow key */
	{ "l\x1b\x15l\n", "l|" },  { "\x03\n", "!" },	       { "l", "" },
};

static void gather(struct wordline *l, struct slice in, struct buf *out)
{
	while (wordline_feed(l, &in)) {
		if (!l->bad)
			buf_put(out, (struct slice){ l->p, l->n });
		buf_u8(out, l->bad ? '!' : '|');
		wordline_next(l);
	}
}

static void test_lines(void)
{
	for (size_t i = 0; i < sizeof typed / sizeof *typed; i++) {
		struct slice all = slice_of(typed[i].typed);

		/* Whole, and in two parts split at every place. */
		for (size_t at = 0; at <= all.n; at++) {
			struct wordline l = { .n = 0 };
			uint8_t got[64];
			struct buf out = BUF(got);

			gather(&l, slice_head(all, at), &out);
			gather(&l, slice_from(all, at), &out);
			CHECK_ROW(slice_eq(buf_slice(&out), slice_of(typed[i].lines)),
				  typed[i].typed);
		}
	}
	for (size_t n = WORD_LINE - 1; n <= WORD_LINE + 1; n++) {
		uint8_t octets[WORD_LINE + 2];
		struct slice in = { octets, n + 1 };
		struct wordline l = { .n = 0 };

		memset(octets, 'a', n);
		octets[n] = '\n';
		CHECK(wordline_feed(&l, &in));
		CHECK_EQ(l.bad, n > WORD_LINE);
	}
}

static const struct {
	const char *in;
	size_t width;
	const char *out;
} texts[] = {
	{ "abc", 3, "abc" },
	{ "abcd", 3, "..." },
	{ "abcde", 4, "a..." },
	{ "\x1b[2Ja", 20, "\\x1b[2Ja" },
	{ "\xc3\xa9@x", 20, "\\xc3\\xa9@x" },
	{ "\xc3\xa9@x", 9, "\\xc3..." },
	{ "a\\b", 20, "a\\x5cb" },
	{ "\x7f\x9b\n", 20, "\\x7f\\x9b\\x0a" },
	{ "", 3, "" },
};

static const struct {
	uint32_t s;
	const char *out;
} times[] = {
	{ 0, "0s" },	     { 59, "59s" },	 { 60, "1m" },
	{ 3599, "59m" },     { 3600, "1h00m" },	 { 11100, "3h05m" },
	{ 86399, "23h59m" }, { 86400, "1d00h" }, { 352800, "4d02h" },
};

static const struct {
	uint64_t n;
	const char *out;
} sizes[] = {
	{ 0, "0" },	     { 1023, "1023" },	   { 1024, "1K" },	  { 4096, "4K" },
	{ 36700160, "35M" }, { 1ull << 40, "1T" }, { UINT64_MAX, "16E" },
};

static void test_fields(void)
{
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		uint8_t got[64];
		struct buf b = BUF(got);

		screen_text(&b, slice_of(texts[i].in), texts[i].width);
		CHECK_ROW(slice_eq(buf_slice(&b), slice_of(texts[i].out)), texts[i].out);
	}
	for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
		uint8_t got[64];
		struct buf b = BUF(got);

		screen_time(&b, times[i].s);
		CHECK_ROW(slice_eq(buf_slice(&b), slice_of(times[i].out)), times[i].out);
	}
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		uint8_t got[64];
		struct buf b = BUF(got);

		screen_size(&b, sizes[i].n);
		CHECK_ROW(slice_eq(buf_slice(&b), slice_of(sizes[i].out)), sizes[i].out);
	}
}

/* The longest rows there can be: one write, nothing but printable ASCII and line feeds. */
static void test_fits(void)
{
	static uint8_t page[QUEUE_PAGE], text[SCREEN_TEXT], name[255];
	struct queue_page m = { .letters = UINT32_MAX, .more = UINT32_MAX };
	struct queue_row r = { UINT64_MAX,
			       UINT64_MAX,
			       UINT32_MAX,
			       UINT32_MAX - 1,
			       UINT32_MAX,
			       UINT32_MAX,
			       UINT32_MAX,
			       UINT16_MAX,
			       { 255, 255, 255 },
			       7,
			       255,
			       255,
			       255,
			       160,
			       { 0, 0 } };
	struct queue_rcpt k = { UINT32_MAX - 1,	   UINT32_MAX - 1, UINT32_MAX, UINT16_MAX,
				{ 255, 255, 255 }, QUEUE_WAITS,	   255,	       160 };
	struct buf rows = BUF(page), out = BUF(text);
	struct slice any = { name, sizeof name };
	struct screen_place next;

	memset(name, 0xff, sizeof name);
	for (int i = 0; i < QUEUE_ROWS; i++) {
		buf_put(&rows, (struct slice){ (const uint8_t *)&r, sizeof r });
		for (int f = 0; f < 3; f++)
			buf_put(&rows, any);
		buf_put(&rows, slice_head(any, QUEUE_REPLY));
	}
	CHECK(!rows.bad);
	CHECK(screen_list(&out, &m, buf_slice(&rows), &next));
	CHECK_EQ(next.letter, UINT64_MAX);
	for (size_t i = 0; i < out.len; i++)
		CHECK(text[i] == '\n' || (text[i] >= ' ' && text[i] <= '~'));
	/* One row too many, and every shorter input. */
	CHECK(!screen_list(&(struct buf){ .p = text, .cap = sizeof text }, &m,
			   (struct slice){ page, rows.len - 1 }, &next));
	rows.len = 0;
	buf_put(&rows, (struct slice){ (const uint8_t *)&r, sizeof r });
	for (int f = 0; f < 3; f++)
		buf_put(&rows, any);
	buf_put(&rows, slice_head(any, QUEUE_REPLY));
	for (int i = 0; i < QUEUE_RCPTS; i++) {
		buf_put(&rows, (struct slice){ (const uint8_t *)&k, sizeof k });
		buf_put(&rows, any);
		buf_put(&rows, slice_head(any, QUEUE_REPLY));
	}
	out = BUF(text);
	CHECK(screen_show(&out, &m, buf_slice(&rows), 0, &next));
	CHECK_EQ(next.rcpt, UINT32_MAX);
	CHECK(next.rcpts);
}

static void test_screens(void)
{
	uint8_t page[512], text[SCREEN_TEXT];
	struct queue_page m = { .letters = 2, .more = 1 };
	struct queue_row r = { .letter = 12,
			       .octets = 4096,
			       .age = 70,
			       .next = 700,
			       .rcpts = 2,
			       .open = 1,
			       .attempts = 1,
			       .code = 451,
			       .enhanced = { 4, 3, 0 },
			       .account_len = 4,
			       .sender_len = 5,
			       .to_len = 3,
			       .reply_len = 5 };
	struct queue_rcpt k = {
		.no = 4, .state = QUEUE_IS_HELD, .next = QUEUE_NEVER, .attempts = 2, .to_len = 3
	};
	struct buf rows = BUF(page), out = BUF(text);
	struct screen_place next;

	buf_put(&rows, (struct slice){ (const uint8_t *)&r, sizeof r });
	buf_put(&rows, SLICE("app1me@x.a@blater"));
	CHECK(screen_list(&out, &m, buf_slice(&rows), &next));
	CHECK_SLICE(buf_slice(&out), "  letter    age  size open    next  sender > recipient\n"
				     "      12     1m    4K    1     11m  me@x. > a@b\n"
				     "           451 4.3.0 later\n"
				     "  and 1 more: m\n"
				     "  2 letters in the queue\n");
	CHECK_EQ(next.letter, 12);
	CHECK(!next.rcpts);
	buf_put(&rows, (struct slice){ (const uint8_t *)&k, sizeof k });
	buf_put(&rows, SLICE("c@d"));
	out = BUF(text);
	CHECK(screen_show(&out, &m, buf_slice(&rows), 0, &next));
	CHECK_SLICE(buf_slice(&out),
		    "  letter 12 (00000000000c), 4096 octets, age 1m, open 1 of 2\n"
		    "  sender me@x.\n"
		    "  account app1\n"
		    "  to c@d, held, tries 2\n"
		    "  and 1 more: m\n");
	CHECK(next.letter == 12 && next.rcpts && next.rcpt == 5);
	out = BUF(text);
	m.more = 0;
	CHECK(screen_show(&out, &m, (struct slice){ NULL, 0 }, 0, &next));
	CHECK_SLICE(buf_slice(&out), "  There is no such letter.\n");
	CHECK_EQ(next.letter, 0);
	out = BUF(text);
	m.letters = 0;
	CHECK(screen_list(&out, &m, (struct slice){ NULL, 0 }, &next));
	CHECK_SLICE(buf_slice(&out), "  0 letters in the queue\n");
	out = BUF(text);
	r.letter = 0; /* no letter has this number */
	CHECK(!screen_list(&out, &m, (struct slice){ (const uint8_t *)&r, sizeof r }, &next));
}

int main(void)
{
	test_words();
	test_lines();
	test_fields();
	test_fits();
	test_screens();
	TEST_END();
}
