/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/host/zone.h"

#include <string.h>

static struct slice line_take(struct slice *rest)
{
	struct slice line = slice_head(*rest, slice_find(*rest, '\n'));

	*rest = slice_from(*rest, line.n + 1);
	if (line.n && line.p[line.n - 1] == '\r')
		line.n--;
	return slice_trim(line);
}

static bool is_word(uint8_t c)
{
	return c > ' ';
}

static struct slice word_take(struct slice *rest)
{
	struct cur c = CUR(slice_trim(*rest));
	struct slice word = cur_skip(&c, is_word);

	*rest = slice_trim(c.s);
	return word;
}

static struct slice undot(struct slice name)
{
	if (name.n && name.p[name.n - 1] == '.')
		name.n--;
	return name;
}

/* RFC 1035 5.1: \X and \DDD. */
static void octet_put(struct cur *c, struct buf *out)
{
	uint8_t x = cur_u8(c);

	if (x == '\\') {
		x = cur_u8(c);
		if (byte_digit(x)) {
			uint8_t y = cur_u8(c) - '0', z = cur_u8(c) - '0';
			unsigned v = (x - '0') * 100u + y * 10u + z;

			c->bad |= y > 9 || z > 9 || v > 255;
			x = v;
		}
	}
	buf_u8(out, x);
}

/* One or more strings, quoted or not, joined. */
static bool txt_put(struct slice rdata, struct buf *out)
{
	struct cur c = CUR(rdata);

	if (!rdata.n)
		return false;
	while (!cur_end(&c)) {
		if (cur_try(&c, '"')) {
			while (!cur_end(&c) && !cur_at(&c, '"'))
				octet_put(&c, out);
			cur_lit(&c, '"');
		} else {
			while (!cur_end(&c) && is_word(c.s.p[0]))
				octet_put(&c, out);
		}
		c.s = slice_trim(c.s);
	}
	return cur_done(&c);
}

static bool record_add(struct dnsmsg_answer *out, struct slice rdata)
{
	struct buf all = { .p = out->records, .cap = sizeof out->records, .len = out->len };
	size_t n;

	buf_be16(&all, 0);
	if (out->n == UINT8_MAX || !txt_put(rdata, &all) || all.bad)
		return false;
	n = all.len - out->len - 2;
	out->records[out->len] = n >> 8;
	out->records[out->len + 1] = n & 255;
	out->len = all.len;
	out->n++;
	return true;
}

/* One pass: what the zone says about `name` itself. False at a line that cannot be read. */
static bool pass(struct slice zone, struct slice name, struct dnsmsg_answer *out,
		 struct slice *cname, unsigned *line)
{
	out->kind = DNSMSG_NXDOMAIN;
	cname->n = 0;
	for (*line = 1; zone.n; ++*line) {
		struct slice rest = line_take(&zone), owner, type;

		if (!rest.n || rest.p[0] == '#' || rest.p[0] == ';')
			continue;
		owner = undot(word_take(&rest));
		type = word_take(&rest);
		if (!type.n)
			return false;
		if (!slice_ieq(owner, name) || out->kind == DNSMSG_SERVFAIL)
			continue;
		if (out->kind == DNSMSG_NXDOMAIN)
			out->kind = DNSMSG_NODATA;
		if (slice_ieq(type, SLICE("TIMEOUT")) || slice_ieq(type, SLICE("SERVFAIL")))
			out->kind = DNSMSG_SERVFAIL;
		else if (slice_ieq(type, SLICE("CNAME")))
			*cname = undot(word_take(&rest));
		else if (slice_ieq(type, SLICE("TXT")) && !record_add(out, rest))
			return false;
	}
	*line = 0;
	return true;
}

void zone_txt(struct slice zone, struct slice name, struct dnsmsg_answer *out, unsigned *bad)
{
	struct slice cname = undot(name);

	memset(out, 0, sizeof *out);
	for (int hop = 0; cname.n && hop <= DNSMSG_CHAIN; hop++)
		if (!pass(zone, cname, out, &cname, bad))
			return;
	if (cname.n)
		out->kind = DNSMSG_MALFORMED;
	else if (out->n && out->kind != DNSMSG_SERVFAIL)
		out->kind = DNSMSG_OK;
}
