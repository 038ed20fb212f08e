/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/path.h"

#include "smtpd/proto/ipaddr.h"
#include "smtpd/proto/utf8.h"

static bool is_atext(uint8_t c)
{
	const struct slice special = SLICE("!#$%&'*+-/=?^_`{|}~");

	return byte_alpha(c) || byte_digit(c) || slice_find(special, c) < special.n;
}

static bool is_ldh(uint8_t c)
{
	return byte_alpha(c) || byte_digit(c) || c == '-';
}

static bool is_utext(uint8_t c)
{
	return is_atext(c) || c >= 0x80;
}

static bool is_ulabel(uint8_t c)
{
	return is_ldh(c) || c >= 0x80;
}

static bool is_literal(uint8_t c)
{
	return is_ldh(c) || c == '.' || c == ':';
}

/* What *c has passed since it stood at `from`. */
static struct slice passed(struct slice from, const struct cur *c)
{
	return slice_head(from, from.n - c->s.n);
}

/* The same, where octets above 127 may stand only as whole characters. */
static struct slice passed_clean(struct slice from, struct cur *c, bool utf8)
{
	struct slice s = passed(from, c);

	if (utf8 && !c->bad && !utf8_clean(s))
		c->bad = true;
	return s;
}

static struct slice take_local(struct cur *c, bool utf8)
{
	struct slice from = c->s;

	if (!cur_try(c, '"')) {
		do
			cur_span(c, utf8 ? is_utext : is_atext, PATH_LOCAL);
		while (cur_try(c, '.'));
	} else {
		while (!cur_end(c) && !cur_at(c, '"')) {
			uint8_t o = cur_u8(c);
			bool pair = o == '\\';

			if (pair)
				o = cur_u8(c);
			if (o < ' ' || o == 0x7f || (o > 0x7f && (!utf8 || pair)))
				c->bad = true;
		}
		cur_lit(c, '"');
	}
	if (from.n - c->s.n > PATH_LOCAL)
		c->bad = true;
	return passed_clean(from, c, utf8);
}

static struct slice take_name(struct cur *c, bool utf8)
{
	struct slice from = c->s;

	do {
		struct slice label = cur_span(c, utf8 ? is_ulabel : is_ldh, 63);

		if (label.n && (label.p[0] == '-' || label.p[label.n - 1] == '-'))
			c->bad = true;
	} while (cur_try(c, '.'));
	if (from.n - c->s.n > PATH_DOMAIN)
		c->bad = true;
	return passed_clean(from, c, utf8);
}

/* Stricter than RFC 5321 4.1.3: no General-address-literal, because no tag but IPv6 is
 * registered, and no leading zeros in IPv4, because readers differ on what they mean. */
static struct slice take_literal(struct cur *c)
{
	struct slice from = c->s, tag = SLICE("IPv6:"), text;
	struct ipaddr a;

	cur_lit(c, '[');
	text = cur_skip(c, is_literal);
	cur_lit(c, ']');
	if (!(slice_iprefix(text, tag) ? ipaddr_parse6(slice_from(text, tag.n), &a)
				       : ipaddr_parse4(text, &a)))
		c->bad = true;
	return passed(from, c);
}

static struct path take_mailbox(struct cur *c, unsigned allow)
{
	bool utf8 = allow & PATH_UTF8;
	struct path p = { .local = take_local(c, utf8) };

	if ((allow & PATH_BARE) && !cur_at(c, '@') && slice_ieq(p.local, SLICE("postmaster")))
		return p;
	cur_lit(c, '@');
	p.domain = cur_at(c, '[') ? take_literal(c) : take_name(c, utf8);
	return p;
}

/* RFC 5321 4.1.2 A-d-l ":", obsolete; appendix C and RULES N8: accepted and ignored. */
static void take_route(struct cur *c)
{
	if (!cur_at(c, '@'))
		return;
	do {
		cur_lit(c, '@');
		take_name(c, false);
	} while (cur_try(c, ','));
	cur_lit(c, ':');
}

