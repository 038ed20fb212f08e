/* SPDX-License-Identifier: ISC */
/* dns for a check.mx under test (wires.h): answers from a table; what is not in it has an address and no other
 * records. */
#ifndef TESTS_UNIT_FAKEDNS_H
#define TESTS_UNIT_FAKEDNS_H

#include <stdio.h>

#include "smtpd/msg/dns.h"
#include "smtpd/proto/dnsmsg.h"
#include "tests/unit/wires.h"

struct fakedns_row {
	const char *name;
	uint16_t type;
	enum dns_result result;
	struct slice record; /* one, as in smtpd/msg/dns.h */
};

static const struct fakedns_row *fakedns_rows; /* ended by a row without a name; NULL: none */
static bool fakedns_silent;		       /* questions are counted and not answered */
static unsigned fakedns_asked;

static inline void fakedns_answer(const struct dns_query *q, struct slice name)
{
	static const struct fakedns_row usual = { "", DNSMSG_A, DNS_OK, SLICE("\300\0\2\11") };
	struct dns_reply r = { .h = { .type = DNS_QUERY, .id = q->h.id },
			       .result = DNS_NODATA };
	uint8_t mem[1024];
	struct buf b = BUF(mem);
	const struct fakedns_row *row = fakedns_rows;

	while (row && row->name &&
	       (row->type != q->qtype || !slice_ieq(name, slice_of(row->name))))
		row++;
	if (!row || !row->name)
		row = q->qtype == usual.type ? &usual : NULL;
	if (row) {
		r.result = (uint8_t)row->result;
		r.n = row->result == DNS_OK;
		if (r.n) {
			buf_be16(&b, (uint16_t)row->record.n);
			buf_put(&b, row->record);
		}
	}
	wires_put(CH_CHECK_MX_DNS, &r, sizeof r, buf_slice(&b), -1, -1);
}

/* For wires_meanwhile. */
static inline void fakedns_serve(void)
{
	static union {
		struct dns_query q;
		uint8_t b[MSG_MAX];
	} m;
	ssize_t n;

	while (wires_far[CH_CHECK_MX_DNS] > 0 &&
	       (n = recv(wires_far[CH_CHECK_MX_DNS], &m, sizeof m, MSG_DONTWAIT)) > 0) {
		fakedns_asked++;
		if (!fakedns_silent)
			fakedns_answer(&m.q, (struct slice){ m.b + sizeof m.q,
							     (size_t)n - sizeof m.q });
	}
}

#endif
