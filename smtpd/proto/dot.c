/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/dot.h"

/*
 * DATA. Only CRLF ends a line, only CRLF.CRLF ends the message (RFC 5321 2.3.8, 4.1.1.4). A
 * bare CR, a bare LF or a NUL sets `bad` beside the state; the machine goes on, discarding, to
 * the true end, and the letter is refused there: nothing of a refused body is ever read as a
 * command. State names say what was just read.
 */
enum state { BOL, TEXT, CR, DOT, DOT_CR, END };
enum octet { C_CR, C_LF, C_DOT, C_NUL, C_OTHER, CLASSES };

static const uint8_t next[END][CLASSES] = {
	/* clang-format off */
	/*             CR      LF    '.'   NUL   other */
	[BOL]    = { CR,     TEXT, DOT,  TEXT, TEXT },
	[TEXT]   = { CR,     TEXT, TEXT, TEXT, TEXT },
	[CR]     = { CR,     BOL,  TEXT, TEXT, TEXT },
	[DOT]    = { DOT_CR, TEXT, TEXT, TEXT, TEXT }, /* the dot itself was not copied */
	[DOT_CR] = { CR,     END,  TEXT, TEXT, TEXT },
	/* clang-format on */
};

static const uint8_t sets_bad[END][CLASSES] = {
	/* clang-format off */
	[BOL]    = { 0, 1, 0, 1, 0 },
	[TEXT]   = { 0, 1, 0, 1, 0 },
	[CR]     = { 1, 0, 1, 1, 1 },
	[DOT]    = { 0, 1, 0, 1, 0 },
	[DOT_CR] = { 1, 0, 1, 1, 1 },
	/* clang-format on */
};

static enum octet class_of(uint8_t c)
{
	switch (c) {
	case '\r':
		return C_CR;
	case '\n':
		return C_LF;
	case '.':
		return C_DOT;
	case 0:
		return C_NUL;
	default:
		return C_OTHER;
	}
}

/* The first octets that change nothing inside a line: neither CR nor LF nor NUL. */
static size_t plain(struct slice s, size_t max)
{
	size_t n = 0;

	while (n < s.n && n < max && s.p[n] != '\r' && s.p[n] != '\n' && s.p[n])
		n++;
	return n;
}

/*
 * NOTES. An octet is copied unless it makes the state DOT (a dot to be removed, or the last
 * one) or DOT_CR or END (the end itself). A CR seen in DOT was withheld; should no LF follow,
 * `bad` is set and nothing is copied any more, so it is not missed.
 */
bool dot_feed(struct dot *d, struct slice *in, struct buf *out)
{
	while (d->state != END && in->n && (d->bad || buf_room(out))) {
		enum octet c = class_of(in->p[0]);
		size_t n = d->state == TEXT ? plain(*in, d->bad ? in->n : buf_room(out)) : 0;

		if (!n) {
			d->bad |= sets_bad[d->state][c];
			d->state = next[d->state][c];
			n = 1;
		}
		if (!d->bad && d->state != DOT && d->state != DOT_CR && d->state != END)
			buf_put(out, slice_head(*in, n));
		*in = slice_from(*in, n);
	}
	return d->state == END;
}

/* Of the states above a sender needs BOL, TEXT and CR. */
void dot_stuff(struct dot_out *d, struct slice *in, struct buf *out)
{
	while (!d->bad && in->n && buf_room(out) >= 2) {
		enum octet c = class_of(in->p[0]);
		size_t n = d->state == TEXT ? plain(*in, buf_room(out)) : 0;

		if (!n) {
			d->bad = c == C_NUL || (c == C_LF) != (d->state == CR);
			if (d->bad)
				return;
			if (c == C_DOT && d->state == BOL)
				buf_u8(out, '.');
			d->state = c == C_CR ? CR : c == C_LF ? BOL : TEXT;
			n = 1;
		}
		buf_put(out, slice_head(*in, n));
		*in = slice_from(*in, n);
	}
}

bool dot_stuff_end(struct dot_out *d, struct buf *out)
{
	d->bad |= d->state == CR;
	if (d->bad || buf_room(out) < 5)
		return false;
	if (d->state != BOL)
		buf_put(out, SLICE("\r\n"));
	buf_put(out, SLICE(".\r\n"));
	d->state = BOL;
	return true;
}
