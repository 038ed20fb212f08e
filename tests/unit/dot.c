/* SPDX-License-Identifier: ISC */
#include "tests/unit/test.h"

#include "smtpd/proto/dot.h"

/* What follows the end of a letter must stay in the input: it is the next command. */
#define NEXT   "MAIL FROM:<x@y>\r\n"
#define R(lit) SLICE(lit)

static const struct {
	struct slice in;
	struct slice text; /* what is given out; not looked at when bad */
	bool done, bad;
	struct slice rest;
} cases[] = {
	{ R(".\r\n"), R(""), true, false, R("") },
	{ R(".\r\n" NEXT), R(""), true, false, R(NEXT) },
	{ R("a\r\n.\r\n" NEXT), R("a\r\n"), true, false, R(NEXT) },
	{ R("\r\n.\r\n"), R("\r\n"), true, false, R("") },
	{ R("a\r\n..\r\n.\r\n"), R("a\r\n.\r\n"), true, false, R("") },
	{ R("..\r\n.\r\n"), R(".\r\n"), true, false, R("") },
	{ R("...\r\n.\r\n"), R("..\r\n"), true, false, R("") },
	{ R(".a\r\n.\r\n"), R("a\r\n"), true, false, R("") },
	{ R("a.\r\n.\r\n"), R("a.\r\n"), true, false, R("") },
	{ R("a\r\n.\r\n.\r\n"), R("a\r\n"), true, false, R(".\r\n") },
	{ R("a\r\n. \r\n.\r\n"), R("a\r\n \r\n"), true, false, R("") },
	{ R("\xff\x01\t\r\n.\r\n"), R("\xff\x01\t\r\n"), true, false, R("") },
	{ R("a\r\n"), R("a\r\n"), false, false, R("") },
	{ R("a\r\n."), R("a\r\n"), false, false, R("") },
	{ R("a\r\n.\r"), R("a\r\n"), false, false, R("") },
	/* nothing but CRLF.CRLF ends it; what looks like a command stays in the letter */
	{ R("a\n.\n" NEXT "\r\n.\r\n"), R(""), true, true, R("") },
	{ R("a\n.\r\n" NEXT "\r\n.\r\n"), R(""), true, true, R("") },
	{ R("a\r.\r" NEXT "\r\n.\r\n"), R(""), true, true, R("") },
	{ R("a\r.\r\n" NEXT "\r\n.\r\n"), R(""), true, true, R("") },
	{ R("a\r\n.\n" NEXT "\r\n.\r\n"), R(""), true, true, R("") },
	{ R("a\r\n.\r" NEXT "\r\n.\r\n"), R(""), true, true, R("") },
	{ R("a\r\r\n.\r\r\n" NEXT ".\r\n"), R(""), true, true, R("") },
	{ R("a\r\n.\r\r\n" NEXT ".\r\n"), R(""), true, true, R("") },
	{ R("a\r\n\0.\r\n" NEXT ".\r\n"), R(""), true, true, R("") },
	{ R("a\r\n.\0\r\n" NEXT ".\r\n"), R(""), true, true, R("") },
	{ R("a\r\n.\r\0\n" NEXT ".\r\n"), R(""), true, true, R("") },
	{ R("a\r\0\n.\r\n" NEXT ".\r\n.\r\n"), R(""), true, true, R(".\r\n") },
	/* each bad octet in each place, with the true end behind it */
	{ R("\nb\r\n.\r\n"), R(""), true, true, R("") },
	{ R("\0b\r\n.\r\n"), R(""), true, true, R("") },
	{ R("\rb\r\n.\r\n"), R(""), true, true, R("") },
	{ R("a\nb\r\n.\r\n"), R(""), true, true, R("") },
	{ R("a\0b\r\n.\r\n"), R(""), true, true, R("") },
	{ R("a\rb\r\n.\r\n"), R(""), true, true, R("") },
	{ R("a\r.\r\n.\r\n"), R(""), true, true, R("") },
	{ R(".\nb\r\n.\r\n"), R(""), true, true, R("") },
	{ R(".\0b\r\n.\r\n"), R(""), true, true, R("") },
	{ R(".\rb\r\n.\r\n"), R(""), true, true, R("") },
	{ R(".\r.\r\n.\r\n"), R(""), true, true, R("") },
};

