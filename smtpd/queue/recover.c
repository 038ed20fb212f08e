/* SPDX-License-Identifier: ISC */
#include "smtpd/queue/journal.h"

#include <string.h>

#include "smtpd/lib/log.h"

/*
 * NOTES. Segments are read from the newest use to the oldest. A copy that the cleaner made is in a
 * newer use and has a higher sequence number than the letter it was made from; it is remembered
 * until the end even when it is finished, so that the original is known to be over.
 *
 * A bad record is damage when a later record of the same use, with a higher sequence number, says
 * that the segment was flushed beyond it. Otherwise it is a torn tail, and reading stops there.
 * What lies behind a torn tail has sequence numbers below those that come next: it never passes.
 */
enum {
	FIRST = 8192 + JR_PREFIX, /* octets of content that are looked at */
	SEQ_SKIP = 2 * JOB_ITEMS, /* records that a torn batch may hold */
};

struct scan {
	struct journal *j;
	unsigned seg;
	struct segment *s;
	uint64_t last;	 /* sequence number before this place */
	uint64_t letter; /* of the record at this place, where its header is good */
	uint64_t mark;	 /* known to be flushed up to here */
	uint64_t hole; /* where the torn octets before this place begin; 0 = a good record lies there */
	size_t n;
	uint8_t content[FIRST];
};

static void report(const char *event, unsigned seg, uint64_t at, uint64_t n, uint64_t letter)
{
	struct logline l;

	log_begin(&l, event);
	log_num(&l, "seg", seg);
	log_num(&l, "at", (int64_t)at);
	log_num(&l, "size", (int64_t)n);
	if (letter)
		log_num(&l, "letter", (int64_t)letter);
	log_send(&l);
}

static bool keep_first(void *ctx, uint64_t off, struct slice piece)
{
	struct scan *c = ctx;

	if (off)
		return true;
	c->n = piece.n < FIRST ? piece.n : FIRST;
	memcpy(c->content, piece.p, c->n);
	return true;
}

static bool read_head(struct scan *c, uint64_t at, struct jr *r, bool *zero)
{
	struct disk *d = c->j->disk;
	uint8_t head[JR_HEAD];

	*zero = false;
	if (at > c->s->use.size - JR_HEAD || !d->read(d, c->seg, at, head, JR_HEAD))
		return false;
	*zero = sodium_is_zero(head, JR_HEAD);
	if (!jr_get(&c->s->use, head, at, r))
		return false;
	c->j->seq = r->seq > c->j->seq ? r->seq : c->j->seq;
	return r->seq > c->last && (r->type != JR_LETTER || at % JR_BLOCK == 0);
}

/* Up to where a later record, from `from` on, says that the segment had been flushed, if that is
 * beyond `at`. 0: nobody says so, what is at `at` is the torn end. */
static uint64_t beyond(struct scan *c, uint64_t from, uint64_t at)
{
	struct jr r;
	bool zero;

	for (uint64_t q = jr_round(from); q < c->s->use.size; q += JR_BLOCK)
		if (read_head(c, q, &r, &zero) && r.mark > at)
			return r.mark;
	return 0;
}

/* s by the clock since a record was written: a jump of the clock adds an eighth of a lifetime. */
static int64_t since(const struct journal *j, uint64_t time, int64_t max)
{
	if (j->wall <= time)
		return 0;
	return j->wall - time < (uint64_t)max ? (int64_t)(j->wall - time) : max;
}

static void set_age(struct journal *j, struct letter *e, uint32_t age, uint64_t time)
{
	e->born = j->now - 1000 * (age + since(j, time, JOURNAL_LIFETIME / 8));
}

static void set_due(struct journal *j, struct rcpt *k, unsigned attempts, uint64_t time)
{
	int64_t pause = attempts ? journal_pause(attempts) : 0;

	k->attempts = (uint8_t)(attempts < UINT8_MAX ? attempts : UINT8_MAX);
	k->due = j->now + pause - 1000 * since(j, time, pause / 1000);
}

static void finish(struct journal *j, uint32_t n)
{
	struct letter *e = &j->g.letter[n];

	e->open = e->notes = 0;
	for (uint32_t k = e->first; k != LEDGER_NONE; k = j->g.rcpt[k].next)
		j->g.rcpt[k].note = 0;
	if (e->r.letter == e->r.seq)
		ledger_drop(&j->g, n);
}

