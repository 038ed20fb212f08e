/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_QUEUE_DEST_H
#define SMTPD_QUEUE_DEST_H

#include <stdbool.h>
#include <stdint.h>

#include "smtpd/lib/link.h"

/*
 * How much each destination takes. A destination is a domain, or who runs the mail exchangers of
 * many of them (RULES S13); both begin with one connection and get one more when as many as are
 * allowed ended well. One that cannot be reached is left alone for a while, and then tried with one
 * letter. What was learnt is kept while letters are due or under way, and beyond that for the last
 * DEST_IDLE ones.
 */
enum {
	DEST_MOST = CONFIG_SMTPD_QUEUE_DESTINATION,
	DEST_IDLE = 1024,
	DEST_BUCKETS = 4096,
};

enum dest_end { /* how a delivery ended, for what is allowed next */
		DEST_WELL,
		DEST_UNCLEAR, /* nothing was learnt */
		DEST_SLOW,    /* put off */
		DEST_STOP,    /* told to stop: for OUT_RATE_MS */
		DEST_DEAD,    /* not reached */
};

struct gate { /* so many at the same time */
	uint32_t most, active;
	struct link parked; /* the scheduler's: lanes that wait for it */
};

struct dest {
	uint64_t key; /* of a group: with DEST_GROUP */
	struct dest *chain;
	struct dest *group; /* NULL: not known */
	struct gate gate;
	uint32_t refs; /* lanes, deliveries, domains of a group */
	uint32_t well; /* since the gate became wider */
	bool proven;   /* it took a letter once */
	uint8_t failures;
	int64_t until;	 /* paused; 0: not */
	int64_t since;	 /* of that pause */
	uint32_t reason; /* the caller's: why */
	struct link idle;
	struct link lanes; /* the scheduler's */
};

#define DEST_GROUP ((uint64_t)1 << 63)

struct dests {
	struct dest *all; /* owned: cap, the first one shared */
	uint32_t cap, used;
	struct dest *free, *bucket[DEST_BUCKETS];
	struct link idle; /* oldest first */
	unsigned nidle;
};

void dests_init(struct dests *t, uint32_t cap);
struct dest *dest_get(struct dests *t, uint64_t key); /* counts a reference */
void dest_put(struct dests *t, struct dest *d);	      /* gives it back */

/* When a delivery may begin: 0, or until when this destination is left alone. */
int64_t dest_until(const struct dest *d, int64_t now);
void dest_begin(struct dest *d);
/* The same delivery ended; group as it was at its begin. */
void dest_end(struct dest *d, struct dest *group, enum dest_end how, int64_t begun,
	      int64_t now);
void dest_resume(struct dests *t, uint64_t key); /* ends a pause, if there is one */
/* Who runs its mail exchangers, 0: unknown. */
void dest_learn(struct dests *t, struct dest *d, uint64_t group);

#endif
