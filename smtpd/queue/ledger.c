/* SPDX-License-Identifier: ISC */
#include "smtpd/queue/ledger.h"

#include <string.h>

#include "smtpd/lib/arena.h"

enum {
	MAX_LETTERS = LEDGER_SLACK * LEDGER_LETTERS,
	MAX_RCPTS = LEDGER_SLACK * LEDGER_RCPTS,
};

static uint32_t *bucket_of(struct ledger *g, uint64_t id)
{
	return &g->bucket[(id ^ id >> 10) % LEDGER_BUCKETS];
}

void ledger_init(struct ledger *g)
{
	if (!g->letter) {
		g->letter = arena_reserve(sizeof *g->letter * MAX_LETTERS);
		g->rcpt = arena_reserve(sizeof *g->rcpt * MAX_RCPTS);
		g->heap = arena_reserve(sizeof *g->heap * MAX_RCPTS);
		g->bucket = arena_reserve(sizeof *g->bucket * LEDGER_BUCKETS);
	}
	g->letters = g->rcpts = g->heaped = g->top_letter = g->top_rcpt = 0;
	g->free_letter = g->free_rcpt = LEDGER_NONE;
	for (unsigned i = 0; i < LEDGER_BUCKETS; i++)
		g->bucket[i] = LEDGER_NONE;
	for (unsigned i = 0; i <= OWES_SOON; i++)
		g->owe_first[i] = g->owe_last[i] = LEDGER_NONE;
}

bool ledger_room(const struct ledger *g, uint32_t letters, uint32_t nrcpt, bool report)
{
	uint32_t more = report ? LEDGER_REPORTS : 0;

	return g->letters + letters <= LEDGER_LETTERS + more && nrcpt <= LEDGER_RCPTS &&
	       g->rcpts <= LEDGER_RCPTS - nrcpt + more;
}

/* A free entry, or the next one that was never used: pages cost nothing until then. */
static uint32_t take_rcpt(struct ledger *g)
{
	uint32_t i = g->free_rcpt;

	if (i == LEDGER_NONE)
		i = g->top_rcpt++;
	else
		g->free_rcpt = g->rcpt[i].next;
	g->rcpts++;
	memset(&g->rcpt[i], 0, sizeof g->rcpt[i]);
	return i;
}

uint32_t ledger_add(struct ledger *g, const struct jr *r, uint32_t seg,
		    const struct jr_letter *l)
{
	uint32_t i = g->free_letter, *b = bucket_of(g, r->letter);
	struct letter *e;

	if (g->letters == MAX_LETTERS || l->nrcpt > MAX_RCPTS - g->rcpts ||
	    l->nrcpt > UINT16_MAX)
		return LEDGER_NONE;
	if (i == LEDGER_NONE)
		i = g->top_letter++;
	else
		g->free_letter = g->letter[i].chain;
	e = &g->letter[i];
	*e = (struct letter){ .r = *r, .seg = seg, .l = *l, .open = l->nrcpt, .spare = true };
	e->chain = *b;
	*b = i;
	e->first = LEDGER_NONE;
	for (uint32_t n = l->nrcpt; n--;) {
		uint32_t k = take_rcpt(g);

		g->rcpt[k] = (struct rcpt){
			.letter = i, .next = e->first, .no = (uint16_t)n, .state = RCPT_WAIT
		};
		e->first = k;
	}
	g->letters++;
	return i;
}

void ledger_drop(struct ledger *g, uint32_t letter)
{
	struct letter *e = &g->letter[letter];
	uint32_t *p = bucket_of(g, e->r.letter), next;

	ledger_owe(g, letter, OWES_NOTHING, 0);
	for (uint32_t k = e->first; k != LEDGER_NONE; k = next) {
		next = g->rcpt[k].next;
		ledger_unwait(g, k);
		g->rcpt[k].state = RCPT_FREE;
		g->rcpt[k].next = g->free_rcpt;
		g->free_rcpt = k;
		g->rcpts--;
	}
	if (g->left)
		g->left(g->ctx, letter);
	while (*p != letter)
		p = &g->letter[*p].chain;
	*p = e->chain;
	e->r.letter = 0;
	e->chain = g->free_letter;
	g->free_letter = letter;
	g->letters--;
}

