/* SPDX-License-Identifier: ISC */
#include "smtpd/queue/journal.h"

void journal_owe(struct journal *j, uint32_t letter)
{
	struct letter *e = &j->g.letter[letter];
	enum owes owes = e->aside || e->reporting	      ? OWES_NOTHING
			 : (e->open ? e->late : e->notes > 0) ? OWES_NOW
			 : e->notes			      ? OWES_SOON
							      : OWES_NOTHING;

	if (owes != e->owes)
		ledger_owe(&j->g, letter, owes, j->now);
}

void journal_late(struct journal *j, uint32_t letter)
{
	struct letter *e = &j->g.letter[letter];

	if (!j->reports || !(e->l.flags & JR_SENDER) || e->l.flags & JR_WARNED)
		return;
	e->late = true;
	journal_owe(j, letter);
}

/* A REPORT that is not the letter's end finds its room only now. */
static bool take_extra(struct journal *j, struct letter *e)
{
	struct segment *s = &j->seg[e->seg];

	if (s->state != SEG_LIVE || s->end + s->reserved + JR_BLOCK > s->use.size)
		return false;
	journal_count(j, e, false);
	e->extra = true;
	journal_count(j, e, true);
	return true;
}

bool journal_report_begin(struct journal *j, uint32_t letter, bool delay)
{
	struct letter *e = &j->g.letter[letter];

	/* Not while a job runs: it may hold more of its RESULTs, or this very letter. */
	if (j->busy || j->report.state != REPORT_NONE || e->aside ||
	    (e->open && !take_extra(j, e)))
		return false;
	j->report = (struct journal_report){
		.state = REPORT_ASKED, .delay = delay, .id = e->r.letter, .covers = j->seq
	};
	e->reporting = true;
	journal_owe(j, letter);
	for (uint32_t k = e->first; !delay && k != LEDGER_NONE; k = j->g.rcpt[k].next)
		j->g.rcpt[k].told = j->g.rcpt[k].note != 0;
	return true;
}

bool journal_report_letter(const struct journal *j, uint64_t about, struct jr_letter *l)
{
	if (j->report.state != REPORT_ASKED || j->report.id != about)
		return false;
	l->about = about;
	l->covers = j->report.covers;
	l->flags = j->report.delay ? JR_DELAY : 0;
	return true;
}

void journal_report_end(struct journal *j, bool done)
{
	uint32_t n = ledger_find(&j->g, j->report.id);
	struct letter *e;

	j->report.state = REPORT_NONE;
	if (n == LEDGER_NONE)
		return;
	e = &j->g.letter[n];
	e->reporting = false;
	for (uint32_t i = e->first; i != LEDGER_NONE; i = j->g.rcpt[i].next) {
		struct rcpt *k = &j->g.rcpt[i];

		if (done && k->told) {
			k->note = 0;
			e->notes--;
		}
		k->told = false;
	}
	if (done && j->report.delay) {
		e->l.flags |= JR_WARNED;
		e->late = false;
	}
	if (done)
		j->report.state = REPORT_TAKEN;
	else if (e->extra)
		journal_unextra(j, e);
	journal_owe(j, n);
}

bool journal_note(struct journal *j, uint32_t rcpt, uint8_t scratch[JR_SMALL],
		  struct jr_note *note)
{
	const struct rcpt *k = &j->g.rcpt[rcpt];
	const struct segment *s = &j->seg[j->g.letter[k->letter].seg];
	uint64_t n = s->use.size - k->note;

	n = n < JR_SMALL ? n : JR_SMALL;
	return k->note && k->note < s->use.size &&
	       j->disk->read(j->disk, s->use.seg, k->note, scratch, (size_t)n) &&
	       jr_note_get((struct slice){ scratch, (size_t)n }, note) && note->no == k->no;
}