/* Everything is decided, and the sender knows what he is to know. */
static void finish_if_over(struct journal *j, uint32_t n)
{
	if (!j->g.letter[n].open && !j->g.letter[n].notes)
		finish(j, n);
}

/* The sender was told of the RESULTs before `covers`. Recipients with a note have its sequence number in `due`. */
static void told(struct journal *j, uint32_t n, uint64_t covers)
{
	struct letter *e = &j->g.letter[n];

	for (uint32_t i = e->first; i != LEDGER_NONE; i = j->g.rcpt[i].next) {
		struct rcpt *k = &j->g.rcpt[i];

		if (k->note && (uint64_t)k->due < covers) {
			k->note = 0;
			e->notes--;
		}
	}
}

static void noted(struct letter *e, struct rcpt *k, uint64_t at, uint64_t seq)
{
	k->note = (uint32_t)at;
	k->due = (int64_t)seq;
	e->notes++;
}

static bool apply_letter(struct scan *c, const struct jr *r)
{
	struct journal *j = c->j;
	struct slice in = { c->content, c->n };
	uint32_t old = ledger_find(&j->g, r->letter), n;
	uint64_t note;
	struct jr_letter l;
	struct letter *e;

	if (!jr_letter_get(in, r->len, &l) || JR_PREFIX + (uint64_t)l.nrcpt * JR_RCPT > c->n)
		return false;
	if (l.about && r->letter > j->newest_report.letter) {
		j->newest_report.letter = r->letter;
		j->newest_report.l = l;
	}
	if (old != LEDGER_NONE && j->g.letter[old].r.seq > r->seq) {
		c->s->stale = true;
		return true;
	}
	if (old != LEDGER_NONE) {
		j->seg[j->g.letter[old].seg].stale = true;
		ledger_drop(&j->g, old);
	}
	n = ledger_add(&j->g, r, c->seg, &l);
	if (n == LEDGER_NONE)
		return false;
	e = &j->g.letter[n];
	set_age(j, e, l.age, r->time);
	note = r->at + JR_HEAD + jr_letter_head(&l) - l.notes;
	for (uint32_t k = e->first; k != LEDGER_NONE; k = j->g.rcpt[k].next) {
		const uint8_t *p = c->content + JR_PREFIX + j->g.rcpt[k].no * JR_RCPT;

		set_due(j, &j->g.rcpt[k], p[1], r->time);
		if (p[0]) {
			j->g.rcpt[k].state = RCPT_DONE;
			e->open--;
			if (p[2] || p[3])
				noted(e, &j->g.rcpt[k], note, r->seq);
		}
		note += (uint64_t)p[2] << 8 | p[3];
	}
	finish_if_over(j, n);
	return true;
}

static bool apply_report(struct journal *j, uint32_t n, struct slice content)
{
	struct jr_report r;

	if (!jr_report_get(content, &r))
		return false;
	if (r.flags & JR_WARNED)
		j->g.letter[n].l.flags |= JR_WARNED;
	else
		told(j, n, r.covers);
	finish_if_over(j, n);
	return true;
}

static bool apply_result(struct journal *j, uint32_t n, const struct jr *r,
			 struct slice content)
{
	struct jr_note note;
	uint32_t k;

	if (!jr_note_get(content, &note) || (k = ledger_rcpt(&j->g, n, note.no)) == LEDGER_NONE)
		return false;
	if (j->g.rcpt[k].state == RCPT_DONE)
		return true;
	j->g.rcpt[k].state = RCPT_DONE;
	j->g.letter[n].open--;
	if (note.flags & NOTE_OWED)
		noted(&j->g.letter[n], &j->g.rcpt[k], r->at + JR_HEAD, r->seq);
	finish_if_over(j, n);
	return true;
}

