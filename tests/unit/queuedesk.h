/* SPDX-License-Identifier: ISC */
/* What the operator asks of the queue: a part of queue.c, whose world it plays in. */
#include <sys/stat.h>

#include "smtpd/queue/desk.h"

static uint64_t row_of(struct cur *in, struct queue_row *r)
{
	struct slice s = cur_take(in, sizeof *r);

	CHECK(!in->bad);
	memcpy(r, s.p, sizeof *r);
	CHECK_EQ(r->account_len, 3);
	CHECK_SLICE(cur_take(in, r->account_len), "app");
	CHECK_SLICE(cur_take(in, r->sender_len), "app@example.org");
	CHECK_SLICE(cur_take(in, r->to_len), "a@x.example");
	cur_take(in, r->reply_len);
	return r->letter;
}

/* What the operator is shown, a page at a time, and what a name finds. */
static void test_desk(void)
{
	enum { MANY = QUEUE_ROWS + 2 };
	static uint8_t octets[QUEUE_PAGE];
	struct buf rows = BUF(octets);
	struct queue_page page = { .letters = 0 };
	static const struct {
		const char *word;
		uint32_t found;
	} names[] = {
		{ "", MANY },
		{ "x.example", MANY },
		{ "X.EXAMPLE", MANY },
		{ "any@x.example", MANY },
		{ "app", MANY },
		{ "y.example", 0 },
		{ "example", 0 },
		{ "app2", 0 },
		{ "@", 0 },
	};
	struct queue_rcpt k;
	struct queue_row r;
	struct courier *c;
	enum queue_how how;
	uint64_t last = 0;
	struct cur in;

	CHECK(mkdir("desk", 0700) == 0);
	boot("desk");
	c = &w.q->courier;
	for (int i = 0; i < MANY; i++)
		send_letter(&one);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		uint32_t n = 0;

		page.more = 0;
		rows.len = 0;
		desk_list(c, 0, slice_of(names[i].word), &rows, &page);
		for (in = CUR(buf_slice(&rows)); !cur_end(&in); n++)
			row_of(&in, &r);
		CHECK_ROW(n + page.more == names[i].found, names[i].word);
		CHECK_EQ(page.letters, MANY);
	}
	for (int turn = 0, n = 0; turn < 2; turn++) {
		rows.len = 0;
		page.more = 0;
		desk_list(c, last, slice_of(""), &rows, &page);
		for (in = CUR(buf_slice(&rows)); !cur_end(&in); n++) {
			uint64_t id = row_of(&in, &r);

			CHECK(id > last);
			last = id;
		}
		CHECK_EQ(n, turn ? MANY : QUEUE_ROWS);
		CHECK_EQ(page.more, turn ? 0 : 2);
	}
	rows.len = 0;
	CHECK(desk_act(c, last, QUEUE_HOLD, &how) && how == QUEUE_DONE);
	CHECK(desk_act(c, last, QUEUE_RETRY, &how) && how == QUEUE_NOT_NOW);
	CHECK(desk_act(c, last + 1, QUEUE_HOLD, &how) && how == QUEUE_UNKNOWN);
	CHECK(desk_act(c, 0, QUEUE_HOLD, &how) && how == QUEUE_UNKNOWN);
	CHECK(desk_act(c, 0, QUEUE_FLUSH, &how) && how == QUEUE_DONE);
	CHECK(!desk_act(c, last, QUEUE_WHATS, &how) && !desk_act(c, last, 0, &how));
	desk_show(c, last, 0, &rows, &page);
	in = CUR(buf_slice(&rows));
	row_of(&in, &r);
	CHECK_EQ(r.marks, QUEUE_HELD);
	memcpy(&k, cur_take(&in, sizeof k).p, sizeof k);
	CHECK(k.no == 0 && k.state == QUEUE_IS_HELD);
	CHECK_SLICE(cur_take(&in, k.to_len), "a@x.example");
	CHECK(cur_done(&in) && page.more == 0);
	rows.len = 0;
	desk_show(c, last + 1, 0, &rows, &page);
	CHECK_EQ(rows.len, 0);
}