static uint8_t room[512];

/* Feeds in[from..to) with output rooms of `step` octets. */
static bool feed(struct dot *d, struct slice in, size_t step, struct buf *all, size_t *left)
{
	uint8_t small[64];
	bool end = false;

	while (!end && in.n) {
		struct buf b = { .p = small, .cap = step };

		end = dot_feed(d, &in, &b);
		buf_put(all, buf_slice(&b));
	}
	*left = in.n;
	return end;
}

static void check_case(size_t i, size_t split, size_t step)
{
	struct slice in = cases[i].in;
	struct dot d = { 0 };
	struct buf all = BUF(room);
	size_t left;
	bool end;

	end = feed(&d, slice_head(in, split), step, &all, &left);
	left += in.n - split;
	if (!end)
		end = feed(&d, slice_from(in, split), step, &all, &left);
	CHECK_EQ(end, cases[i].done);
	CHECK_EQ(d.bad, cases[i].bad);
	CHECK(slice_eq(slice_from(in, in.n - left), cases[i].rest));
	CHECK(d.bad || slice_eq(buf_slice(&all), cases[i].text));
	if (test_failed)
		fprintf(stderr, "\trow %zu split %zu step %zu\n", i, split, step);
}

static void check_bytewise(size_t i)
{
	struct slice in = cases[i].in;
	struct dot d = { 0 };
	struct buf all = BUF(room);
	size_t at = 0;
	bool end = false;

	for (; at < in.n && !end; at++) {
		struct slice one = { in.p + at, 1 };

		end = dot_feed(&d, &one, &all);
		CHECK_EQ(one.n, 0);
	}
	CHECK(end == cases[i].done && d.bad == cases[i].bad);
	CHECK(slice_eq(slice_from(in, at), cases[i].rest));
	CHECK(d.bad || slice_eq(buf_slice(&all), cases[i].text));
}

static void test_full(void)
{
	struct dot d = { 0 };
	struct slice in = SLICE("abc\r\n.\r\n");
	struct buf none = { .p = room, .cap = 0 };

	CHECK(!dot_feed(&d, &in, &none));
	CHECK(in.n == 8 && !none.bad); /* full is no error: nothing is taken */
	d.bad = true;
	CHECK(dot_feed(&d, &in, &none)); /* a refused letter needs no room */
	CHECK(!none.bad && !none.len);
}

static void test_after_end(void)
{
	struct dot d = { 0 };
	struct slice in = SLICE(".\r\n" NEXT);
	struct buf b = BUF(room);

	CHECK(dot_feed(&d, &in, &b));
	CHECK(dot_feed(&d, &in, &b));
	CHECK_SLICE(in, NEXT);
	CHECK_EQ(b.len, 0);
}

static const struct {
	struct slice in, out;
} stuffed[] = {
	{ R(""), R(".\r\n") },
	{ R("a\r\n"), R("a\r\n.\r\n") },
	{ R("a"), R("a\r\n.\r\n") },
	{ R("."), R("..\r\n.\r\n") },
	{ R(".\r\n"), R("..\r\n.\r\n") },
	{ R("..\r\n.x\r\na.b\r\n"), R("...\r\n..x\r\na.b\r\n.\r\n") },
	{ R("\r\n\r\n"), R("\r\n\r\n.\r\n") },
	{ R("\xff\x01\r\n"), R("\xff\x01\r\n.\r\n") },
};

