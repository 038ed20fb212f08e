/* SPDX-License-Identifier: ISC */
#include "smtpd/check/check.h"

#include <string.h>
#include <time.h>

#include "smtpd/lib/memfd.h"
#include "smtpd/lib/owner.h"
#include "smtpd/msg/out.h"
#include "smtpd/msg/queue.h"

/*
 * NOTES: a letter that is judged and rewritten goes to each of its destinations at once, and one answer is made of
 * theirs: all 2xx is 250, any 4xx is 451, all 5xx is 5xx; 2xx and 5xx are 250, and postmaster is told.
 * All legs go to out.mx in the order in which they were ready; one that finds it full or being restarted waits, for
 * ROOM_MS. What it waited here, and for the judge, is taken off the time that out.mx has for it: OUT_MX_MS from the
 * dot in all (RULES P3).
 *
 * A letter that is to come again is not delivered twice (seen.h): with 451 what arrived is kept, and with 250 all is
 * when the client may not have heard it.
 *
 * With FORWARD_SPOOL a leg that may do better later is offered to queue.mx, and one that it took counts as delivered. A
 * letter that was inside when out.mx died is not: it would die of it again.
 *
 *   legs_start ── hand_over ── on_delivered ─┬─ conclude
 *                                            └─ spool ── on_spooled ── conclude
 */
static const struct want want_delivered = { OUT_DELIVER, sizeof(struct out_result),
					    OUT_RESULT_TAIL };
static const struct want want_kept = { QUEUE_LETTER, sizeof(struct answer), ANSWER_TEXT };

static bool make_head(struct leg *leg);

void legs_drop(struct job *j)
{
	for (struct leg *leg = j->leg; leg < j->leg + j->nlegs; leg++) {
		ask_drop(&leg->ask);
		memfd_close(&leg->head);
	}
	j->nlegs = 0;
}

static struct slice domain_of(struct slice address)
{
	return slice_from(address, slice_rfind(address, '@') + 1);
}

bool legs_stopped(const struct check *c, struct slice domain)
{
	return stops_left(&c->stops, domain, c->proc.loop.now) > 0;
}

static void end_leg(struct leg *leg, const struct answer *a, struct slice text)
{
	text = slice_head(text, sizeof leg->text);
	leg->answer = *a;
	leg->text_n = (uint16_t)text.n;
	memcpy(leg->text, text.p, text.n);
	leg->waits = 0;
	memfd_close(&leg->head);
}

static void end_own(struct leg *leg, const struct say *s, uint8_t flags)
{
	struct answer a = { .code = s->code, .flags = flags };

	memcpy(a.enhanced, s->enhanced, sizeof a.enhanced);
	end_leg(leg, &a, slice_of(s->text));
}

void legs_add(struct job *j, struct slice sender, struct slice to)
{
	static const struct say before = { 250, { 2, 6, 0 }, "Delivered before" };
	struct leg *leg;

	if (j->nlegs == LEGS)
		return; /* the map's maker allows no more */
	leg = &j->leg[j->nlegs++];
	*leg = (struct leg){ .job = j, .to = to, .head = -1 };
	seen_print(sender, j->sha256, to, leg->print);
	if (seen_find(&j->check->seen, leg->print, j->time))
		end_own(leg, &before, 0);
}

static struct slice text_of(const struct leg *leg)
{
	return (struct slice){ leg->text, leg->text_n };
}

/* The leg whose answer is the letter's: one that may do better later, with a crash first; else one that arrived; else
 * the first. NULL: some are under way. *partly: some arrived, and others never will. */
static struct leg *decisive(struct job *j, bool *partly)
{
	struct leg *later = NULL, *good = NULL;
	bool bad = false;

	for (struct leg *leg = j->leg; leg < j->leg + j->nlegs; leg++) {
		unsigned class = leg->answer.code / 100;

		if (!class || leg->spooling)
			return NULL;
		if (class == 2)
			good = good ? good : leg;
		else if (class == 5)
			bad = true;
		else if (!later || (leg->answer.flags & ANSWER_CRASHED))
			later = leg;
	}
	*partly = !later && good && bad;
	return later ? later : good ? good : j->leg;
}

