/* SPDX-License-Identifier: ISC */
#include "smtpd/admin/screen.h"

#include <string.h>

enum {
	NAME_WIDTH = 32, /* of an address in a list */
	REPLY_WIDTH = 80,
	LONG_WIDTH = 90, /* of an address of the one letter */
	MINUTE = 60,
	HOUR = 60 * MINUTE,
	DAY = 24 * HOUR,
};

void screen_text(struct buf *out, struct slice s, size_t width)
{
	static const char hex[] = "0123456789abcdef";
	size_t at = 0, end = out->len; /* end: where it can be cut */
	size_t begin = out->len;

	for (; at < s.n; at++) {
		uint8_t c = s.p[at];
		bool plain = c >= ' ' && c <= '~' && c != '\\';

		if (out->len - begin + (plain ? 1 : 4) > width)
			break;
		if (plain) {
			buf_u8(out, c);
		} else {
			buf_put(out, SLICE("\\x"));
			buf_u8(out, (uint8_t)hex[c >> 4]);
			buf_u8(out, (uint8_t)hex[c & 15]);
		}
		if (out->len - begin + 3 <= width)
			end = out->len;
	}
	if (at == s.n || out->bad)
		return;
	out->len = end;
	buf_put(out, SLICE("..."));
}

void screen_time(struct buf *out, uint32_t s)
{
	uint32_t big = s < HOUR ? 0 : s < DAY ? HOUR : DAY, small = big == DAY ? HOUR : MINUTE;

	if (s < MINUTE) {
		buf_dec(out, s);
		buf_u8(out, 's');
		return;
	}
	if (big) {
		buf_dec(out, s / big);
		buf_u8(out, big == DAY ? 'd' : 'h');
		buf_dec_pad(out, s % big / small, 2);
	} else {
		buf_dec(out, s / small);
	}
	buf_u8(out, small == HOUR ? 'h' : 'm');
}

void screen_size(struct buf *out, uint64_t octets)
{
	static const char unit[] = "\0KMGTPE";
	unsigned i = 0;

	while (octets >= 1024 && i < sizeof unit - 2) {
		octets = octets / 1024 + (octets % 1024 >= 512);
		i++;
	}
	buf_dec(out, octets);
	if (i)
		buf_u8(out, (uint8_t)unit[i]);
}

/* What was put since `from` becomes at least `width` columns wide, at the right side. */
static void align(struct buf *out, size_t from, size_t width)
{
	size_t n = out->len - from, pad = n < width ? width - n : 0;

	if (out->bad || pad > out->cap - out->len) {
		out->bad = true;
		return;
	}
	memmove(out->p + from + pad, out->p + from, n);
	memset(out->p + from, ' ', pad);
	out->len += pad;
}

static void number(struct buf *out, uint64_t v, size_t width)
{
	size_t from = out->len;

	buf_dec(out, v);
	align(out, from, width);
	buf_u8(out, ' ');
}

static void reply(struct buf *out, uint16_t code, const uint8_t enhanced[3], struct slice text,
		  size_t width)
{
	buf_dec(out, code);
	buf_u8(out, ' ');
	buf_dots(out, enhanced);
	buf_u8(out, ' ');
	screen_text(out, text, width);
}

struct names {
	struct slice account, sender, to, reply;
};

static bool row_take(struct cur *c, struct queue_row *r, struct names *n)
{
	struct slice s = cur_take(c, sizeof *r);

	if (c->bad)
		return false;
	memcpy(r, s.p, sizeof *r);
	n->account = cur_take(c, r->account_len);
	n->sender = cur_take(c, r->sender_len);
	n->to = cur_take(c, r->to_len);
	n->reply = cur_take(c, r->reply_len);
	return !c->bad && r->letter;
}

static bool rcpt_take(struct cur *c, struct queue_rcpt *r, struct slice *to, struct slice *text)
{
	struct slice s = cur_take(c, sizeof *r);

	if (c->bad)
		return false;
	memcpy(r, s.p, sizeof *r);
	*to = cur_take(c, r->to_len);
	*text = cur_take(c, r->reply_len);
	return !c->bad;
}

static void sender(struct buf *out, struct slice s, size_t width)
{
	if (s.n)
		screen_text(out, s, width);
	else
		buf_put(out, SLICE("<>"));
}

static struct slice mark(const struct queue_row *r)
{
	return r->marks & QUEUE_DAMAGED	  ? SLICE("damaged")
	       : r->marks & QUEUE_REMOVED ? SLICE("ending")
	       : r->marks & QUEUE_HELD	  ? SLICE("held")
					  : SLICE("-");
}

