/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_QUEUE_PARCEL_H
#define SMTPD_QUEUE_PARCEL_H

#include "smtpd/proto/envelope.h"
#include "smtpd/queue/journal.h"

/*
 * Letters as memfds. A letter that was just accepted stays here as it came, for its first try;
 * others are read again from the journal. What nobody delivers gives way to what somebody does.
 * Small letters have memory of their own, so that large ones in slow hands do not hold them up, and
 * of either memory a destination that has some already gets no more than a quarter.
 */
enum {
	PARCELS = 2 * CONFIG_SMTPD_QUEUE_ACTIVE + 64,
	PARCEL_LARGE_OCTETS = CONFIG_LETTER_MEMORY / 2,
	PARCEL_SMALL_OCTETS = CONFIG_LETTER_MEMORY / 8,
	PARCEL_SMALL = PARCEL_SMALL_OCTETS / 4, /* octets of the largest small letter */
	PARCEL_MS = 10 * 1000, /* a letter that came waits so long for its first try */
	PARCEL_CLAIM_MS = 30 * 1000,
};

struct parcel_pool {
	uint64_t octets, cap;
	/* The letter that found no room: until then no other one of its size gets any, and for as
	 * long afterwards there is no claim, unless half of that letter's lifetime is over. */
	uint64_t claim;
	int64_t claim_until;
};

struct parcel {
	uint64_t id;	 /* 0 = free */
	unsigned refs;	 /* deliveries */
	int text, head;	 /* owned; head -1: it was read from the journal */
	uint64_t octets; /* of both */
	int64_t since;
};

struct parcels {
	struct journal *j; /* borrowed */
	struct parcel slot[PARCELS];
	struct parcel_pool small, large;
	unsigned idle; /* without a delivery */
	int64_t age_due;
	uint8_t *head; /* owned: ENV_HEAD_MAX octets of scratch */
};

void parcels_init(struct parcels *s, struct journal *j);
/* A letter of the ledger was accepted with these: takes them over if there is room for them. */
void parcels_keep(struct parcels *s, const struct letter *e, int *text, int *head);
struct parcel_pool *parcels_pool(struct parcels *s, uint64_t octets);
/* Is there memory for this letter now, for a destination whose deliveries have `held` octets of the
 * pool? Asked before parcels_open(). */
bool parcels_room(struct parcels *s, const struct letter *e, uint64_t held);
/* For one more delivery; *head is what the letter's head says, valid until the next call. NULL:
 * not now, or, *damaged, never. */
struct parcel *parcels_open(struct parcels *s, const struct letter *e, struct slice *head,
			    bool *damaged);
/* Reads a letter's head from the journal, head_size octets. False: the disk failed. */
bool parcel_head(struct parcels *s, const struct letter *e, uint8_t *out);
void parcels_close(struct parcels *s, struct parcel *p);
void parcels_age(struct parcels *s); /* lets go of what waited too long */

#endif
