/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/dkim_preimage.h"

#include "smtpd/proto/header.h"
#include "smtpd/proto/utf8.h"

enum { ADDRESSES = 8, NAME = 64, BH = 44, SIGN_NAMES = 256 };

struct field { /* one canonical line */
	struct slice name, value;
};

static bool is_low(uint8_t c)
{
	return c > ' ' && c <= '~' && c != ':' && byte_lower(c) == c;
}

static bool is_name(uint8_t c)
{
	return byte_alpha(c) || byte_digit(c) || c == '-';
}

static bool is_b64(uint8_t c)
{
	return byte_alpha(c) || byte_digit(c) || c == '+' || c == '/' || c == '=';
}

/* Printable ASCII or UTF-8, with single spaces inside. */
static bool value_ok(struct slice v)
{
	for (size_t i = 0; i < v.n; i++) {
		if (v.p[i] < ' ' || v.p[i] == 0x7f)
			return false;
		if (v.p[i] == ' ' && (i == 0 || i == v.n - 1 || v.p[i + 1] == ' '))
			return false;
	}
	return utf8_clean(v);
}

static bool field_take(struct slice *rest, struct field *f)
{
	size_t at = slice_find(*rest, '\r');
	struct cur c = CUR(slice_head(*rest, at));

	f->name = cur_span(&c, is_low, NAME);
	cur_lit(&c, ':');
	f->value = c.s;
	if (c.bad || !value_ok(f->value) || rest->n - at < 2 || rest->p[at + 1] != '\n')
		return false;
	*rest = slice_from(*rest, at + 2);
	return true;
}

static bool from_ok(struct slice value, struct slice domain)
{
	struct header_addr a[ADDRESSES];
	size_t n;

	if (!header_addresses(value, a, ADDRESSES, &n))
		return false;
	while (n--)
		if (!slice_ieq(a[n].domain, domain))
			return false;
	return true;
}

/* Walks h= (at *c) beside the fields: a name either is the next field's or stands for none. */
static bool fields_ok(struct cur *c, struct slice fields, struct slice domain)
{
	unsigned listed = 0, from = 0, froms = 0;
	struct field f;
	bool have = fields.n > 0;

	if (have && !field_take(&fields, &f))
		return false;
	do {
		cur_try(c, ' ');
		struct slice name = cur_span(c, is_name, NAME);
		bool is_from = slice_ieq(name, SLICE("from"));

		if (c->bad || ++listed > SIGN_NAMES)
			return false;
		froms += is_from;
		if (!have || !slice_ieq(name, f.name))
			continue;
		if (is_from && (from++ || !from_ok(f.value, domain)))
			return false;
		have = fields.n > 0;
		if (have && !field_take(&fields, &f))
			return false;
	} while (cur_try(c, ':'));
	return !have && from == 1 && froms == 2;
}

static void same(struct cur *c, struct slice want, bool fold)
{
	struct slice got = cur_take(c, want.n);

	if (fold ? !slice_ieq(got, want) : !slice_eq(got, want))
		c->bad = true;
}

bool dkim_preimage_check(struct slice preimage, bool ed25519, struct slice domain,
			 struct slice selector)
{
	size_t last = slice_rfind(preimage, '\n');
	struct cur c = CUR(slice_from(preimage, last + 1));

	if (last == preimage.n)
		return false;
	same(&c, SLICE("dkim-signature:v=1; a="), false);
	same(&c, ed25519 ? SLICE("ed25519-sha256") : SLICE("rsa-sha256"), false);
	same(&c, SLICE("; c=relaxed/relaxed; d="), false);
	same(&c, domain, true);
	same(&c, SLICE("; s="), false);
	same(&c, selector, false);
	same(&c, SLICE("; t="), false);
	cur_span(&c, byte_digit, 12);
	same(&c, SLICE("; h="), false);
	if (c.bad || !fields_ok(&c, slice_head(preimage, last + 1), domain))
		return false;
	same(&c, SLICE("; bh="), false);
	if (cur_span(&c, is_b64, BH).n != BH)
		return false;
	same(&c, SLICE("; b="), false);
	return cur_done(&c);
}
