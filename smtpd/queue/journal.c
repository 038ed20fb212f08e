/* SPDX-License-Identifier: ISC */
#include "smtpd/queue/journal.h"

#include <string.h>
#include <sys/random.h>

#include "smtpd/lib/log.h"
#include "smtpd/queue/plan.h"

/*
 * NOTES. A letter's RESULT and ATTEMPT records lie in the letter's own segment, so a segment can be
 * understood, and forgotten, without the others. Reserved for a letter: one block for each
 * recipient without a RESULT, because every RESULT may need a batch of its own, and one block for
 * ATTEMPTs, and one for the REPORT after which it ends. A batch that holds k RESULTs takes at most k
 * blocks for its small records.
 *
 * One segment is always kept free. Taking it into use makes the cleaner copy the letters of the
 * segment with the fewest live octets there at once, which makes that one free.
 */

/* A letter's content lies in one segment with all that is reserved for it. */
_Static_assert(CONFIG_SMTPD_MAX_SIZE + 512 * 1024 +
			       (CONFIG_SMTPD_MAX_RCPTS + 8ll) * 2 * JR_BLOCK <=
		       CONFIG_SMTPD_QUEUE_SEGMENT * 1024ll,
	       "SMTPD_QUEUE_SEGMENT is too small for SMTPD_MAX_SIZE and SMTPD_MAX_RCPTS");
_Static_assert(CONFIG_SMTPD_QUEUE_SEGMENTS <= DISK_SEGMENTS, "too many segments");

enum {
	PAUSE_MAX = CONFIG_SMTPD_QUEUE_RETRY_MAX,
	MAKE_AGAIN_MS = 60 * 1000,
	CLEAN_AGAIN_MS = 10 * 1000,
	REPORT_ROOM = 256 * 1024,
};

int64_t journal_pause(unsigned attempts)
{
	int64_t s = CONFIG_SMTPD_QUEUE_RETRY;

	while (attempts-- > 1 && s < PAUSE_MAX)
		s *= 2;
	if (s > PAUSE_MAX && s != CONFIG_SMTPD_QUEUE_RETRY)
		s = PAUSE_MAX;
	return s * 1000;
}

static uint64_t letter_octets(const struct letter *e)
{
	return jr_round(jr_length(&e->r));
}

static uint64_t letter_reserve(const struct letter *e)
{
	return journal_blocks(&e->l, e->open) + (e->spare + e->extra - 1ull) * JR_BLOCK;
}

uint64_t journal_blocks(const struct jr_letter *l, uint32_t open)
{
	return (open + 1ull + (l->flags & JR_SENDER)) * JR_BLOCK;
}

void journal_count(struct journal *j, const struct letter *e, bool add)
{
	struct segment *s = &j->seg[e->seg];
	uint64_t reserve = letter_reserve(e), octets = letter_octets(e) + reserve;

	s->letters += add ? 1 : -1u;
	s->reserved += add ? reserve : -reserve;
	s->live += add ? octets : -octets;
}

uint64_t journal_spare(const struct segment *s, const struct jr_letter *l)
{
	if (l->about)
		return 0;
	return s->use.size / 16 < REPORT_ROOM ? s->use.size / 16 : REPORT_ROOM;
}

void journal_unextra(struct journal *j, struct letter *e)
{
	journal_count(j, e, false);
	e->extra = false;
	journal_count(j, e, true);
}

bool journal_init(struct journal *j, struct disk *d, int64_t now, uint64_t wall)
{
	j->disk = d;
	j->now = now;
	j->wall = wall;
	if (!j->wanted) {
		j->wanted = CONFIG_SMTPD_QUEUE_SEGMENTS;
		j->seg_size = (uint64_t)CONFIG_SMTPD_QUEUE_SEGMENT * 1024;
	}
	j->current = j->cleaning = j->making = -1;
	j->seq = j->use = 1;
	ledger_init(&j->g);
	if (!d)
		return false;
	recover_segments(j);
	return true;
}

bool journal_offer(struct journal *j, uint32_t tag, int head, int text,
		   const struct jr_letter *l)
{
	if (!j->disk || j->nwaiting == JOURNAL_WAITING)
		return false;
	j->waiting[j->nwaiting++] =
		(struct intake){ .tag = tag, .head = head, .text = text, .l = *l };
	return true;
}

