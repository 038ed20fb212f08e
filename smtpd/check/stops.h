/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_CHECK_STOPS_H
#define SMTPD_CHECK_STOPS_H

#include "smtpd/msg/out.h"

/*
 * What out.mx said of operators that get nothing for now: so RCPT can say it, and the next out.mx knows when this one
 * dies. Of the last STOPS_DOMAINS domains; those that are stopped stay longest. Times are monotonic ms.
 */
enum { STOPS_DOMAINS = 64 };

struct stops { /* zeroed: nothing is known */
	struct {
		uint64_t domain, op;
		int64_t until, used;
	} row[STOPS_DOMAINS];
	struct ask ask; /* the owner's */
};

/* A letter for this domain went to the operator `op`, which from now on gets nothing for `ms`; 0: it gets letters.
 * op 0, unknown: nothing is learnt. */
void stops_learn(struct stops *s, struct slice domain, uint64_t op, uint32_t ms, int64_t now);
/* How long the operator that this domain went to last gets nothing, ms; 0: it does, or is unknown. */
int64_t stops_left(const struct stops *s, struct slice domain, int64_t now);
/* All operators that are stopped, each once, at most OUT_STOPS, as struct out_stop_row. */
void stops_put(const struct stops *s, int64_t now, struct buf *out);

#endif