/* What the sender may bring again though it arrived. */
static void remember(struct job *j, struct answer *a)
{
	struct seen *s = &j->check->seen;
	const struct token *t = &j->token;
	bool good = a->code / 100 == 2,
	     gone = t->chan->watch.fd < 0 || t->generation != t->chan->generation;
	int64_t now = time(NULL);

	if (a->code / 100 == 5 || !t->generation || t->type == CHECK_REPORT)
		return;
	a->route = good && !gone ? seen_number(s) : 0;
	for (const struct leg *leg = j->leg; leg < j->leg + j->nlegs; leg++)
		if (a->route)
			seen_note(s, a->route, leg->print, j->check->proc.loop.now);
		else if (good || leg->answer.code / 100 == 2)
			seen_add(s, leg->print, now);
}

/* A letter that a destination took, and no other: nobody spends what is another's by words alone. */
static void count(struct job *j)
{
	struct check *c = j->check;

	for (int i = 0; i < CHECK_RATES; i++)
		if (j->rate_key[i][0])
			rates_count(&c->rates, j->rate_key[i], c->proc.loop.now, c->hourly[i]);
}

/* The last of them has ended: the letter's answer. False: some have not. */
static bool conclude(struct job *j)
{
	struct check *c = j->check;
	uint8_t mem[NOTICE];
	struct buf notice = BUF(mem);
	bool partly;
	struct leg *leg = decisive(j, &partly);

	if (!leg)
		return false;
	partly = partly && !j->returned;
	if (partly)
		notice_put(j, &notice);
	remember(j, &leg->answer);
	if (leg->answer.code / 100 == 2)
		count(j);
	job_pass(j, &leg->answer, text_of(leg), false);
	if (partly)
		notice_send(c, &notice);
	return true;
}

bool legs_before(struct job *j)
{
	return conclude(j);
}

static void on_spooled(struct ask *a, const void *reply, struct slice tail)
{
	struct leg *leg = OWNER(struct leg, ask, a);
	struct job *j = leg->job;
	struct check *c = j->check;
	const struct answer *m = reply;

	leg->spooling = false;
	c->spools = m && m->code / 100 == 2;
	if (c->spools) {
		log_num(&j->log, "spooled", leg->answer.code);
		end_leg(leg, m, tail);
		leg->answer.route = 0;
	} else if (!m && !chan_wired(c->spool)) {
		leg->answer.flags |= ANSWER_CRASHED;
	}
	conclude(j);
}

/* A leg has its answer. True: queue.mx is asked to keep the letter for it, and the answer waits for that. */
static bool spool(struct leg *leg)
{
	struct job *j = leg->job;
	struct check *c = j->check;
	struct queue_letter m = { .text_size = j->size };
	int fd[MSG_FDS];

	if (!c->spool || j->returned || leg->answer.code / 100 != 4 ||
	    (leg->answer.flags & ANSWER_CRASHED) || !make_head(leg))
		return false;
	fd[0] = j->text;
	fd[1] = leg->head;
	leg->ask.done = on_spooled;
	leg->spooling = chan_ask(c->spool, &leg->ask, &m, sizeof m, SLICE(""), fd, 2,
				 &want_kept, SPOOL_MS);
	memfd_close(&leg->head);
	return leg->spooling;
}

/* What became of one leg, for the letter's line; where there are several each says whose that is. */
static void log_leg(struct leg *leg, const struct out_result *r, struct slice host)
{
	struct logline *l = &leg->job->log;

	if (leg->job->nlegs > 1)
		log_bytes(l, "leg", leg->to);
	log_bytes(l, "mx", host);
	log_bytes(l, "tls",
		  (struct slice){ (const uint8_t *)r->policy,
				  strnlen(r->policy, sizeof r->policy) });
	log_num(l, "out", leg->job->check->proc.loop.now - leg->handed);
}

static void on_delivered(struct ask *a, const void *reply, struct slice tail)
{
	struct leg *leg = OWNER(struct leg, ask, a);
	struct check *c = leg->job->check;
	const struct out_result *r = reply;
	struct cur in = CUR(tail);
	struct answer m = { 0 };
	struct out_verdict v;
	struct slice text;

	if (r) {
		log_leg(leg, r, cur_take(&in, r->host_len));
		stops_learn(&c->stops, domain_of(leg->to), r->op, r->stop_ms, c->proc.loop.now);
	}
	if (r && out_verdict_take(&in, &v, &text)) {
		m.code = v.code;
		memcpy(m.enhanced, v.enhanced, sizeof m.enhanced);
		end_leg(leg, &m, text);
	} else {
		/* No wire to out means that it died with the letter inside; a late answer does not, nor does one whose
		 * turn had not come. */
		bool inside = !chan_wired(c->down) && memfd_marked(leg->job->text);

		end_own(leg, &say_trouble, inside ? ANSWER_CRASHED : 0);
	}
	if (!spool(leg))
		conclude(leg->job);
	legs_more(c);
}