bool path_take(struct cur *c, unsigned allow, struct path *out)
{
	struct slice from = c->s;
	struct path p = { 0 };

	cur_lit(c, '<');
	if (!(allow & PATH_NULL) || !cur_try(c, '>')) {
		take_route(c);
		p = take_mailbox(c, allow);
		cur_lit(c, '>');
	}
	if (from.n - c->s.n > PATH_OCTETS)
		c->bad = true;
	if (c->bad)
		return false;
	*out = p;
	return true;
}

bool path_parse(struct slice in, unsigned allow, struct path *out)
{
	struct cur c = CUR(in);
	struct path p;

	if (!path_take(&c, allow, &p) || !cur_done(&c))
		return false;
	*out = p;
	return true;
}

bool path_addr(struct slice in, unsigned allow, struct path *out)
{
	struct cur c = CUR(in);
	struct path p = { 0 };

	if (in.n || !(allow & PATH_NULL))
		p = take_mailbox(&c, allow);
	if (!cur_done(&c) || in.n > PATH_OCTETS - 2)
		return false;
	*out = p;
	return true;
}

bool path_name(struct slice in)
{
	struct cur c = CUR(in);

	take_name(&c, false);
	return cur_done(&c);
}

bool path_null(const struct path *p)
{
	return !p->local.n && !p->domain.n;
}

void path_local(const struct path *p, struct buf *out)
{
	struct slice s = p->local;

	if (!s.n || s.p[0] != '"') {
		buf_put(out, s);
		return;
	}
	for (size_t i = 1; i + 1 < s.n; i++) {
		if (s.p[i] == '\\')
			i++;
		buf_u8(out, s.p[i]);
	}
}

static bool is_dot_string(struct slice s)
{
	struct cur c = CUR(s);

	do
		cur_span(&c, is_utext, PATH_LOCAL);
	while (cur_try(&c, '.'));
	return cur_done(&c);
}

/* As DNS has it. */
static void put_domain(struct buf *out, struct slice domain)
{
	size_t at = out->len;

	if (!utf8_needed(domain)) {
		buf_put(out, domain);
		return;
	}
	utf8_domain(out, domain);
	out->bad |= out->len - at > PATH_DOMAIN;
}

void path_join(struct slice local, struct slice domain, struct buf *out)
{
	size_t at = out->len;

	out->bad |= !utf8_clean(local);
	if (is_dot_string(local)) {
		buf_put(out, local);
	} else {
		buf_u8(out, '"');
		for (size_t i = 0; i < local.n; i++) {
			out->bad |= local.p[i] < ' ' || local.p[i] == 0x7f;
			if (local.p[i] == '"' || local.p[i] == '\\')
				buf_u8(out, '\\');
			buf_u8(out, local.p[i]);
		}
		buf_u8(out, '"');
	}
	out->bad |= out->len - at > PATH_LOCAL;
	if (domain.n) {
		buf_u8(out, '@');
		put_domain(out, domain);
	}
}

void path_print(const struct path *p, struct buf *out)
{
	uint8_t room[PATH_LOCAL];
	struct buf local = BUF(room);

	if (path_null(p))
		return;
	path_local(p, &local);
	path_join(buf_slice(&local), p->domain, out);
	out->bad |= local.bad;
}

bool path_eq(const struct path *a, const struct path *b)
{
	uint8_t room[2][PATH_LOCAL + PATH_DOMAIN];
	struct buf l[2] = { BUF(room[0]), BUF(room[1]) };
	size_t at[2];

	for (int i = 0; i < 2; i++) {
		path_local(i ? b : a, &l[i]);
		at[i] = l[i].len;
		put_domain(&l[i], i ? b->domain : a->domain);
	}
	return !l[0].bad && !l[1].bad && path_null(a) == path_null(b) &&
	       slice_eq(slice_head(buf_slice(&l[0]), at[0]),
			slice_head(buf_slice(&l[1]), at[1])) &&
	       slice_ieq(slice_from(buf_slice(&l[0]), at[0]),
			 slice_from(buf_slice(&l[1]), at[1]));
}
