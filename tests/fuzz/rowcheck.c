/* SPDX-License-Identifier: ISC */
/* Any answers of name servers for every record: each check ends, with a verdict, within the questions of SPF. */
#include "smtpd/selfcheck/rowcheck.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* Octets become the kind of an answer, the number of its records, and their lengths and octets. */
static struct slice records(struct cur *c, enum dnsmsg_kind kind, uint16_t type,
			    struct buf *out)
{
	unsigned count = kind == DNSMSG_OK ? 1 + cur_u8(c) % 3 : 0;

	while (count--) {
		size_t len = type == DNSMSG_A ? 4 : type == DNSMSG_AAAA ? 16 : cur_u8(c);
		struct slice s = slice_head(c->s, len);

		*c = CUR(slice_from(c->s, s.n));
		if (s.n < len && (type == DNSMSG_A || type == DNSMSG_AAAA))
			break;
		buf_be16(out, (uint16_t)s.n);
		buf_put(out, s);
	}
	return buf_slice(out);
}

static void check(struct cur *c, const struct publish_site *site, const struct publish_at *at,
		  enum rowcheck_kind kind)
{
	static struct rowcheck r;
	uint8_t asked[2 * DNSMSG_NAME], mem[4096];
	struct buf name = BUF(asked);
	uint16_t type;
	unsigned asks = 0;

	rowcheck_init(&r, site, at, kind);
	for (; rowcheck_ask(&r, &name, &type); name = (struct buf)BUF(asked)) {
		struct buf out = BUF(mem);
		enum dnsmsg_kind got = DNSMSG_SERVFAIL + cur_u8(c) % 4;
		struct slice all = records(c, got, type, &out);

		rowcheck_answer(&r, all.n || got != DNSMSG_OK ? got : DNSMSG_NODATA, all);
		if (asks++ > 2 * SPF_ASKS)
			abort();
	}
	if (r.verdict >= ROWCHECK_VERDICTS || r.seen.len > ROWCHECK_SEEN ||
	    (kind != ROWCHECK_ROUTE && !r.over))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct cur c = CUR(((struct slice){ p, n }));
	struct publish_site site = { .host = SLICE("mail.a.example"),
				     .domains = SLICE("a.example"),
				     .selector = SLICE("s"),
				     .dkim = SLICE("v=DKIM1; p=AAAA"),
				     .ca = SLICE("ca.example") };
	struct publish_at at = { .domain = SLICE("to.example") };
	uint8_t only = cur_u8(&c);

	if (!ipaddr_parse(SLICE("192.0.2.10"), &site.v4) ||
	    !ipaddr_parse(SLICE("2001:db8::1"), &site.v6))
		abort();
	if (only % 16 == 0)
		check(&c, &site, &at, ROWCHECK_ROUTE);
	if (only % 16 == 1)
		check(&c, &site, &at, ROWCHECK_STS);
	for (at = (struct publish_at){ .begun = false }; publish_next(&site, &at);)
		if (only % 16 == 2 + at.what)
			check(&c, &site, &at, ROWCHECK_RECORD);
	return 0;
}
