/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/spf_record.h"

#include "smtpd/proto/spf_macro.h"

static const struct slice version = SLICE("v=spf1");

enum spec { NONE, OPTIONAL, NEEDED, NETWORK };

static const struct {
	struct slice name;
	enum spec spec;
	bool bits;
} mechanisms[] = {
	[SPF_ALL] = { SLICE("all"), NONE, false },
	[SPF_INCLUDE] = { SLICE("include"), NEEDED, false },
	[SPF_A] = { SLICE("a"), OPTIONAL, true },
	[SPF_MX] = { SLICE("mx"), OPTIONAL, true },
	[SPF_PTR] = { SLICE("ptr"), OPTIONAL, false },
	[SPF_IP4] = { SLICE("ip4"), NETWORK, false },
	[SPF_IP6] = { SLICE("ip6"), NETWORK, false },
	[SPF_EXISTS] = { SLICE("exists"), NEEDED, false },
};

_Static_assert(sizeof mechanisms / sizeof *mechanisms == SPF_REDIRECT, "row missing");

bool spf_record_is(struct slice txt)
{
	return slice_iprefix(txt, version) && (txt.n == version.n || txt.p[version.n] == ' ');
}

struct cur spf_record_terms(struct slice record)
{
	return CUR(slice_from(record, version.n));
}

static bool is_name(uint8_t c)
{
	return byte_alpha(c) || byte_digit(c) || c == '-' || c == '_' || c == '.';
}

static bool is_visible(uint8_t c)
{
	return c > ' ' && c <= '~';
}

static bool is_space(uint8_t c)
{
	return c == ' ';
}

/* Takes "/N" off the end of *s, or "//N". True: it was there; *bits is then at most max. */
static bool bits_take(struct slice *s, bool two, unsigned max, unsigned *bits, bool *bad)
{
	size_t slash = slice_rfind(*s, '/');
	struct slice digits = slice_from(*s, slash + 1);
	uint64_t n;

	if (slash == s->n || !digits.n || (two && (!slash || s->p[slash - 1] != '/')))
		return false;
	for (size_t i = 0; i < digits.n; i++)
		if (!byte_digit(digits.p[i]))
			return false;
	if ((digits.n > 1 && digits.p[0] == '0') || !slice_u64(digits, max, &n)) {
		*bad = true;
		return true;
	}
	*bits = (unsigned)n;
	s->n = slash - two;
	return true;
}

/* ADDRESS, or ADDRESS/LENGTH. */
static bool network(struct slice s, bool four, struct ipaddr_net *out)
{
	unsigned bits = four ? 32 : 128;
	bool bad = false;

	bits_take(&s, false, bits, &bits, &bad);
	if (bad || !(four ? ipaddr_parse4(s, &out->addr) : ipaddr_parse6(s, &out->addr)))
		return false;
	out->bits = bits + (four ? 96 : 0);
	return true;
}

/* `rest`: what stands behind the name. */
static bool mechanism(struct slice name, struct slice rest, struct spf_term *t)
{
	bool bad = false, colon;
	int i = 0;

	while (i < SPF_REDIRECT && !slice_ieq(name, mechanisms[i].name))
		i++;
	if (i == SPF_REDIRECT) {
		t->kind = SPF_UNKNOWN;
		return rest.n && rest.p[0] == ':' && spf_macro_string(rest, SPF_MACRO_RECORD);
	}
	t->kind = (enum spf_kind)i;
	t->bits4 = 32;
	t->bits6 = 128;
	if (mechanisms[i].bits) {
		bits_take(&rest, true, 128, &t->bits6, &bad);
		bits_take(&rest, false, 32, &t->bits4, &bad);
	}
	colon = rest.n && rest.p[0] == ':';
	t->spec = slice_from(rest, 1);
	if (bad || (rest.n && !colon))
		return false;
	switch (mechanisms[i].spec) {
	case NONE:
		return !colon;
	case OPTIONAL:
		return !colon || spf_macro_domain(t->spec);
	case NEEDED:
		return spf_macro_domain(t->spec);
	default:
		return network(t->spec, i == SPF_IP4, &t->net);
	}
}

static bool modifier(struct slice name, struct slice value, struct spf_term *t)
{
	t->spec = value;
	t->kind = slice_ieq(name, SLICE("redirect")) ? SPF_REDIRECT
		  : slice_ieq(name, SLICE("exp"))    ? SPF_EXP
						     : SPF_OTHER;
	return t->kind == SPF_OTHER ? spf_macro_string(value, SPF_MACRO_RECORD)
				    : spf_macro_domain(value);
}

bool spf_record_term(struct cur *c, struct spf_term *t)
{
	struct cur in;
	struct slice name;
	bool qualified;

	*t = (struct spf_term){ .qualifier = '+' };
	if (cur_skip(c, is_space).n == 0 && !cur_end(c))
		c->bad = true;
	if (cur_end(c))
		return false;
	t->text = cur_span(c, is_visible, SIZE_MAX);
	in = CUR(t->text);
	qualified = t->text.n && slice_find(SLICE("+-?~"), t->text.p[0]) < 4;
	if (qualified)
		t->qualifier = cur_u8(&in);
	if (cur_end(&in) || !byte_alpha(in.s.p[0]))
		c->bad = true;
	name = cur_skip(&in, is_name);
	if (cur_try(&in, '='))
		c->bad |= qualified || !modifier(name, in.s, t);
	else
		c->bad |= !mechanism(name, in.s, t);
	return !c->bad;
}

bool spf_record_check(struct slice record, struct slice *redirect, struct slice *exp)
{
	struct cur c = spf_record_terms(record);
	struct slice found[2] = { { 0 } };
	struct spf_term t;
	bool all = false;

	while (spf_record_term(&c, &t)) {
		all |= t.kind == SPF_ALL;
		if (t.kind == SPF_UNKNOWN && !all)
			return false;
		if (t.kind != SPF_REDIRECT && t.kind != SPF_EXP)
			continue;
		if (found[t.kind == SPF_EXP].n)
			return false;
		found[t.kind == SPF_EXP] = t.spec;
	}
	*redirect = found[0];
	*exp = found[1];
	return cur_done(&c);
}
