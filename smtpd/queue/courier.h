/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_QUEUE_COURIER_H
#define SMTPD_QUEUE_COURIER_H

#include "smtpd/msg/out.h"
#include "smtpd/queue/parcel.h"
#include "smtpd/queue/reason.h"
#include "smtpd/queue/sched.h"
#include "smtpd/queue/waybill.h"

/*
 * Deliveries: recipients of one letter in one domain, in the order that the scheduler gives.
 */
enum {
	COURIER_ACTIVE = CONFIG_SMTPD_QUEUE_ACTIVE,
	COURIER_ACKS = 512,
	COURIER_ACK_ASKS = 2, /* the channel's credit beyond COURIER_ACTIVE */
	COURIER_STARVED = 64,
};

struct courier;

struct delivery {
	struct ask ask; /* first */
	struct courier *c;
	bool used;
	uint64_t id;
	struct parcel *parcel;
	struct slot slot;
	uint32_t rcpt[OUT_RCPTS]; /* in the ledger, as in `bill` */
	struct waybill bill;
};

struct ack {
	struct ask ask; /* first */
	struct courier *c;
};

struct courier {
	struct journal *j;   /* borrowed */
	struct chan *out;    /* borrowed */
	struct watch *timer; /* borrowed */
	bool spool;	     /* queue.mx: strangers' letters, each tried once already */
	struct delivery delivery[COURIER_ACTIVE];
	struct parcels parcels;
	struct sched sched;
	struct reasons reasons;
	unsigned active, flying; /* deliveries; recipients in them */
	/* Recipients whose letters found no memory, the first ones: they ask again when some comes back. */
	struct {
		uint32_t rcpt;
		int64_t due;
	} starved[COURIER_STARVED];
	unsigned nstarved;
	bool removing; /* the operator took letters away: their results are not all said yet */
	struct ask held;
	bool held_known; /* out was asked since its last wire, and since a delivery ended unclear */
	bool held_again; /* at held_due: some are past the final dot, or an ack had no place */
	int64_t held_due;
	struct ack ack[COURIER_ACK_ASKS];
	/* results on disk that out may still hold: a ring */
	struct out_ack_row acks[COURIER_ACKS];
	unsigned ack_first, nack;
	uint8_t *envelope; /* owned: WAYBILL_ENVELOPE octets of scratch */
};

/* timer: made due when courier_run() should be called. */
void courier_init(struct courier *c, struct journal *j, struct chan *out, struct watch *timer);
void courier_wired(struct courier *c);				/* out is there again */
void courier_kept(struct courier *c, uint64_t id, uint32_t no); /* journal.kept */
/* A letter is in the journal now: whose it is and where it goes. Takes text and head over for its
 * first try, or leaves them; a letter of the spool waits for its second. */
void courier_accepted(struct courier *c, uint64_t id, const struct keys *k, int *text,
		      int *head);
void courier_run(struct courier *c); /* starts what is due; cheap when nothing is */
int64_t courier_due(const struct courier *c);

#endif
