/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_QUEUE_CLERK_H
#define SMTPD_QUEUE_CLERK_H

#include "smtpd/queue/courier.h"

/*
 * What an operator may do with letters that wait. Slices borrow from the courier until the next
 * call, and hold octets that strangers chose. Holding and removing are on disk with the next flush
 * of the letter's segment and survive a restart. False: there is no such letter, or not now.
 */
struct clerk_letter {
	uint64_t id, octets;
	int64_t age; /* ms in which it was tried */
	int64_t next; /* ms until the next try; 0: now, or under way; -1: none, it is held or over */
	uint32_t rcpts, open, attempts; /* attempts: the most that a recipient has */
	bool held, removed, damaged;
	struct slice account, sender;
	/* what was said last of a recipient; NULL: nothing, forgotten */
	const struct reason *reason;
};

struct clerk_rcpt {
	uint32_t no, attempts;
	int64_t next; /* as above */
	enum rcpt_state state;
	struct slice to;
	const struct reason *reason;
};

bool clerk_show(struct courier *c, uint64_t id, struct clerk_letter *out);
bool clerk_rcpt(struct courier *c, uint64_t id, uint32_t no, struct clerk_rcpt *out);
bool clerk_hold(struct courier *c, uint64_t id); /* what is under way goes on */
bool clerk_release(struct courier *c, uint64_t id);
bool clerk_retry(struct courier *c,
		 uint64_t id); /* now, also where its destination is paused */
/* Its open recipients end as failed; quiet: nobody is told. */
bool clerk_remove(struct courier *c, uint64_t id, bool quiet);
void clerk_flush(struct courier *c); /* everything that is not held, now */

#endif