uint32_t ledger_find(const struct ledger *g, uint64_t id)
{
	uint32_t i = g->bucket[(id ^ id >> 10) % LEDGER_BUCKETS];

	while (i != LEDGER_NONE && g->letter[i].r.letter != id)
		i = g->letter[i].chain;
	return i;
}

uint32_t ledger_rcpt(const struct ledger *g, uint32_t letter, uint32_t no)
{
	uint32_t k = g->letter[letter].first;

	while (k != LEDGER_NONE && g->rcpt[k].no != no)
		k = g->rcpt[k].next;
	return k;
}

static void heap_set(struct ledger *g, uint32_t at, uint32_t rcpt)
{
	g->heap[at] = rcpt;
	g->rcpt[rcpt].heap = at + 1;
}

static bool heap_less(const struct ledger *g, uint32_t a, uint32_t b)
{
	const struct rcpt *x = &g->rcpt[g->heap[a]], *y = &g->rcpt[g->heap[b]];

	/* Of those that came in one moment, the oldest letter first. */
	return x->due != y->due ? x->due < y->due
				: g->letter[x->letter].r.letter < g->letter[y->letter].r.letter;
}

static void heap_swap(struct ledger *g, uint32_t a, uint32_t b)
{
	uint32_t k = g->heap[a];

	heap_set(g, a, g->heap[b]);
	heap_set(g, b, k);
}

static void heap_fix(struct ledger *g, uint32_t at)
{
	for (; at && heap_less(g, at, (at - 1) / 2); at = (at - 1) / 2)
		heap_swap(g, at, (at - 1) / 2);
	for (;;) {
		uint32_t kid = 2 * at + 1;

		if (kid + 1 < g->heaped && heap_less(g, kid + 1, kid))
			kid++;
		if (kid >= g->heaped || !heap_less(g, kid, at))
			return;
		heap_swap(g, at, kid);
		at = kid;
	}
}

void ledger_wait(struct ledger *g, uint32_t rcpt, int64_t due)
{
	struct rcpt *k = &g->rcpt[rcpt];

	if (k->lane)
		g->unready(g->ctx, rcpt);
	k->due = due;
	k->state = RCPT_WAIT;
	if (g->letter[k->letter].l.flags & JR_HELD) {
		ledger_unwait(g, rcpt);
		k->state = RCPT_HELD;
		return;
	}
	if (!k->heap)
		heap_set(g, g->heaped++, rcpt);
	heap_fix(g, k->heap - 1);
}

void ledger_unwait(struct ledger *g, uint32_t rcpt)
{
	uint32_t at = g->rcpt[rcpt].heap;

	if (g->rcpt[rcpt].lane)
		g->unready(g->ctx, rcpt);
	if (!at)
		return;
	at--;
	g->rcpt[rcpt].heap = 0;
	if (at != --g->heaped) {
		heap_set(g, at, g->heap[g->heaped]);
		heap_fix(g, at);
	}
}

uint32_t ledger_first(const struct ledger *g)
{
	return g->heaped ? g->heap[0] : LEDGER_NONE;
}

void ledger_owe(struct ledger *g, uint32_t letter, enum owes owes, int64_t now)
{
	struct letter *e = &g->letter[letter];

	if (e->owes) {
		*(e->owe_prev == LEDGER_NONE ? &g->owe_first[e->owes]
					     : &g->letter[e->owe_prev].owe_next) = e->owe_next;
		*(e->owe_next == LEDGER_NONE ? &g->owe_last[e->owes]
					     : &g->letter[e->owe_next].owe_prev) = e->owe_prev;
	}
	e->owes = (uint8_t)owes;
	if (!owes)
		return;
	e->owed_since = now;
	e->owe_next = LEDGER_NONE;
	e->owe_prev = g->owe_last[owes];
	*(e->owe_prev == LEDGER_NONE ? &g->owe_first[owes] : &g->letter[e->owe_prev].owe_next) =
		letter;
	g->owe_last[owes] = letter;
}
