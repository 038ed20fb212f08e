/* SPDX-License-Identifier: ISC */
#include "smtpd/queue/desk.h"

#include <string.h>

#include "smtpd/lib/log.h"

struct filter { /* letters of this account, or with an open recipient there */
	bool all;
	const struct account *account; /* NULL: of none */
	uint32_t dest;
};

static struct filter filter_of(struct courier *c, struct slice word)
{
	struct slice domain = slice_from(word, slice_rfind(word, '@') + 1);
	uint8_t head[2 * (QUEUE_FILTER + 8)], to[QUEUE_FILTER + 1] = "@";
	struct buf b = BUF(head), address = { .p = to, .cap = sizeof to, .len = 1 };
	struct keys k;

	/* As the scheduler reads a letter's head: its hashes cannot be told from outside. */
	buf_put(&address, domain.n ? domain : word);
	envelope_put(&b, ENV_ACCOUNT, word);
	envelope_put(&b, ENV_RCPT, buf_slice(&address));
	sched_keys(&c->sched, buf_slice(&b), &k);
	return (struct filter){ .all = !word.n,
				.account = account_find(&c->sched.accounts, k.account),
				.dest = k.dest[0] };
}

static bool wanted(const struct ledger *g, const struct letter *e, const struct filter *f)
{
	if (f->all || (f->account && e->account == f->account))
		return true;
	for (uint32_t i = e->first; i != LEDGER_NONE; i = g->rcpt[i].next)
		if (g->rcpt[i].dest == f->dest && g->rcpt[i].state != RCPT_DONE)
			return true;
	return false;
}

/* The lowest numbers above `after`, in order; returns how many letters were wanted. */
static uint32_t pick(struct courier *c, uint64_t after, const struct filter *f,
		     uint64_t id[QUEUE_ROWS])
{
	const struct ledger *g = &c->j->g;
	uint32_t n = 0;

	for (uint32_t i = 0; i < g->top_letter; i++) {
		const struct letter *e = &g->letter[i];
		uint32_t at;

		if (e->r.letter <= after || !wanted(g, e, f))
			continue;
		at = n < QUEUE_ROWS ? n : QUEUE_ROWS;
		n++;
		for (; at && id[at - 1] > e->r.letter; at--)
			if (at < QUEUE_ROWS)
				id[at] = id[at - 1];
		if (at < QUEUE_ROWS)
			id[at] = e->r.letter;
	}
	return n;
}

static uint32_t seconds(int64_t ms)
{
	if (ms < 0)
		return QUEUE_NEVER;
	return ms / 1000 < QUEUE_NEVER ? (uint32_t)((ms + 999) / 1000) : QUEUE_NEVER - 1;
}

static uint8_t put_cut(struct buf *b, struct slice s, size_t max)
{
	s = slice_head(s, max);
	buf_put(b, s);
	return (uint8_t)s.n;
}

static uint8_t put_reason(struct buf *b, const struct reason *r, uint16_t *code,
			  uint8_t enhanced[3])
{
	if (!r)
		return 0;
	*code = r->code;
	memcpy(enhanced, r->enhanced, 3);
	return put_cut(b, (struct slice){ r->text, r->n }, QUEUE_REPLY);
}

static uint32_t first_open(const struct courier *c, uint64_t id)
{
	const struct ledger *g = &c->j->g;
	uint32_t i = g->letter[ledger_find(g, id)].first;

	while (i != LEDGER_NONE && g->rcpt[i].state == RCPT_DONE)
		i = g->rcpt[i].next;
	return i == LEDGER_NONE ? 0 : g->rcpt[i].no;
}

/* False: there is no such letter. */
static bool put_row(struct courier *c, uint64_t id, struct buf *rows)
{
	struct queue_row r = { .letter = id };
	size_t at = rows->len;
	struct clerk_letter l;
	struct clerk_rcpt k;

	if (!clerk_show(c, id, &l))
		return false;
	r.octets = l.octets;
	r.age = seconds(l.age > 0 ? l.age : 0);
	r.next = seconds(l.next);
	r.rcpts = l.rcpts;
	r.open = l.open;
	r.attempts = l.attempts;
	r.marks = (uint8_t)((l.held ? QUEUE_HELD : 0) | (l.removed ? QUEUE_REMOVED : 0) |
			    (l.damaged ? QUEUE_DAMAGED : 0));
	buf_put(rows, (struct slice){ (const uint8_t *)&r, sizeof r });
	r.account_len = put_cut(rows, l.account, QUEUE_NAME);
	r.sender_len = put_cut(rows, l.sender, QUEUE_NAME);
	if (clerk_rcpt(c, id, first_open(c, id), &k))
		r.to_len = put_cut(rows, k.to, QUEUE_NAME);
	r.reply_len = put_reason(rows, l.reason, &r.code, r.enhanced);
	if (!rows->bad)
		memcpy(rows->p + at, &r, sizeof r);
	return true;
}

