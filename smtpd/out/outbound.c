/* SPDX-License-Identifier: ISC */
#include "smtpd/out/outbound.h"

#include <string.h>
#include <unistd.h>

#include "smtpd/lib/arena.h"
#include "smtpd/lib/log.h"
#include "smtpd/out/delivery.h"
#include "smtpd/proto/envelope.h"

static const struct slice nothing = { NULL, 0 };

static void answer_own(const struct token *t, uint16_t code, uint8_t subject, uint8_t detail,
		       const char *text)
{
	struct answer m = { .code = code,
			    .enhanced = { (uint8_t)(code / 100), subject, detail } };

	chan_answer(t, &m, sizeof m, slice_of(text));
}

/* A free place. One that only waits for the end of a QUIT is taken where there is no other. */
static struct delivery *free_place(struct outbound *o)
{
	struct delivery *d = NULL;

	for (size_t i = 0; i < o->npool; i++) {
		if (!o->pool[i].busy)
			return &o->pool[i];
		if (o->pool[i].answered)
			d = &o->pool[i];
	}
	if (d)
		delivery_drop(d);
	return d;
}

/* The queue asks again for what it does not know to be finished. True: the held row is the answer. */
static bool answer_held(struct outbound *o, const struct call *c)
{
	const struct out_deliver *m = c->msg;
	struct out_held *row = o->keeps ? held_find(&o->held, m->seq, m->rcpt) : NULL;
	struct answer a = { 0 };

	if (!row)
		return false;
	if (row->state != HELD_RESULT) {
		answer_own(&c->token, 451, 3, 2, "this delivery is still under way");
		return true;
	}
	a.code = row->code;
	memcpy(a.enhanced, row->enhanced, sizeof a.enhanced);
	chan_answer(&c->token, &a, sizeof a, SLICE("answered before"));
	return true;
}

static void on_deliver(void *ctx, struct call *c)
{
	struct outbound *o = ctx;
	const struct out_deliver *m = c->msg;
	struct out_held *row = NULL;
	struct delivery *d;

	if (answer_held(o, c))
		return;
	d = free_place(o);
	if (d && o->keeps)
		row = held_take(&o->held, m->seq, m->rcpt);
	if (!d || (o->keeps && !row)) {
		answer_own(&c->token, 451, 3, 2, "too many deliveries at once");
		return;
	}
	if (!outletter_open(&d->letter, m, c->fd, o->head)) {
		if (row)
			held_drop(row);
		log_event("badletter", "peer", proc_name((enum proc_id)c->from));
		answer_own(&c->token, 451, 3, 0, "the letter cannot be read");
		return;
	}
	delivery_begin(d, &c->token, row);
}

static void on_held(void *ctx, struct call *c)
{
	struct outbound *o = ctx;
	static uint8_t
		rows[HELD_ROWS * sizeof(struct out_held)]; /* scratch: too much for the stack */
	struct buf b = BUF(rows);
	struct out_held_list m = { .n = held_list(&o->held, &b) };

	chan_answer(&c->token, &m, sizeof m, buf_slice(&b));
}

static void on_ack(void *ctx, struct call *c)
{
	struct outbound *o = ctx;
	const struct out_ack *m = c->msg;
	struct out_held *row = held_find(&o->held, m->seq, m->rcpt);
	struct out_acked done = { 0 };

	if (row && row->state == HELD_RESULT)
		held_drop(row);
	chan_answer(&c->token, &done, sizeof done, nothing);
}

#define FROM(p) (1u << P_##p)

const struct rule outbound_rules[OUT_TYPES] = {
	[OUT_DELIVER] = { .from = FROM(CHECK_MX) | FROM(QUEUE),
			  .size = sizeof(struct out_deliver),
			  .nfd = 2,
			  .run = on_deliver },
	[OUT_HELD] = { .from = FROM(QUEUE),
		       .size = sizeof(struct out_held_ask),
		       .run = on_held },
	[OUT_ACK] = { .from = FROM(QUEUE), .size = sizeof(struct out_ack), .run = on_ack },
};

void outbound_wired(struct chan *c)
{
	struct outbound *o = c->ctx;

	for (size_t i = 0; i < o->npool; i++) {
		struct delivery *d = &o->pool[i];

		if (d->busy && d->token.generation != c->generation && !delivery_past_dot(d))
			delivery_drop(d);
	}
}

void outbound_init(struct outbound *o, struct loop *l, struct chan *dns, size_t pool,
		   bool keeps)
{
	struct slice to = slice_of(CONFIG_FORWARD_TO);

	*o = (struct outbound){
		.loop = l,
		.dns = dns,
		.keeps = keeps,
		.port = OUTBOUND_PORT,
		.self = slice_of(CONFIG_SMTPD_HOSTNAME),
		.pinned_domain = slice_from(to, slice_rfind(to, '@') + 1),
		.pinned_hosts = slice_of(CONFIG_FORWARD_MX),
		.npool = pool,
		.pool = arena_reserve(pool * sizeof *o->pool),
		.head = arena_reserve(ENV_HEAD_MAX),
	};
	held_init(&o->held);
	for (size_t i = 0; i < pool; i++) {
		struct delivery *d = &o->pool[i];

		d->owner = o;
		d->next.fd = d->stream.watch.fd = d->letter.text = d->letter.head = -1;
	}
}

void outbound_anchors(struct outbound *o, int fd)
{
	enum { PEM_MAX = 128 * 1024 };
	uint8_t *pem = arena_reserve(PEM_MAX);
	struct logline l;
	size_t line, n = 0;
	ssize_t got;

	while (fd >= 0 && n < PEM_MAX && (got = pread(fd, pem + n, PEM_MAX - n, (off_t)n)) > 0)
		n += (size_t)got;
	log_begin(&l, "anchors");
	if (!tls_anchors_load(&o->anchors, (struct slice){ pem, n }, &line)) {
		o->anchors.n = 0;
		log_num(&l, "bad_line", (int64_t)line);
	}
	log_num(&l, "count", (int64_t)o->anchors.n);
	log_send(&l);
}

void outbound_serve(struct outbound *o, struct proc *p)
{
	proc_serve(p, outbound_rules, OUT_TYPES, o);
	for (size_t i = 0; i < p->nchan; i++)
		if (p->chan[i].rules == outbound_rules)
			p->chan[i].wired = outbound_wired;
}
