/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/der.h"

#include <string.h>

#include "smtpd/proto/date.h"

size_t der_open(struct buf *b, uint8_t tag)
{
	buf_u8(b, tag);
	buf_u8(b, 0); /* the length, when it is known */
	return b->len;
}

void der_close(struct buf *b, size_t mark)
{
	size_t n = b->len - mark, more = n < 0x80 ? 0 : n < 0x100 ? 1 : 2;

	if (b->bad || n > 0xffff || more > buf_room(b)) {
		b->bad = true;
		return;
	}
	memmove(b->p + mark + more, b->p + mark, n);
	b->len += more;
	if (!more) {
		b->p[mark - 1] = n;
		return;
	}
	b->p[mark - 1] = 0x80 | more;
	b->p[mark] = more == 2 ? n >> 8 : n;
	b->p[mark + more - 1] = n & 255;
}

void der_put(struct buf *b, uint8_t tag, struct slice content)
{
	size_t mark = der_open(b, tag);

	buf_put(b, content);
	der_close(b, mark);
}

void der_uint(struct buf *b, struct slice v)
{
	size_t mark = der_open(b, DER_INTEGER);

	while (v.n && !v.p[0])
		v = slice_from(v, 1);
	if (!v.n || v.p[0] & 0x80)
		buf_u8(b, 0);
	buf_put(b, v);
	der_close(b, mark);
}

void der_when(struct buf *b, int64_t unix_seconds)
{
	struct date d;
	size_t mark;

	if (!date_split(unix_seconds, &d)) {
		b->bad = true;
		return;
	}
	mark = der_open(b, d.year < 2050 ? DER_UTCTIME : DER_TIME);
	buf_dec_pad(b, d.year < 2050 ? d.year % 100 : d.year, d.year < 2050 ? 2 : 4);
	buf_dec_pad(b, d.month, 2);
	buf_dec_pad(b, d.day, 2);
	buf_dec_pad(b, d.hour, 2);
	buf_dec_pad(b, d.minute, 2);
	buf_dec_pad(b, d.second, 2);
	buf_u8(b, 'Z');
	der_close(b, mark);
}

struct slice der_get(struct cur *c, uint8_t tag)
{
	size_t n;

	cur_lit(c, tag);
	n = cur_u8(c);
	if (n == 0x81) {
		n = cur_u8(c);
		c->bad |= n < 0x80;
	} else if (n == 0x82) {
		n = cur_be16(c);
		c->bad |= n < 0x100;
	} else if (n > 0x7f) {
		c->bad = true;
	}
	return cur_take(c, n);
}
