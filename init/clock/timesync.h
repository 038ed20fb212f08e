/* SPDX-License-Identifier: ISC */
#ifndef INIT_CLOCK_TIMESYNC_H
#define INIT_CLOCK_TIMESYNC_H

#include "init/clock/saved.h"
#include "init/clock/sntp.h"
#include "init/clock/vote.h"
#include "smtpd/lib/proc.h"
#include "smtpd/msg/clock.h"

/*
 * Asks each server that the network named and each of CONFIG_INIT_NTP_SERVERS, soon after the start until most of those
 * that answer agree, then every hour, and sets the clock: at once when it is off by more than a second, else slowly.
 * Never below the build's time; at the start not below the time that was saved, once a day and at the end, when it was
 * known.
 */
enum timesync_state { /* what the clock is worth, in rising order */
		      TIMESYNC_UNSET,
		      TIMESYNC_BUILD, /* later than this build; perhaps a battery's word */
		      TIMESYNC_SAVED, /* and later than what was known before */
		      TIMESYNC_NTP,
};

enum { TIMESYNC_SERVERS = 8 };

struct timesync {
	struct proc *proc;  /* borrowed; NULL: off */
	struct watch watch; /* fd -1 = no question is out; the deadline is the next step */
	struct ask ask;
	struct servers given; /* by the network */
	unsigned server; /* to be asked next: one of those, then a word of the configuration */
	unsigned failures;
	uint64_t cookie;
	int64_t asked; /* wall clock, ns */
	struct vote vote[TIMESYNC_SERVERS];
	unsigned votes;
	const char *why; /* the last server without a vote */
	enum timesync_state state;
	bool told;
	int64_t saved; /* s since 1970; 0: none */
};

extern const struct rule timesync_rules[CLOCK_TYPES];

void timesync_init(struct timesync *t, struct proc *p);
void timesync_stop(struct timesync *t); /* saves the time if it is known */

#endif