static bool apply_small(struct scan *c, const struct jr *r)
{
	struct journal *j = c->j;
	struct cur in = CUR(((struct slice){ c->content, c->n }));
	uint32_t n = ledger_find(&j->g, r->letter), k, no, attempts, age, *flags;

	if (n == LEDGER_NONE || j->g.letter[n].seg != c->seg)
		return true; /* the letter is over, or has moved on */
	if (r->type == JR_DROP) {
		finish(j, n);
		return true;
	}
	if (r->type == JR_REPORT)
		return apply_report(j, n, in.s);
	if (r->type == JR_RESULT)
		return apply_result(j, n, r, in.s);
	no = cur_be32(&in);
	attempts = cur_be32(&in);
	age = cur_be32(&in);
	flags = &j->g.letter[n].l.flags;
	*flags = (*flags & ~(uint32_t)JR_MARKS) | (cur_be32(&in) & JR_MARKS);
	k = ledger_rcpt(&j->g, n, no);
	if (in.bad || k == LEDGER_NONE)
		return false;
	if (j->g.rcpt[k].state == RCPT_DONE)
		return true;
	set_age(j, &j->g.letter[n], age, r->time);
	set_due(j, &j->g.rcpt[k], attempts, r->time);
	return !in.bad;
}

/* The rest of this block is a torn tail that an earlier recovery found. */
static bool known_gap(struct scan *c, uint64_t at)
{
	struct jr r;
	bool zero;

	if (!read_head(c, jr_round(at), &r, &zero) || r.gap < jr_round(at) - at)
		return false;
	c->hole = at;
	return true;
}

static bool scan_one(struct scan *c, uint64_t at, uint64_t *len)
{
	struct disk *d = c->j->disk;
	struct jr r;
	bool zero;

	*len = 0;
	c->n = 0;
	c->letter = 0;
	if (jr_round(at) - at && jr_round(at) - at < JR_HEAD) { /* too little for a record */
		*len = jr_round(at) - at;
		return true;
	}
	if (!read_head(c, at, &r, &zero)) {
		if (at % JR_BLOCK && (zero || known_gap(c, at))) /* padding, or torn long ago */
			*len = jr_round(at) - at;
		return *len;
	}
	*len = jr_length(&r);
	c->letter = r.letter;
	if (!jr_walk(d, &c->s->use, &r, keep_first, c)) {
		if (at % JR_BLOCK == 0 || !known_gap(c, at))
			return false;
		*len = jr_round(at) - at;
		return true;
	}
	c->last = r.seq;
	c->hole = 0;
	if (r.mark > c->mark)
		c->mark = r.mark;
	if (r.time > c->s->newest)
		c->s->newest = r.time;
	if (!(r.type == JR_LETTER ? apply_letter(c, &r) : apply_small(c, &r))) {
		report("damage", c->seg, at, *len, r.letter);
		c->s->damaged = true;
	}
	return true;
}

static void scan_records(struct scan *c)
{
	uint64_t at = JR_DATA, len, proven = 0;

	while (at < c->s->use.size) {
		if (scan_one(c, at, &len)) {
			at += len;
			continue;
		}
		if (at >= proven)
			proven = beyond(c, at + (len ? len : 1), at);
		if (at >= proven)
			break;
		/* The next record that can be trusted begins a block, or follows this one. */
		len = len ? len : jr_round(at + 1) - at;
		report("damage", c->seg, at, len, c->letter);
		c->s->damaged = true;
		if (c->j->wall > c->s->newest)
			c->s->newest = c->j->wall;
		at += len;
	}
	at = at < c->s->use.size ? at : c->s->use.size;
	c->s->end = jr_round(at);
	/* What named the last hole may be torn itself: the next record names it again. */
	c->s->gap = (uint32_t)(c->s->end - (c->hole ? c->hole : at));
}

/* The last batch is written once more: if its flush failed, the kernel calls its pages clean, and another flush does
 * nothing. */
static bool write_again(const struct scan *c)
{
	static uint8_t piece[64 * 1024]; /* scratch */
	struct disk *d = c->j->disk;
	size_t n;

	for (uint64_t at = c->mark < JR_DATA ? JR_DATA : c->mark; at < c->s->end; at += n) {
		n = c->s->end - at < sizeof piece ? (size_t)(c->s->end - at) : sizeof piece;
		if (!d->read(d, c->seg, at, piece, n) || !d->write(d, c->seg, at, piece, n))
			return false;
	}
	return d->flush(d, c->seg);
}

/* Everything of the segment that recovery relies on is on disk from here: what a process that
 * crashed had written and not flushed would be answered for otherwise. */
static void scan_segment(struct journal *j, unsigned seg)
{
	static struct scan c;

	c = (struct scan){ .j = j, .seg = seg, .s = &j->seg[seg] };
	c.last = c.s->use.floor ? c.s->use.floor - 1 : 0;
	if (j->seq < c.s->use.floor)
		j->seq = c.s->use.floor;
	if (j->use <= c.s->use.use)
		j->use = c.s->use.use + 1;
	scan_records(&c);
	c.s->state = write_again(&c) ? SEG_LIVE : SEG_BAD;
}

