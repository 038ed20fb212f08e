/* SPDX-License-Identifier: ISC */
/* The pure parts of out: order of hosts, words of the verdict, results that are held. */
#include "smtpd/out/held.h"
#include "smtpd/out/mxlist.h"
#include "smtpd/out/outcome.h"

#include "tests/unit/test.h"

static uint8_t mem[8192];
static struct buf records;

static void mx(uint16_t preference, const char *host)
{
	buf_be16(&records, (uint16_t)(2 + strlen(host)));
	buf_be16(&records, preference);
	buf_put(&records, slice_of(host));
}

static struct mxlist list;

static enum mx_fate fill(const char *pinned, uint64_t random)
{
	return mxlist_fill(&list, buf_slice(&records), SLICE("self.example"), slice_of(pinned),
			   random);
}

static void order(void)
{
	int first_a = 0;

	records = BUF(mem);
	mx(30, "c.example");
	mx(10, "a.example");
	mx(10, "b.example");
	for (uint64_t i = 0; i < 1000; i++) {
		CHECK_EQ(fill("", i * 0x9e3779b97f4a7c15u), MX_GO);
		CHECK_EQ(list.n, 3);
		CHECK(!strcmp(list.host[2].name, "c.example"));
		first_a += !strcmp(list.host[0].name, "a.example");
	}
	CHECK(first_a > 300 && first_a < 700); /* equal ones share the load */
	CHECK_EQ(fill("*.example c.example", 1), MX_GO);
	CHECK_EQ(list.n, 3);
	CHECK_EQ(fill("c.example", 1), MX_GO);
	CHECK_EQ(list.n, 1);
	CHECK_EQ(fill("d.example", 1), MX_OTHER);
}

static void fates(void)
{
	records = BUF(mem);
	CHECK_EQ(fill("", 1), MX_NONE);
	mx(0, "");
	CHECK_EQ(fill("", 1), MX_NULL);
	mx(10, "a.example");
	CHECK_EQ(fill("", 1), MX_GO);
	records = BUF(mem);
	mx(10, "SELF.example");
	CHECK_EQ(fill("", 1), MX_LOOP);
	mx(10, "equal.example");
	mx(20, "worse.example");
	CHECK_EQ(fill("", 1), MX_LOOP);
	mx(5, "better.example");
	CHECK_EQ(fill("", 1), MX_GO);
	CHECK_EQ(list.n, 1);
	records = BUF(mem);
	for (int i = 0; i < MXLIST_HOSTS + 5; i++)
		mx((uint16_t)(100 - i), "x.example");
	CHECK_EQ(fill("", 1), MX_GO);
	CHECK_EQ(list.n, MXLIST_HOSTS);
	CHECK_EQ(list.host[0].preference, 100 - MXLIST_HOSTS - 4); /* the best stay */
	records.len = 1;
	CHECK_EQ(fill("", 1), MX_NONE);
	CHECK_EQ(mxlist_single(&list, SLICE("a.example"), SLICE("self"), SLICE("")), MX_GO);
	CHECK(!strcmp(list.host[0].name, "a.example"));
	CHECK_EQ(mxlist_single(&list, SLICE("SELF"), SLICE("self"), SLICE("")), MX_LOOP);
	CHECK_EQ(mxlist_single(&list, SLICE("a.example"), SLICE("self"), SLICE("b.example")),
		 MX_OTHER);
}

static struct outcome outcome_of(const char *lines)
{
	struct slice in = slice_of(lines);
	struct reply r = { 0 };
	struct outcome o;

	reply_feed(&r, &in);
	outcome_said(&o, &r, "mx.example");
	return o;
}

