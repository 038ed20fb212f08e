/* SPDX-License-Identifier: ISC */
#include "keys/acme/json.h"

/*
 * NOTES
 * A member is two tokens, the value behind its name: the name's parent is the object, the value's parent is the name.
 */
static struct slice text_of(const struct json *j, int at)
{
	const jsmntok_t *t = &j->token[at];

	return (struct slice){ j->text.p + t->start, (size_t)(t->end - t->start) };
}

static bool is(const struct json *j, int at, jsmntype_t type)
{
	return at >= 0 && at < j->n && j->token[at].type == type;
}

bool json_parse(struct json *j, struct slice text)
{
	jsmn_parser p;

	jsmn_init(&p);
	j->text = text;
	j->n = text.n ? jsmn_parse(&p, (const char *)text.p, text.n, j->token, JSON_TOKENS) : 0;
	/* It stops at a NUL, too. */
	if (j->n <= 0 || p.pos != text.n || p.toknext != (unsigned)j->n)
		j->n = 0;
	return is(j, JSON_TOP, JSMN_OBJECT);
}

int json_member(const struct json *j, int object, const char *name)
{
	if (!is(j, object, JSMN_OBJECT))
		return JSON_NONE;
	for (int i = object + 1; i + 1 < j->n; i++)
		if (j->token[i].parent == object && j->token[i].type == JSMN_STRING &&
		    j->token[i + 1].parent == i && slice_eq(text_of(j, i), slice_of(name)))
			return i + 1;
	return JSON_NONE;
}

int json_element(const struct json *j, int array, int i)
{
	if (!is(j, array, JSMN_ARRAY))
		return JSON_NONE;
	for (int k = array + 1; k < j->n; k++)
		if (j->token[k].parent == array && !i--)
			return k;
	return JSON_NONE;
}

/* XXXX of \uXXXX; what is not ASCII is more than 127. */
static unsigned code_of(struct cur *c)
{
	unsigned v = 0;

	for (int i = 0; i < 4; i++) {
		uint8_t d = byte_lower(cur_u8(c));

		v = v << 4 | (unsigned)(byte_digit(d) ? d - '0' : d - 'a' + 10);
	}
	return v;
}

static void unescape(struct cur *c, struct buf *out)
{
	static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
	uint8_t e = cur_u8(c);
	size_t at = slice_find(slice_of(from), e);
	unsigned v = e == 'u' ? code_of(c) : at < sizeof from - 1 ? (uint8_t)to[at] : e;

	out->bad |= c->bad || v > 127;
	buf_u8(out, (uint8_t)v);
}

bool json_string(const struct json *j, int at, struct buf *out)
{
	struct buf b = *out;
	struct cur c;

	if (!is(j, at, JSMN_STRING))
		return false;
	c = CUR(text_of(j, at));
	while (!cur_end(&c)) {
		if (cur_try(&c, '\\'))
			unescape(&c, &b);
		else
			buf_u8(&b, cur_u8(&c));
	}
	if (b.bad)
		return false;
	*out = b;
	return true;
}

bool json_is(const struct json *j, int at, const char *text)
{
	return is(j, at, JSMN_STRING) && slice_eq(text_of(j, at), slice_of(text));
}