void journal_attempt(struct journal *j, uint32_t rcpt)
{
	struct rcpt *k = &j->g.rcpt[rcpt];

	if (k->unwritten || j->ndirty == JOURNAL_DIRTY)
		return;
	if (!j->ndirty)
		j->dirty_since = j->now;
	k->unwritten = true;
	j->dirty[j->ndirty++] = rcpt;
}

bool journal_mark(struct journal *j, uint32_t letter, uint32_t flags)
{
	struct letter *e = &j->g.letter[letter];
	uint32_t i = e->first;

	while (i != LEDGER_NONE && j->g.rcpt[i].state == RCPT_DONE)
		i = j->g.rcpt[i].next;
	if (i == LEDGER_NONE)
		return false;
	journal_attempt(j, i);
	if (!j->g.rcpt[i].unwritten)
		return false;
	e->l.flags = flags;
	j->g.rcpt[i].urgent = j->urgent = true;
	return true;
}

unsigned journal_result_room(const struct journal *j)
{
	return JOURNAL_RESULTS - j->nresult;
}

static bool owed(const struct journal *j, const struct letter *e, unsigned flags)
{
	if (!j->reports || !(e->l.flags & JR_SENDER) || e->l.flags & JR_QUIET)
		return false;
	return flags & NOTE_FAILED || (e->l.flags & JR_SUCCESS && !(flags & NOTE_DSN));
}

bool journal_result(struct journal *j, uint32_t rcpt, const struct jr_note *note)
{
	struct rcpt *k = &j->g.rcpt[rcpt];
	struct result *r = j->result;
	struct buf b;

	if (j->nresult == JOURNAL_RESULTS)
		return false;
	while (r->used)
		r++;
	*r = (struct result){
		.used = true, .rcpt = rcpt, .note = *note, .due = j->now + JOURNAL_RESULT_MS
	};
	b = BUF(r->octets);
	r->note.no = k->no;
	r->note.time = j->wall;
	if (owed(j, &j->g.letter[k->letter], note->flags))
		r->note.flags |= NOTE_OWED;
	r->note.host.n = note->host.n <= UINT8_MAX ? note->host.n : 0;
	r->note.text.n = note->text.n <= JR_NOTE_TEXT ? note->text.n : JR_NOTE_TEXT;
	r->note.host.p = r->octets;
	r->note.text.p = r->octets + r->note.host.n;
	buf_put(&b, slice_head(note->host, r->note.host.n));
	buf_put(&b, slice_head(note->text, r->note.text.n));
	j->nresult++;
	ledger_unwait(&j->g, rcpt);
	k->state = RCPT_KNOWN;
	return true;
}

void journal_aside(struct journal *j, uint32_t letter)
{
	struct letter *e = &j->g.letter[letter];
	struct logline l;

	if (e->aside)
		return;
	e->aside = true;
	j->seg[e->seg].damaged = true;
	for (uint32_t k = e->first; k != LEDGER_NONE; k = j->g.rcpt[k].next)
		ledger_unwait(&j->g, k);
	journal_owe(j, letter);
	log_begin(&l, "damage");
	log_num(&l, "letter", (int64_t)e->r.letter);
	log_num(&l, "seg", e->seg);
	log_num(&l, "at", (int64_t)e->r.at);
	log_num(&l, "size", e->r.len);
	log_send(&l);
}

/* ---- what becomes of segments ---- */

static bool pinned(const struct journal *j, const struct segment *s)
{
	return s->damaged && j->wall < s->newest + JOURNAL_LIFETIME;
}

static bool usable(const struct journal *j, unsigned i)
{
	return i < j->wanted && j->seg[i].use.size >= j->seg_size;
}

/* Letters that were set aside have been kept long enough. */
static void forget_damage(struct journal *j, unsigned seg)
{
	for (uint32_t n = 0; n < j->g.top_letter; n++) {
		struct letter *e = &j->g.letter[n];

		if (!e->r.letter || e->seg != seg || !e->aside)
			continue;
		journal_count(j, e, false);
		ledger_drop(&j->g, n);
	}
	j->seg[seg].damaged = false;
}

/* Older copies of letters lie in it, or a flush of it failed: it is emptied before anything else. */
static bool leaving(const struct journal *j, const struct segment *s)
{
	return (s->stale || s->state == SEG_BAD) && !pinned(j, s);
}

/* Segments that nobody needs become free. Not while one has letters that exist elsewhere: a newer
 * copy must not be forgotten before the older one is. */
