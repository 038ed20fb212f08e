/* SPDX-License-Identifier: ISC */
#include "smtpd/out/outbound.h"

#include <string.h>
#include <unistd.h>

#include "smtpd/lib/arena.h"
#include "smtpd/lib/log.h"
#include "smtpd/lib/memfd.h"
#include "smtpd/out/turns.h"
#include "smtpd/proto/envelope.h"
#include "smtpd/proto/mxname.h"

static const struct slice nothing = { NULL, 0 };

void outbound_answer(struct outbound *o, const struct token *t, struct slice host,
		     const char *policy, const struct targets *to, const struct shape_op *who)
{
	struct buf b = { .p = o->head, .cap = OUT_RESULT_TAIL };
	struct out_result m = { .op = mxname_operator(host), .host_len = (uint8_t)host.n };
	struct slice word = slice_head(slice_of(policy), sizeof m.policy);

	memcpy(m.policy, word.p, word.n);
	if (who) {
		m.op = who->key;
		m.stop_ms = (uint32_t)shape_left(who, o->loop->now);
	}
	buf_put(&b, host);
	for (unsigned i = 0; i < to->n; i++)
		outcome_put(&to->t[i].outcome, to->t[i].flags, &b);
	chan_answer(t, &m, sizeof m, buf_slice(&b));
}

static struct delivery *free_place(struct outbound *o)
{
	for (size_t i = 0; i < o->npool; i++)
		if (!o->pool[i].busy)
			return &o->pool[i];
	return NULL;
}

/* What is known of this recipient already: the queue asks again for what it does not know to be finished. */
static void find_target(struct outbound *o, uint64_t seq, struct target *t)
{
	struct out_held *row = held_find(&o->held, seq, t->index);
	struct outcome *out = &t->outcome;

	if (!row) {
		t->row = held_take(&o->held, seq, t->index);
		if (t->row)
			return;
		outcome_own(out, 451, 3, 2, "too many deliveries at once", nothing);
	} else if (row->state != HELD_RESULT) {
		outcome_own(out, 451, 3, 2, "this delivery is still under way", nothing);
	} else {
		outcome_own(out, row->code, row->enhanced[1], row->enhanced[2],
			    "answered before", nothing);
	}
	t->state = TARGET_DONE;
}

/* False: the tail is no list of recipients. */
static bool take_targets(struct outbound *o, const struct call *c, struct targets *to)
{
	const struct out_deliver *m = c->msg;
	size_t size = sizeof to->t->index;

	to->n = 0;
	if (!c->tail.n || c->tail.n % size)
		return false;
	for (; to->n < c->tail.n / size; to->n++) {
		struct target *t = &to->t[to->n];

		t->row = NULL;
		t->state = TARGET_OPEN;
		t->flags = 0;
		memcpy(&t->index, c->tail.p + to->n * size, size);
		/* results are held until a queue has acknowledged them */
		if (c->from != P_CHECK_MX)
			find_target(o, m->seq, t);
	}
	return true;
}

static void refuse(struct outbound *o, const struct call *c, struct targets *to, uint8_t detail,
		   const char *why)
{
	struct outcome out;

	outcome_own(&out, 451, 3, detail, why, nothing);
	targets_end(to, TARGETS_MISSING, &out);
	outbound_answer(o, &c->token, nothing, "", to, NULL);
	targets_drop(to);
}

static void on_deliver(void *ctx, struct call *c)
{
	static struct targets
		none; /* scratch, as large as a delivery's: without a place there is no other */
	struct outbound *o = ctx;
	const struct out_deliver *m = c->msg;
	int64_t ms = c->from == P_CHECK_MX && m->ms < OUT_MX_MS ? m->ms : OUT_MX_MS;
	struct delivery *d = free_place(o);
	struct targets *to = d ? &d->to : &none;

	if (o->sub)
		ms = DELIVERY_SUB_MS;
	memfd_mark(c->fd[0], true);
	if (!take_targets(o, c, to)) {
		chan_fail(&c->token);
	} else if (!targets_count(to, TARGETS_MISSING)) {
		outbound_answer(o, &c->token, nothing, "", to, NULL);
		targets_drop(to);
	} else if (!d) {
		refuse(o, c, to, 2, "too many deliveries at once");
	} else if (!outletter_open(&d->letter, m, c->fd, to->n, o->head)) {
		log_event("badletter", "peer", proc_name((enum proc_id)c->from));
		refuse(o, c, to, 0, "the letter cannot be read");
	} else {
		delivery_begin(d, &c->token, ms);
	}
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
	struct out_acked done = { 0 };
	struct slice rest = c->tail;

	for (; rest.n >= sizeof(struct out_ack_row);
	     rest = slice_from(rest, sizeof(struct out_ack_row))) {
		struct out_ack_row r;
		struct out_held *row;

		memcpy(&r, rest.p, sizeof r);
		row = held_find(&o->held, r.seq, r.rcpt);
		if (row && row->state == HELD_RESULT)
			held_drop(row);
	}
	chan_answer(&c->token, &done, sizeof done, nothing);
}

