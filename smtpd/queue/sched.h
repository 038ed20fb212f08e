/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_QUEUE_SCHED_H
#define SMTPD_QUEUE_SCHED_H

#include "smtpd/lib/bytes.h"
#include "smtpd/queue/account.h"
#include "smtpd/queue/dest.h"

/*
 * Which recipient is next. Those that are due stand in lanes, one for each account and destination.
 * Accounts take turns, and the lanes of an account do; a lane whose destination takes no more now
 * is parked there and holds nobody up. Destinations that never took a letter of ours get three
 * quarters of all deliveries together, so that silent ones cannot stop the mail for the others.
 */
enum {
	SCHED_ACTIVE = CONFIG_SMTPD_QUEUE_ACTIVE,
	SCHED_STRANGERS = SCHED_ACTIVE - SCHED_ACTIVE / 4,
	SCHED_ACCOUNT = SCHED_ACTIVE - SCHED_ACTIVE / 8, /* of one account */
	SCHED_LANES = LEDGER_RCPTS,
	SCHED_SECRET = 32,
};

struct lane {		  /* recipients of one account at one destination that are due */
	struct link turn; /* among the account's lanes, or parked at a gate */
	struct link of;	  /* among the destination's */
	struct lane *free;
	struct account *account;
	struct dest *dest; /* referred to */
	uint32_t first, last;
	bool parked;
	bool woken; /* a gate had room for it, which it did not use yet */
};

struct sched {
	struct ledger *g; /* borrowed */
	struct accounts accounts;
	struct dests dests;
	struct link ring; /* of accounts that can run something */
	struct gate strangers;
	struct lane *lane, *free; /* owned: SCHED_LANES */
	uint32_t lanes;
	uint8_t secret[SCHED_SECRET];
};

struct keys { /* what a letter's head says, as hashes that nobody outside can aim at */
	uint64_t account;
	uint32_t n;
	uint32_t dest[CONFIG_SMTPD_MAX_RCPTS];
};

struct slot { /* a delivery, as the scheduler counts it */
	struct account *account;
	struct dest *dest, *group;
	bool stranger;
	int64_t begun;
};

void sched_init(struct sched *s, struct ledger *g);
void sched_keys(const struct sched *s, struct slice head, struct keys *k);
/* A letter of the ledger has these; before that it belongs to nobody. */
void sched_own(struct sched *s, uint32_t letter, const struct keys *k);
/* The recipient whose turn it is, LEDGER_NONE: nobody now. *until 0: to be started with
 * sched_begin(); else its destination is left alone until then, and it is to be put back. */
uint32_t sched_next(struct sched *s, int64_t now, int64_t *until);
struct dest *sched_dest(const struct sched *s,
			uint32_t rcpt); /* of one that sched_next() gave */
/* It leaves its lane. Others of the same delivery just leave the ledger's order too. */
void sched_begin(struct sched *s, uint32_t rcpt, int64_t now, struct slot *slot);
void sched_end(struct sched *s, struct slot *slot, enum dest_end how, uint64_t group,
	       int64_t now);

#endif
