/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_CHECK_VERDICT_H
#define SMTPD_CHECK_VERDICT_H

#include "smtpd/check/check.h"
#include "smtpd/check/judge.h"

/* What follows from what judge.h found: the refusal, what the log says, the field. */

/* What is refused beside letters of domains that do not exist, by configuration. */
struct verdict_rules {
	bool dmarc; /* what DMARC wants rejected */
	bool spf;   /* SPF's fail without a DMARC pass; of our own domains always */
};

/* May the letter go on? False: *s says why not, its text is in `text` (at most ANSWER_TEXT octets) or static. 4xx: a
 * name that could not be looked up would decide. `ours`: MAIL FROM is in one of our domains. */
bool verdict_passes(const struct judge *v, const struct verdict_rules *r, bool ours,
		    struct buf *text, struct say *s);
/* The fields of a log line that say so. */
void verdict_put(const struct judge *v, int64_t now, struct logline *l);
/* Authentication-Results (RFC 8601), a whole field, under the name of `host`. */
void verdict_field(const struct judge *v, struct slice host, struct buf *b);
/* Does an Authentication-Results field of this header say that it is from `host`? (RFC 8601 5) */
bool verdict_forged(struct slice header, struct slice host);

#endif
