/* SPDX-License-Identifier: ISC */
#include "smtpd/lib/log.h"

#include <string.h>
#include <unistd.h>

static bool plain(uint8_t c)
{
	return c > ' ' && c < 127 && c != '"' && c != '=';
}

static void put_value(struct buf *b, struct slice v)
{
	static const char digit[] = "0123456789ABCDEF";
	bool quote = !v.n;

	for (size_t i = 0; i < v.n; i++)
		quote |= !plain(v.p[i]);
	if (quote)
		buf_u8(b, '"');
	for (size_t i = 0; i < v.n; i++) {
		uint8_t c = v.p[i];

		if (c < ' ' || c > 126 || c == '"') {
			buf_u8(b, '?');
			buf_u8(b, digit[c >> 4]);
			buf_u8(b, digit[c & 15]);
		} else {
			buf_u8(b, c);
		}
	}
	if (quote)
		buf_u8(b, '"');
}

void log_begin(struct logline *l, const char *event)
{
	l->b = BUF(l->line);
	log_text(l, "ev", event);
}

void log_bytes(struct logline *l, const char *key, struct slice value)
{
	size_t before = l->b.len;

	if (before)
		buf_u8(&l->b, ' ');
	buf_put(&l->b, slice_of(key));
	buf_u8(&l->b, '=');
	put_value(&l->b, value);
	if (l->b.bad) { /* cut at the field */
		l->b.len = before;
		l->b.bad = false;
	}
}

void log_text(struct logline *l, const char *key, const char *value)
{
	log_bytes(l, key, slice_of(value));
}

void log_num(struct logline *l, const char *key, int64_t value)
{
	uint8_t digits[24];
	struct buf b = BUF(digits);

	if (value < 0)
		buf_u8(&b, '-');
	buf_dec(&b, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
	log_bytes(l, key, buf_slice(&b));
}

void log_send(struct logline *l)
{
	ssize_t sent = write(STDERR_FILENO, l->b.p, l->b.len);

	(void)sent; /* a full log loses lines, never mail */
}

void log_event(const char *event, const char *key, const char *value)
{
	struct logline l;

	log_begin(&l, event);
	if (key)
		log_text(&l, key, value);
	log_send(&l);
}

void bug(const char *what)
{
	log_event("bug", "what", what);
	_exit(70);
}
