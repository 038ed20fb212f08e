/* SPDX-License-Identifier: ISC */
#include "smtpd/queue/courier.h"

#include <string.h>

#include "smtpd/lib/arena.h"
#include "smtpd/lib/log.h"
#include "smtpd/lib/memfd.h"
#include "smtpd/lib/owner.h"

/*
 * NOTES. A recipient is in the heap exactly while its state is RCPT_WAIT. A delivery that ends
 * without an answer (out died, or was late) may be past the final dot: its recipient is RCPT_BUSY
 * and nothing is started until out has said what it holds. 4xx are not held by out, and need no
 * ack. Nothing is started for which the result, and later the ack, would have no place.
 */
enum {
	DELIVER_MS = 2 * 3600 * 1000,
	HELD_MS = 10 * 1000,
	HELD_AGAIN_MS = 1000,
	SOON_MS = 5 * 1000,
	APART_MS = 250,
	ROOM_MS =
		10 *
		1000, /* until a letter that found no memory asks again, unless some comes back first */
};

static const struct want want_answer = { OUT_DELIVER, sizeof(struct out_result),
					 OUT_RESULT_TAIL };
static const struct want want_held = { OUT_HELD, sizeof(struct out_held_list),
				       MSG_MAX - sizeof(struct out_held_list) };
static const struct want want_acked = { OUT_ACK, sizeof(struct out_acked), 0 };

/* What the ledger does not keep over a restart, from the heads on disk. */
static void recall(struct courier *c)
{
	struct journal *j = c->j;
	struct keys keys;

	for (uint32_t n = 0; n < j->g.top_letter; n++) {
		const struct letter *e = &j->g.letter[n];

		if (!e->r.letter)
			continue;
		if (e->l.head_size > ENV_HEAD_MAX ||
		    !parcel_head(&c->parcels, e, c->parcels.head))
			continue; /* found to be damaged when it is tried */
		sched_keys(&c->sched, (struct slice){ c->parcels.head, e->l.head_size }, &keys);
		sched_own(&c->sched, n, &keys);
	}
	c->removing = true; /* perhaps */
}

void courier_init(struct courier *c, struct journal *j, struct chan *out, struct watch *timer)
{
	*c = (struct courier){ .j = j, .out = out, .timer = timer };
	c->envelope = arena_reserve(WAYBILL_ENVELOPE);
	parcels_init(&c->parcels, j);
	sched_init(&c->sched, &j->g);
	recall(c);
	for (unsigned i = 0; i < COURIER_ACK_ASKS; i++)
		c->ack[i].c = c;
}

void courier_wired(struct courier *c)
{
	c->held_known = false;
	c->held_due = 0;
}

/* Something was answered: the time is now, and the owner looks what can be started. */
static void woken(struct courier *c)
{
	c->j->now = loop_clock();
	c->timer->due = 0;
}

/* ---- acks ---- */

void courier_kept(struct courier *c, uint64_t id, uint32_t no)
{
	unsigned at = (c->ack_first + c->nack) % COURIER_ACKS;

	if (c->nack == COURIER_ACKS) {
		c->held_again = true; /* out names it when it is asked */
		return;
	}
	c->acks[at] = (struct out_ack_row){ .seq = id, .rcpt = no };
	c->nack++;
}

static void on_acked(struct ask *a, const void *reply, struct slice tail)
{
	(void)reply;
	(void)tail;
	woken(((struct ack *)a)->c);
}

/* As many as stand together in the ring. */
static void send_acks(struct courier *c)
{
	struct out_ack m = { .h.type = OUT_ACK };

	for (unsigned i = 0; i < COURIER_ACK_ASKS && c->nack; i++) {
		unsigned n = COURIER_ACKS - c->ack_first;
		struct slice rows = { (const uint8_t *)&c->acks[c->ack_first], 0 };

		if (n > c->nack)
			n = c->nack;
		if (n > OUT_ACKS)
			n = OUT_ACKS;
		rows.n = n * sizeof *c->acks;
		c->ack[i].ask.done = on_acked;
		if (c->ack[i].ask.chan || !chan_ask(c->out, &c->ack[i].ask, &m, sizeof m, rows,
						    NULL, 0, &want_acked, HELD_MS))
			continue;
		c->ack_first = (c->ack_first + n) % COURIER_ACKS;
		c->nack -= n;
	}
}

