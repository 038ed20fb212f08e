/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_QUEUE_PARCEL_H
#define SMTPD_QUEUE_PARCEL_H

#include "smtpd/proto/envelope.h"
#include "smtpd/queue/journal.h"

/*
 * Letters as memfds. A letter that was just accepted stays here as it came, for its first try;
 * others are read again from the journal. What nobody delivers gives way to what somebody does.
 */
enum {
	PARCELS = 2 * CONFIG_SMTPD_QUEUE_ACTIVE + 64,
	PARCEL_OCTETS = CONFIG_LETTER_MEMORY / 2,
	PARCEL_MS = 10 * 1000, /* a letter that came waits so long for its first try */
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
	uint64_t octets;
	unsigned idle; /* without a delivery */
	int64_t age_due;
	uint8_t *head; /* owned: ENV_HEAD_MAX octets of scratch */
};

void parcels_init(struct parcels *s, struct journal *j);
/* A letter of the ledger was accepted with these: takes them over if there is room for them. */
void parcels_keep(struct parcels *s, const struct letter *e, int *text, int *head);
/* For one more delivery; *head is what the letter's head says, valid until the next call. NULL:
 * not now, or, *damaged, never. */
struct parcel *parcels_open(struct parcels *s, const struct letter *e, struct slice *head,
			    bool *damaged);
/* Reads a letter's head from the journal, head_size octets. False: the disk failed. */
bool parcel_head(struct parcels *s, const struct letter *e, uint8_t *out);
void parcels_close(struct parcels *s, struct parcel *p);
void parcels_age(struct parcels *s); /* lets go of what waited too long */

#endif
