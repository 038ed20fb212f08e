/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/utf8.h"

enum { LABEL = 63 };

/* The next character. Bad: malformed, overlong, a surrogate, or beyond U+10FFFF. */
static uint32_t take(struct cur *c)
{
	static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
	uint8_t first = cur_u8(c);
	unsigned more = first < 0xc0 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
	uint32_t v = more ? first & 0x3fu >> more : first;

	c->bad |= first >= 0xf8 || (first & 0xc0) == 0x80;
	for (unsigned i = 0; i < more && !c->bad; i++) {
		uint8_t next = cur_u8(c);

		c->bad |= (next & 0xc0) != 0x80;
		v = v << 6 | (next & 0x3f);
	}
	c->bad |= v < least[more] || v > 0x10ffff || (v >= 0xd800 && v < 0xe000);
	return v;
}

bool utf8_clean(struct slice s)
{
	struct cur c = CUR(s);

	while (!cur_end(&c)) {
		uint32_t v = take(&c);

		c.bad |= v >= 0x80 && v < 0xa0;
	}
	return cur_done(&c);
}

bool utf8_needed(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] >= 0x80)
			return true;
	return false;
}

/* ---- RFC 3492, with the parameters of its section 5 ---- */

enum { BASE = 36, TMIN = 1, TMAX = 26, SKEW = 38, DAMP = 700, BIAS = 72, FIRST = 0x80 };

static uint32_t adapt(uint32_t delta, uint32_t points, bool first)
{
	uint32_t k = 0;

	delta = first ? delta / DAMP : delta / 2;
	delta += delta / points;
	for (; delta > (BASE - TMIN) * TMAX / 2; k += BASE)
		delta /= BASE - TMIN;
	return k + (BASE - TMIN + 1) * delta / (delta + SKEW);
}

static void put_digit(struct buf *out, uint32_t d)
{
	buf_u8(out, (uint8_t)(d < 26 ? 'a' + d : '0' + d - 26));
}

static void put_number(struct buf *out, uint32_t q, uint32_t bias)
{
	for (uint32_t k = BASE;; k += BASE) {
		uint32_t t = k <= bias ? TMIN : k >= bias + TMAX ? TMAX : k - bias;

		if (q < t)
			break;
		put_digit(out, t + (q - t) % (BASE - t));
		q = (q - t) / (BASE - t);
	}
	put_digit(out, q);
}

/* Code points below n are done; what is next? */
static uint32_t next_point(const uint32_t *point, size_t points, uint32_t n)
{
	uint32_t m = UINT32_MAX;

	for (size_t i = 0; i < points; i++)
		if (point[i] >= n && point[i] < m)
			m = point[i];
	return m;
}

static void encode(struct buf *out, const uint32_t *point, uint32_t points)
{
	uint32_t n = FIRST, delta = 0, bias = BIAS, basic = 0, done;

	for (uint32_t i = 0; i < points; i++)
		if (point[i] < FIRST) {
			buf_u8(out, byte_lower((uint8_t)point[i]));
			basic++;
		}
	if (basic)
		buf_u8(out, '-');
	for (done = basic; done < points; n++, delta++) {
		uint32_t m = next_point(point, points, n);

		delta += (m - n) * (done + 1); /* at most 2^21 * 2^6 */
		n = m;
		for (uint32_t i = 0; i < points; i++) {
			delta += point[i] < n;
			if (point[i] != n)
				continue;
			put_number(out, delta, bias);
			bias = adapt(delta, done + 1, done == basic);
			delta = 0;
			done++;
		}
	}
}

void utf8_label(struct buf *out, struct slice label)
{
	uint32_t point[LABEL], points = 0;
	struct cur c = CUR(label);
	size_t at = out->len;

	if (label.n > LABEL) {
		out->bad = true;
	} else if (!utf8_needed(label)) {
		buf_put(out, label);
	} else {
		while (!cur_end(&c))
			point[points++] = take(&c);
		buf_put(out, SLICE("xn--"));
		if (!c.bad)
			encode(out, point, points);
		out->bad |= c.bad || out->len - at > LABEL;
	}
}

void utf8_domain(struct buf *out, struct slice name)
{
	for (;;) {
		size_t dot = slice_find(name, '.');

		utf8_label(out, slice_head(name, dot));
		if (dot == name.n)
			break;
		buf_u8(out, '.');
		name = slice_from(name, dot + 1);
	}
}