/* ---- results ---- */

static void log_delivery(const char *event, uint64_t id, uint32_t no, struct slice to,
			 uint16_t code, struct slice text)
{
	struct logline l;

	log_begin(&l, event);
	if (slice_eq(slice_of(event), SLICE("alarm")))
		log_text(&l, "why", "a forwarded letter was given up");
	log_num(&l, "letter", (int64_t)id);
	log_num(&l, "rcpt", no);
	if (to.n)
		log_bytes(&l, "to", to);
	log_num(&l, "code", code);
	log_bytes(&l, "reply", text);
	log_send(&l);
}

/* What a destination said of a recipient. False: no room to remember it now. */
static bool verdict_of(struct courier *c, uint32_t rcpt, struct jr_note *note, struct slice to)
{
	struct journal *j = c->j;
	struct rcpt *k = &j->g.rcpt[rcpt];
	struct letter *e = &j->g.letter[k->letter];
	unsigned class = note->code / 100;
	bool final = class == 2 || class == 5;
	/* Lifetime counts what was spent trying: a letter never ends without a fresh attempt. */
	bool over = j->now - e->born >= JOURNAL_LIFETIME * 1000ll || e->l.flags & JR_REMOVED;

	if (final || over) {
		note->flags |= class != 2 ? NOTE_FAILED : 0;
		if (!journal_result(j, rcpt, note))
			return false;
		log_delivery(class == 2 ? "sent"
			     : c->spool ? "alarm"
					: "failed",
			     e->r.letter, k->no, to, note->code, note->text);
		return true;
	}
	if (CONFIG_SMTPD_QUEUE_WARN && !c->spool &&
	    j->now - e->born >= CONFIG_SMTPD_QUEUE_WARN * 1000ll)
		journal_late(j, k->letter);
	k->attempts += k->attempts < UINT8_MAX;
	k->reason = reason_note(&c->reasons, note->code, note->enhanced, note->text);
	log_delivery("deferred", e->r.letter, k->no, to, note->code, note->text);
	ledger_wait(&j->g, rcpt, j->now + journal_pause(k->attempts));
	journal_attempt(j, rcpt);
	return true;
}

/* What the destination itself is to be thought of. */
static enum dest_end end_of(const struct out_verdict *v)
{
	if (v->flags & OUT_RATE)
		return DEST_STOP;
	if (v->code / 100 != 4)
		return DEST_WELL;
	return v->flags & OUT_DEAD ? DEST_DEAD : DEST_SLOW;
}

/* Of a destination that says this and that: told to stop counts, then whether it took anything. */
static enum dest_end worse(enum dest_end a, enum dest_end b)
{
	return a == DEST_STOP || b == DEST_STOP ? DEST_STOP : a < b ? a : b;
}

static void pause_of(struct courier *c, struct delivery *d, enum dest_end how,
		     const struct out_result *m, uint32_t reason)
{
	struct dest *at = d->slot.dest;
	struct logline l;
	int64_t before = at->until;
	struct slice to = d->bill.to[0];

	at->reason = reason;
	if (how == DEST_STOP && d->slot.group)
		d->slot.group->reason = reason;
	sched_end(&c->sched, &d->slot, how, m ? m->op : 0, c->j->now);
	if (how != DEST_STOP && (how != DEST_DEAD || at->until == before))
		return;
	log_begin(&l, "paused");
	log_bytes(&l, "domain", slice_from(to, slice_rfind(to, '@') + 1));
	log_text(&l, "why", how == DEST_STOP ? "told to slow down" : "not reached");
	log_send(&l);
}

