/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_QUEUE_QUEUE_H
#define SMTPD_QUEUE_QUEUE_H

#include "smtpd/lib/proc.h"
#include "smtpd/msg/queue.h"
#include "smtpd/queue/bounce.h"
#include "smtpd/queue/courier.h"
#include "smtpd/queue/flusher.h"
#include "smtpd/queue/journal.h"

/* The process: takes letters, keeps them in the journal, has the courier deliver them. One binary: `queue` has those
 * of accounts; with FORWARD_SPOOL `queue.mx` has strangers' letters that could not be forwarded at once. */
struct queue_entry { /* a letter that waits for the disk */
	bool used;
	struct token token;
	int head, text; /* owned */
	uint64_t size;
	uint32_t nrcpt;
	struct keys keys;
	bool report; /* ours, about another letter */
};

struct queue {
	struct proc *proc; /* borrowed */
	bool spool;	   /* queue.mx: strangers' letters */
	struct disk_files files;
	struct journal journal;
	struct job job;
	struct flusher flusher;
	struct courier courier;
	struct bounce bounce;
	struct queue_entry entry[JOURNAL_WAITING];
	struct watch timer;
	bool stopping;
	struct token probe;	  /* of who waits for a flush */
	uint8_t *head;		  /* owned: ENV_HEAD_MAX octets of scratch */
	uint8_t rows[QUEUE_PAGE]; /* scratch: an answer to the operator */
};

enum { QUEUE_WATCHES = 2 };

/* dir: of the journal; NULL: there is none, letters get 451. Starts a thread. */
void queue_init(struct queue *q, struct proc *p, const char *dir);
extern const struct rule queue_rules[QUEUE_TYPES];

/* What may be asked of a letter before it goes to the journal. Fills *l. */
enum queue_shape { QUEUE_GOOD, QUEUE_MALFORMED, QUEUE_TOO_BIG };
enum queue_shape queue_check(const struct queue_letter *m, int text, int head, uint8_t *scratch,
			     struct jr_letter *l);

#endif