static const struct {
	const char *lines;
	uint16_t code;
	const char *enhanced, *text;
} replies[] = {
	{ "250 2.1.5 ok\r\n", 250, "2.1.5", "host mx.example said: ok" },
	{ "251 moved\r\n", 250, "2.0.0", "host mx.example said: moved" },
	{ "354 go\r\n", 451, "3.0.0", "host mx.example said: go" },
	{ "421 4.7.28 slow\r\n", 451, "4.7.28", "host mx.example said: slow" },
	{ "450-4.2.1 too\r\n450 4.2.1 fast\r\n", 451, "4.2.1",
	  "host mx.example said: too fast" },
	{ "550 5.7.26 no \001\r\n", 550, "5.7.26", "host mx.example said: no ?" },
	{ "571 no\r\n", 554, "5.0.0", "host mx.example said: no" },
	{ "550 5.300.1 x\r\n", 550, "5.0.1", "host mx.example said: x" },
	{ "550\r\n", 550, "5.0.0", "host mx.example said: (no text)" },
};

static void words(void)
{
	struct outcome o;
	uint8_t bytes[16];

	for (size_t i = 0; i < sizeof replies / sizeof *replies; i++) {
		struct buf b = BUF(bytes);

		o = outcome_of(replies[i].lines);
		buf_dots(&b, o.enhanced);
		CHECK_ROW(o.code == replies[i].code, replies[i].lines);
		CHECK_ROW(o.code / 100 != 4 || o.enhanced[0] == 4, replies[i].lines);
		if (o.code / 100 != 4 || replies[i].enhanced[0] == '4')
			CHECK_ROW(slice_eq(buf_slice(&b), slice_of(replies[i].enhanced)),
				  replies[i].lines);
		CHECK_ROW(slice_eq(outcome_text(&o), slice_of(replies[i].text)),
			  replies[i].lines);
	}
	/* The operator means all our letters, or those of this author. */
	for (int rate = 0; rate < 2; rate++) {
		struct out_verdict v;
		struct buf b = BUF(mem);

		o = outcome_of(rate ? "421 4.7.28 slow\r\n"
				    : "421 4.7.28 unusual rate, your DKIM domain\r\n");
		outcome_put(&o, OUT_DSN, &b);
		memcpy(&v, mem, sizeof v);
		CHECK_EQ(v.flags, rate ? OUT_DSN | OUT_RATE : OUT_DSN);
	}
	memset(mem, 'y', sizeof mem);
	outcome_own(&o, 451, 4, 1, "x", (struct slice){ mem, sizeof mem });
	CHECK_EQ(outcome_text(&o).n, ANSWER_TEXT);
	outcome_own(&o, 554, 6, 0, "alone", SLICE(""));
	CHECK_SLICE(outcome_text(&o), "alone");
}

static void rows(void)
{
	static const uint8_t e[3] = { 2, 1, 5 };
	struct buf b = BUF(mem);
	struct out_held *row, *first;
	struct held h;

	held_init(&h);
	CHECK(!held_find(&h, 0, 0));
	first = held_take(&h, 1, 0);
	CHECK(held_find(&h, 1, 0) == first);
	CHECK(!held_find(&h, 1, 1) && !held_find(&h, 2, 0));
	CHECK_EQ(held_list(&h, &b), 0); /* not yet past the dot */
	held_busy(first);
	CHECK_EQ(held_list(&h, &b), 1);
	held_result(first, 250, e);
	b.len = 0;
	CHECK_EQ(held_list(&h, &b), 1);
	row = (struct out_held *)(void *)mem;
	CHECK_EQ(row->state, OUT_RESULT);
	CHECK_EQ(row->code, 250);
	CHECK(!memcmp(row->enhanced, e, 3));
	row = held_take(&h, 2, 0);
	held_busy(row);
	held_result(row, 451, e); /* temporary: forgotten */
	CHECK(!held_find(&h, 2, 0));
	for (unsigned i = 1; i < HELD_ROWS; i++)
		CHECK(held_take(&h, 9, i) != NULL);
	CHECK(!held_take(&h, 10, 0));
	held_drop(first);
	CHECK(held_take(&h, 10, 0) == first);
}

int main(void)
{
	order();
	fates();
	words();
	rows();
	TEST_END();
}
