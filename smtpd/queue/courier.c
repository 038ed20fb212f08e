/* SPDX-License-Identifier: ISC */
#include "smtpd/queue/courier.h"

#include <string.h>

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
};

static const struct want want_answer = { OUT_DELIVER, sizeof(struct out_result),
					 OUT_RESULT_TAIL };
static const struct want want_held = { OUT_HELD, sizeof(struct out_held_list),
				       MSG_MAX - sizeof(struct out_held_list) };
static const struct want want_acked = { OUT_ACK, sizeof(struct out_acked), 0 };

void courier_init(struct courier *c, struct journal *j, struct chan *out, struct watch *timer)
{
	*c = (struct courier){ .j = j, .out = out, .timer = timer };
	parcels_init(&c->parcels, j);
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

	if (c->nack == COURIER_ACKS)
		return; /* out names it again when it is asked */
	c->acks[at].id = id;
	c->acks[at].no = no;
	c->nack++;
}

static void on_acked(struct ask *a, const void *reply, struct slice tail)
{
	(void)reply;
	(void)tail;
	woken(((struct ack *)a)->c);
}

static void send_acks(struct courier *c)
{
	for (unsigned i = 0; i < COURIER_ACK_ASKS && c->nack; i++) {
		struct out_ack m = { .h.type = OUT_ACK,
				     .seq = c->acks[c->ack_first].id,
				     .rcpt = c->acks[c->ack_first].no };

		c->ack[i].ask.done = on_acked;
		if (c->ack[i].ask.chan ||
		    !chan_ask(c->out, &c->ack[i].ask, &m, sizeof m, (struct slice){ NULL, 0 },
			      NULL, 0, &want_acked, HELD_MS))
			continue;
		c->ack_first = (c->ack_first + 1) % COURIER_ACKS;
		c->nack--;
	}
}

/* ---- results ---- */

static void log_delivery(const char *event, uint64_t id, uint32_t no, struct slice to,
			 uint16_t code, struct slice text)
{
	struct logline l;

	log_begin(&l, event);
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
	bool over = j->now - e->born >= JOURNAL_LIFETIME * 1000ll;

	if (final || over) {
		note->flags |= class != 2 ? NOTE_FAILED : 0;
		if (!journal_result(j, rcpt, note))
			return false;
		log_delivery(class == 2 ? "sent" : "failed", e->r.letter, k->no, to, note->code,
			     note->text);
		return true;
	}
	k->attempts += k->attempts < UINT8_MAX;
	log_delivery("deferred", e->r.letter, k->no, to, note->code, note->text);
	ledger_wait(&j->g, rcpt, j->now + journal_pause(k->attempts));
	journal_attempt(j, rcpt);
	return true;
}

static void on_answer(struct ask *a, const void *reply, struct slice tail)
{
	struct delivery *d = (struct delivery *)a;
	struct courier *c = d->c;
	const struct out_result *m = reply;
	struct rcpt *k = &c->j->g.rcpt[d->rcpt];
	struct cur in = CUR(tail);
	struct jr_note note = { 0 };
	struct out_verdict v;

	woken(c);
	d->used = false;
	c->active--;
	parcels_close(&c->parcels, d->parcel);
	if (k->state != RCPT_SENT || c->j->g.letter[k->letter].r.letter != d->id)
		return; /* given up meanwhile */
	if (c->j->g.letter[k->letter].aside) {
		k->state = RCPT_BUSY; /* nothing more is tried */
		return;
	}
	if (m)
		note.host = cur_take(&in, m->host_len);
	if (m && out_verdict_take(&in, &v, &note.text)) {
		note.code = v.code;
		note.flags = v.flags & OUT_DSN ? NOTE_DSN : 0;
		memcpy(note.enhanced, v.enhanced, sizeof note.enhanced);
		if (verdict_of(c, d->rcpt, &note, d->to))
			return;
	}
	k->state = RCPT_BUSY;
	c->held_known = false;
	c->held_due = c->j->now;
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
	if (j->g.rcpt[k].state != RCPT_WAIT && j->g.rcpt[k].state != RCPT_BUSY)
		return; /* being delivered, or its result is on its way to the disk */
	ledger_unwait(&j->g, k);
	j->g.rcpt[k].state = RCPT_SENT; /* spoken for, in this list */
	memcpy(note.enhanced, row->enhanced, sizeof note.enhanced);
	if (row->state == OUT_RESULT && journal_result_room(j) > c->active &&
	    verdict_of(c, k, &note, (struct slice){ NULL, 0 }))
		return;
	c->held_again = true;
	j->g.rcpt[k].listed = true;
}

/* What is not in the list was not delivered as far as anyone knows: it is tried again. */
static void sweep(struct courier *c)
{
	struct ledger *g = &c->j->g;

	for (uint32_t k = 0; k < g->top_rcpt; k++) {
		struct rcpt *r = &g->rcpt[k];

		if (r->state == RCPT_SENT && r->listed) {
			r->state = RCPT_BUSY;
			r->listed = false;
		} else if (r->state == RCPT_BUSY && !g->letter[r->letter].aside) {
			/* A letter that kills out is not allowed to do so all day. */
			r->attempts += r->attempts < UINT8_MAX;
			ledger_wait(g, k,
				    c->j->now + (r->attempts > 1 ? journal_pause(r->attempts)
								 : SOON_MS));
		}
	}
}