#define FROM(p) (1u << P_##p)
#define QUEUES	(FROM(QUEUE) | FROM(QUEUE_MX))

const struct rule outbound_rules[OUT_TYPES] = {
	[OUT_DELIVER] = { .from = FROM(CHECK_MX) | QUEUES,
			  .size = sizeof(struct out_deliver),
			  .tail_max = OUT_RCPTS * sizeof(uint32_t),
			  .nfd = 2,
			  .run = on_deliver },
	[OUT_HELD] = { .from = QUEUES, .size = sizeof(struct out_held_ask), .run = on_held },
	[OUT_ACK] = { .from = QUEUES,
		      .size = sizeof(struct out_ack),
		      .tail_max = OUT_ACKS * sizeof(struct out_ack_row),
		      .run = on_ack },
	[OUT_STOP] = { .from = FROM(CHECK_MX),
		       .size = sizeof(struct out_stop),
		       .tail_max = OUT_STOPS * sizeof(struct out_stop_row),
		       .run = turns_stop },
};

void outbound_wired(struct chan *c)
{
	struct outbound *o = c->ctx;

	for (size_t i = 0; i < o->npool; i++) {
		struct delivery *d = &o->pool[i];

		if (d->busy && d->token.chan == c && d->token.generation != c->generation &&
		    !delivery_past_dot(d))
			delivery_drop(d);
	}
}

void outbound_init(struct outbound *o, struct loop *l, struct chan *dns, size_t pool, bool sub)
{
	struct slice to = slice_of(CONFIG_FORWARD_TO);

	*o = (struct outbound){
		.loop = l,
		.dns = dns,
		.sub = sub,
		.port = OUTBOUND_PORT,
		.self = slice_of(CONFIG_SMTPD_HOSTNAME),
		.pinned_domain = slice_from(to, slice_rfind(to, '@') + 1),
		.pinned_hosts = slice_of(CONFIG_FORWARD_MX),
		.npool = pool,
		.pool = arena_reserve(pool * sizeof *o->pool),
		.peers = arena_reserve(pool * sizeof *o->peers),
		.keep_ms = CONFIG_OUT_KEEP * 1000,
		.head = arena_reserve(ENV_HEAD_MAX),
	};
	o->private_ok = o->self_ok = ON(CONFIG_OUT_PRIVATE);
	o->families = (ON(CONFIG_OUT_IPV6) ? 0 : OUTBOUND_IPV4) |
		      (ON(CONFIG_OUT_IPV4) ? 0 : OUTBOUND_IPV6);
	ownaddr_init(&o->own, dns);
	sessions_init(&o->sessions);
	o->policy =
		(struct policy_env){ .dns = dns, .pinned = &o->anchors, .public = &o->public };
	held_init(&o->held);
	turns_init(o);
	for (size_t i = 0; i < pool; i++) {
		struct delivery *d = &o->pool[i];

		d->owner = o->peers[i].owner = o;
		d->next.fd = o->peers[i].stream.watch.fd = -1;
		d->letter.text = d->letter.head = -1;
	}
}

void outbound_smarthost(struct outbound *o, struct chan *auth)
{
	o->smarthost = slice_of(CONFIG_SMARTHOST_HOST);
	o->smartport = CONFIG_SMARTHOST_PORT;
	o->smart_tls = o->smartport == OUTBOUND_SMTPS;
	o->auth = auth;
}

void outbound_serve(struct outbound *o, struct proc *p)
{
	proc_serve(p, outbound_rules, OUT_TYPES, o);
	for (size_t i = 0; i < p->nchan; i++)
		if (p->chan[i].rules == outbound_rules)
			p->chan[i].wired = outbound_wired;
}
