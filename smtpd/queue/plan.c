/* SPDX-License-Identifier: ISC */
#include "smtpd/queue/plan.h"

enum {
	NOTE_FIXED = 21, /* octets of a note without host and text */
};

void plan_begin(struct plan *p, struct journal *j, struct job *job, unsigned seg)
{
	job->kind = JOB_BATCH;
	job->n = 0;
	job->small_used = 0;
	job->use = j->seg[seg].use;
	job->at = j->seg[seg].end;
	*p = (struct plan){ j, job, &j->seg[seg], job->at, j->seg[seg].reserved };
}

static bool plan_fits(const struct plan *p, uint64_t len, size_t small)
{
	return p->job->n < JOB_ITEMS && small <= JOB_SMALL - p->job->small_used &&
	       jr_place(p->at, len, false) + len <= p->s->use.size;
}

/* content goes to the job's own memory; len is of the whole content. */
static struct job_item *plan_add(struct plan *p, enum jr_type type, uint64_t letter,
				 struct buf *content, uint32_t len, uint32_t owner)
{
	struct job_item *i = &p->job->item[p->job->n++];
	uint64_t size;

	*i = (struct job_item){ .head = -1, .text = -1, .owner = owner };
	i->r = (struct jr){ .type = type,
			    .letter = letter,
			    .mark = p->s->end,
			    .seq = p->j->seq++,
			    .time = p->j->wall,
			    .len = len };
	i->r.gap = p->job->n == 1 ? p->s->gap : 0;
	if (type == JR_LETTER && !letter)
		i->r.letter = i->r.seq;
	i->content = buf_slice(content);
	p->job->small_used += content->len;
	size = jr_length(&i->r);
	p->at = jr_place(p->at, size, type == JR_LETTER) + size;
	return i;
}

static struct buf plan_buf(struct plan *p)
{
	return (struct buf){ .p = p->job->small + p->job->small_used,
			     .cap = JOB_SMALL - p->job->small_used };
}

static uint32_t age_of(const struct journal *j, const struct letter *e)
{
	return j->now > e->born ? (uint32_t)((j->now - e->born) / 1000) : 0;
}

static void plan_report(struct plan *p)
{
	struct journal *j = p->j;
	struct journal_report *r = &j->report;
	struct jr_report content = { r->delay ? JR_WARNED : 0, r->covers };
	uint32_t n = r->state == REPORT_TAKEN ? ledger_find(&j->g, r->id) : LEDGER_NONE;
	struct buf b = plan_buf(p);

	if (n == LEDGER_NONE || &j->seg[j->g.letter[n].seg] != p->s ||
	    !plan_fits(p, JR_SMALL, JR_SMALL))
		return;
	jr_report_put(&b, &content);
	plan_add(p, JR_REPORT, r->id, &b, (uint32_t)b.len, n);
	r->in_job = true;
}

void plan_results(struct plan *p)
{
	struct journal *j = p->j;

	for (unsigned i = 0; i < JOURNAL_RESULTS; i++) {
		struct result *r = &j->result[i];
		struct letter *e = &j->g.letter[j->g.rcpt[r->rcpt].letter];
		struct buf b = plan_buf(p);

		if (!r->used || &j->seg[e->seg] != p->s || !plan_fits(p, JR_SMALL, JR_SMALL))
			continue;
		jr_note_put(&b, &r->note);
		plan_add(p, JR_RESULT, e->r.letter, &b, (uint32_t)b.len, i);
		r->in_job = true;
	}
	plan_report(p);
}

void plan_drops(struct plan *p)
{
	unsigned n = p->job->n;

	for (unsigned i = 0; i < n; i++) {
		uint64_t id = p->job->item[i].r.letter;
		struct letter *e = &p->j->g.letter[ledger_find(&p->j->g, id)];
		struct buf b = plan_buf(p);
		unsigned all = 0, later = 0;
		bool owed = e->notes || e->reporting;

		for (unsigned k = 0; k < n; k++) {
			const struct job_item *it = &p->job->item[k];

			if (it->r.letter != id)
				continue;
			all += it->r.type == JR_RESULT;
			later += k > i;
			owed |= it->r.type == JR_RESULT &&
				p->j->result[it->owner].note.flags & NOTE_OWED;
		}
		if (all == e->open && !later && !owed && plan_fits(p, JR_SMALL, 0))
			plan_add(p, JR_DROP, id, &b, 0, 0);
	}
}

/* more: octets that must be left behind it. */
static bool plan_letter_fits(const struct plan *p, const struct jr_letter *l, uint32_t open,
			     uint64_t more)
{
	struct jr r = { .len = (uint32_t)jr_letter_len(l) };
	uint64_t at = jr_place(p->at, 0, true) + jr_round(jr_length(&r));
	uint64_t held = p->reserved + journal_blocks(l, open) + more;

	return p->job->n < JOB_ITEMS && jr_letter_head(l) <= JOB_SMALL - p->job->small_used &&
	       at <= p->s->use.size && held <= p->s->use.size - at;
}