static void list_row(struct buf *out, const struct queue_row *r, const struct names *n)
{
	size_t from;

	number(out, r->letter, 8);
	from = out->len;
	screen_time(out, r->age);
	align(out, from, 6);
	buf_u8(out, ' ');
	from = out->len;
	screen_size(out, r->octets);
	align(out, from, 5);
	buf_u8(out, ' ');
	number(out, r->open, 4);
	from = out->len;
	if (r->next == QUEUE_NEVER)
		buf_put(out, mark(r));
	else if (r->next)
		screen_time(out, r->next);
	else
		buf_put(out, SLICE("now"));
	align(out, from, 7);
	buf_put(out, SLICE("  "));
	sender(out, n->sender, NAME_WIDTH);
	buf_put(out, SLICE(" > "));
	screen_text(out, n->to, NAME_WIDTH);
	buf_u8(out, '\n');
	if (!r->code)
		return;
	buf_put(out, SLICE("           "));
	reply(out, r->code, r->enhanced, n->reply, REPLY_WIDTH);
	buf_u8(out, '\n');
}

static void more(struct buf *out, uint32_t n)
{
	if (!n)
		return;
	buf_put(out, SLICE("  and "));
	buf_dec(out, n);
	buf_put(out, SLICE(" more: m\n"));
}

bool screen_list(struct buf *out, const struct queue_page *m, struct slice rows,
		 struct screen_place *next)
{
	struct cur c = CUR(rows);
	struct queue_row r = { .letter = 0 };
	struct names n;
	unsigned count = 0;

	if (rows.n)
		buf_put(out, SLICE("  letter    age  size open    next  sender > recipient\n"));
	for (; !cur_end(&c); count++) {
		if (count == QUEUE_ROWS || !row_take(&c, &r, &n))
			return false;
		list_row(out, &r, &n);
	}
	more(out, m->more);
	*next = (struct screen_place){ .letter = m->more ? r.letter : 0 };
	buf_put(out, SLICE("  "));
	buf_dec(out, m->letters);
	buf_put(out, m->letters == 1 ? SLICE(" letter in the queue\n")
				     : SLICE(" letters in the queue\n"));
	return !out->bad && !(m->more && !count);
}

static void letter_lines(struct buf *out, const struct queue_row *r, const struct names *n)
{
	uint8_t be[8];

	for (unsigned i = 0; i < 8; i++)
		be[i] = (uint8_t)(r->letter >> (56 - 8 * i));
	buf_put(out, SLICE("  letter "));
	buf_dec(out, r->letter);
	buf_put(out, SLICE(" ("));
	buf_hex(out, (struct slice){ be + 2, 6 });
	buf_put(out, SLICE("), "));
	buf_dec(out, r->octets);
	buf_put(out, SLICE(" octets, age "));
	screen_time(out, r->age);
	buf_put(out, SLICE(", open "));
	buf_dec(out, r->open);
	buf_put(out, SLICE(" of "));
	buf_dec(out, r->rcpts);
	if (r->marks) {
		buf_put(out, SLICE(", "));
		buf_put(out, mark(r));
	}
	buf_put(out, SLICE("\n  sender "));
	sender(out, n->sender, LONG_WIDTH);
	buf_put(out, SLICE("\n  account "));
	screen_text(out, n->account, LONG_WIDTH);
	buf_u8(out, '\n');
}

static void rcpt_lines(struct buf *out, const struct queue_rcpt *r, struct slice to,
		       struct slice text)
{
	buf_put(out, SLICE("  to "));
	screen_text(out, to, LONG_WIDTH);
	if (r->state == QUEUE_WAITS) {
		buf_put(out, SLICE(", next try in "));
		screen_time(out, r->next);
	} else {
		buf_put(out, r->state == QUEUE_UNDER_WAY ? SLICE(", now")
			     : r->state == QUEUE_IS_HELD ? SLICE(", held")
							 : SLICE(", over"));
	}
	buf_put(out, SLICE(", tries "));
	buf_dec(out, r->attempts);
	buf_u8(out, '\n');
	if (!r->code)
		return;
	buf_put(out, SLICE("           "));
	reply(out, r->code, r->enhanced, text, REPLY_WIDTH);
	buf_u8(out, '\n');
}

bool screen_show(struct buf *out, const struct queue_page *m, struct slice rows, uint32_t from,
		 struct screen_place *next)
{
	struct cur c = CUR(rows);
	struct queue_row row;
	struct queue_rcpt r = { .no = 0 };
	struct names n;
	struct slice to, text;
	unsigned count = 0;

	*next = (struct screen_place){ .rcpts = true };
	if (!rows.n) {
		buf_put(out, SLICE("  There is no such letter.\n"));
		return !out->bad;
	}
	if (!row_take(&c, &row, &n))
		return false;
	if (!from)
		letter_lines(out, &row, &n);
	for (; !cur_end(&c); count++) {
		if (count == QUEUE_RCPTS || !rcpt_take(&c, &r, &to, &text))
			return false;
		rcpt_lines(out, &r, to, text);
	}
	more(out, m->more);
	if (m->more) {
		next->letter = row.letter;
		next->rcpt = r.no + 1;
	}
	return !out->bad && !(m->more && !count);
}
