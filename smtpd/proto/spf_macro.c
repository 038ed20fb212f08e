/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/spf_macro.h"

#include "smtpd/proto/dnsmsg.h"

struct token {
	uint8_t letter; /* lower case; 0: `literal` alone */
	bool url, reverse;
	uint64_t keep;	      /* parts from the right; 0: not said */
	struct slice delims;  /* empty: '.' */
	struct slice literal; /* borrowed from the string when `plain`, else static */
	bool plain;
};

static bool is_literal(uint8_t c)
{
	return c > ' ' && c <= '~' && c != '%';
}

static bool is_text(uint8_t c)
{
	return is_literal(c) || c == ' ';
}

static bool is_delim(uint8_t c)
{
	return slice_find(SLICE(".-+,/_="), c) < 7;
}

static bool is_letter(uint8_t c, enum spf_macro_where where)
{
	return slice_find(SLICE("slodipvh"), c) < 8 ||
	       (where == SPF_MACRO_EXPLAIN && slice_find(SLICE("crt"), c) < 3);
}

/* Behind "%{". */
static void braces_get(struct cur *c, enum spf_macro_where where, struct token *t)
{
	uint8_t letter = cur_u8(c);
	struct slice digits;

	t->letter = byte_lower(letter);
	t->url = letter != t->letter;
	digits = cur_skip(c, byte_digit);
	t->reverse = cur_try(c, 'r') || cur_try(c, 'R');
	t->delims = cur_skip(c, is_delim);
	cur_lit(c, '}');
	c->bad |= !is_letter(t->letter, where) ||
		  (digits.n && (!slice_u64(digits, UINT64_MAX, &t->keep) || !t->keep));
}

/* The next token. False: the end, or *c is bad. */
static bool token_next(struct cur *c, enum spf_macro_where where, struct token *t)
{
	*t = (struct token){ 0 };
	if (cur_end(c))
		return false;
	if (!cur_try(c, '%')) {
		t->literal = cur_skip(c, where == SPF_MACRO_EXPLAIN ? is_text : is_literal);
		t->plain = true;
		c->bad |= !t->literal.n;
		return !c->bad;
	}
	switch (cur_u8(c)) {
	case '%':
		t->literal = SLICE("%");
		break;
	case '_':
		t->literal = SLICE(" ");
		break;
	case '-':
		t->literal = SLICE("%20");
		break;
	case '{':
		braces_get(c, where, t);
		break;
	default:
		c->bad = true;
	}
	return !c->bad;
}

bool spf_macro_string(struct slice s, enum spf_macro_where where)
{
	struct cur c = CUR(s);
	struct token t;

	while (token_next(&c, where, &t))
		;
	return cur_done(&c);
}

/* RFC 7208 7.1: letters and digits, not digits alone, a hyphen only inside. */
static bool is_toplabel(struct slice s)
{
	bool more = false;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '-' ? i == 0 || i + 1 == s.n
				  : !byte_alpha(s.p[i]) && !byte_digit(s.p[i]))
			return false;
		more |= !byte_digit(s.p[i]);
	}
	return more;
}

bool spf_macro_domain(struct slice s)
{
	struct cur c = CUR(s);
	struct slice end = { 0 };
	struct token t;
	size_t dot;

	while (token_next(&c, SPF_MACRO_RECORD, &t))
		end = t.plain ? t.literal : SLICE("");
	if (!cur_done(&c) || !s.n)
		return false;
	if (!end.n)
		return true;
	if (end.p[end.n - 1] == '.')
		end.n--;
	dot = slice_rfind(end, '.');
	return dot < end.n && is_toplabel(slice_from(end, dot + 1));
}

bool spf_macro_validated(struct slice s)
{
	struct cur c = CUR(s);
	struct token t;

	while (token_next(&c, SPF_MACRO_EXPLAIN, &t))
		if (t.letter == 'p')
			return true;
	return false;
}

/* ---- expansion ---- */

/* RFC 7208 7.4: 32 nibbles with dots; IPv4 as ever. */
static void put_ip(struct buf *b, const struct ipaddr *ip)
{
	if (ipaddr_v4(ip)) {
		ipaddr_put(b, ip);
		return;
	}
	for (size_t i = 0; i < sizeof ip->b; i++) {
		uint8_t hex[2];
		struct buf two = BUF(hex);

		buf_hex(&two, (struct slice){ ip->b + i, 1 });
		if (i)
			buf_u8(b, '.');
		buf_u8(b, hex[0]);
		buf_u8(b, '.');
		buf_u8(b, hex[1]);
	}
}