static void unclear(struct courier *c, struct rcpt *k)
{
	k->state = RCPT_BUSY;
	c->held_known = false;
	c->held_due = c->j->now;
}

static void put_off(struct courier *c, uint32_t rcpt)
{
	int64_t due = c->j->now + ROOM_MS;

	ledger_wait(&c->j->g, rcpt, due);
	if (c->nstarved == COURIER_STARVED)
		return;
	c->starved[c->nstarved].rcpt = rcpt;
	c->starved[c->nstarved++].due = due;
}

/* Memory came back. */
static void room_again(struct courier *c)
{
	for (unsigned i = 0; i < c->nstarved; i++) {
		const struct rcpt *k = &c->j->g.rcpt[c->starved[i].rcpt];

		if (k->state == RCPT_WAIT && k->due == c->starved[i].due)
			ledger_wait(&c->j->g, c->starved[i].rcpt, c->j->now);
	}
	c->nstarved = 0;
}

static void on_answer(struct ask *a, const void *reply, struct slice tail)
{
	struct delivery *d = (struct delivery *)a;
	struct courier *c = d->c;
	struct journal *j = c->j;
	const struct out_result *m = reply;
	enum dest_end how = m ? DEST_DEAD : DEST_UNCLEAR;
	struct cur in = CUR(tail);
	struct jr_note note = { 0 };
	uint32_t reason = 0;

	woken(c);
	d->used = false;
	c->active--;
	c->flying -= d->bill.n;
	parcels_close(&c->parcels, d->parcel);
	room_again(c);
	if (m)
		note.host = cur_take(&in, m->host_len);
	for (uint32_t i = 0; i < d->bill.n; i++) {
		struct rcpt *k = &j->g.rcpt[d->rcpt[i]];
		struct out_verdict v;
		bool said = m && out_verdict_take(&in, &v, &note.text);

		if (said) {
			note.code = v.code;
			note.flags = v.flags & OUT_DSN ? NOTE_DSN : 0;
			memcpy(note.enhanced, v.enhanced, sizeof note.enhanced);
			how = worse(how, end_of(&v));
		}
		if (k->state != RCPT_SENT || j->g.letter[k->letter].r.letter != d->id)
			continue; /* given up meanwhile */
		if (j->g.letter[k->letter].aside)
			k->state = RCPT_BUSY; /* nothing more is tried */
		else if (!said || !verdict_of(c, d->rcpt[i], &note, d->bill.to[i]))
			unclear(c, k);
		else if (note.code / 100 == 4)
			reason = k->reason;
	}
	if (m && m->stop_ms)
		how = DEST_STOP; /* the next ones would not be sent either */
	pause_of(c, d, in.bad ? DEST_UNCLEAR : how, m, reason);
}

/* ---- what out holds ---- */

static void held_row(struct courier *c, const struct out_held *row)
{
	struct journal *j = c->j;
	uint32_t n = ledger_find(&j->g, row->seq), k;
	struct jr_note note = { .code = row->code, .text = SLICE("(learnt after a restart)") };

	k = n == LEDGER_NONE ? n : ledger_rcpt(&j->g, n, row->rcpt);
	if (k == LEDGER_NONE || j->g.rcpt[k].state == RCPT_DONE) {
		if (row->state == OUT_RESULT)
			courier_kept(c, row->seq, row->rcpt);
		return;
	}
	if (j->g.rcpt[k].state == RCPT_SENT || j->g.rcpt[k].state == RCPT_KNOWN)
		return; /* being delivered, or its result is on its way to the disk */
	ledger_unwait(&j->g, k);
	j->g.rcpt[k].state = RCPT_SENT; /* spoken for, in this list */
	memcpy(note.enhanced, row->enhanced, sizeof note.enhanced);
	if (row->state == OUT_RESULT && journal_result_room(j) > c->flying &&
	    verdict_of(c, k, &note, (struct slice){ NULL, 0 }))
		return;
	c->held_again = true;
	j->g.rcpt[k].listed = true;
}

