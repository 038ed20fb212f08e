/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/dnsmsg.h"

#include <string.h>

enum {
	HEADER = 12,
	LABEL = 63,
	JUMPS = 64,	/* compression pointers in one name */
	ENTRIES = 1024, /* records in one section */
	TYPE_OPT = 41,
	CLASS_IN = 1,
	QR = 0x8000,
	OPCODE = 0x7800,
	TC = 0x0200,
	RD = 0x0100,
	AD = 0x0020,
	DO = 0x8000, /* in the OPT record */
	RCODE = 0x000f,
	NXDOMAIN = 3,
};

struct name { /* text form, lower case */
	size_t n;
	uint8_t p[DNSMSG_NAME];
};

struct record {
	struct name owner;
	uint16_t type, class;
	uint32_t ttl;
	struct slice data; /* borrowed from the message, so that its offset is known */
};

struct sections { /* cursors over the message, at the first record of each section */
	struct slice msg;
	struct cur answer, authority, additional;
	uint16_t answers, authorities, additionals;
};

static bool is_name(uint8_t c)
{
	return byte_alpha(c) || byte_digit(c) || c == '-' || c == '_';
}

/* Octets that text form keeps apart from its own dots. Others make the message malformed. */
static bool is_octet(uint8_t c)
{
	return c >= ' ' && c <= '~' && c != '.';
}

static bool labels_ok(struct slice name, bool (*is)(uint8_t))
{
	struct cur c = CUR(name);

	if (name.n > DNSMSG_NAME)
		return false;
	do
		cur_span(&c, is, LABEL);
	while (cur_try(&c, '.'));
	return cur_done(&c);
}

bool dnsmsg_name_ok(struct slice name)
{
	return labels_ok(name, is_name);
}

bool dnsmsg_question_ok(struct slice name)
{
	return labels_ok(name, is_octet);
}

bool dnsmsg_name_below(struct slice name, struct slice domain)
{
	return name.n > domain.n && name.p[name.n - domain.n - 1] == '.' &&
	       slice_iends(name, domain);
}

static void question_name(struct buf *out, struct slice name)
{
	while (name.n) {
		struct slice label = slice_head(name, slice_find(name, '.'));

		buf_u8(out, label.n);
		buf_put(out, label);
		name = slice_from(name, label.n + 1);
	}
	buf_u8(out, 0);
}

void dnsmsg_query(struct buf *out, uint16_t id, struct slice name, uint16_t type, bool dnssec)
{
	if (!dnsmsg_question_ok(name)) {
		out->bad = true;
		return;
	}
	buf_be16(out, id);
	buf_be16(out, dnssec ? RD | AD : RD);
	buf_be16(out, 1); /* question */
	buf_be32(out, 0);
	buf_be16(out, 1); /* additional: OPT */
	question_name(out, name);
	buf_be16(out, type);
	buf_be16(out, CLASS_IN);
	buf_u8(out, 0); /* OPT, RFC 6891 6.1.2 */
	buf_be16(out, TYPE_OPT);
	buf_be16(out, DNSMSG_UDP);
	buf_be32(out, dnssec ? DO : 0);
	buf_be16(out, 0);
}

bool dnsmsg_same_case(struct slice msg, struct slice name)
{
	uint8_t mem[DNSMSG_NAME + 2];
	struct buf b = BUF(mem);

	question_name(&b, name);
	return !b.bad && slice_eq(slice_head(slice_from(msg, HEADER), b.len), buf_slice(&b));
}

/* RFC 1035 4.1.4. Reads the name at *c, which lies in msg. A pointer leads to before the place where the
 * labels read last began, so that no loop is possible; the counter bounds the work. */
static void name_get(struct slice msg, struct cur *c, struct name *out)
{
	struct cur at = *c;
	size_t low = at.s.n ? (size_t)(at.s.p - msg.p) : msg.n;
	struct buf text = { .p = out->p, .cap = sizeof out->p };
	bool jumped = false;

	for (int jumps = 0; jumps < JUMPS;) {
		uint8_t n = cur_u8(&at);

		if (n > LABEL) {
			size_t to = (size_t)(n & 0x3f) << 8 | cur_u8(&at);

			if (at.bad || n < 0xc0 || to >= low)
				break;
			if (!jumped)
				*c = at;
			jumped = true;
			jumps++;
			low = to;
			at = CUR(slice_from(msg, to));
			continue;
		}
		struct slice label = cur_take(&at, n);
		struct cur odd = CUR(label);

		cur_skip(&odd, is_octet);
		if (at.bad || !cur_end(&odd))
			break;
		if (!n) {
			out->n = text.len;
			if (!jumped)
				*c = at;
			c->bad |= text.bad;
			return;
		}
		if (text.len)
			buf_u8(&text, '.');
		buf_lower(&text, label);
	}
	c->bad = true;
}

