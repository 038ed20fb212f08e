/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/envelope.h"

#include "smtpd/proto/path.h"
#include "smtpd/proto/utf8.h"

enum { ONCE = 1, PATH = 2, TEXT = 4, NULL_OK = 8, BARE_OK = 16, OF_RCPT = 32 };

/* Each tag a record may have; what is not here is malformed. ENV_HEADER has its own rules. */
static const struct {
	enum env_tag tag;
	unsigned flags;
} tags[] = {
	{ ENV_SENDER, ONCE | PATH | NULL_OK },
	{ ENV_RCPT, PATH | BARE_OK },
	{ ENV_ORIGINAL, PATH | BARE_OK | OF_RCPT },
	{ ENV_NOTIFY, TEXT | OF_RCPT },
	{ ENV_ORCPT, TEXT | OF_RCPT },
	{ ENV_RET, ONCE | TEXT },
	{ ENV_ENVID, ONCE | TEXT },
	{ ENV_UTF8, ONCE | TEXT },
	{ ENV_REPORT, ONCE | TEXT },
	{ ENV_ACCOUNT, ONCE | TEXT },
	{ ENV_GRANT, ONCE },
	{ ENV_HELO, ONCE | TEXT },
	{ ENV_PEER, ONCE | TEXT },
	{ ENV_WITH, ONCE | TEXT },
	{ ENV_TLS, ONCE | TEXT },
	{ ENV_BODY, ONCE | TEXT },
	{ ENV_HEADER, ONCE },
};

enum { TAGS = sizeof tags / sizeof *tags };

static unsigned find_tag(uint8_t tag)
{
	unsigned i = 0;

	while (i < TAGS && tags[i].tag != (enum env_tag)tag)
		i++;
	return i;
}

void envelope_put(struct buf *b, enum env_tag tag, struct slice value)
{
	if (value.n > ENV_RECORD_MAX || tag == ENV_HEADER) {
		b->bad = true;
		return;
	}
	buf_u8(b, (uint8_t)tag);
	buf_be16(b, (uint16_t)value.n);
	buf_put(b, value);
}

void envelope_put_header(struct buf *b, struct slice header)
{
	buf_u8(b, ENV_HEADER);
	buf_put(b, header);
}

bool envelope_next(struct cur *c, enum env_tag *tag, struct slice *value)
{
	uint8_t t;
	size_t n;

	if (cur_end(c))
		return false;
	t = cur_u8(c);
	n = t == ENV_HEADER ? c->s.n : cur_be16(c);
	if (find_tag(t) == TAGS || (t != ENV_HEADER && n > ENV_RECORD_MAX))
		c->bad = true;
	*value = cur_take(c, n);
	*tag = (enum env_tag)t;
	return !c->bad;
}

static bool is_print(uint8_t c)
{
	return c >= ' ' && c <= '~';
}

static bool check_value(unsigned flags, struct slice v)
{
	unsigned allow = (flags & NULL_OK ? PATH_NULL : 0) | (flags & BARE_OK ? PATH_BARE : 0);
	struct cur c = CUR(v);
	struct path p;

	cur_skip(&c, is_print);
	if (flags & TEXT)
		return v.n && cur_done(&c);
	return !(flags & PATH) || path_addr(v, allow | PATH_UTF8, &p);
}

bool envelope_check(struct slice head, size_t *nrcpt)
{
	struct cur c = CUR(head);
	enum env_tag tag, last = ENV_SENDER;
	struct slice v;
	size_t rcpts = 0;
	bool utf8 = false;
	unsigned seen = 0, of_rcpt = ~0u; /* bits of tags[] */

	if (head.n > ENV_HEAD_MAX)
		return false;
	while (envelope_next(&c, &tag, &v)) {
		unsigned i = find_tag(tag), flags = tags[i].flags, before = seen;

		/* What may still be said of the recipient: nothing before the first one and after other tags. */
		if (tag == ENV_RCPT)
			of_rcpt = 0;
		else if (!(flags & OF_RCPT))
			of_rcpt = ~0u;
		if (flags & OF_RCPT)
			before = of_rcpt;
		if ((flags & (ONCE | OF_RCPT)) && (before & 1u << i))
			return false;
		if (!check_value(flags, v))
			return false;
		if (tag == ENV_BODY && !slice_eq(v, SLICE("7")) && !slice_eq(v, SLICE("8")))
			return false;
		if (tag == ENV_UTF8 && !slice_eq(v, SLICE("1")))
			return false;
		utf8 |= flags & PATH && utf8_needed(v);
		rcpts += tag == ENV_RCPT;
		seen |= 1u << i;
		of_rcpt |= 1u << i;
		last = tag;
	}
	/* ENV_HEADER takes all that is left: seen at all, it was the last. */
	if (!cur_done(&c) || last != ENV_HEADER || !(seen & 1u << find_tag(ENV_SENDER)) ||
	    !rcpts || (utf8 && !(seen & 1u << find_tag(ENV_UTF8))))
		return false;
	*nrcpt = rcpts;
	return true;
}

bool envelope_get(struct slice head, enum env_tag tag, struct slice *value)
{
	struct cur c = CUR(head);
	enum env_tag t;
	struct slice v;

	while (envelope_next(&c, &t, &v))
		if (t == tag) {
			*value = v;
			return true;
		}
	return false;
}
