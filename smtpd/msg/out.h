/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_MSG_OUT_H
#define SMTPD_MSG_OUT_H

#include <string.h>

#include "smtpd/msg/answer.h"

/* check.mx, queue.mx -> out.mx; queue -> out.sub. What queue does holds for queue.mx, too. */
enum out_type { OUT_DELIVER = 1, OUT_HELD, OUT_ACK, OUT_STOP, OUT_TYPES };

enum { OUT_RCPTS = 32, OUT_POLICY = 16, OUT_MX_MS = 300 * 1000 };

/* Deliver one letter to the recipients in its head, all in one domain: descriptors `text` and `head`. Sent are head's
 * header octets, then text without its first `skip` octets. Tail: for each recipient in the head's order its index in
 * the journal's letter (uint32_t), 1 to OUT_RCPTS of them. seq and that index name the delivery for OUT_HELD and
 * OUT_ACK; check.mx sends zeros and never asks. Reply: struct out_result. */
struct out_deliver {
	struct msg h;
	uint64_t seq;	    /* journal sequence number of the letter */
	uint64_t text_size; /* octets */
	uint32_t skip;
	/* check.mx: the verdict is there within this time, 1 to OUT_MX_MS (RULES P3); queues: 0 */
	uint32_t ms;
};

/* Tail: the name of the host that was spoken to (host_len octets; 0: none), then for each recipient in the order of
 * the request a struct out_verdict and its text; out_verdict_take() reads them. */
struct out_result {
	struct msg h;
	uint64_t op; /* mxname_operator() of that host: limits of one hold for all its hosts; 0: unknown */
	uint32_t stop_ms; /* mx: the operator gets nothing for so long, because it told us so; 0: it gets letters */
	uint8_t host_len;
	uint8_t zero[3];
	char policy[OUT_POLICY]; /* what TLS that host had to have, in a word for the log; zeros behind it */
};

enum out_flag {
	OUT_DSN = 1,  /* the destination took over what NOTIFY asks for (RFC 3461 5.2.1) */
	OUT_DEAD = 2, /* not about this letter: no host of the destination could be spoken to */
	OUT_RATE =
		4, /* the operator is to get nothing for OUT_RATE_MS (GMAIL_RATE of smtpd/proto/gmail.h) */
};

enum { OUT_RATE_MS = 10 * 60 * 1000 }; /* RULES, fact 6; in both lanes */

/* The destination's code, enhanced code and sanitised text; 451 for everything that is not its verdict. */
struct out_verdict {
	uint16_t code;
	uint8_t enhanced[3];
	uint8_t flags; /* enum out_flag */
	uint16_t len;  /* of the text behind it, 1 to ANSWER_TEXT */
};

enum { OUT_RESULT_TAIL = 255 + OUT_RCPTS * (sizeof(struct out_verdict) + ANSWER_TEXT) };

/* The next verdict off the tail; *text borrows. False: the end, or nonsense (c->bad). */
static inline bool out_verdict_take(struct cur *c, struct out_verdict *v, struct slice *text)
{
	struct slice s;

	if (cur_end(c))
		return false;
	s = cur_take(c, sizeof *v);
	if (c->bad)
		return false;
	memcpy(v, s.p, sizeof *v);
	*text = cur_take(c, v->len);
	c->bad |= !v->len || v->len > ANSWER_TEXT;
	return !c->bad;
}

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

/* These RESULT records are on disk: out may forget them. Tail: one to OUT_ACKS struct out_ack_row. Reply: struct
 * out_acked. Unknown rows are fine. */
struct out_ack {
	struct msg h;
};

struct out_ack_row {
	uint64_t seq;
	uint32_t rcpt;
	uint32_t zero;
};

enum { OUT_ACKS = 256 };

struct out_acked {
	struct msg h;
};

/* A new out.mx is told what the one before it knew: these operators get nothing for so long. Tail: up to OUT_STOPS
 * struct out_stop_row; more than ten minutes count as ten. Reply: struct out_stopped. */
struct out_stop {
	struct msg h;
};

struct out_stop_row {
	uint64_t op; /* as in struct out_result */
	uint32_t ms;
	uint32_t zero;
};

enum { OUT_STOPS = 16 };

struct out_stopped {
	struct msg h;
};

_Static_assert(sizeof(struct out_deliver) == 32, "no padding on the wire");
_Static_assert(sizeof(struct out_result) == 24 + OUT_POLICY, "no padding on the wire");
_Static_assert(sizeof(struct out_verdict) == 8, "no padding on the wire");
_Static_assert(sizeof(struct out_result) + OUT_RESULT_TAIL <= MSG_MAX, "one message");
_Static_assert(sizeof(struct out_held) == 24, "no padding on the wire");
_Static_assert(sizeof(struct out_ack_row) == 16, "no padding on the wire");
_Static_assert(sizeof(struct out_stop_row) == 16, "no padding on the wire");

#endif