/* A letter that kills out is not allowed to do so all day; but nobody knows which one it was. */
static int64_t crash_pause(const struct rcpt *r)
{
	int64_t ms = SOON_MS, most = journal_pause(r->crashes);

	for (unsigned n = 1; n < r->crashes && ms < most; n++)
		ms *= 2;
	return ms;
}

/* What is not in the list was not delivered as far as anyone knows: it is tried again. After a
 * second time not all at once: the one that kills out would take the others with it. */
static void sweep(struct courier *c)
{
	struct ledger *g = &c->j->g;
	int64_t apart = 0;

	for (uint32_t k = 0; k < g->top_rcpt; k++) {
		struct rcpt *r = &g->rcpt[k];

		if (r->state == RCPT_SENT && r->listed) {
			r->state = RCPT_BUSY;
			r->listed = false;
		} else if (r->state == RCPT_BUSY && !g->letter[r->letter].aside) {
			r->crashes += r->crashes < UINT8_MAX;
			ledger_wait(g, k, c->j->now + crash_pause(r) + apart);
			apart += r->crashes > 1 ? APART_MS : 0;
		}
	}
}

static void on_held(struct ask *a, const void *reply, struct slice tail)
{
	struct courier *c = OWNER(struct courier, held, a);
	const struct out_held_list *m = reply;

	woken(c);
	c->held_due = c->j->now + HELD_AGAIN_MS;
	if (!m || tail.n != m->n * sizeof(struct out_held)) {
		c->held_again = true;
		return;
	}
	for (uint32_t i = 0; i < m->n; i++) {
		struct out_held row;

		memcpy(&row, tail.p + i * sizeof row, sizeof row);
		held_row(c, &row);
	}
	sweep(c);
	c->held_known = true;
}

static void ask_held(struct courier *c)
{
	struct out_held_ask m = { .h.type = OUT_HELD };

	if (c->held.chan || c->j->now < c->held_due)
		return;
	c->held.done = on_held;
	if (chan_ask(c->out, &c->held, &m, sizeof m, (struct slice){ NULL, 0 }, NULL, 0,
		     &want_held, HELD_MS))
		c->held_again = false;
}

/* ---- starting a delivery ---- */

/* Recipients of the letter for the same destination that are due too: at most n of them. */
static uint32_t gather(struct courier *c, uint32_t rcpt, uint32_t n, uint32_t *index,
		       uint32_t *no)
{
	const struct ledger *g = &c->j->g;
	const struct rcpt *first = &g->rcpt[rcpt];
	uint32_t got = 0;
	bool has = false;

	for (uint32_t i = g->letter[first->letter].first; i != LEDGER_NONE && got < n;
	     i = g->rcpt[i].next) {
		const struct rcpt *k = &g->rcpt[i];
		bool due = k->state == RCPT_READY ||
			   (k->state == RCPT_WAIT && k->due <= c->j->now);

		if (k->dest != first->dest || !due || (i != rcpt && !has && got == n - 1))
			continue;
		has |= i == rcpt;
		index[got] = i;
		no[got++] = k->no;
	}
	return got;
}

/* The head's descriptor: the one it came with, where it is for nobody else. -1: none. */
static int make_head(struct courier *c, struct delivery *d, struct slice head, uint32_t rcpt)
{
	uint32_t index[OUT_RCPTS], no[OUT_RCPTS], n = journal_result_room(c->j) - c->flying - 1;
	struct buf b = { .p = c->envelope, .cap = WAYBILL_ENVELOPE };
	struct slice header;
	int fd;

	n = gather(c, rcpt, n < OUT_RCPTS ? n : OUT_RCPTS, index, no);
	if (!waybill_make(&d->bill, head, no, n, c->j->g.rcpt[rcpt].no, &b, &header))
		return -1;
	for (uint32_t i = 0, k = 0; i < d->bill.n; i++, k++) {
		while (no[k] != d->bill.no[i])
			k++;
		d->rcpt[i] = index[k];
	}
	if (d->bill.all && d->parcel->head >= 0)
		return d->parcel->head;
	fd = memfd_make("head");
	if (fd >= 0 && (!memfd_append(fd, 0, buf_slice(&b)) ||
			!memfd_append(fd, b.len, header) || !memfd_seal(fd)))
		memfd_close(&fd);
	return fd;
}