static void hand_over(struct leg *leg)
{
	struct job *j = leg->job;
	int64_t now = j->check->proc.loop.now;
	struct out_deliver m = { .text_size = j->size,
				 .ms = (uint32_t)(OUT_MX_MS - (now - j->taken) -
						  (j->check->spool ? SPOOL_MS : 0)) };
	static const uint32_t index = 0;
	struct slice tail = { (const uint8_t *)&index, sizeof index };
	int fd[MSG_FDS] = { j->text, leg->head };

	leg->ask.done = on_delivered;
	leg->handed = now;
	if (chan_ask(j->check->down, &leg->ask, &m, sizeof m, tail, fd, 2, &want_delivered,
		     DOWN_MS)) {
		leg->waits = 0;
		memfd_close(&leg->head);
	}
}

/* Its own head: a destination does not see the others. False: no memory now. */
static bool make_head(struct leg *leg)
{
	struct job *j = leg->job;
	size_t before = j->env.len;
	struct slice named = { j->address, j->address_n };
	uint8_t mem[2 * PATH_OCTETS + 64];
	struct buf field = BUF(mem);
	bool ok;

	envelope_put(&j->env, ENV_RCPT, leg->to);
	if (!j->returned) {
		envelope_put(&j->env, ENV_ORIGINAL, named);
		buf_put(&field, SLICE("Delivered-To: "));
		buf_put(&field, named);
		buf_put(&field, SLICE("\r\nX-Forwarded-To: "));
		buf_put(&field, leg->to);
		buf_put(&field, SLICE("\r\n"));
	}
	ok = !field.bad && letter_head(j, buf_slice(&field));
	j->env.len = before;
	leg->head = j->head;
	j->head = -1;
	return ok;
}

void legs_start(struct job *j)
{
	struct check *c = j->check;

	memfd_mark(j->text, false); /* out.mx marks it when it begins */
	for (struct leg *leg = j->leg; leg < j->leg + j->nlegs; leg++)
		if (leg->answer.code)
			continue;
		else if (make_head(leg))
			leg->waits = c->proc.loop.now;
		else
			end_own(leg, &say_trouble, 0);
	if (!conclude(j))
		legs_more(c);
}

/* The one that has waited longest. NULL: none waits. */
static struct leg *first_waiting(struct check *c)
{
	struct leg *first = NULL;

	for (struct job *j = c->jobs; j < c->jobs + JOBS; j++)
		for (struct leg *leg = j->leg; leg < j->leg + j->nlegs; leg++)
			if (leg->waits && (!first || leg->waits < first->waits))
				first = leg;
	return first;
}

void legs_more(struct check *c)
{
	struct leg *leg;

	while ((leg = first_waiting(c)) && c->proc.loop.now - leg->waits >= ROOM_MS) {
		end_own(leg, &say_busy, 0); /* front will not wait for the end of it */
		if (!spool(leg))
			conclude(leg->job);
	}
	while (chan_ready(c->down) && (leg = first_waiting(c))) {
		hand_over(leg);
		if (leg->waits)
			break;
	}
	leg = first_waiting(c);
	c->room.due = leg ? leg->waits + ROOM_MS : LOOP_NEVER;
}

static void on_room(struct watch *w, short got)
{
	(void)got;
	legs_more(OWNER(struct check, room, w));
}

void legs_init(struct check *c)
{
	c->room = (struct watch){ .fd = -1, .due = LOOP_NEVER, .ready = on_room };
	loop_add(&c->proc.loop, &c->room);
}

static void on_told(struct ask *a, const void *reply, struct slice tail)
{
	struct stops *s = OWNER(struct stops, ask, a);

	(void)reply;
	(void)tail;
	legs_more(OWNER(struct check, stops, s));
}

void legs_wired(struct check *c)
{
	static const struct want want = { OUT_STOP, sizeof(struct out_stopped), 0 };
	uint8_t bytes[OUT_STOPS * sizeof(struct out_stop_row)];
	struct buf b = BUF(bytes);
	struct out_stop m = { 0 };

	stops_put(&c->stops, c->proc.loop.now, &b);
	c->stops.ask.done = on_told;
	if (b.len)
		chan_ask(c->down, &c->stops.ask, &m, sizeof m, buf_slice(&b), NULL, 0, &want,
			 DOWN_MS);
	legs_more(c);
}