static void settle(struct journal *j)
{
	if (j->report.state == REPORT_TAKEN && ledger_find(&j->g, j->report.id) == LEDGER_NONE)
		j->report.state = REPORT_NONE; /* it had been set aside, and is forgotten */
	for (unsigned i = 0; i < j->segs; i++)
		if (j->seg[i].damaged && !pinned(j, &j->seg[i]))
			forget_damage(j, i);
	for (unsigned i = 0; i < j->segs; i++)
		if (leaving(j, &j->seg[i]))
			return;
	for (unsigned i = 0; i < j->segs; i++) {
		struct segment *s = &j->seg[i];

		if (s->state == SEG_LIVE && !s->letters && (int)i != j->current &&
		    (int)i != j->cleaning && !pinned(j, s))
			s->state = SEG_FREE;
	}
}

static int find_free(const struct journal *j, unsigned *n)
{
	int found = -1;

	*n = 0;
	for (unsigned i = 0; i < j->wanted; i++)
		if (j->seg[i].state == SEG_FREE && usable(j, i)) {
			found = found < 0 ? (int)i : found;
			++*n;
		}
	return found;
}

static int find_victim(const struct journal *j)
{
	int found = -1;

	for (unsigned i = 0; i < j->segs; i++) {
		const struct segment *s = &j->seg[i];

		if (s->state == SEG_LIVE && !pinned(j, s) && usable(j, i) &&
		    (found < 0 || s->live < j->seg[found].live))
			found = (int)i;
	}
	return found;
}

static int find_unmade(const struct journal *j)
{
	for (unsigned i = 0; i < j->wanted; i++)
		if (j->seg[i].state == SEG_ABSENT ||
		    (j->seg[i].state == SEG_FREE && !usable(j, i)))
			return (int)i;
	return -1;
}

static int find_leaving(const struct journal *j)
{
	for (unsigned i = 0; i < j->segs; i++)
		if (leaving(j, &j->seg[i]))
			return (int)i;
	return -1;
}

/* ---- choosing the job ---- */

static bool job_header(struct journal *j, struct job *job, unsigned seg)
{
	struct segment *s = &j->seg[seg];

	job->kind = JOB_HEADER;
	job->final = s->state == SEG_BAD;
	job->use = (struct jr_use){
		.size = s->use.size,
		.use = j->use++,
		.floor = j->seq,
		.seg = seg,
		.copy = s->use.copy,
	};
	if (getrandom(job->use.salt, JR_SALT, 0) != JR_SALT)
		bug("no random octets");
	return true;
}

static bool job_make(struct journal *j, struct job *job)
{
	int seg = j->making >= 0 ? j->making : find_unmade(j);

	if (seg < 0 || (j->making < 0 && j->now < j->make_due))
		return false;
	if (j->making < 0)
		j->made = 0;
	j->making = seg;
	job->kind = JOB_MAKE;
	job->use = (struct jr_use){ .size = j->seg_size, .seg = (uint32_t)seg };
	job->at = j->made;
	return true;
}

static bool job_segment(struct journal *j, struct job *job, unsigned seg)
{
	struct plan p;

	plan_begin(&p, j, job, seg);
	plan_results(&p);
	plan_drops(&p);
	if ((int)seg == j->current && j->cleaning < 0)
		plan_letters(&p);
	return plan_end(&p);
}

static bool job_report(struct journal *j, struct job *job)
{
	uint32_t n = j->report.state == REPORT_TAKEN ? ledger_find(&j->g, j->report.id)
						     : LEDGER_NONE;

	if (n == LEDGER_NONE)
		return false;
	return j->seg[j->g.letter[n].seg].state == SEG_LIVE &&
	       job_segment(j, job, j->g.letter[n].seg);
}

static bool job_results(struct journal *j, struct job *job)
{
	for (unsigned i = 0; i < JOURNAL_RESULTS; i++) {
		struct result *r = &j->result[i];
		uint32_t seg = r->used ? j->g.letter[j->g.rcpt[r->rcpt].letter].seg : 0;

		if (r->used && r->due <= j->now && j->seg[seg].state == SEG_LIVE)
			return job_segment(j, job, seg);
	}
	return false;
}

/* Takes a free segment into use, for a letter or for survivors. False with *full: there is none and
 * none will come by itself. */
