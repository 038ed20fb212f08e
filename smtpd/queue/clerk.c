/* SPDX-License-Identifier: ISC */
#include "smtpd/queue/clerk.h"

static struct letter *letter_of(struct courier *c, uint64_t id)
{
	uint32_t n = id ? ledger_find(&c->j->g, id) : LEDGER_NONE;

	return n == LEDGER_NONE ? NULL : &c->j->g.letter[n];
}

static int64_t next_of(const struct courier *c, const struct rcpt *k)
{
	switch (k->state) {
	case RCPT_WAIT:
		return k->due > c->j->now ? k->due - c->j->now : 0;
	case RCPT_READY:
	case RCPT_SENT:
	case RCPT_BUSY:
		return 0;
	default:
		return -1;
	}
}

static void fill(struct courier *c, const struct letter *e, struct clerk_letter *out)
{
	const struct ledger *g = &c->j->g;
	struct slice head = { c->parcels.head, e->l.head_size };

	*out = (struct clerk_letter){ .id = e->r.letter,
				      .octets = e->l.text_size,
				      .age = c->j->now - e->born,
				      .next = -1,
				      .rcpts = e->l.nrcpt,
				      .open = e->open,
				      .held = e->l.flags & JR_HELD,
				      .removed = e->l.flags & JR_REMOVED,
				      .damaged = e->aside };
	for (uint32_t i = e->first; i != LEDGER_NONE; i = g->rcpt[i].next) {
		const struct rcpt *k = &g->rcpt[i];
		int64_t next = next_of(c, k);

		if (next >= 0 && (out->next < 0 || next < out->next))
			out->next = next;
		out->attempts = k->attempts > out->attempts ? k->attempts : out->attempts;
		if (k->state != RCPT_DONE && reason_get(&c->reasons, k->reason))
			out->reason = reason_get(&c->reasons, k->reason);
	}
	if (head.n > ENV_HEAD_MAX || !parcel_head(&c->parcels, e, c->parcels.head))
		return;
	envelope_get(head, ENV_ACCOUNT, &out->account);
	envelope_get(head, ENV_SENDER, &out->sender);
}

bool clerk_show(struct courier *c, uint64_t id, struct clerk_letter *out)
{
	const struct letter *e = letter_of(c, id);

	if (e)
		fill(c, e, out);
	return e;
}

bool clerk_rcpt(struct courier *c, uint64_t id, uint32_t no, struct clerk_rcpt *out)
{
	uint32_t n = ledger_find(&c->j->g, id), k;
	const struct letter *e = letter_of(c, id);
	const struct rcpt *r;

	k = e ? ledger_rcpt(&c->j->g, n, no) : LEDGER_NONE;
	if (k == LEDGER_NONE)
		return false;
	r = &c->j->g.rcpt[k];
	*out = (struct clerk_rcpt){ .no = no,
				    .attempts = r->attempts,
				    .next = next_of(c, r),
				    .state = (enum rcpt_state)r->state,
				    .reason = reason_get(&c->reasons, r->reason) };
	if (e->l.head_size <= ENV_HEAD_MAX && parcel_head(&c->parcels, e, c->parcels.head))
		out->to = waybill_rcpt((struct slice){ c->parcels.head, e->l.head_size }, no);
	return true;
}

/* The letter's new flags go to the disk, and its recipients where those say. */
static bool mark(struct courier *c, struct letter *e, uint32_t flags, int64_t due)
{
	struct ledger *g = &c->j->g;

	if (e->aside || !e->open)
		return false;
	if (flags != e->l.flags && !journal_mark(c->j, (uint32_t)(e - g->letter), flags))
		return false;
	for (uint32_t i = e->first; i != LEDGER_NONE; i = g->rcpt[i].next) {
		struct rcpt *k = &g->rcpt[i];

		if (k->state == RCPT_WAIT || k->state == RCPT_READY || k->state == RCPT_HELD)
			ledger_wait(g, i, due >= 0 ? due : k->due);
	}
	c->timer->due = 0;
	return true;
}

bool clerk_hold(struct courier *c, uint64_t id)
{
	struct letter *e = letter_of(c, id);

	return e && mark(c, e, e->l.flags | JR_HELD, -1);
}

bool clerk_release(struct courier *c, uint64_t id)
{
	struct letter *e = letter_of(c, id);

	return e && !(e->l.flags & JR_REMOVED) && mark(c, e, e->l.flags & ~JR_HELD, -1);
}

bool clerk_retry(struct courier *c, uint64_t id)
{
	struct letter *e = letter_of(c, id);

	if (!e || e->l.flags & JR_HELD || !mark(c, e, e->l.flags, c->j->now))
		return false;
	for (uint32_t i = e->first; i != LEDGER_NONE; i = c->j->g.rcpt[i].next)
		dest_resume(&c->sched.dests, c->j->g.rcpt[i].dest);
	return true;
}

bool clerk_remove(struct courier *c, uint64_t id, bool quiet)
{
	struct letter *e = letter_of(c, id);

	if (!e || !mark(c, e, e->l.flags | JR_HELD | JR_REMOVED | (quiet ? JR_QUIET : 0), -1))
		return false;
	c->removing = true;
	return true;
}

void clerk_flush(struct courier *c)
{
	struct ledger *g = &c->j->g;

	for (uint32_t i = 0; i < c->sched.dests.used; i++)
		c->sched.dests.all[i].until = 0;
	for (uint32_t k = 0; k < g->top_rcpt; k++)
		if (g->rcpt[k].state == RCPT_WAIT && !g->letter[g->rcpt[k].letter].aside)
			ledger_wait(g, k, c->j->now);
	c->timer->due = 0;
}
