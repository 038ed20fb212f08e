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
};

struct taps {
	struct proc *proc; /* borrowed */
	int console, screen;
	struct tap tap[P_MAX];
};

void taps_init(struct taps *t, struct proc *p);
void taps_drain(struct taps *t); /* prints what is there now */

/* `name: line` and a line feed. Octets that are not printable ASCII become '?'; a line
 * longer than LOG_LINE is cut. out must have room for TAPS_LINE octets. */
enum { TAPS_LINE = LOG_LINE + 32 };
void taps_format(struct slice name, struct slice line, struct buf *out);

#endif