static void check_stuffed(size_t i, size_t split, size_t step)
{
	struct slice in[2] = { slice_head(stuffed[i].in, split),
			       slice_from(stuffed[i].in, split) };
	struct dot_out d = { 0 };
	struct dot back = { 0 };
	struct buf all = BUF(room), b;
	uint8_t small[64], text[64];
	struct slice wire;

	for (int k = 0; k < 2; k++)
		while (in[k].n && !d.bad) {
			b = (struct buf){ .p = small, .cap = step };
			dot_stuff(&d, &in[k], &b);
			buf_put(&all, buf_slice(&b));
		}
	CHECK(!d.bad);
	b = (struct buf){ .p = small, .cap = 4 };
	CHECK(!dot_stuff_end(&d, &b) && !b.len);
	CHECK(dot_stuff_end(&d, &all));
	CHECK(slice_eq(buf_slice(&all), stuffed[i].out));

	wire = buf_slice(&all);
	b = (struct buf)BUF(text);
	CHECK(dot_feed(&back, &wire, &b) && !back.bad && !wire.n);
	CHECK(slice_eq(slice_head(buf_slice(&b), stuffed[i].in.n), stuffed[i].in));
}

static const struct slice unsendable[] = { R("\n"),	 R("a\nb"), R("a\rb"), R("\r\r\n"),
					   R("a\r\n\n"), R("a\0b"), R("\r."),  R("a\r\n\r") };

static void test_unsendable(void)
{
	for (size_t i = 0; i < sizeof unsendable / sizeof *unsendable; i++) {
		struct slice in = unsendable[i];
		struct dot_out d = { 0 };
		struct buf b = BUF(room);

		dot_stuff(&d, &in, &b);
		CHECK(!dot_stuff_end(&d, &b));
		CHECK(d.bad && !b.bad);
	}
}

/* The law said in another way: the octets up to and with the first CRLF.CRLF; 0 when there
 * is none. */
static size_t true_end(struct slice in)
{
	if (slice_iprefix(in, SLICE(".\r\n")))
		return 3;
	for (size_t i = 0; i < in.n; i++)
		if (slice_iprefix(slice_from(in, i), SLICE("\r\n.\r\n")))
			return i + 5;
	return 0;
}

static bool is_crlf_text(struct slice in)
{
	for (size_t i = 0; i < in.n; i++) {
		uint8_t before = i ? in.p[i - 1] : 0;

		if (!in.p[i] || (in.p[i] == '\n') != (before == '\r'))
			return false;
	}
	return true;
}

/* Every string of these five octets up to this length, octet by octet: one stands for each
 * class. */
static void test_all(void)
{
	enum { LONGEST = 8 };
	static const uint8_t octet[] = { '\r', '\n', '.', 0, 'a' };
	uint8_t s[LONGEST];
	unsigned wrong = 0, all = 5;

	for (size_t n = 1; n <= LONGEST; n++, all *= 5)
		for (unsigned k = 0; k < all; k++) {
			struct slice in = { s, n };
			struct dot d = { 0 };
			struct buf out = BUF(room);
			unsigned v = k;
			size_t want, at = 0;
			bool end = false;

			for (size_t i = 0; i < n; i++, v /= 5)
				s[i] = octet[v % 5];
			while (at < n && !end) {
				struct slice one = { s + at++, 1 };

				end = dot_feed(&d, &one, &out);
			}
			want = true_end(in);
			wrong += end != (want > 0) || at != (end ? want : n) ||
				 d.bad == is_crlf_text(slice_head(in, at));
		}
	CHECK_EQ(wrong, 0);
}

int main(void)
{
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		check_bytewise(i);
		for (size_t split = 0; split <= cases[i].in.n; split++)
			for (size_t step = 1; step < 64; step += step < 4 ? 1 : 59)
				check_case(i, split, step);
	}
	for (size_t i = 0; i < sizeof stuffed / sizeof *stuffed; i++)
		for (size_t split = 0; split <= stuffed[i].in.n; split++)
			for (size_t step = 2; step < 64; step += step < 4 ? 1 : 59)
				check_stuffed(i, split, step);
	test_all();
	test_full();
	test_after_end();
	test_unsendable();
	TEST_END();
}