static bool send_delivery(struct courier *c, struct delivery *d, const struct letter *e,
			  int head)
{
	struct out_deliver m = { .h.type = OUT_DELIVER,
				 .seq = e->r.letter,
				 .text_size = e->l.text_size,
				 .skip = e->l.skip };
	struct slice tail = { (const uint8_t *)d->bill.no, d->bill.n * sizeof *d->bill.no };
	int fd[2] = { d->parcel->text, head };

	return chan_ask(c->out, &d->ask, &m, sizeof m, tail, fd, 2, &want_answer, DELIVER_MS);
}

/* Octets of letters of this size that are on their way to the recipient's destination. */
static uint64_t held_by(struct courier *c, uint32_t rcpt, const struct parcel_pool *pool)
{
	const struct dest *to = sched_dest(&c->sched, rcpt);
	uint64_t octets = 0;

	for (unsigned i = 0; i < COURIER_ACTIVE; i++) {
		const struct delivery *d = &c->delivery[i];

		if (d->used && parcels_pool(&c->parcels, d->parcel->octets) == pool &&
		    (d->slot.dest == to || (to->group && d->slot.dest->group == to->group)))
			octets += d->parcel->octets;
	}
	return octets;
}

static bool room_for(struct courier *c, uint32_t rcpt)
{
	const struct letter *e = &c->j->g.letter[c->j->g.rcpt[rcpt].letter];
	uint64_t octets = e->l.text_size + e->l.head_size;

	return parcels_room(&c->parcels, e,
			    held_by(c, rcpt, parcels_pool(&c->parcels, octets)));
}

/* False: nothing more can be started now. */
static bool deliver(struct courier *c, uint32_t rcpt)
{
	struct journal *j = c->j;
	uint32_t n = j->g.rcpt[rcpt].letter;
	struct delivery *d = c->delivery;
	struct slice head;
	bool damaged, ok;
	int fd;

	if (!room_for(c, rcpt)) {
		put_off(c, rcpt);
		return true; /* others are smaller, or go elsewhere */
	}
	while (d->used)
		d++;
	d->c = c;
	d->id = j->g.letter[n].r.letter;
	d->ask = (struct ask){ .done = on_answer };
	d->parcel = parcels_open(&c->parcels, &j->g.letter[n], &head, &damaged);
	if (damaged) {
		journal_aside(j, n);
		return true;
	}
	if (!d->parcel) {
		ledger_wait(&j->g, rcpt, j->now + SOON_MS);
		return false;
	}
	fd = make_head(c, d, head, rcpt);
	ok = fd >= 0 && send_delivery(c, d, &j->g.letter[n], fd);
	if (fd != d->parcel->head)
		memfd_close(&fd);
	if (!ok) {
		parcels_close(&c->parcels, d->parcel);
		ledger_wait(&j->g, rcpt, j->now + SOON_MS);
		return false;
	}
	sched_begin(&c->sched, rcpt, j->now, &d->slot);
	for (uint32_t i = 0; i < d->bill.n; i++) {
		ledger_unwait(&j->g, d->rcpt[i]);
		j->g.rcpt[d->rcpt[i]].state = RCPT_SENT;
	}
	d->used = true;
	c->active++;
	c->flying += d->bill.n;
	return true;
}