static bool job_advance(struct journal *j, struct job *job, uint64_t need,
			const struct jr_letter *l, bool *full)
{
	unsigned nfree;
	int free = find_free(j, &nfree), victim = -1;

	*full = false;
	if (free < 0 && j->current >= 0 && !j->seg[j->current].letters && find_leaving(j) < 0 &&
	    !pinned(j, &j->seg[j->current]))
		return job_header(j, job, (unsigned)j->current);
	if (free < 0) {
		*full = !job_make(j, job);
		return !*full;
	}
	if (l)
		need += journal_spare(&j->seg[free], l);
	if (nfree == 1 && find_unmade(j) < 0 && j->cleaning < 0) {
		victim = find_victim(j);
		if (victim >= 0 &&
		    need + j->seg[victim].live > j->seg[free].use.size - JR_DATA) {
			*full = true;
			return false;
		}
	}
	j->current = free;
	if (victim >= 0)
		j->cleaning = victim;
	return job_header(j, job, (unsigned)free);
}

/* Empties the segment that is being cleaned; when nothing is left in it, it is renewed. */
static bool job_clean(struct journal *j, struct job *job)
{
	struct segment *s = &j->seg[j->cleaning];
	uint64_t need = 0;
	struct plan p;
	bool full;

	if (!s->letters)
		return job_header(j, job, (unsigned)j->cleaning);
	if (j->current >= 0 && j->current != j->cleaning) {
		plan_begin(&p, j, job, (unsigned)j->current);
		plan_moves(&p);
		if (p.job->n)
			return plan_end(&p);
	}
	for (uint32_t n = 0; n < j->g.top_letter; n++)
		if (j->g.letter[n].r.letter && (int)j->g.letter[n].seg == j->cleaning)
			need += !j->g.letter[n].aside;
	if (need && (s->state == SEG_BAD || s->stale) &&
	    job_advance(j, job, s->live, NULL, &full))
		return true;
	/* What is left cannot go anywhere now. */
	j->cleaning = -1;
	j->clean_due = j->now + CLEAN_AGAIN_MS;
	return false;
}

static void refuse(struct journal *j, enum taken how)
{
	uint32_t tag = j->waiting[0].tag;

	memmove(j->waiting, j->waiting + 1, --j->nwaiting * sizeof *j->waiting);
	j->taken(j->ctx, tag, how, 0);
}

static bool job_letters(struct journal *j, struct job *job)
{
	while (j->nwaiting) {
		const struct jr_letter *l = &j->waiting[0].l;
		uint64_t need = jr_letter_len(l) + 2 * JR_BLOCK + journal_blocks(l, l->nrcpt);
		struct plan p;
		bool full;

		if (!ledger_room(&j->g, 1, l->nrcpt, l->about)) {
			refuse(j, TAKEN_FULL);
			continue;
		}
		if (j->current >= 0) {
			plan_begin(&p, j, job, (unsigned)j->current);
			plan_results(&p);
			plan_drops(&p);
			plan_letters(&p);
			if (j->taking)
				return plan_end(&p);
			plan_undo(&p);
		}
		if (job_advance(j, job, need, l, &full))
			return true;
		refuse(j, j->current < 0 ? TAKEN_BROKEN : TAKEN_FULL);
	}
	return false;
}

void journal_probe(struct journal *j)
{
	j->probe = true;
}

static void probed(struct journal *j, enum taken how)
{
	if (j->probe)
		j->probed(j->ctx, how);
	j->probe = false;
}

static bool job_probe(struct journal *j, struct job *job)
{
	struct plan p;
	bool full;

	if (!j->probe)
		return false;
	if (j->current >= 0) {
		plan_begin(&p, j, job, (unsigned)j->current);
		if (plan_probe(&p))
			return true;
	}
	/* Not where letters would have to move for it. */
	if (job_advance(j, job, j->seg_size - JR_DATA, NULL, &full))
		return true;
	probed(j, TAKEN_FULL);
	return false;
}

/* Marks are written where they belong, as long as there is one that has room there. */
static bool job_marks(struct journal *j, struct job *job)
{
	struct plan p;

	for (unsigned n = 0; j->urgent && n < j->ndirty; n++) {
		const struct rcpt *k = &j->g.rcpt[j->dirty[n]];
		uint32_t seg = j->g.letter[k->letter].seg;

		if (!k->urgent || k->state == RCPT_FREE || j->seg[seg].state != SEG_LIVE)
			continue;
		plan_begin(&p, j, job, seg);
		plan_attempts(&p, false);
		if (job->n)
			return true;
	}
	j->urgent = false;
	return false;
}

