/* SPDX-License-Identifier: ISC */
#include "smtpd/lib/bytes.h"

#include <string.h>

struct slice slice_of(const char *z)
{
	return (struct slice){ (const uint8_t *)z, z ? strlen(z) : 0 };
}

bool slice_eq(struct slice a, struct slice b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool slice_ieq(struct slice a, struct slice b)
{
	return a.n == b.n && slice_iprefix(a, b);
}

bool slice_iprefix(struct slice s, struct slice pre)
{
	if (pre.n > s.n)
		return false;
	for (size_t i = 0; i < pre.n; i++)
		if (byte_lower(s.p[i]) != byte_lower(pre.p[i]))
			return false;
	return true;
}

bool slice_iends(struct slice s, struct slice end)
{
	return end.n <= s.n && slice_ieq(slice_from(s, s.n - end.n), end);
}

struct slice slice_from(struct slice s, size_t at)
{
	if (at >= s.n)
		return (struct slice){ NULL, 0 };
	return (struct slice){ s.p + at, s.n - at };
}

struct slice slice_head(struct slice s, size_t n)
{
	if (n < s.n)
		s.n = n;
	return s;
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

struct slice slice_trim(struct slice s)
{
	while (s.n && is_blank(s.p[0]))
		s = slice_from(s, 1);
	while (s.n && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

size_t slice_find(struct slice s, uint8_t c)
{
	const uint8_t *at = s.n ? memchr(s.p, c, s.n) : NULL;

	return at ? (size_t)(at - s.p) : s.n;
}

size_t slice_rfind(struct slice s, uint8_t c)
{
	for (size_t i = s.n; i-- > 0;)
		if (s.p[i] == c)
			return i;
	return s.n;
}

uint64_t slice_hash(uint64_t h, struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		h = (h ^ byte_lower(s.p[i])) * 1099511628211u;
	return h;
}

struct slice slice_word(struct slice *rest)
{
	struct slice w;

	while (rest->n && rest->p[0] == ' ')
		*rest = slice_from(*rest, 1);
	w = slice_head(*rest, slice_find(*rest, ' '));
	*rest = slice_from(*rest, w.n);
	return w;
}

bool slice_cstr(struct slice s, char *out, size_t cap)
{
	if (s.n >= cap || slice_find(s, 0) != s.n)
		return false;
	if (s.n)
		memcpy(out, s.p, s.n);
	out[s.n] = 0;
	return true;
}

bool slice_u64(struct slice s, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;

	if (!s.n)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		uint8_t d = s.p[i] - '0';

		if (d > 9 || d > max || v > (max - d) / 10)
			return false;
		v = v * 10 + d;
	}
	*out = v;
	return true;
}

bool slice_eq_ct(struct slice a, struct slice b)
{
	uint8_t diff = 0;

	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		diff |= a.p[i] ^ b.p[i];
	return diff == 0;
}

uint8_t byte_lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? c + 32 : c;
}

bool byte_alpha(uint8_t c)
{
	return byte_lower(c) >= 'a' && byte_lower(c) <= 'z';
}

bool byte_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

void buf_put(struct buf *b, struct slice s)
{
	if (b->bad || s.n > b->cap - b->len) { /* compare with what is left: cannot wrap */
		b->bad = true;
		return;
	}
	if (s.n)
		memcpy(b->p + b->len, s.p, s.n);
	b->len += s.n;
}

void buf_u8(struct buf *b, uint8_t c)
{
	buf_put(b, (struct slice){ &c, 1 });
}

void buf_be16(struct buf *b, uint16_t v)
{
	uint8_t o[2] = { v >> 8, v & 255 };

	buf_put(b, (struct slice){ o, 2 });
}

void buf_be32(struct buf *b, uint32_t v)
{
	buf_be16(b, v >> 16);
	buf_be16(b, v & 0xffff);
}

void buf_be64(struct buf *b, uint64_t v)
{
	buf_be32(b, (uint32_t)(v >> 32));
	buf_be32(b, (uint32_t)v);
}

void buf_dec_pad(struct buf *b, uint64_t v, unsigned width)
{
	uint8_t o[20];
	size_t at = sizeof o;

	do {
		o[--at] = '0' + v % 10;
		v /= 10;
	} while (v && at);
	while (sizeof o - at < width && at)
		o[--at] = '0';
	buf_put(b, (struct slice){ o + at, sizeof o - at });
}

void buf_dec(struct buf *b, uint64_t v)
{
	buf_dec_pad(b, v, 1);
}

void buf_hex(struct buf *b, struct slice s)
{
	static const char digit[] = "0123456789abcdef";

	for (size_t i = 0; i < s.n; i++) {
		buf_u8(b, digit[s.p[i] >> 4]);
		buf_u8(b, digit[s.p[i] & 15]);
	}
}

void buf_dots(struct buf *b, const uint8_t n[3])
{
	for (unsigned i = 0; i < 3; i++) {
		if (i)
			buf_u8(b, '.');
		buf_dec(b, n[i]);
	}
}

void buf_visible(struct buf *b, struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		buf_u8(b, s.p[i] >= ' ' && s.p[i] <= '~' ? s.p[i] : '?');
}

void buf_lower(struct buf *b, struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		buf_u8(b, byte_lower(s.p[i]));
}

void buf_eat(struct buf *b, size_t n)
{
	if (n > b->len)
		n = b->len;
	b->len -= n;
	if (b->len)
		memmove(b->p, b->p + n, b->len);
}

struct slice buf_slice(const struct buf *b)
{
	return (struct slice){ b->p, b->len };
}

size_t buf_room(const struct buf *b)
{
	return b->bad ? 0 : b->cap - b->len;
}

struct slice cur_take(struct cur *c, size_t n)
{
	struct slice got;

	if (c->bad || n > c->s.n) {
		c->bad = true;
		return (struct slice){ NULL, 0 };
	}
	got = slice_head(c->s, n);
	c->s = slice_from(c->s, n);
	return got;
}

bool cur_at(const struct cur *c, uint8_t lit)
{
	return !c->bad && c->s.n && c->s.p[0] == lit;
}

bool cur_try(struct cur *c, uint8_t lit)
{
	if (!cur_at(c, lit))
		return false;
	c->s = slice_from(c->s, 1);
	return true;
}

void cur_lit(struct cur *c, uint8_t lit)
{
	if (!cur_try(c, lit))
		c->bad = true;
}

void cur_word(struct cur *c, struct slice lit)
{
	if (!slice_ieq(cur_take(c, lit.n), lit))
		c->bad = true;
}

uint8_t cur_u8(struct cur *c)
{
	struct slice s = cur_take(c, 1);

	return s.n ? s.p[0] : 0;
}

uint16_t cur_be16(struct cur *c)
{
	struct slice s = cur_take(c, 2);

	return s.n ? (uint16_t)(s.p[0] << 8 | s.p[1]) : 0;
}

uint32_t cur_be32(struct cur *c)
{
	uint32_t hi = cur_be16(c);

	return hi << 16 | cur_be16(c);
}

uint64_t cur_be64(struct cur *c)
{
	uint64_t hi = cur_be32(c);

	return hi << 32 | cur_be32(c);
}

struct slice cur_skip(struct cur *c, bool (*is)(uint8_t))
{
	size_t n = 0;

	while (!c->bad && n < c->s.n && is(c->s.p[n]))
		n++;
	return cur_take(c, n);
}

struct slice cur_span(struct cur *c, bool (*is)(uint8_t), size_t max)
{
	struct slice got = cur_skip(c, is);

	if (!got.n || got.n > max)
		c->bad = true;
	return got;
}

bool cur_end(const struct cur *c)
{
	return c->bad || !c->s.n;
}

bool cur_done(const struct cur *c)
{
	return !c->bad && !c->s.n;
}
