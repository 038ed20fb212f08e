/* SPDX-License-Identifier: ISC */
#include "smtpd/check/quota.h"

#include <string.h>

/* One part more than fits a span: the newest is not over yet. */
enum { RING = QUOTA_PARTS + 1, MINUTE = 60 * 1000 };

static const int64_t hour = 3600 * 1000, day = 24 * 3600 * 1000;

static uint32_t *part_of(struct quota_window *w, int64_t part)
{
	return &w->count[part % RING];
}

/* Forgets what is over; the sum of the rest. */
static uint32_t advance(struct quota_window *w, int64_t span, int64_t now)
{
	int64_t part = now / (span / QUOTA_PARTS);
	uint32_t sum = 0;

	if (part - w->part >= RING)
		memset(w->count, 0, sizeof w->count);
	else
		for (int64_t i = w->part + 1; i <= part; i++)
			*part_of(w, i) = 0;
	w->part = part;
	for (int i = 0; i < RING; i++)
		sum += w->count[i];
	return sum;
}

/* When n more will fit; they do not now, and n <= limit. */
static int64_t wait_ms(struct quota_window *w, int64_t span, int64_t now, uint32_t n,
		       uint32_t limit)
{
	uint32_t left = advance(w, span, now);
	int64_t at = w->part > QUOTA_PARTS ? w->part - QUOTA_PARTS : 0;

	for (; at < w->part; at++) {
		left -= *part_of(w, at);
		if (left <= limit - n)
			break;
	}
	return (at + RING) * (span / QUOTA_PARTS) - now;
}

static struct quota_entry *find(struct quota *q, struct slice account)
{
	for (size_t i = 0; i < QUOTA_ACCOUNTS; i++)
		if (q->entry[i].n == account.n &&
		    !memcmp(q->entry[i].name, account.p, account.n))
			return &q->entry[i];
	return NULL;
}

static struct quota_entry *make(struct quota *q, struct slice account, int64_t now)
{
	struct quota_entry *best = NULL;
	uint32_t least = UINT32_MAX;

	for (size_t i = 0; i < QUOTA_ACCOUNTS && least; i++) {
		struct quota_entry *e = &q->entry[i];
		uint32_t sent = e->n ? advance(&e->rcpts, day, now) : 0;

		if (!best || sent < least) {
			best = e;
			least = sent;
		}
	}
	memset(best, 0, sizeof *best);
	best->n = (uint8_t)account.n;
	memcpy(best->name, account.p, account.n);
	return best;
}

static void say_wait(struct slice account, uint32_t limit, const char *what, int64_t ms,
		     struct buf *why)
{
	buf_put(why, SLICE("Account "));
	buf_put(why, account);
	buf_put(why, SLICE(" has reached its limit of "));
	buf_dec(why, limit);
	buf_put(why, slice_of(what));
	buf_put(why, SLICE(", please try again in "));
	buf_dec(why, (uint64_t)((ms + MINUTE - 1) / MINUTE));
	buf_put(why, SLICE(" min"));
}

static bool full(uint32_t used, uint32_t n, uint32_t limit)
{
	return limit && (used >= limit || n > limit - used);
}

enum quota_word quota_ask(struct quota *q, struct slice account, uint32_t limit, uint32_t rcpts,
			  int64_t now, struct buf *why)
{
	struct quota_entry *e = find(q, account);

	if (limit && rcpts > limit) {
		buf_put(why, SLICE("The letter has more recipients than account "));
		buf_put(why, account);
		buf_put(why, SLICE(" may write to in a day: "));
		buf_dec(why, limit);
		return QUOTA_NEVER;
	}
	if (!account.n || account.n > QUOTA_NAME || !e)
		return QUOTA_FINE;
	if (full(advance(&e->letters, hour, now), 1, q->letters))
		say_wait(account, q->letters, " letters in an hour",
			 wait_ms(&e->letters, hour, now, 1, q->letters), why);
	else if (full(advance(&e->rcpts, day, now), rcpts, limit))
		say_wait(account, limit, " recipients in a day",
			 wait_ms(&e->rcpts, day, now, rcpts, limit), why);
	else
		return QUOTA_FINE;
	return QUOTA_LATER;
}

void quota_take(struct quota *q, struct slice account, uint32_t rcpts, int64_t now)
{
	struct quota_entry *e;

	if (!account.n || account.n > QUOTA_NAME)
		return;
	e = find(q, account);
	if (!e)
		e = make(q, account, now);
	advance(&e->letters, hour, now);
	advance(&e->rcpts, day, now);
	*part_of(&e->letters, e->letters.part) += 1;
	*part_of(&e->rcpts, e->rcpts.part) += rcpts;
}

static void back(struct quota_window *w, int64_t span, uint32_t n, int64_t then, int64_t now)
{
	int64_t part = then / (span / QUOTA_PARTS);

	advance(w, span, now);
	if (w->part - part < RING && *part_of(w, part) >= n)
		*part_of(w, part) -= n;
}

void quota_back(struct quota *q, struct slice account, uint32_t rcpts, int64_t then,
		int64_t now)
{
	struct quota_entry *e = find(q, account);

	if (!e || !account.n)
		return;
	back(&e->letters, hour, 1, then, now);
	back(&e->rcpts, day, rcpts, then, now);
}

void quota_used(struct quota *q, struct slice account, int64_t now, uint32_t *letters,
		uint32_t *rcpts)
{
	struct quota_entry *e = account.n ? find(q, account) : NULL;

	*letters = e ? advance(&e->letters, hour, now) : 0;
	*rcpts = e ? advance(&e->rcpts, day, now) : 0;
}