static struct slice name_text(const struct name *name)
{
	return (struct slice){ name->p, name->n };
}

static void record_get(struct slice msg, struct cur *c, struct record *r)
{
	name_get(msg, c, &r->owner);
	r->type = cur_be16(c);
	r->class = cur_be16(c);
	r->ttl = cur_be32(c);
	r->data = cur_take(c, cur_be16(c));
	if (r->ttl & 0x80000000 && r->type != TYPE_OPT)
		r->ttl = 0; /* RFC 2181 8 */
}

static void skip(struct slice msg, struct cur *c, uint16_t n)
{
	struct record r;

	while (n-- && !c->bad)
		record_get(msg, c, &r);
}

/* Header and question. False: foreign. */
static bool ours(struct sections *s, uint16_t id, struct slice name, uint16_t type,
		 uint16_t *flags)
{
	struct cur c = CUR(s->msg);
	struct name asked;

	if (cur_be16(&c) != id || c.bad)
		return false;
	*flags = cur_be16(&c);
	if (!(*flags & QR) || *flags & OPCODE || cur_be16(&c) != 1)
		return false;
	s->answers = cur_be16(&c);
	s->authorities = cur_be16(&c);
	s->additionals = cur_be16(&c);
	name_get(s->msg, &c, &asked);
	if (cur_be16(&c) != type || cur_be16(&c) != CLASS_IN || c.bad)
		return false;
	s->answer = c;
	return slice_ieq(name_text(&asked), name);
}

static bool well_formed(struct sections *s)
{
	if (s->answers > ENTRIES || s->authorities > ENTRIES || s->additionals > ENTRIES)
		return false;
	s->authority = s->answer;
	skip(s->msg, &s->authority, s->answers);
	s->additional = s->authority;
	skip(s->msg, &s->additional, s->authorities);
	struct cur end = s->additional;

	skip(s->msg, &end, s->additionals);
	return cur_done(&end);
}

/* RFC 6891 6.1.3: the upper bits of the error code; 0 without OPT. */
static uint32_t extended_rcode(const struct sections *s)
{
	struct cur c = s->additional;
	struct record r;

	for (uint16_t i = 0; i < s->additionals; i++) {
		record_get(s->msg, &c, &r);
		if (r.type == TYPE_OPT)
			return r.ttl >> 24;
	}
	return 0;
}

static bool only_name(struct slice msg, struct slice data, struct name *out)
{
	struct cur c = CUR(data);

	name_get(msg, &c, out);
	return cur_done(&c);
}

/* A host name that is none is malformed; the root stands for "no such service" (RFC 7505). */
static bool host_put(struct slice msg, struct slice data, struct buf *out)
{
	struct name host;

	if (!only_name(msg, data, &host) || (host.n && !dnsmsg_name_ok(name_text(&host))))
		return false;
	buf_put(out, name_text(&host));
	return true;
}

static bool data_put(struct slice msg, const struct record *r, struct buf *out)
{
	struct cur c = CUR(r->data);

	switch (r->type) {
	case DNSMSG_A:
	case DNSMSG_AAAA:
		buf_put(out, r->data);
		return r->data.n == (r->type == DNSMSG_A ? 4 : 16);
	case DNSMSG_MX:
		buf_put(out, cur_take(&c, 2));
		return !c.bad && host_put(msg, c.s, out);
	case DNSMSG_PTR:
		return host_put(msg, c.s, out);
	case DNSMSG_TXT:
		do
			buf_put(out, cur_take(&c, cur_u8(&c)));
		while (!cur_end(&c));
		return cur_done(&c);
	case DNSMSG_TLSA: /* at least one octet of the association */
		buf_put(out, r->data);
		return r->data.n > 3;
	case DNSMSG_CAA: /* flags, the tag with its length, the value */
		buf_put(out, r->data);
		cur_u8(&c);
		return cur_take(&c, cur_u8(&c)).n && !c.bad;
	default:
		return false;
	}
}

