/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/host/zone.h"

#include <string.h>

#include "smtpd/proto/ipaddr.h"

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

/* A name without its final dot; \X and \DDD stand for octets. */
static bool name_take(struct slice *rest, struct buf *out)
{
	struct slice word = word_take(rest);
	struct cur c = CUR(word);

	while (!cur_end(&c))
		octet_put(&c, out);
	if (out->len && out->p[out->len - 1] == '.')
		out->len--;
	return word.n && cur_done(&c) && !out->bad;
}

static bool address_put(struct slice text, bool four, struct buf *out)
{
	struct ipaddr a;

	if (!(four ? ipaddr_parse4(text, &a) : ipaddr_parse6(text, &a)))
		return false;
	buf_put(out, (struct slice){ a.b + (four ? 12 : 0), four ? 4 : 16 });
	return true;
}

static bool hex_put(struct slice text, struct buf *out)
{
	for (; text.n; text = slice_from(text, 2)) {
		struct slice at[2] = { slice_head(text, 1),
				       slice_head(slice_from(text, 1), 1) };
		size_t v[2] = { 16, 16 };

		for (int i = 0; i < 2; i++)
			if (at[i].n)
				v[i] = slice_find(SLICE("0123456789abcdef"),
						  byte_lower(*at[i].p));
		if (v[0] > 15 || v[1] > 15)
			return false;
		buf_u8(out, (uint8_t)(v[0] << 4 | v[1]));
	}
	return true;
}

/* Numbers of one or two octets, then what is left of *rdata. */
static bool numbers_put(struct slice *rdata, int n, bool two, struct buf *out)
{
	uint64_t v;

	while (n--) {
		if (!slice_u64(word_take(rdata), two ? 65535 : 255, &v))
			return false;
		if (two)
			buf_u8(out, (uint8_t)(v >> 8));
		buf_u8(out, (uint8_t)v);
	}
	return true;
}

static bool rdata_put(uint16_t type, struct slice rdata, struct buf *out)
{
	struct buf name = { .p = (uint8_t[DNSMSG_NAME + 1]){ 0 }, .cap = DNSMSG_NAME + 1 };

	switch (type) {
	case DNSMSG_A:
	case DNSMSG_AAAA:
		return address_put(rdata, type == DNSMSG_A, out);
	case DNSMSG_TLSA:
		return numbers_put(&rdata, 3, false, out) && hex_put(rdata, out);
	case DNSMSG_TXT:
		return txt_put(rdata, out);
	default: /* MX, PTR, CNAME */
		if (type == DNSMSG_MX && !numbers_put(&rdata, 1, true, out))
			return false;
		if (!name_take(&rdata, &name) || rdata.n)
			return false;
		buf_put(out, buf_slice(&name));
		return true;
	}
}

static bool record_add(struct dnsmsg_answer *out, uint16_t type, struct slice rdata)
{
	struct buf all = { .p = out->records, .cap = sizeof out->records, .len = out->len };
	size_t n;

	buf_be16(&all, 0);
	if (out->n == UINT8_MAX || !rdata_put(type, rdata, &all) || all.bad)
		return false;
	n = all.len - out->len - 2;
	out->records[out->len] = n >> 8;
	out->records[out->len + 1] = n & 255;
	out->len = all.len;
	out->n++;
	return true;
}

static uint16_t type_of(struct slice word)
{
	static const struct {
		struct slice name;
		uint16_t type;
	} types[] = {
		{ SLICE("A"), DNSMSG_A },	{ SLICE("AAAA"), DNSMSG_AAAA },
		{ SLICE("MX"), DNSMSG_MX },	{ SLICE("TXT"), DNSMSG_TXT },
		{ SLICE("PTR"), DNSMSG_PTR },	{ SLICE("CNAME"), DNSMSG_CNAME },
		{ SLICE("TLSA"), DNSMSG_TLSA },
	};

	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (slice_ieq(word, types[i].name))
			return types[i].type;
	return 0;
}

/* One line about the name, whose owner was taken off. */
static bool line_read(struct slice rest, uint16_t type, struct dnsmsg_answer *out,
		      struct buf *cname)
{
	struct slice word = word_take(&rest);
	uint16_t what = type_of(word);

	if (out->kind == DNSMSG_SERVFAIL)
		return true;
	out->kind = DNSMSG_NODATA;
	if (slice_ieq(word, SLICE("TIMEOUT")) || slice_ieq(word, SLICE("SERVFAIL")))
		out->kind = DNSMSG_SERVFAIL;
	else if (what == DNSMSG_CNAME && type != DNSMSG_CNAME)
		return name_take(&rest, cname) && !rest.n;
	else if (what == type)
		return record_add(out, type, rest);
	return true;
}

/* One pass: what the zone says about `name` itself. False at a line that cannot be read. */
static bool pass(struct slice zone, struct slice name, uint16_t type, struct dnsmsg_answer *out,
		 struct buf *cname, unsigned *line)
{
	uint8_t mem[DNSMSG_NAME + 1];

	out->kind = DNSMSG_NXDOMAIN;
	for (*line = 1; zone.n; ++*line) {
		struct slice rest = line_take(&zone);
		struct buf owner = BUF(mem);

		if (!rest.n || rest.p[0] == '#' || rest.p[0] == ';')
			continue;
		if (!name_take(&rest, &owner) || !rest.n)
			return false;
		if (slice_ieq(buf_slice(&owner), name) && !line_read(rest, type, out, cname))
			return false;
	}
	*line = 0;
	return true;
}

void zone_find(struct slice zone, struct slice name, uint16_t type, struct dnsmsg_answer *out,
	       unsigned *bad)
{
	uint8_t mem[2][DNSMSG_NAME + 1];
	struct slice at = name;
	struct buf cname;

	memset(out, 0, sizeof *out);
	for (int hop = 0; hop <= DNSMSG_CHAIN; hop++) {
		cname = (struct buf){ .p = mem[hop & 1], .cap = sizeof mem[0] };
		if (!pass(zone, at, type, out, &cname, bad))
			return;
		at = buf_slice(&cname);
		if (!at.n || out->n || out->kind == DNSMSG_SERVFAIL) {
			if (out->n && out->kind != DNSMSG_SERVFAIL)
				out->kind = DNSMSG_OK;
			return;
		}
	}
	out->kind = DNSMSG_MALFORMED;
}
