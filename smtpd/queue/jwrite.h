/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_QUEUE_JWRITE_H
#define SMTPD_QUEUE_JWRITE_H

#include "smtpd/queue/jrecord.h"

/*
 * One job for the disk, composed by journal.c, run by the flush thread, and then read by journal.c
 * again. While it runs nobody else touches it. A job waits for the disk as often as it says, and
 * for nothing else.
 */
enum job_kind {
	JOB_BATCH = 1, /* records, then one flush */
	JOB_HEADER,    /* a new use of a segment: header, each copy with a flush */
	JOB_MAKE, /* a piece of the zeros of a new segment; after the last it gets its name */
};

enum {
	JOB_ITEMS = 128,
	JOB_SMALL = 64 * 1024,
	JOB_BUF =
		1024 * 1024, /* a batch of this size is one write; a longer one takes several */
};

struct job_item {
	struct jr r;	      /* `at` is filled in by the run */
	struct slice content; /* a LETTER: without head and text; borrowed from job.small */
	int head, text;	      /* a client's LETTER; borrowed memfds */
	bool copy;    /* a LETTER moved here: head and text come from `from`, at from_off */
	bool damaged; /* out: `from` is not what was written there; nothing was copied */
	struct jr from;
	struct jr_use from_use;
	uint32_t from_off; /* where head and text begin in its content */
	uint32_t owner;	   /* journal.c's */
};

struct job {
	enum job_kind kind;
	bool ok;	   /* out: everything of it is on disk */
	bool final;	   /* JOB_HEADER: remove the segment if it cannot be renewed */
	struct jr_use use; /* JOB_HEADER: the new one */
	uint64_t at; /* JOB_BATCH: start, out: end. JOB_MAKE: octets done so far, out too */
	unsigned n;
	struct job_item item[JOB_ITEMS];
	size_t small_used;
	uint8_t small[JOB_SMALL];
	uint8_t *buf; /* owned: JOB_BUF octets */
};

void job_run(struct disk *d, struct job *j);

#endif
