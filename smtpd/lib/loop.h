/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_LIB_LOOP_H
#define SMTPD_LIB_LOOP_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * One poll loop per process, level-triggered. Watches are embedded in their owners; the loop keeps
 * pointers in an array reserved at start. A handler does a bounded amount of work and returns.
 */
#define LOOP_NEVER INT64_MAX

struct watch {
	int fd;	     /* -1 = a timer only */
	short want;  /* POLLIN | POLLOUT; 0 = the deadline alone counts */
	int64_t due; /* monotonic ms; LOOP_NEVER where a rule of the channel bounds the wait */
	void (*ready)(struct watch *w, short got); /* got == 0: the deadline passed */
	uint32_t at;				   /* the loop's: 1 + index, 0 = not watched */
};

struct loop {
	struct watch **watch; /* owned, cap pointers */
	struct pollfd *poll;  /* owned, cap entries */
	size_t cap, n;
	int64_t now; /* monotonic ms, read once per round */
};

void loop_init(struct loop *l,
	       size_t cap); /* maps its arrays; exits the process when it cannot */
void loop_add(struct loop *l, struct watch *w); /* more than cap: bug() */
void loop_drop(struct loop *l,
	       struct watch *w); /* allowed in any handler, also for others; no-op when absent */
void loop_round(struct loop *l); /* waits for the next event or deadline, runs its handlers */
_Noreturn void loop_run(struct loop *l);
int64_t loop_clock(void); /* monotonic ms, read now */

#endif
