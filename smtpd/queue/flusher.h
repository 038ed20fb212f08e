/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_QUEUE_FLUSHER_H
#define SMTPD_QUEUE_FLUSHER_H

#include "smtpd/lib/loop.h"
#include "smtpd/queue/jwrite.h"

/*
 * The thread that waits for the disk, so that the loop does not. One job at a time is handed over
 * and comes back; the two sides share nothing else that changes.
 */
struct flusher {
	struct watch watch; /* the job came back */
	struct disk *disk;
	struct job *job;
	int go, back; /* owned: eventfds */
	bool busy;
	void (*done)(struct flusher *f);
};

/* Before the sandbox closes. Exits the process when there is no thread to be had. */
void flusher_start(struct flusher *f, struct loop *l, struct disk *d, struct job *job,
		   void (*done)(struct flusher *f));
void flusher_run(struct flusher *f); /* hands job over; not while busy */

#endif
