/* SPDX-License-Identifier: ISC */
#ifndef INIT_CLOCK_TIMESYNC_H
#define INIT_CLOCK_TIMESYNC_H

#include "init/clock/sntp.h"
#include "smtpd/lib/proc.h"

/*
 * Asks the servers of CONFIG_INIT_NTP_SERVERS in turn, soon after the start until one answers,
 * then every hour, and sets the clock: at once when it is off by more than a second, else
 * slowly. Never below the build's time.
 */
struct timesync {
	struct proc *proc;  /* borrowed */
	struct watch watch; /* fd -1 = no question is out; the deadline is the next step */
	struct ask ask;
	unsigned server; /* index of the word to ask next */
	unsigned failures;
	uint64_t cookie;
	int64_t asked; /* wall clock, ns */
};

void timesync_init(struct timesync *t, struct proc *p);

#endif