/* Its destination is left alone: it waits as long, or ends with what was said there last. */
static bool suspend(struct courier *c, uint32_t rcpt, int64_t until)
{
	struct journal *j = c->j;
	struct rcpt *k = &j->g.rcpt[rcpt];
	const struct dest *d = sched_dest(&c->sched, rcpt);
	const struct reason *r;
	struct jr_note note = { .code = 451,
				.enhanced = { 4, 4, 1 },
				.text = SLICE("destination was not reached") };

	k->reason = d->until > j->now || !d->group ? d->reason : d->group->reason;
	r = reason_get(&c->reasons, k->reason);
	if (j->now - j->g.letter[k->letter].born < JOURNAL_LIFETIME * 1000ll) {
		ledger_wait(&j->g, rcpt, until);
		return true;
	}
	if (r) {
		note = (struct jr_note){ .code = r->code, .text = { r->text, r->n } };
		memcpy(note.enhanced, r->enhanced, sizeof note.enhanced);
	}
	return verdict_of(c, rcpt, &note, (struct slice){ NULL, 0 });
}

void courier_accepted(struct courier *c, uint64_t id, const struct keys *k, int *text,
		      int *head)
{
	uint32_t n = ledger_find(&c->j->g, id);

	if (n == LEDGER_NONE)
		return;
	sched_own(&c->sched, n, k);
	if (!c->spool) {
		parcels_keep(&c->parcels, &c->j->g.letter[n], text, head);
		return;
	}
	for (uint32_t i = c->j->g.letter[n].first; i != LEDGER_NONE; i = c->j->g.rcpt[i].next) {
		c->j->g.rcpt[i].attempts = 1;
		ledger_wait(&c->j->g, i, c->j->now + journal_pause(1));
	}
}

/* Results for letters that the operator took away, as many as there is room for. */
static void remove_some(struct courier *c)
{
	struct ledger *g = &c->j->g;
	bool more = false;

	for (uint32_t i = 0; i < g->top_rcpt; i++) {
		struct jr_note note = { .code = 554,
					.enhanced = { 5, 7, 0 },
					.text = SLICE("removed by the postmaster") };
		const struct letter *e = &g->letter[g->rcpt[i].letter];

		if (g->rcpt[i].state == RCPT_FREE || !(e->l.flags & JR_REMOVED))
			continue;
		more |= g->rcpt[i].state != RCPT_DONE;
		if (g->rcpt[i].state == RCPT_HELD && !e->aside &&
		    journal_result_room(c->j) > c->flying + 1)
			verdict_of(c, i, &note, (struct slice){ NULL, 0 });
	}
	c->removing = more;
}

void courier_run(struct courier *c)
{
	struct journal *j = c->j;
	int64_t until;

	parcels_age(&c->parcels);
	if (c->removing)
		remove_some(c);
	if (c->out->watch.fd < 0 || !j->disk)
		return;
	if (!c->held_known || c->held_again)
		ask_held(c);
	send_acks(c);
	while (c->held_known && c->active < COURIER_ACTIVE && chan_ready(c->out) &&
	       journal_result_room(j) > c->flying + 1 && c->nack < COURIER_ACKS / 2) {
		uint32_t k = sched_next(&c->sched, j->now, &until);

		if (k == LEDGER_NONE || !(until ? suspend(c, k, until) : deliver(c, k)))
			break;
	}
}

int64_t courier_due(const struct courier *c)
{
	uint32_t k = ledger_first(&c->j->g);
	int64_t due = LOOP_NEVER;

	if (c->out->watch.fd < 0)
		return due;
	if (c->held_known && k != LEDGER_NONE && c->active < COURIER_ACTIVE)
		due = c->j->g.rcpt[k].due;
	if ((!c->held_known || c->held_again) && !c->held.chan && c->held_due < due)
		due = c->held_due;
	/* What is due and was not started waits for something that will be told, or for this. */
	return due <= c->j->now ? c->j->now + 1000 : due;
}
