/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_OUT_HELD_H
#define SMTPD_OUT_HELD_H

#include "smtpd/msg/out.h"

/*
 * Deliveries that must not be forgotten: those past the final dot, and final results (250 and 5xx) that the queue
 * has not acknowledged. A place is taken before a delivery begins, so a result always has one. Temporary failures
 * are not kept: asking the destination again costs nothing.
 */
enum { HELD_ROWS = 640 }; /* an OUT_HELD reply with all of them fits one message */

enum { HELD_FREE, HELD_BUSY = OUT_BUSY, HELD_RESULT = OUT_RESULT, HELD_TAKEN };

struct held {
	struct out_held *row; /* owned, HELD_ROWS; state is one of the enum above */
};

void held_init(struct held *h);
/* The row of this delivery; NULL: none. */
struct out_held *held_find(const struct held *h, uint64_t seq, uint32_t rcpt);
/* A new row, HELD_TAKEN; NULL: full. */
struct out_held *held_take(struct held *h, uint64_t seq, uint32_t rcpt);
void held_busy(struct out_held *row);
void held_result(struct out_held *row, uint16_t code, const uint8_t enhanced[3]);
/* The delivery ended without a final result, or its result is on disk. */
void held_drop(struct out_held *row);
/* Rows that are busy or results, as the tail of struct out_held_list; returns how many. */
uint32_t held_list(const struct held *h, struct buf *out);

#endif