void plan_letters(struct plan *p)
{
	struct journal *j = p->j;

	uint32_t rcpts = 0;

	for (j->taking = 0; j->taking < j->nwaiting; j->taking++) {
		struct intake *w = &j->waiting[j->taking];
		struct buf b = plan_buf(p);
		struct job_item *i;

		rcpts += w->l.nrcpt;
		if (!plan_letter_fits(p, &w->l, w->l.nrcpt, journal_spare(p->s, &w->l)) ||
		    !ledger_room(&j->g, j->taking + 1, rcpts, w->l.about))
			break;
		jr_letter_put(&b, &w->l);
		for (uint32_t k = 0; k < w->l.nrcpt * 2; k++)
			buf_be32(&b, 0);
		i = plan_add(p, JR_LETTER, 0, &b, (uint32_t)jr_letter_len(&w->l), j->taking);
		i->head = w->head;
		i->text = w->text;
		p->reserved += journal_blocks(&w->l, w->l.nrcpt);
	}
}

/* The notes of a letter, in the order of recipients, their texts cut so that all of them fit; table gets the
 * recipients' entries. False: the disk failed. */
static bool plan_notes(struct journal *j, const struct letter *e, struct buf *table,
		       struct buf *notes)
{
	size_t text = e->notes ? JR_NOTES / e->notes : 0;
	uint8_t scratch[JR_SMALL];

	text = text > NOTE_FIXED ? text - NOTE_FIXED : 0;
	for (uint32_t i = e->first; i != LEDGER_NONE; i = j->g.rcpt[i].next) {
		const struct rcpt *k = &j->g.rcpt[i];
		size_t before = notes->len;
		struct jr_note n;

		if (k->note && !journal_note(j, i, scratch, &n))
			return false;
		if (k->note) {
			n.host = n.host.n <= text / 2 ? n.host : slice_head(n.host, 0);
			n.text = slice_head(n.text, text - n.host.n);
			jr_note_put(notes, &n);
		}
		buf_u8(table, k->state == RCPT_DONE);
		buf_u8(table, k->attempts);
		buf_be16(table, (uint16_t)(notes->len - before));
		buf_be32(table, 0);
	}
	return !notes->bad;
}

void plan_moves(struct plan *p)
{
	static uint8_t bytes[2][JR_NOTES]; /* scratch */
	struct journal *j = p->j;
	uint64_t octets = 0;

	for (uint32_t n = 0; n < j->g.top_letter && octets < JOB_BUF; n++) {
		struct buf table = BUF(bytes[0]), notes = BUF(bytes[1]);
		struct letter *e = &j->g.letter[n];
		struct jr_letter l = e->l;
		struct buf b = plan_buf(p);
		struct job_item *i;

		if (!e->r.letter || (int)e->seg != j->cleaning || e->aside || e->reporting)
			continue;
		if (!plan_notes(j, e, &table, &notes)) {
			journal_aside(j, n);
			continue;
		}
		l.notes = (uint32_t)notes.len;
		if (!plan_letter_fits(p, &l, e->open, 0))
			break;
		l.age = age_of(j, e);
		jr_letter_put(&b, &l);
		buf_put(&b, buf_slice(&table));
		buf_put(&b, buf_slice(&notes));
		i = plan_add(p, JR_LETTER, e->r.letter, &b, (uint32_t)jr_letter_len(&l), n);
		i->copy = true;
		i->from = e->r;
		i->from_use = j->seg[e->seg].use;
		i->from_off = (uint32_t)jr_letter_head(&e->l);
		e->moving = true;
		p->reserved += journal_blocks(&e->l, e->open);
		octets += i->r.len;
	}
}

void plan_attempts(struct plan *p, bool force)
{
	struct journal *j = p->j;
	unsigned kept = 0;

	for (unsigned n = 0; n < j->ndirty; n++) {
		struct rcpt *k = &j->g.rcpt[j->dirty[n]];
		struct letter *e = &j->g.letter[k->letter];
		struct buf b = plan_buf(p);
		bool rides = jr_round(p->at) - p->at >= JR_HEAD + 16 + JR_SUM;
		bool must = force || k->urgent;
		bool room = k->urgent &&
			    jr_round(p->at) + JR_BLOCK + p->reserved <= p->s->use.size;

		if (k->state == RCPT_FREE || !k->unwritten)
			continue;
		if (&j->seg[e->seg] != p->s || e->moving || p->job->n == JOB_ITEMS ||
		    b.cap < JR_BLOCK || !(rides || (must && (e->spare || room)))) {
			j->dirty[kept++] = j->dirty[n];
			continue;
		}
		if (!rides && !room) {
			journal_count(j, e, false);
			e->spare = false;
			journal_count(j, e, true);
		}
		buf_be32(&b, k->no);
		buf_be32(&b, k->attempts);
		buf_be32(&b, age_of(j, e));
		buf_be32(&b, e->l.flags & JR_MARKS);
		plan_add(p, JR_ATTEMPT, e->r.letter, &b, 16, 0);
		k->unwritten = k->urgent = false;
	}
	j->ndirty = kept;
	j->dirty_since = j->now;
}

/* A DROP of no letter: recovery passes it over. What is reserved, and the room for reports, stays. */
bool plan_probe(struct plan *p)
{
	uint64_t left = p->reserved + journal_spare(p->s, &(struct jr_letter){ .about = 0 });
	struct buf b = plan_buf(p);

	if (p->at + JR_BLOCK + left > p->s->use.size)
		return false;
	plan_add(p, JR_DROP, 0, &b, 0, 0);
	return plan_end(p);
}

bool plan_end(struct plan *p)
{
	if (p->job->n)
		plan_attempts(p, false);
	return p->job->n;
}

void plan_undo(struct plan *p)
{
	for (unsigned i = 0; i < JOURNAL_RESULTS; i++)
		p->j->result[i].in_job = false;
	p->j->report.in_job = false;
	p->j->taking = 0;
}
