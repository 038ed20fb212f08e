/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/taglist.h"

#include "smtpd/proto/base64.h"

static bool is_fws(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_tagchar(uint8_t c)
{
	return byte_alpha(c) || byte_digit(c) || c == '_';
}

static bool is_value(uint8_t c)
{
	return (c > ' ' && c != 0x7f && c != ';') || is_fws(c);
}

static struct slice trim(struct slice s)
{
	while (s.n && is_fws(s.p[0]))
		s = slice_from(s, 1);
	while (s.n && is_fws(s.p[s.n - 1]))
		s.n--;
	return s;
}

bool taglist_next(struct cur *c, struct tag *t)
{
	cur_skip(c, is_fws);
	if (cur_end(c))
		return false;
	if (!byte_alpha(c->s.p[0]))
		c->bad = true;
	t->name = cur_span(c, is_tagchar, SIZE_MAX);
	cur_skip(c, is_fws);
	cur_lit(c, '=');
	t->raw = cur_skip(c, is_value);
	t->value = trim(t->raw);
	if (!cur_end(c))
		cur_lit(c, ';');
	return !c->bad;
}

bool taglist_base64(struct slice value, struct buf *out)
{
	uint8_t text[TAGLIST_BASE64];
	struct buf b64 = BUF(text);

	for (size_t i = 0; i < value.n; i++)
		if (!is_fws(value.p[i]))
			buf_u8(&b64, value.p[i]);
	while (b64.len % 4 && !b64.bad)
		buf_u8(&b64, '=');
	return !b64.bad && base64_get(buf_slice(&b64), out);
}

bool taglist_word(struct slice *rest, uint8_t sep, struct slice *word)
{
	size_t at = slice_find(*rest, sep);

	if (!rest->p)
		return false;
	*word = trim(slice_head(*rest, at));
	*rest = at < rest->n ? (struct slice){ rest->p + at + 1, rest->n - at - 1 }
			     : (struct slice){ NULL, 0 };
	return true;
}

bool taglist_has(struct slice list, uint8_t sep, struct slice word)
{
	struct slice one;

	while (taglist_word(&list, sep, &one))
		if (slice_ieq(one, word))
			return true;
	return false;
}