static void put_value(struct buf *b, uint8_t letter, const struct spf_values *v)
{
	switch (letter) {
	case 's':
		buf_put(b, v->local);
		buf_u8(b, '@');
		buf_put(b, v->sender_domain);
		break;
	case 'l':
		buf_put(b, v->local);
		break;
	case 'o':
		buf_put(b, v->sender_domain);
		break;
	case 'd':
		buf_put(b, v->domain);
		break;
	case 'i':
		put_ip(b, &v->ip);
		break;
	case 'p':
		buf_put(b, v->validated);
		break;
	case 'v':
		buf_put(b, ipaddr_v4(&v->ip) ? SLICE("in-addr") : SLICE("ip6"));
		break;
	case 'h':
		buf_put(b, v->helo);
		break;
	case 'c':
		ipaddr_put(b, &v->ip);
		break;
	case 'r':
		buf_put(b, v->receiver);
		break;
	case 't':
		buf_dec(b, v->now);
		break;
	}
}

/* Names keep their end, RFC 7208 7.3: what cannot count any more makes room. */
static void put_octet(struct buf *out, uint8_t c, bool name)
{
	if (name && out->len == out->cap)
		buf_eat(out, out->len - DNSMSG_NAME - 1);
	buf_u8(out, c);
}

static void put_escaped(struct buf *out, struct slice s, bool url, bool name)
{
	static const char digit[] = "0123456789ABCDEF";

	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i];

		/* RFC 3986 2.3 */
		if (!url || byte_alpha(c) || byte_digit(c) ||
		    slice_find(SLICE("-._~"), c) < 4) {
			put_octet(out, c, name);
			continue;
		}
		put_octet(out, '%', name);
		put_octet(out, (uint8_t)digit[c >> 4], name);
		put_octet(out, (uint8_t)digit[c & 15], name);
	}
}

static bool is_cut(const struct token *t, uint8_t c)
{
	return t->delims.n ? slice_find(t->delims, c) < t->delims.n : c == '.';
}

static void put_macro(struct buf *out, const struct token *t, const struct spf_values *v,
		      bool name)
{
	uint8_t mem[SPF_MACRO_VALUE];
	struct slice part[SPF_MACRO_VALUE + 1];
	struct buf value = BUF(mem);
	size_t n = 0, first;

	put_value(&value, t->letter, v);
	out->bad |= value.bad;
	if (!t->keep && !t->reverse && !t->delims.n) {
		put_escaped(out, buf_slice(&value), t->url, name);
		return;
	}
	for (size_t i = 0, at = 0; i <= value.len; i++)
		if (i == value.len || is_cut(t, mem[i])) {
			part[n++] = (struct slice){ mem + at, i - at };
			at = i + 1;
		}
	first = t->keep && t->keep < n ? n - t->keep : 0;
	for (size_t i = first; i < n; i++) {
		if (i > first)
			put_octet(out, '.', name);
		/* reversed: the last of them comes first, and the right ones are kept after that */
		put_escaped(out, part[t->reverse ? n - 1 - i : i], t->url, name);
	}
}

static void expand(struct slice s, enum spf_macro_where where, const struct spf_values *v,
		   struct buf *out)
{
	struct cur c = CUR(s);
	struct token t;
	bool name = where == SPF_MACRO_RECORD;

	while (token_next(&c, where, &t)) {
		if (t.letter)
			put_macro(out, &t, v, name);
		else
			put_escaped(out, t.literal, false, name);
	}
	out->bad |= !cur_done(&c);
}

static bool printable(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < ' ' || s.p[i] > '~')
			return false;
	return true;
}

void spf_macro_text(struct slice s, const struct spf_values *v, struct buf *out)
{
	expand(s, SPF_MACRO_EXPLAIN, v, out);
	out->bad |= !printable(buf_slice(out));
}

void spf_macro_name(struct slice s, const struct spf_values *v, struct buf *out)
{
	expand(s, SPF_MACRO_RECORD, v, out);
	if (out->len && out->p[out->len - 1] == '.')
		out->len--;
	while (out->len > DNSMSG_NAME) {
		size_t dot = slice_find(buf_slice(out), '.');

		buf_eat(out, dot < out->len ? dot + 1 : out->len);
	}
	out->bad |= !dnsmsg_question_ok(buf_slice(out));
}