static bool job_attempts(struct journal *j, struct job *job)
{
	struct plan p;
	uint32_t seg;

	if (!j->ndirty || j->now - j->dirty_since < JOURNAL_LIFETIME * 1000ll / 8)
		return false;
	seg = j->g.letter[j->g.rcpt[j->dirty[0]].letter].seg;
	j->dirty_since = j->now;
	if (j->seg[seg].state != SEG_LIVE)
		return false;
	plan_begin(&p, j, job, seg);
	plan_attempts(&p, true);
	return job->n;
}

bool journal_job(struct journal *j, struct job *job)
{
	if (j->busy || !j->disk)
		return false;
	j->taking = 0;
	settle(j);
	if (j->cleaning < 0 && j->now >= j->clean_due)
		j->cleaning = find_leaving(j);
	j->busy = job_report(j, job) || job_results(j, job) ||
		  (j->cleaning >= 0 && job_clean(j, job)) ||
		  (j->cleaning < 0 && job_letters(j, job)) || job_marks(j, job) ||
		  job_attempts(j, job) || (j->cleaning < 0 && job_probe(j, job)) ||
		  job_make(j, job);
	return j->busy;
}

int64_t journal_due(const struct journal *j)
{
	int64_t due = INT64_MAX;

	for (unsigned i = 0; j->nresult && i < JOURNAL_RESULTS; i++)
		if (j->result[i].used && j->result[i].due < due)
			due = j->result[i].due;
	return due < j->now + CLEAN_AGAIN_MS ? due : j->now + CLEAN_AGAIN_MS;
}

/* ---- after the job ---- */

/* Nothing in this batch may be answered; what had been flushed before is still there. */
static void abandon(struct journal *j, unsigned seg)
{
	struct logline l;

	j->seg[seg].state = SEG_BAD;
	if (j->current == (int)seg)
		j->current = -1;
	log_begin(&l, "flushfailed");
	log_num(&l, "seg", seg);
	log_num(&l, "letters", j->seg[seg].letters);
	log_send(&l);
}

static void done_letter(struct journal *j, struct job_item *i, unsigned seg, bool ok)
{
	struct intake *w = &j->waiting[i->owner];
	struct letter *e;
	uint32_t n;

	if (!ok) {
		j->taken(j->ctx, w->tag, TAKEN_BROKEN, 0);
		return;
	}
	n = ledger_add(&j->g, &i->r, seg, &w->l);
	if (n == LEDGER_NONE)
		bug("ledger full after acceptance");
	e = &j->g.letter[n];
	e->born = j->now;
	journal_count(j, e, true);
	for (uint32_t k = e->first; k != LEDGER_NONE; k = j->g.rcpt[k].next)
		ledger_wait(&j->g, k, j->now);
	j->taken(j->ctx, w->tag, TAKEN_OK, i->r.letter);
}

/* The letter is over when nothing is open and the sender knows everything. */
static void settle_letter(struct journal *j, uint32_t n)
{
	struct letter *e = &j->g.letter[n];

	if (e->open || e->notes || e->reporting ||
	    (j->report.state == REPORT_TAKEN && j->report.id == e->r.letter)) {
		journal_owe(j, n);
		return;
	}
	journal_count(j, e, false);
	ledger_drop(&j->g, n);
}

static void done_report(struct journal *j, bool ok)
{
	uint32_t n = ledger_find(&j->g, j->report.id);

	j->report.in_job = false;
	if (!ok || n == LEDGER_NONE)
		return;
	j->report.state = REPORT_NONE;
	if (j->g.letter[n].extra)
		journal_unextra(j, &j->g.letter[n]);
	settle_letter(j, n);
}

/* Where the notes of a letter that was moved lie now. */
static void moved_notes(struct journal *j, struct letter *e, const struct job_item *i)
{
	struct cur c = CUR(slice_from(i->content, JR_PREFIX));
	uint64_t at = i->r.at + JR_HEAD + JR_PREFIX + (uint64_t)e->l.nrcpt * JR_RCPT;
	struct jr_letter l = { 0 };

	jr_letter_get(i->content, i->r.len, &l);
	e->l.notes = l.notes;
	for (uint32_t k = e->first; k != LEDGER_NONE; k = j->g.rcpt[k].next) {
		uint16_t n;

		cur_be16(&c);
		n = cur_be16(&c);
		cur_be32(&c);
		if (n)
			j->g.rcpt[k].note = (uint32_t)at;
		at += n;
	}
}

