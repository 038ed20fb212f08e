/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "smtpd/lib/loop.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "smtpd/lib/arena.h"
#include "smtpd/lib/log.h"

/*
 * NOTES
 * watch[0..n) are live or NULL; a NULL is a watch dropped during a round and is swept before the next. poll[i] belongs
 * to watch[i]. A watch added during a round gets a place at the end and is first asked about in the next round.
 */

int64_t loop_clock(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void loop_init(struct loop *l, size_t cap)
{
	l->watch = arena_reserve(cap * sizeof *l->watch);
	l->poll = arena_reserve(cap * sizeof *l->poll);
	l->cap = cap;
	l->n = 0;
	l->now = loop_clock();
}

static void sweep(struct loop *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++) {
		if (!l->watch[i])
			continue;
		l->watch[n] = l->watch[i];
		l->watch[n]->at = (uint32_t)n + 1;
		n++;
	}
	l->n = n;
}

void loop_add(struct loop *l, struct watch *w)
{
	if (w->at)
		return;
	if (l->n == l->cap)
		bug("loop is full");
	l->watch[l->n] = w;
	/* Not polled yet: a round in progress must find nothing here. */
	l->poll[l->n] = (struct pollfd){ .fd = -1 };
	w->at = (uint32_t)++l->n;
}

void loop_drop(struct loop *l, struct watch *w)
{
	if (!w->at)
		return;
	l->watch[w->at - 1] = NULL;
	w->at = 0;
}

static int wait_ms(const struct loop *l)
{
	int64_t due = LOOP_NEVER;

	for (size_t i = 0; i < l->n; i++)
		if (l->watch[i]->due < due)
			due = l->watch[i]->due;
	if (due == LOOP_NEVER)
		return -1;
	if (due <= l->now)
		return 0;
	return due - l->now > 60000 ? 60000 : (int)(due - l->now);
}

static void run_one(struct loop *l, size_t i, short got)
{
	struct watch *w = l->watch[i];

	if (!w)
		return;
	if (got)
		w->ready(w, got);
	else if (w->due <= l->now)
		w->ready(w, 0);
}

void loop_round(struct loop *l)
{
	struct timespec ts;
	size_t n;
	int ms;

	sweep(l);
	n = l->n;
	for (size_t i = 0; i < n; i++) {
		struct watch *w = l->watch[i];

		/* Without interest the descriptor is left out, or a hang-up would spin the loop. */
		l->poll[i] = (struct pollfd){ .fd = w->want ? w->fd : -1, .events = w->want };
	}
	l->now = loop_clock();
	ms = wait_ms(l);
	ts = (struct timespec){ ms / 1000, ms % 1000 * 1000000L };
	if (ppoll(l->poll, n, ms < 0 ? NULL : &ts, NULL) < 0) {
		if (errno != EINTR)
			bug("ppoll");
		return;
	}
	l->now = loop_clock();
	for (size_t i = 0; i < n; i++)
		run_one(l, i, l->poll[i].revents);
}

void loop_run(struct loop *l)
{
	for (;;)
		loop_round(l);
}
