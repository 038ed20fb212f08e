/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_SELFCHECK_ROWCHECK_H
#define SMTPD_SELFCHECK_ROWCHECK_H

#include "smtpd/proto/dmarc.h"
#include "smtpd/proto/publish.h"
#include "smtpd/proto/spf.h"

/*
 * Is one record in the world what it should be? Without I/O:
 *
 *   rowcheck_init(r, site, &at, kind);
 *   while (rowcheck_ask(r, &name, &type))          to look up, now or later
 *           rowcheck_answer(r, kind, records);
 *   r->verdict, r->seen
 *
 * What *site points to is borrowed until the end, and *r must not move.
 */
enum rowcheck_kind {
	ROWCHECK_RECORD, /* the record of at->what */
	ROWCHECK_STS,	 /* does at->domain announce MTA-STS (RFC 8461 3.1)? */
	ROWCHECK_ROUTE,	 /* the first mail exchanger of at->domain and its addresses */
};

enum rowcheck_verdict {
	ROWCHECK_UNKNOWN, /* a name server failed, or we do not know ourselves what is right */
	ROWCHECK_OK,
	ROWCHECK_NONE, /* it is not there, and need not be */
	ROWCHECK_WRONG,
	ROWCHECK_VERDICTS
};

enum { ROWCHECK_SEEN = 240 };

struct rowcheck {
	enum rowcheck_verdict verdict;
	struct buf seen;      /* what was found, cut where it is long: octets of strangers */
	struct ipaddr v4, v6; /* ROWCHECK_ROUTE: of the host; all zero: it has none */
	/* the rest is internal */
	const struct publish_site *site;
	struct publish_at at;
	enum rowcheck_kind kind;
	unsigned step;
	bool over;
	union {
		struct spf spf;
		struct dmarc dmarc;
	} u;
	uint8_t name_n, name[DNSMSG_NAME]; /* of the exchanger; where CAA is looked for */
	uint8_t seen_text[ROWCHECK_SEEN];
};

void rowcheck_init(struct rowcheck *r, const struct publish_site *site,
		   const struct publish_at *at, enum rowcheck_kind kind);
/* False: the verdict is there. */
bool rowcheck_ask(struct rowcheck *r, struct buf *name, uint16_t *type);
void rowcheck_answer(struct rowcheck *r, enum dnsmsg_kind kind, struct slice records);
/* Ends it. Nothing of what does not fit `seen` is put there. */
void rowcheck_say(struct rowcheck *r, enum rowcheck_verdict verdict, struct slice seen);

/* "MX", or "MTA-STS", "port25" */
const char *rowcheck_word(const struct rowcheck *r);
const char *rowcheck_verdict_text(enum rowcheck_verdict verdict);

#endif
