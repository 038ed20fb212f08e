/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/command.h"

#include "smtpd/proto/ipaddr.h"
#include "smtpd/proto/utf8.h"

static bool is_print(uint8_t c)
{
	return c >= ' ' && c != 0x7f;
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
	if (c.bad || !cur_done(&all) || !utf8_clean(line))
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

/* RFC 4954 5 and RFC 3461 4: xtext, upper-case hex after each plus; what it stands for is printable. */
static bool is_xtext(struct slice s)
{
	struct cur c = CUR(s);

	while (!cur_end(&c)) {
		unsigned value = 0;

		if (cur_u8(&c) != '+')
			continue;
		for (int i = 0; i < 2; i++) {
			uint8_t h = cur_u8(&c);

			if (!byte_digit(h) && (h < 'A' || h > 'F'))
				return false;
			value = value * 16 + h - (byte_digit(h) ? '0' : 'A' - 10);
		}
		if (value < ' ' || value > '~')
			return false;
	}
	return s.n && cur_done(&c);
}

static bool is_size(struct slice v)
{
	struct cur c = CUR(v);

	cur_span(&c, byte_digit, 20); /* RFC 1870 3 */
	return cur_done(&c);
}

static bool is_body(struct slice v)
{
	return slice_ieq(v, SLICE("7BIT")) || slice_ieq(v, SLICE("8BITMIME"));
}

static bool is_ret(struct slice v)
{
	return slice_ieq(v, SLICE("FULL")) || slice_ieq(v, SLICE("HDRS"));
}

static bool is_envid(struct slice v)
{
	return v.n <= COMMAND_ENVID_MAX && is_xtext(v);
}

/* RFC 3461 4.1: NEVER alone, or some of the others. */
static bool is_notify(struct slice v)
{
	static const struct slice words[] = { SLICE("SUCCESS"), SLICE("FAILURE"),
					      SLICE("DELAY") };
	struct cur c = CUR(v);
	unsigned seen = 0;

	if (slice_ieq(v, SLICE("NEVER")))
		return true;
	do {
		struct slice w = cur_span(&c, byte_alpha, 7);
		unsigned i = 0;

		while (i < 3 && !slice_ieq(w, words[i]))
			i++;
		c.bad |= i == 3 || seen & 1u << i;
		seen |= 1u << i;
	} while (cur_try(&c, ','));
	return cur_done(&c);
}

/* RFC 3461 4.2: addr-type ";" xtext */
static bool is_orcpt(struct slice v)
{
	struct cur c = CUR(v);

	cur_span(&c, is_keyword, COMMAND_ORCPT_MAX);
	cur_lit(&c, ';');
	return v.n <= COMMAND_ORCPT_MAX && !c.bad && is_xtext(c.s);
}

enum param_flag { OF_MAIL = 1, OF_RCPT = 2, SUB_ONLY = 4 };
static bool is_nothing(struct slice v)
{
	return !v.p;
}

enum param_id { SIZE, BODY, AUTH, SMTPUTF8, RET, ENVID, NOTIFY, ORCPT, PARAMS };

static const struct param {
	struct slice keyword;
	unsigned flags;
	enum command_error fault;
	bool (*is)(struct slice value);
} params[] = {
	[SIZE] = { SLICE("SIZE"), OF_MAIL, COMMAND_SIZE, is_size },
	[BODY] = { SLICE("BODY"), OF_MAIL, COMMAND_BODY, is_body },
	[AUTH] = { SLICE("AUTH"), OF_MAIL | SUB_ONLY, COMMAND_AUTH, is_xtext },
	[SMTPUTF8] = { SLICE("SMTPUTF8"), OF_MAIL, COMMAND_SMTPUTF8, is_nothing },
	[RET] = { SLICE("RET"), OF_MAIL | SUB_ONLY, COMMAND_RET, is_ret },
	[ENVID] = { SLICE("ENVID"), OF_MAIL | SUB_ONLY, COMMAND_ENVID, is_envid },
	[NOTIFY] = { SLICE("NOTIFY"), OF_RCPT | SUB_ONLY, COMMAND_NOTIFY, is_notify },
	[ORCPT] = { SLICE("ORCPT"), OF_RCPT | SUB_ONLY, COMMAND_ORCPT, is_orcpt },
};
_Static_assert(sizeof params / sizeof *params == PARAMS, "row missing");

static unsigned find_param(struct slice keyword, unsigned verb, bool sub)
{
	unsigned i = 0;

	while (i < PARAMS && !slice_ieq(keyword, params[i].keyword))
		i++;
	return i < PARAMS && params[i].flags & verb && (sub || !(params[i].flags & SUB_ONLY))
		       ? i
		       : PARAMS;
}

/* All parameters; the value of each at its place. */
static enum command_error take_params(struct cur *c, unsigned verb, bool sub,
				      struct slice value[PARAMS])
{
	while (!cur_end(c)) {
		struct slice keyword, v;
		unsigned i;

		if (!take_param(c, &keyword, &v))
			return COMMAND_SYNTAX;
		i = find_param(keyword, verb, sub);
		if (i == PARAMS)
			return COMMAND_PARAM;
		if (value[i].p)
			return COMMAND_TWICE;
		if (!params[i].is(v))
			return params[i].fault;
		value[i] = v.p ? v : keyword; /* given, and that is all */
	}
	return COMMAND_OK;
}

/* `c` stands behind "FROM" or "TO", whose colon is due. */
static enum command_error take_path(struct cur *c, unsigned allow, struct path *out)
{
	cur_lit(c, ':');
	if (c->bad)
		return COMMAND_SYNTAX;
	cur_try(c, ' ');
	if (!path_take(c, allow | PATH_UTF8, out))
		return COMMAND_PATH;
	return cur_end(c) || cur_at(c, ' ') ? COMMAND_OK : COMMAND_PATH;
}

static bool needs_utf8(const struct path *p)
{
	return utf8_needed(p->local) || utf8_needed(p->domain);
}

enum command_error command_mail(struct slice arg, bool sub, struct command_mail *out)
{
	struct slice v[PARAMS] = { 0 };
	struct cur c = CUR(arg);
	struct command_mail m = { 0 };
	enum command_error e;

	cur_word(&c, SLICE("FROM"));
	e = take_path(&c, PATH_NULL, &m.from);
	if (!e)
		e = take_params(&c, OF_MAIL, sub, v);
	if (e)
		return e;
	if (v[SIZE].n && !slice_u64(v[SIZE], UINT64_MAX, &m.size))
		m.size = UINT64_MAX;
	m.body = slice_ieq(v[BODY], SLICE("8BITMIME")) ? COMMAND_8BIT : COMMAND_7BIT;
	m.utf8 = v[SMTPUTF8].p;
	if (!m.utf8 && needs_utf8(&m.from))
		return COMMAND_UTF8;
	m.ret = v[RET];
	m.envid = v[ENVID];
	*out = m;
	return COMMAND_OK;
}

enum command_error command_rcpt(struct slice arg, bool sub, bool utf8, struct command_rcpt *out)
{
	struct slice v[PARAMS] = { 0 };
	struct cur c = CUR(arg);
	struct command_rcpt r = { 0 };
	enum command_error e;

	cur_word(&c, SLICE("TO"));
	e = take_path(&c, PATH_BARE, &r.to);
	if (!e)
		e = take_params(&c, OF_RCPT, sub, v);
	if (e)
		return e;
	if (!utf8 && needs_utf8(&r.to))
		return COMMAND_UTF8;
	r.notify = v[NOTIFY];
	r.orcpt = v[ORCPT];
	*out = r;
	return COMMAND_OK;
}

const char *command_fault(enum command_error e, bool rcpt)
{
	static const char *const text[][2] = {
		[COMMAND_OK] = { "250 2.0.0 Ok", "250 2.0.0 Ok" },
		[COMMAND_SYNTAX] = { "501 5.5.4 Syntax: MAIL FROM:<address> [KEYWORD=VALUE ...]",
				     "501 5.5.4 Syntax: RCPT TO:<address> [KEYWORD=VALUE ...]" },
		[COMMAND_PATH] = { "501 5.1.7 Bad sender address, write <local@domain> or <>",
				   "501 5.1.3 Bad recipient address, write <local@domain>" },
		[COMMAND_PARAM] = { "555 5.5.4 Parameter not offered, leave it out",
				    "555 5.5.4 Parameter not offered, leave it out" },
		[COMMAND_TWICE] = { "501 5.5.4 Parameter given twice",
				    "501 5.5.4 Parameter given twice" },
		[COMMAND_UTF8] = { "553 5.6.7 This address needs SMTPUTF8 on MAIL",
				   "553 5.6.7 This address needs SMTPUTF8 on MAIL" },
		[COMMAND_SMTPUTF8] = { "501 5.5.4 SMTPUTF8 has no value" },
		[COMMAND_SIZE] = { "501 5.5.4 SIZE must be 1 to 20 digits" },
		[COMMAND_BODY] = { "555 5.5.4 BODY must be 7BIT or 8BITMIME" },
		[COMMAND_AUTH] = { "501 5.5.4 AUTH must be xtext (RFC 4954)" },
		[COMMAND_RET] = { "501 5.5.4 RET must be FULL or HDRS" },
		[COMMAND_ENVID] = { "501 5.5.4 ENVID must be xtext of at most 100 octets" },
		[COMMAND_NOTIFY] = { NULL, "501 5.5.4 NOTIFY must be NEVER, or some of "
					   "SUCCESS,FAILURE,DELAY" },
		[COMMAND_ORCPT] = { NULL, "501 5.5.4 ORCPT must be type;xtext of at most 500 "
					  "octets" },
	};

	_Static_assert(sizeof text / sizeof *text == COMMAND_ERRORS, "row missing");
	return text[e][rcpt];
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
