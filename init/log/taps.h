/* SPDX-License-Identifier: ISC */
#ifndef INIT_LOG_TAPS_H
#define INIT_LOG_TAPS_H

#include "smtpd/lib/log.h"
#include "smtpd/lib/proc.h"

/*
 * The reading ends of all logs, in the order of topology.def: what comes out of tap i was
 * written by process i, whatever the line itself says.
 */
struct tap {
	struct watch watch;
	struct taps *taps; /* borrowed */
	int64_t since;	   /* monotonic ms: when `credit` was counted */
	int64_t credit;	   /* lines that it may write now, in thousandths */
	uint64_t lost;	   /* lines over that, not told yet */
};

/* Lines of one process: so many a second, and five times as many at once. The others are counted, and the count is a
 * line, too: `log: ev=dropped proc=NAME lines=N`. */
enum { TAPS_RATE = CONFIG_INIT_LOG_RATE, TAPS_BURST = 5 * TAPS_RATE };

struct taps {
	struct proc *proc; /* borrowed */
	int console, screen;
	/* Every line that is printed, and those that init printed itself. NULL: nobody wants them. */
	void (*also)(void *ctx, struct slice name, struct slice line);
	void *ctx;
	struct tap tap[P_MAX];
};

void taps_init(struct taps *t, struct proc *p);
void taps_drain(struct taps *t); /* prints what is there now */

/* `name: line` and a line feed. Octets that are not printable ASCII become '?'; a line
 * longer than LOG_LINE is cut. out must have room for TAPS_LINE octets. */
enum { TAPS_LINE = LOG_LINE + 32 };
void taps_format(struct slice name, struct slice line, struct buf *out);

#endif