static void on_held(struct ask *a, const void *reply, struct slice tail)
{
	struct courier *c = OWNER(struct courier, held, a);
	const struct out_held_list *m = reply;

	woken(c);
	c->held_again = false;
	c->held_due = c->j->now + HELD_AGAIN_MS;
	if (!m || tail.n != m->n * sizeof(struct out_held))
		return; /* asked again */
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
	chan_ask(c->out, &c->held, &m, sizeof m, (struct slice){ NULL, 0 }, NULL, 0, &want_held,
		 HELD_MS);
}

/* ---- starting a delivery ---- */

/* The head of one delivery: sender, this recipient, body type, header. -1: none. */
static int make_head(struct slice head, uint32_t no, struct delivery *d)
{
	uint8_t small[3 * (ENV_RECORD_MAX + 3) + 16];
	struct cur in = CUR(head);
	struct buf b = BUF(small);
	struct slice v, header = { NULL, 0 };
	enum env_tag tag;
	uint32_t seen = 0;
	int fd = -1;

	while (envelope_next(&in, &tag, &v)) {
		if (tag == ENV_SENDER || tag == ENV_BODY)
			envelope_put(&b, tag, v);
		else if (tag == ENV_HEADER)
			header = v;
		else if (tag == ENV_RCPT && seen++ == no) {
			envelope_put(&b, tag, v);
			memcpy(d->name, v.p, v.n);
			d->to = (struct slice){ d->name, v.n };
		}
	}
	envelope_put_header(&b, (struct slice){ NULL, 0 });
	if (b.bad || seen <= no)
		return -1;
	if (seen == 1 && d->parcel->head >= 0)
		return d->parcel->head; /* as it came */
	fd = memfd_make("head");
	if (fd >= 0 && (!memfd_append(fd, 0, buf_slice(&b)) ||
			!memfd_append(fd, b.len, header) || !memfd_seal(fd)))
		memfd_close(&fd);
	return fd;
}

static bool send_delivery(struct courier *c, struct delivery *d, const struct letter *e,
			  uint32_t no, struct slice head)
{
	struct out_deliver m = { .h.type = OUT_DELIVER,
				 .seq = e->r.letter,
				 .text_size = e->l.text_size,
				 .skip = e->l.skip };
	struct slice tail = { (const uint8_t *)&no, sizeof no };
	int fd[2] = { d->parcel->text, make_head(head, no, d) };
	bool ok = fd[1] >= 0 && chan_ask(c->out, &d->ask, &m, sizeof m, tail, fd, 2,
					 &want_answer, DELIVER_MS);

	if (fd[1] != d->parcel->head)
		memfd_close(&fd[1]);
	return ok;
}

/* False: nothing more can be started now. */
static bool deliver(struct courier *c, uint32_t rcpt)
{
	struct journal *j = c->j;
	struct rcpt *k = &j->g.rcpt[rcpt];
	const struct letter *e = &j->g.letter[k->letter];
	struct delivery *d = c->delivery;
	struct slice head;
	bool damaged;

	while (d->used)
		d++;
	*d = (struct delivery){ .c = c, .rcpt = rcpt, .id = e->r.letter, .begun = j->now };
	d->ask.done = on_answer;
	d->parcel = parcels_open(&c->parcels, e, &head, &damaged);
	if (damaged) {
		journal_aside(j, k->letter);
		return true;
	}
	if (!d->parcel && c->active)
		return false;
	ledger_unwait(&j->g, rcpt);
	if (!d->parcel || !send_delivery(c, d, e, k->no, head)) {
		if (d->parcel)
			parcels_close(&c->parcels, d->parcel);
		ledger_wait(&j->g, rcpt, j->now + SOON_MS);
		return false;
	}
	k->state = RCPT_SENT;
	d->used = true;
	c->active++;
	return true;
}

void courier_accepted(struct courier *c, uint64_t id, int *text, int *head)
{
	uint32_t n = ledger_find(&c->j->g, id);

	if (n != LEDGER_NONE)
		parcels_keep(&c->parcels, &c->j->g.letter[n], text, head);
}

void courier_run(struct courier *c)
{
	struct journal *j = c->j;
	uint32_t k;

	parcels_age(&c->parcels);
	if (c->out->watch.fd < 0 || !j->disk)
		return;
	if (!c->held_known || c->held_again)
		ask_held(c);
	send_acks(c);
	while (c->held_known && c->active < COURIER_ACTIVE && chan_ready(c->out) &&
	       journal_result_room(j) > c->active + 1 && c->nack < COURIER_ACKS / 2 &&
	       (k = ledger_first(&j->g)) != LEDGER_NONE && j->g.rcpt[k].due <= j->now)
		if (!deliver(c, k))
			break;
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
