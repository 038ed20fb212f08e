/* SPDX-License-Identifier: ISC */
#include "smtpd/out/held.h"

#include <string.h>

#include "smtpd/lib/arena.h"

_Static_assert(sizeof(struct out_held_list) + HELD_ROWS * sizeof(struct out_held) <= MSG_MAX,
	       "the list is one message");
_Static_assert(CONFIG_SMTPD_QUEUE_ACTIVE * 2 <= HELD_ROWS, "room for two generations");

void held_init(struct held *h)
{
	h->row = arena_reserve(HELD_ROWS * sizeof *h->row);
}

struct out_held *held_find(const struct held *h, uint64_t seq, uint32_t rcpt)
{
	for (size_t i = 0; i < HELD_ROWS; i++)
		if (h->row[i].state != HELD_FREE && h->row[i].seq == seq &&
		    h->row[i].rcpt == rcpt)
			return &h->row[i];
	return NULL;
}

struct out_held *held_take(struct held *h, uint64_t seq, uint32_t rcpt)
{
	for (size_t i = 0; i < HELD_ROWS; i++) {
		if (h->row[i].state != HELD_FREE)
			continue;
		h->row[i] = (struct out_held){ .seq = seq, .rcpt = rcpt, .state = HELD_TAKEN };
		return &h->row[i];
	}
	return NULL;
}

void held_busy(struct out_held *row)
{
	row->state = HELD_BUSY;
}

void held_result(struct out_held *row, uint16_t code, const uint8_t enhanced[3])
{
	if (code / 100 == 4) {
		held_drop(row);
		return;
	}
	row->state = HELD_RESULT;
	row->code = code;
	memcpy(row->enhanced, enhanced, 3);
}

void held_drop(struct out_held *row)
{
	*row = (struct out_held){ 0 };
}

uint32_t held_list(const struct held *h, struct buf *out)
{
	uint32_t n = 0;

	for (size_t i = 0; i < HELD_ROWS; i++) {
		if (h->row[i].state != HELD_BUSY && h->row[i].state != HELD_RESULT)
			continue;
		buf_put(out, (struct slice){ (const uint8_t *)&h->row[i], sizeof h->row[i] });
		n++;
	}
	return n;
}