static void done_move(struct journal *j, struct job_item *i, unsigned seg, bool ok)
{
	struct letter *e = &j->g.letter[i->owner];

	e->moving = false;
	if (i->damaged) {
		journal_aside(j, i->owner);
		return;
	}
	if (!ok)
		return;
	j->seg[e->seg].stale = true;
	journal_count(j, e, false);
	e->r = i->r;
	e->seg = seg;
	e->spare = true;
	e->extra = false;
	moved_notes(j, e, i);
	journal_count(j, e, true);
	/* What the REPORT would say, the copy says. */
	if (j->report.state == REPORT_TAKEN && j->report.id == e->r.letter)
		done_report(j, true);
}

static void done_result(struct journal *j, struct job_item *i, bool ok)
{
	struct result *r = &j->result[i->owner];
	struct rcpt *k = &j->g.rcpt[r->rcpt];
	struct letter *e = &j->g.letter[k->letter];
	uint64_t id = e->r.letter;
	uint32_t no = k->no;

	r->in_job = false;
	if (!ok)
		return;
	r->used = false;
	j->nresult--;
	k->state = RCPT_DONE;
	if (r->note.flags & NOTE_OWED) {
		k->note = (uint32_t)i->r.at + JR_HEAD;
		e->notes++;
	}
	journal_count(j, e, false);
	e->open--;
	journal_count(j, e, true);
	settle_letter(j, k->letter);
	j->kept(j->ctx, id, no);
}

static void done_batch(struct journal *j, struct job *job)
{
	unsigned seg = job->use.seg, took = j->taking;

	if (job->ok) {
		j->seg[seg].end = job->at;
		j->seg[seg].gap = 0;
		j->seg[seg].newest = j->wall > j->seg[seg].newest ? j->wall
								  : j->seg[seg].newest;
	} else {
		abandon(j, seg);
	}
	for (unsigned i = 0; i < job->n; i++) {
		struct job_item *it = &job->item[i];

		if (it->r.type == JR_LETTER && it->copy)
			done_move(j, it, seg, job->ok);
		else if (it->r.type == JR_LETTER)
			done_letter(j, it, seg, job->ok);
		else if (it->r.type == JR_RESULT)
			done_result(j, it, job->ok);
		else if (it->r.type == JR_REPORT)
			done_report(j, job->ok);
	}
	probed(j, job->ok ? TAKEN_OK : TAKEN_BROKEN);
	j->nwaiting -= took;
	memmove(j->waiting, j->waiting + took, j->nwaiting * sizeof *j->waiting);
}

static void done_header(struct journal *j, struct job *job)
{
	struct segment *s = &j->seg[job->use.seg];
	bool current = j->current == (int)job->use.seg, was_bad = s->state == SEG_BAD;

	if (j->cleaning == (int)job->use.seg)
		j->cleaning = -1;
	if (!job->ok)
		abandon(j, job->use.seg);
	if (was_bad || !job->ok) {
		/* Not used again; if even the renewal failed, what is in it may come back at a
		 * restart and be delivered twice: nothing more can be done about it here. */
		s->state = was_bad ? SEG_RETIRED : SEG_BAD;
		s->stale = false;
		return;
	}
	*s = (struct segment){ .state = current ? SEG_LIVE : SEG_FREE,
			       .use = job->use,
			       .end = JR_DATA };
	s->newest = j->wall;
}

static void done_make(struct journal *j, struct job *job)
{
	unsigned seg = job->use.seg;

	j->made = job->at;
	if (job->ok && job->at < j->seg_size)
		return;
	j->making = -1;
	if (!job->ok) {
		j->make_due = j->now + MAKE_AGAIN_MS;
		j->seg[seg].state = SEG_ABSENT;
		log_event("nodata", "why", "a journal segment cannot be made");
		return;
	}
	j->seg[seg] = (struct segment){ .state = SEG_FREE, .use = job->use };
}

void journal_done(struct journal *j, struct job *job)
{
	j->busy = false;
	if (job->kind == JOB_BATCH)
		done_batch(j, job);
	else if (job->kind == JOB_HEADER)
		done_header(j, job);
	else
		done_make(j, job);
}
