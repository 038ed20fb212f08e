/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_MSG_OUT_H
#define SMTPD_MSG_OUT_H

#include "smtpd/msg/answer.h"

/* check.mx -> out.mx, queue -> out.sub */
enum out_type { OUT_DELIVER = 1, OUT_HELD, OUT_ACK, OUT_TYPES };

/* Deliver one letter to the one recipient in its head: descriptors `text` and `head`. Sent are head's header octets,
 * then text without its first `skip` octets. Reply: struct answer with the destination's code, enhanced code and
 * sanitised text; 451 for everything that is not a verdict of the destination.
 * seq and rcpt name the delivery for OUT_HELD and OUT_ACK; the mx lane sends zeros and never asks. */
struct out_deliver {
	struct msg h;
	uint64_t seq;	    /* journal sequence number of the letter */
	uint64_t text_size; /* octets */
	uint32_t rcpt;	    /* index of the recipient in the journal's letter */
	uint32_t skip;
};

/* What does out still hold of deliveries whose result was not acknowledged? Asked by a restarted queue, before it
 * schedules anything, and again while a row is OUT_BUSY. Reply: struct out_held_list, tail = n struct out_held. */
struct out_held_ask {
	struct msg h;
};

enum out_held_state {
	OUT_BUSY = 1, /* past the final dot, the destination has not answered yet */
	OUT_RESULT,   /* finished; code and enhanced are the result */
};

struct out_held {
	uint64_t seq;
	uint32_t rcpt;
	uint16_t code;
	uint8_t enhanced[3];
	uint8_t state; /* enum out_held_state */
	uint8_t zero[6];
};

struct out_held_list {
	struct msg h;
	uint32_t n;
	uint32_t zero;
};

/* The RESULT record is on disk: out may forget it. Reply: struct out_acked. Unknown rows are fine. */
struct out_ack {
	struct msg h;
	uint64_t seq;
	uint32_t rcpt;
	uint32_t zero;
};

struct out_acked {
	struct msg h;
};

_Static_assert(sizeof(struct out_deliver) == 32, "no padding on the wire");
_Static_assert(sizeof(struct out_held) == 24, "no padding on the wire");
_Static_assert(sizeof(struct out_ack) == 24, "no padding on the wire");

#endif
