/* SPDX-License-Identifier: ISC */
#include "smtpd/out/turns.h"

#include <string.h>

#include "smtpd/lib/log.h"
#include "smtpd/lib/memfd.h"
#include "smtpd/lib/owner.h"
#include "smtpd/proto/mxname.h"

static const struct slice nothing = { NULL, 0 };

/* Whoever may leave the line does, with the next round: never inside of another letter's callback. */
static void soon(struct outbound *o)
{
	o->line.due = o->loop->now;
	loop_add(o->loop, &o->line);
}

/* A mailbox as Gmail has them, without tag and dots. Elsewhere two may count as one: rather too much. */
static uint64_t box_key(struct slice address)
{
	size_t at = slice_rfind(address, '@');
	struct slice local = slice_head(address, at);
	uint64_t h = SLICE_HASH;

	local = slice_head(local, slice_find(local, '+'));
	for (size_t i = 0; i < local.n; i++)
		if (local.p[i] != '.')
			h = slice_hash(h, (struct slice){ local.p + i, 1 });
	return slice_hash(h, slice_from(address, at));
}

static void put_off(struct delivery *d)
{
	outcome_own(&d->outcome, 451, 4, 5,
		    d->turn.word == SHAPE_STOPPED
			    ? "the destination told us to send nothing for now"
			    : "too many letters wait for the destination",
		    d->letter.domain);
	d->dead = false;
	delivery_answer(d);
}

static void on_line(struct watch *w, short got)
{
	struct outbound *o = OWNER(struct outbound, line, w);
	struct turn *t;

	(void)got;
	loop_drop(o->loop, w);
	while ((t = shape_next(&o->shape, o->loop->now, &w->due))) {
		struct delivery *d = OWNER(struct delivery, turn, t);

		memfd_mark(d->letter.text, true);
		if (t->word == SHAPE_GOES)
			delivery_go(d);
		else
			put_off(d);
	}
	if (w->due != LOOP_NEVER)
		loop_add(o->loop, w);
}

void turns_init(struct outbound *o)
{
	o->line = (struct watch){ .fd = -1, .ready = on_line };
	if (!o->sub)
		shape_init(&o->shape);
}

bool turns_wait(struct delivery *d, struct slice host)
{
	struct outbound *o = d->owner;

	if (o->sub || d->turn.word == SHAPE_GOES)
		return false;
	memfd_mark(d->letter.text,
		   false); /* if this process dies meanwhile, it was not by this letter */
	shape_enter(&o->shape, &d->turn, mxname_operator(host), box_key(d->letter.rcpt[0].path),
		    o->loop->now);
	soon(o);
	return true;
}

static void log_pause(const struct delivery *d, const struct outcome *said)
{
	bool alarm = said->means.class == GMAIL_REPUTATION;
	struct logline l;

	log_begin(&l, alarm ? "alarm" : "paused");
	log_bytes(&l, "domain", d->letter.domain);
	log_text(&l, "why", alarm ? "refused for our reputation" : "told to slow down");
	if (alarm)
		log_num(&l, "refusals", d->turn.op->refused);
	log_num(&l, "s", OUT_RATE_MS / 1000);
	log_text(&l, "remedy", said->means.remedy);
	log_bytes(&l, "reply", outcome_text(said));
	log_send(&l);
}

void turns_learn(struct delivery *d)
{
	const struct outcome *said =
		&d->to.t[0].outcome; /* this lane has one recipient a letter */

	if (d->turn.word != SHAPE_GOES)
		return;
	if (shape_end(&d->owner->shape, &d->turn, said->means.class, d->owner->loop->now))
		log_pause(d, said);
	soon(d->owner);
}

void turns_leave(struct delivery *d)
{
	shape_leave(&d->turn);
}

void turns_stop(void *ctx, struct call *c)
{
	struct outbound *o = ctx;
	struct out_stopped done = { 0 };
	struct out_stop_row row;
	struct cur in = CUR(c->tail);

	while (!cur_end(&in)) {
		struct slice s = cur_take(&in, sizeof row);

		if (in.bad)
			break;
		memcpy(&row, s.p, sizeof row);
		shape_stop(&o->shape, row.op, row.ms, o->loop->now);
	}
	soon(o);
	chan_answer(&c->token, &done, sizeof done, nothing);
}