void desk_list(struct courier *c, uint64_t after, struct slice filter, struct buf *rows,
	       struct queue_page *page)
{
	struct filter f = filter_of(c, filter);
	uint64_t id[QUEUE_ROWS];
	uint32_t n = pick(c, after, &f, id);

	for (uint32_t i = 0; i < n && i < QUEUE_ROWS; i++)
		put_row(c, id[i], rows);
	page->letters = c->j->g.letters;
	page->more = n > QUEUE_ROWS ? n - QUEUE_ROWS : 0;
}

static enum queue_rcpt_state state_of(enum rcpt_state s)
{
	switch (s) {
	case RCPT_WAIT:
		return QUEUE_WAITS;
	case RCPT_READY:
	case RCPT_SENT:
	case RCPT_BUSY:
		return QUEUE_UNDER_WAY;
	case RCPT_HELD:
		return QUEUE_IS_HELD;
	default:
		return QUEUE_OVER;
	}
}

static bool put_rcpt(struct courier *c, uint64_t id, uint32_t no, struct buf *rows)
{
	struct queue_rcpt r = { .no = no };
	size_t at = rows->len;
	struct clerk_rcpt k;

	if (!clerk_rcpt(c, id, no, &k))
		return false;
	r.next = seconds(k.next);
	r.attempts = k.attempts;
	r.state = (uint8_t)state_of(k.state);
	buf_put(rows, (struct slice){ (const uint8_t *)&r, sizeof r });
	r.to_len = put_cut(rows, k.to, QUEUE_NAME);
	r.reply_len = put_reason(rows, k.reason, &r.code, r.enhanced);
	if (!rows->bad)
		memcpy(rows->p + at, &r, sizeof r);
	return true;
}

void desk_show(struct courier *c, uint64_t letter, uint32_t from, struct buf *rows,
	       struct queue_page *page)
{
	uint32_t n = 0;
	struct clerk_letter l;

	page->letters = c->j->g.letters;
	if (!put_row(c, letter, rows))
		return;
	while (n < QUEUE_RCPTS && put_rcpt(c, letter, from + n, rows))
		n++;
	if (n && clerk_show(c, letter, &l) && l.rcpts > from + n)
		page->more = l.rcpts - from - n;
}

static bool do_it(struct courier *c, uint64_t letter, enum queue_what what)
{
	switch (what) {
	case QUEUE_HOLD:
		return clerk_hold(c, letter);
	case QUEUE_RELEASE:
		return clerk_release(c, letter);
	case QUEUE_RETRY:
		return clerk_retry(c, letter);
	case QUEUE_REMOVE:
	case QUEUE_DISCARD:
		return clerk_remove(c, letter, what == QUEUE_DISCARD);
	case QUEUE_FLUSH:
		clerk_flush(c);
		return true;
	case QUEUE_WHATS:
		break;
	}
	return false;
}

bool desk_act(struct courier *c, uint64_t letter, uint32_t what, enum queue_how *how)
{
	static const char *const deeds[QUEUE_WHATS] = {
		[QUEUE_HOLD] = "hold",	   [QUEUE_RELEASE] = "release", [QUEUE_RETRY] = "retry",
		[QUEUE_REMOVE] = "remove", [QUEUE_DISCARD] = "discard", [QUEUE_FLUSH] = "flush"
	};
	static const char *const ends[QUEUE_HOWS] = {
		[QUEUE_DONE] = "done", [QUEUE_UNKNOWN] = "unknown", [QUEUE_NOT_NOW] = "not_now"
	};
	bool known = what == QUEUE_FLUSH || ledger_find(&c->j->g, letter) != LEDGER_NONE;
	struct logline l;

	if (what >= QUEUE_WHATS || !deeds[what])
		return false;
	*how = !known					 ? QUEUE_UNKNOWN
	       : do_it(c, letter, (enum queue_what)what) ? QUEUE_DONE
							 : QUEUE_NOT_NOW;
	log_begin(&l, "admin");
	log_text(&l, "did", deeds[what]);
	if (what != QUEUE_FLUSH)
		log_num(&l, "letter", (int64_t)letter);
	log_text(&l, "how", ends[*how]);
	log_send(&l);
	return true;
}
