/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_QUEUE_WAYBILL_H
#define SMTPD_QUEUE_WAYBILL_H

#include "smtpd/msg/out.h"
#include "smtpd/proto/envelope.h"

/* The head of one delivery, made from the letter's. */
enum {
	WAYBILL_NAMES = OUT_RCPTS * 256,
	/* Records of its recipients, and what is said of the letter. */
	WAYBILL_ENVELOPE = (4 * OUT_RCPTS + 16) * (ENV_RECORD_MAX + 3),
};

struct waybill {
	uint32_t n;
	uint32_t no[OUT_RCPTS];	    /* in the letter, ascending */
	bool all;		    /* these are all recipients the letter has */
	struct slice to[OUT_RCPTS]; /* in name; empty when there was no room */
	size_t used;
	uint8_t name[WAYBILL_NAMES];
};

/* The address of a recipient; empty: there is no such one. */
struct slice waybill_rcpt(struct slice head, uint32_t no);
/* Of the recipients want[0 .. n), ascending, 1 to OUT_RCPTS, those in the domain of `must`, which is
 * one of them. The envelope goes to *out, the header octets that follow it borrow from head. False:
 * the head is not what it should be. */
bool waybill_make(struct waybill *w, struct slice head, const uint32_t *want, uint32_t n,
		  uint32_t must, struct buf *out, struct slice *header);

#endif