/* False: there is no such segment. */
static bool read_header(struct journal *j, unsigned seg)
{
	static uint8_t in[JR_DATA + JR_BLOCK];
	struct segment *s = &j->seg[seg];
	struct disk *d = j->disk;
	uint64_t size;

	if (!d->size(d, seg, &size))
		return false;
	*s = (struct segment){ .state = SEG_ASIDE };
	if (size < 2 * JR_DATA || !d->read(d, seg, 0, in, sizeof in)) {
		report("damage", seg, 0, size, 0);
		return true;
	}
	if (jr_use_get(in, seg, size, &s->use)) {
		s->state = SEG_LIVE;
		return true;
	}
	/* Records are written when both copies of the first header are on disk, not before. */
	if (sodium_is_zero(in + JR_DATA, JR_BLOCK) &&
	    (sodium_is_zero(in, JR_BLOCK) || sodium_is_zero(in + JR_BLOCK, JR_BLOCK))) {
		s->use =
			(struct jr_use){ .seg = seg, .size = size & ~(uint64_t)(JR_BLOCK - 1) };
		s->state = SEG_FREE;
		return true;
	}
	/* It may hold letters that could not be found: nobody writes over it. */
	report("damage", seg, 0, size, 0);
	return true;
}

static int newest_unread(const struct journal *j, const bool *done)
{
	int found = -1;

	for (unsigned i = 0; i < j->segs; i++)
		if (j->seg[i].state == SEG_LIVE && !done[i] &&
		    (found < 0 || j->seg[i].use.use > j->seg[found].use.use))
			found = (int)i;
	return found;
}

/* The last report that was on disk when its letter's REPORT was not. */
static void settle_report(struct journal *j)
{
	const struct jr_letter *l = &j->newest_report.l;
	uint32_t n = j->newest_report.letter ? ledger_find(&j->g, l->about) : LEDGER_NONE;
	struct letter *e = &j->g.letter[n == LEDGER_NONE ? 0 : n];
	uint32_t flags = e->l.flags, notes = e->notes;

	if (n == LEDGER_NONE)
		return;
	if (l->flags & JR_DELAY)
		e->l.flags |= JR_WARNED;
	else
		told(j, n, l->covers);
	if (e->l.flags == flags && e->notes == notes)
		return;
	e->extra = e->open;
	j->report = (struct journal_report){ .state = REPORT_TAKEN,
					     .delay = l->flags & JR_DELAY,
					     .id = l->about,
					     .covers = l->covers };
}

static void settle_letters(struct journal *j)
{
	settle_report(j);
	for (uint32_t n = 0; n < j->g.top_letter; n++) {
		struct letter *e = &j->g.letter[n];

		if (!e->r.letter)
			continue;
		if (!e->open && !e->notes &&
		    !(j->report.state && j->report.id == e->r.letter)) {
			ledger_drop(&j->g, n);
			continue;
		}
		journal_count(j, e, true);
		journal_owe(j, n);
		for (uint32_t k = e->first; k != LEDGER_NONE; k = j->g.rcpt[k].next)
			if (j->g.rcpt[k].state == RCPT_WAIT)
				ledger_wait(&j->g, k, j->g.rcpt[k].due);
	}
}

void recover_segments(struct journal *j)
{
	bool done[DISK_SEGMENTS] = { false };
	struct logline l;
	int seg;

	j->segs = j->wanted;
	for (unsigned i = 0; i < DISK_SEGMENTS; i++)
		if (read_header(j, i) && i >= j->segs)
			j->segs = i + 1;
	while ((seg = newest_unread(j, done)) >= 0) {
		done[seg] = true;
		scan_segment(j, (unsigned)seg);
		if (j->current < 0 && j->seg[seg].state == SEG_LIVE &&
		    (unsigned)seg < j->wanted && j->seg[seg].use.size >= j->seg_size)
			j->current = seg;
	}
	if (j->current >= 0 && j->seg[j->current].stale)
		j->current = -1;
	j->seq += SEQ_SKIP;
	settle_letters(j);
	log_begin(&l, "journal");
	log_num(&l, "letters", j->g.letters);
	log_num(&l, "recipients", j->g.heaped);
	log_send(&l);
}
