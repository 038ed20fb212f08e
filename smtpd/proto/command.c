/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/command.h"

#include "smtpd/proto/ipaddr.h"

static bool is_print(uint8_t c)
{
	return c >= ' ' && c <= '~';
}

bool command_parse(struct slice line, struct command *out)
{
	struct cur all = CUR(slice_trim(line)), c;
	struct command k = { 0 };

	if (line.n && (line.p[0] == ' ' || line.p[0] == '\t'))
		return false;
	c = all;
	cur_skip(&all, is_print);
	k.verb = cur_span(&c, byte_alpha, 32);
	if (!cur_end(&c))
		cur_lit(&c, ' ');
	if (c.bad || !cur_done(&all))
		return false;
	k.arg = c.s;
	*out = k;
	return true;
}

static bool is_keyword(uint8_t c)
{
	return byte_alpha(c) || byte_digit(c) || c == '-';
}

static bool is_value(uint8_t c)
{
	return c > ' ' && c <= '~' && c != '=';
}

/* The next " KEYWORD" or " KEYWORD=VALUE" (RFC 5321 4.1.2 esmtp-param). */
static bool take_param(struct cur *c, struct slice *keyword, struct slice *value)
{
	*value = (struct slice){ NULL, 0 };
	cur_lit(c, ' ');
	*keyword = cur_span(c, is_keyword, 64);
	if (cur_try(c, '='))
		*value = cur_span(c, is_value, 512);
	if (!cur_end(c) && !cur_at(c, ' '))
		c->bad = true;
	return !c->bad && keyword->p[0] != '-';
}

/* RFC 4954 5 and RFC 3461 4: xtext, upper-case hex after each plus. */
static bool is_xtext(struct slice s)
{
	struct cur c = CUR(s);

	while (!cur_end(&c))
		if (cur_u8(&c) == '+')
			for (int i = 0; i < 2; i++) {
				uint8_t h = cur_u8(&c);

				if (!byte_digit(h) && (h < 'A' || h > 'F'))
					return false;
			}
	return s.n && cur_done(&c);
}

static enum command_error set_size(struct slice v, struct command_mail *m)
{
	struct cur c = CUR(v);

	cur_span(&c, byte_digit, 20); /* RFC 1870 3 */
	if (!cur_done(&c))
		return COMMAND_SYNTAX;
	if (!slice_u64(v, UINT64_MAX, &m->size))
		m->size = UINT64_MAX;
	return COMMAND_OK;
}

static enum command_error set_body(struct slice v, struct command_mail *m)
{
	if (slice_ieq(v, SLICE("8BITMIME")))
		m->body = COMMAND_8BIT;
	else if (!slice_ieq(v, SLICE("7BIT")))
		return v.n ? COMMAND_PARAM : COMMAND_SYNTAX;
	return COMMAND_OK;
}

static enum command_error set_auth(struct slice v, struct command_mail *m)
{
	(void)m;
	return is_xtext(v) ? COMMAND_OK : COMMAND_SYNTAX;
}

enum { NEEDS_AUTH = 1 };

static const struct param {
	const char *keyword;
	unsigned flags;
	enum command_error (*set)(struct slice value, struct command_mail *m);
} params[] = {
	{ "SIZE", 0, set_size },
	{ "BODY", 0, set_body },
	{ "AUTH", NEEDS_AUTH, set_auth },
};

enum { PARAMS = sizeof params / sizeof *params };

static unsigned find_param(struct slice keyword, bool auth)
{
	unsigned i = 0;

	while (i < PARAMS && !slice_ieq(keyword, slice_of(params[i].keyword)))
		i++;
	return i < PARAMS && (params[i].flags & NEEDS_AUTH) && !auth ? PARAMS : i;
}

/* `c` stands behind "FROM" or "TO", whose colon is due. */
static enum command_error take_path(struct cur *c, unsigned allow, struct path *out)
{
	cur_lit(c, ':');
	if (c->bad)
		return COMMAND_SYNTAX;
	cur_try(c, ' ');
	if (!path_take(c, allow, out))
		return COMMAND_PATH;
	return cur_end(c) || cur_at(c, ' ') ? COMMAND_OK : COMMAND_PATH;
}

enum command_error command_mail(struct slice arg, bool auth, struct command_mail *out)
{
	struct cur c = CUR(arg);
	struct command_mail m = { 0 };
	enum command_error e;
	unsigned seen = 0;

	cur_word(&c, SLICE("FROM"));
	e = take_path(&c, PATH_NULL, &m.from);
	while (!e && !cur_end(&c)) {
		struct slice keyword, value;
		unsigned i;

		if (!take_param(&c, &keyword, &value))
			return COMMAND_SYNTAX;
		i = find_param(keyword, auth);
		if (i == PARAMS)
			return COMMAND_PARAM;
		if (seen & 1u << i)
			return COMMAND_SYNTAX;
		seen |= 1u << i;
		e = params[i].set(value, &m);
	}
	if (!e)
		*out = m;
	return e;
}

enum command_error command_rcpt(struct slice arg, struct path *to)
{
	struct cur c = CUR(arg);
	struct slice keyword, value;
	struct path p;
	enum command_error e;

	cur_word(&c, SLICE("TO"));
	e = take_path(&c, PATH_BARE, &p);
	if (e)
		return e;
	if (!cur_end(&c))
		return take_param(&c, &keyword, &value) ? COMMAND_PARAM : COMMAND_SYNTAX;
	*to = p;
	return COMMAND_OK;
}

static bool is_helo(uint8_t c)
{
	return is_keyword(c) || c == '_';
}

bool command_helo(struct slice arg)
{
	struct slice tag = SLICE("[IPv6:"), body = slice_head(arg, arg.n - (arg.n > 0));
	struct ipaddr a;
	struct cur c = CUR(arg);

	if (cur_at(&c, '[')) {
		if (arg.p[arg.n - 1] != ']')
			return false;
		return slice_iprefix(arg, tag) ? ipaddr_parse6(slice_from(body, tag.n), &a)
					       : ipaddr_parse4(slice_from(body, 1), &a);
	}
	do {
		struct slice label = cur_span(&c, is_helo, 63);

		if (label.n && (label.p[0] == '-' || label.p[label.n - 1] == '-'))
			return false;
	} while (cur_try(&c, '.'));
	return cur_done(&c) && arg.n <= PATH_DOMAIN;
}