static bool record_put(struct slice msg, const struct record *r, struct dnsmsg_answer *out)
{
	struct buf all = { .p = out->records, .cap = sizeof out->records, .len = out->len };
	size_t at = out->len;

	buf_be16(&all, 0);
	if (out->n == UINT8_MAX || !data_put(msg, r, &all) || all.bad)
		return false;
	out->records[at] = (all.len - at - 2) >> 8;
	out->records[at + 1] = (all.len - at - 2) & 255;
	out->len = all.len;
	out->n++;
	return true;
}

static void ttl_least(struct dnsmsg_answer *out, uint32_t ttl)
{
	if (ttl < out->ttl)
		out->ttl = ttl;
}

/* One pass over the answer section: puts the records of `type` at *at. No record but a CNAME there: *at
 * becomes its target and *moved true. False: malformed. */
static bool gather(const struct sections *s, uint16_t type, struct name *at, bool *moved,
		   struct dnsmsg_answer *out)
{
	struct cur c = s->answer;
	struct record r;
	struct name target;
	uint32_t cname_ttl = 0;

	*moved = false;
	for (uint16_t i = 0; i < s->answers; i++) {
		record_get(s->msg, &c, &r);
		if (r.class != CLASS_IN || !slice_ieq(name_text(&r.owner), name_text(at)))
			continue;
		if (r.type == type) {
			if (!record_put(s->msg, &r, out))
				return false;
			ttl_least(out, r.ttl);
		} else if (r.type == DNSMSG_CNAME) {
			if (*moved || !only_name(s->msg, r.data, &target))
				return false;
			*moved = true;
			cname_ttl = r.ttl;
		}
	}
	*moved &= out->n == 0;
	if (*moved) {
		*at = target;
		ttl_least(out, cname_ttl);
	}
	return true;
}

/* RFC 2308 5: the lesser of the SOA's own ttl and its last field. */
static void negative_ttl(const struct sections *s, struct dnsmsg_answer *out)
{
	struct cur c = s->authority;
	struct record r;

	for (uint16_t i = 0; i < s->authorities; i++) {
		record_get(s->msg, &c, &r);
		if (r.type != DNSMSG_SOA || r.data.n < 22)
			continue;
		struct cur last = CUR(slice_from(r.data, r.data.n - 4));

		ttl_least(out, r.ttl);
		ttl_least(out, cur_be32(&last));
		return;
	}
	out->ttl = 0;
}

static enum dnsmsg_kind judge(struct sections *s, uint16_t id, struct slice name, uint16_t type,
			      struct dnsmsg_answer *out)
{
	uint16_t flags;
	struct name at;
	struct buf first = { .p = at.p, .cap = sizeof at.p };
	bool moved = true;

	if (!ours(s, id, name, type, &flags))
		return DNSMSG_FOREIGN;
	if (flags & TC)
		return DNSMSG_TRUNCATED;
	if (flags & RCODE && (flags & RCODE) != NXDOMAIN)
		return DNSMSG_SERVFAIL;
	if (!well_formed(s))
		return DNSMSG_MALFORMED;
	if (extended_rcode(s))
		return DNSMSG_SERVFAIL;
	out->secure = flags & AD;
	buf_lower(&first, name);
	at.n = first.len;
	for (int hop = 0; moved; hop++)
		if (hop > DNSMSG_CHAIN || !gather(s, type, &at, &moved, out))
			return DNSMSG_MALFORMED;
	if (out->n && !(flags & RCODE))
		return DNSMSG_OK;
	negative_ttl(s, out);
	return flags & RCODE ? DNSMSG_NXDOMAIN : DNSMSG_NODATA;
}

void dnsmsg_parse(struct slice msg, uint16_t id, struct slice name, uint16_t type,
		  struct dnsmsg_answer *out)
{
	struct sections s = { .msg = msg };

	memset(out, 0, sizeof *out);
	out->ttl = UINT32_MAX;
	out->kind = judge(&s, id, name, type, out);
	if (out->kind != DNSMSG_OK) {
		out->n = 0;
		out->len = 0;
	}
	if (out->kind < DNSMSG_NXDOMAIN) {
		out->ttl = 0;
		out->secure = false;
	}
}

bool dnsmsg_record(struct cur *c, struct slice *record)
{
	if (cur_end(c))
		return false;
	*record = cur_take(c, cur_be16(c));
	return !c->bad;
}
