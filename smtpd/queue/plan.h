/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_QUEUE_PLAN_H
#define SMTPD_QUEUE_PLAN_H

#include "smtpd/queue/journal.h"

/*
 * Composing one batch for one segment: what fits of that which waits. Order within a batch: RESULTs,
 * DROPs, letters, ATTEMPTs.
 */
struct plan {
	struct journal *j;
	struct job *job;
	struct segment *s;
	uint64_t at;	   /* the next octet after what is planned */
	uint64_t reserved; /* with the letters that are planned */
};

void plan_begin(struct plan *p, struct journal *j, struct job *job, unsigned seg);
void plan_results(struct plan *p); /* of letters in this segment */
void plan_drops(struct plan *p);   /* letters that end with these results */
void plan_letters(struct plan *p); /* that wait for acceptance; counts journal.taking */
void plan_moves(struct plan *p);   /* letters of the segment that is being cleaned */
/* ATTEMPTs fill the block that is written anyway; `force` spends what was reserved for them. */
void plan_attempts(struct plan *p, bool force);
bool plan_probe(struct plan *p); /* false: it has no room */
bool plan_end(struct plan *p);	 /* false: there is nothing to write */
void plan_undo(struct plan *p);	 /* it will not be written */

#endif
