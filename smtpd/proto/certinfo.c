/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/certinfo.h"

#include "smtpd/proto/date.h"
#include "smtpd/proto/der.h"

enum {
	VERSION = DER_CONTEXT + 0,
	EXTENSIONS = DER_CONTEXT + 3,
	BOOLEAN = 0x01,
	DNS_NAME = 0x82, /* GeneralName */
	KEY_ID = 0x80,	 /* AuthorityKeyIdentifier */
};

#define OID_COMMON_NAME SLICE("\x55\x04\x03")
#define OID_SUBJECT_ALT SLICE("\x55\x1d\x11")
#define OID_AUTHORITY	SLICE("\x55\x1d\x23")

static struct cur inside(struct cur *c, uint8_t tag)
{
	struct cur in = CUR(der_get(c, tag));

	in.bad = c->bad;
	return in;
}

/* The element with its header. */
static struct slice whole(struct cur *c, uint8_t tag)
{
	struct slice from = c->s;

	der_get(c, tag);
	return slice_head(from, from.n - c->s.n);
}

static unsigned digits(struct cur *c, unsigned n)
{
	unsigned v = 0;

	while (n--) {
		uint8_t d = cur_u8(c);

		c->bad |= !byte_digit(d);
		v = v * 10 + (d - '0');
	}
	return v;
}

/* RFC 5280 4.1.2.5: the years of UTCTime are 1950 to 2049. */
static int64_t when(struct cur *c)
{
	bool utc = cur_at(c, DER_UTCTIME);
	struct cur t = inside(c, utc ? DER_UTCTIME : DER_TIME);
	struct date d = { 0 };
	int64_t at = 0;

	d.year = (int)digits(&t, utc ? 2 : 4);
	if (utc)
		d.year += d.year < 50 ? 2000 : 1900;
	d.month = digits(&t, 2);
	d.day = digits(&t, 2);
	d.hour = digits(&t, 2);
	d.minute = digits(&t, 2);
	d.second = digits(&t, 2);
	cur_lit(&t, 'Z');
	c->bad |= !cur_done(&t) || !date_join(&d, &at);
	return at;
}

static void extension(struct cur *c, struct certinfo *out)
{
	struct cur e = inside(c, DER_SEQUENCE), value;
	struct slice oid = der_get(&e, DER_OID);

	if (cur_at(&e, BOOLEAN))
		der_get(&e, BOOLEAN);
	value = inside(&e, DER_OCTETS);
	if (slice_eq(oid, OID_SUBJECT_ALT)) {
		out->names = der_get(&value, DER_SEQUENCE);
		e.bad |= !cur_done(&value);
	} else if (slice_eq(oid, OID_AUTHORITY)) {
		struct cur a = inside(&value, DER_SEQUENCE);

		if (cur_at(&a, KEY_ID))
			out->authority = der_get(&a, KEY_ID);
		e.bad |= a.bad || value.bad;
	}
	c->bad |= !cur_done(&e);
}

/* RFC 3279 2.3.1 */
static bool is_rsa(struct slice spki)
{
	struct cur c = CUR(spki), key = inside(&c, DER_SEQUENCE),
		   algorithm = inside(&key, DER_SEQUENCE);

	return slice_eq(der_get(&algorithm, DER_OID),
			SLICE("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01")) &&
	       !algorithm.bad;
}

static void certified(struct cur *t, struct certinfo *out)
{
	struct cur validity;

	if (cur_at(t, VERSION))
		der_get(t, VERSION);
	out->serial = der_get(t, DER_INTEGER);
	der_get(t, DER_SEQUENCE); /* signature algorithm */
	out->issuer = whole(t, DER_SEQUENCE);
	validity = inside(t, DER_SEQUENCE);
	out->not_before = when(&validity);
	out->not_after = when(&validity);
	t->bad |= !cur_done(&validity);
	out->subject = whole(t, DER_SEQUENCE);
	out->key = whole(t, DER_SEQUENCE);
	out->rsa = is_rsa(out->key);
	if (cur_at(t, EXTENSIONS)) {
		struct cur x = inside(t, EXTENSIONS), list = inside(&x, DER_SEQUENCE);

		while (!cur_end(&list))
			extension(&list, out);
		t->bad |= list.bad || !cur_done(&x);
	}
}

bool certinfo_parse(struct slice der, struct certinfo *out)
{
	struct cur c = CUR(der), cert = inside(&c, DER_SEQUENCE), tbs;
	struct certinfo info = { 0 };

	tbs = inside(&cert, DER_SEQUENCE);
	certified(&tbs, &info);
	der_get(&cert, DER_SEQUENCE);
	der_get(&cert, DER_BITS);
	/* unique identifiers of version 2 are not taken */
	if (!cur_done(&tbs) || !cur_done(&cert) || !cur_done(&c))
		return false;
	*out = info;
	return true;
}

/* One element of any kind; the content. */
static struct slice any(struct cur *c, uint8_t *tag)
{
	*tag = c->s.n ? c->s.p[0] : 0;
	return der_get(c, *tag);
}

bool certinfo_names(const struct certinfo *info, struct slice host)
{
	struct cur c = CUR(info->names);
	uint8_t tag;

	while (!cur_end(&c)) {
		struct slice name = any(&c, &tag);

		if (!c.bad && tag == DNS_NAME && slice_ieq(name, host))
			return true;
	}
	return false;
}

struct slice certinfo_common_name(struct slice name)
{
	struct cur c = CUR(name), list = inside(&c, DER_SEQUENCE);
	struct slice found = { NULL, 0 };
	uint8_t tag;

	while (!cur_end(&list)) {
		struct cur set = inside(&list, DER_SET), pair = inside(&set, DER_SEQUENCE);
		bool common = slice_eq(der_get(&pair, DER_OID), OID_COMMON_NAME);
		struct slice value = any(&pair, &tag);

		if (common && !pair.bad)
			found = value;
	}
	return found;
}
