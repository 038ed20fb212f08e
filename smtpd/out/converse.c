/* SPDX-License-Identifier: ISC */
#include "smtpd/out/delivery.h"

/*
 * NOTES: one letter on a connection that is ready for it. With `pipelined` MAIL, RCPT and DATA went out together and
 * their replies come one after the other. Each recipient gets its own verdict (targets.h): no to MAIL is that of all,
 * no to RCPT that of one, the answer to the final dot that of those who are left. Who got 452 is asked again in a
 * transaction of its own after the others have the letter.
 */
enum { CHUNK = 4096 };

static const struct slice nothing = { NULL, 0 };

static bool is_refusal(const struct peer *p)
{
	return p->reply.code >= 400;
}

static bool said_yes(const struct peer *p)
{
	return reply_verdict(&p->reply) == V_OK;
}

/* ---- what is said ---- */

static void say_parameter(struct peer *p, struct slice name, struct slice value)
{
	if (!value.n)
		return;
	peer_say(p, name);
	peer_say(p, value);
}

static void say_mail(struct peer *p)
{
	const struct outletter *l = &p->d->letter;

	peer_say(p, SLICE("MAIL FROM:<"));
	peer_say(p, l->sender);
	peer_say(p, SLICE(">"));
	if (p->caps & REPLY_SIZE) {
		peer_say(p, SLICE(" SIZE="));
		buf_dec(&p->stream.out, outletter_size(l));
	}
	if (l->eight && p->caps & REPLY_8BITMIME)
		peer_say(p, SLICE(" BODY=8BITMIME"));
	if (l->utf8)
		peer_say(p, SLICE(" SMTPUTF8"));
	if (p->caps & REPLY_DSN) {
		say_parameter(p, SLICE(" RET="), l->ret);
		say_parameter(p, SLICE(" ENVID="), l->envid);
	}
	peer_say(p, SLICE("\r\n"));
}

/* The next recipient. False: there is none, or `out` has no room for it: then it waits for another transaction. */
static bool say_rcpt(struct peer *p)
{
	struct targets *to = &p->d->to;
	unsigned i = p->nasked ? p->asked[p->nasked - 1] + 1u : 0;
	const struct outrcpt *r;

	while (i < to->n && to->t[i].state != TARGET_OPEN)
		i++;
	if (i == to->n || buf_room(&p->stream.out) < OUTLETTER_RCPT)
		return false;
	r = &p->d->letter.rcpt[i];
	to->t[i].state = TARGET_ASKED;
	p->asked[p->nasked++] = (uint8_t)i;
	peer_say(p, SLICE("RCPT TO:<"));
	peer_say(p, r->path);
	peer_say(p, SLICE(">"));
	if (p->caps & REPLY_DSN) {
		say_parameter(p, SLICE(" NOTIFY="), r->notify);
		say_parameter(p, SLICE(" ORCPT="), r->orcpt);
	}
	peer_say(p, SLICE("\r\n"));
	return true;
}

/* What the destination cannot take as it is, is not changed (RFC 6152 3, RFC 6531 3.6, RULES F12). */
static bool takes(struct peer *p)
{
	struct outcome *o = &p->d->outcome;
	struct outletter *l = &p->d->letter;
	struct slice host = slice_of(p->host);

	if (p->limit && outletter_size(l) > p->limit)
		outcome_own(o, 552, 3, 4, "larger than the destination takes", host);
	else if (l->utf8 && !(p->caps & REPLY_SMTPUTF8))
		outcome_own(o, 550, 6, 7, "the destination takes no SMTPUTF8 letters", host);
	else if (!(p->caps & REPLY_8BITMIME) && outletter_eight(l))
		outcome_own(o, 554, 6, 3, "the destination takes no 8-bit letters", host);
	else
		return true;
	return false;
}

void converse_begin(struct peer *p)
{
	if (!takes(p)) {
		peer_quit(p);
		return;
	}
	p->d->dead = false;
	p->heard = false;
	p->pipelined = p->caps & REPLY_PIPELINING;
	p->nasked = p->nsaid = 0;
	say_mail(p);
	if (p->pipelined) {
		while (say_rcpt(p))
			;
		peer_say(p, SLICE("DATA\r\n"));
	}
	peer_go(p, STEP_MAIL);
}

/* ---- the envelope's answers ---- */

static void end_missing(struct delivery *d)
{
	targets_end(&d->to, TARGETS_LATER, NULL);
	targets_end(&d->to, TARGETS_MISSING, &d->outcome);
}

/* No to MAIL or DATA: the verdict of all who have none. 421: the connection is about to close. False: it is of no
 * more use. */
static bool refuse_all(struct peer *p)
{
	peer_said(p);
	if (!is_refusal(p) || p->reply.code == 421) {
		p->d->dead |= p->step == STEP_MAIL;
		peer_give_up(p);
		return false;
	}
	end_missing(p->d);
	return true;
}

void converse_mail(struct peer *p)
{
	if (!said_yes(p)) {
		if (!refuse_all(p))
			return;
		if (!p->pipelined) {
			peer_quit(p);
			return;
		}
	}
	if (!p->pipelined)
		say_rcpt(p);
	peer_go(p, STEP_RCPT);
}

static void judge_rcpt(struct peer *p, struct target *t)
{
	if (t->state != TARGET_ASKED) /* MAIL was refused */
		return;
	if (said_yes(p)) {
		t->state = TARGET_YES;
		return;
	}
	outcome_said(&t->outcome, &p->reply, p->host);
	if (p->reply.code == 452)
		t->state = TARGET_LATER;
	else
		target_end(t, &t->outcome);
}

void converse_rcpt(struct peer *p)
{
	struct targets *to = &p->d->to;

	if (!said_yes(p) && (!is_refusal(p) || p->reply.code == 421)) {
		peer_said(p);
		peer_give_up(p);
		return;
	}
	judge_rcpt(p, &to->t[p->asked[p->nsaid++]]);
	if (p->nsaid < p->nasked || (!p->pipelined && say_rcpt(p))) {
		peer_go(p, STEP_RCPT);
	} else if (p->pipelined) {
		peer_go(p, STEP_DATA);
	} else if (targets_count(to, TARGETS_YES)) {
		peer_say(p, SLICE("DATA\r\n"));
		peer_go(p, STEP_DATA);
	} else {
		peer_quit(p);
	}
}

/* ---- the text ---- */

/* The next octets of the letter. False: they cannot be read. */
static bool pump_some(struct peer *p, struct buf *out)
{
	struct outletter *l = &p->d->letter;
	uint8_t scratch[CHUNK];
	struct slice in, was;

	if (!outletter_get(l, p->sent, scratch, sizeof scratch, &in))
		return false;
	was = in;
	dot_stuff(&p->dot, &in, out);
	p->sent += was.n - in.n;
	return true;
}

void converse_pump(struct peer *p)
{
	enum { ROOM_MIN = 512 };
	uint64_t size = outletter_size(&p->d->letter), before = p->sent;
	struct buf *out = &p->stream.out;

	while (!p->dot.bad && buf_room(out) >= ROOM_MIN && p->sent < size)
		p->dot.bad |= !pump_some(p, out);
	if (p->sent == size && buf_room(out) >= ROOM_MIN && dot_stuff_end(&p->dot, out)) {
		targets_busy(&p->d->to);
		peer_go(p, STEP_FINAL);
	} else if (p->dot.bad) { /* no dot is sent, so the destination forgets it */
		outcome_own(&p->d->outcome, 554, 6, 0, "the letter is not CRLF text", nothing);
		peer_give_up(p);
	} else if (p->sent > before) {
		peer_go(p, STEP_TEXT);
	}
}

void converse_data(struct peer *p)
{
	bool ready = p->reply.code == 354;

	if (!targets_count(&p->d->to, TARGETS_YES)) {
		if (ready) /* RFC 2920 3.1: a 354 after refusals is answered with nothing */
			peer_say(p, SLICE(".\r\n"));
		peer_quit(p);
		return;
	}
	if (!ready) {
		if (refuse_all(p))
			peer_quit(p);
		return;
	}
	p->sent = 0;
	p->dot = (struct dot_out){ 0 };
	peer_go(p, STEP_TEXT);
	if (p->stream.in.len) /* an answer to what was not sent yet */
		peer_fail(p, 5, 0, "reply out of place");
	else
		converse_pump(p);
}

/* A reply in the middle of the text: the destination wants no more of it. */
void converse_text(struct peer *p)
{
	peer_said(p);
	peer_give_up(p);
}

/* The destination promised DSN and has the letter: reports are its duty from now on. */
static void mark_dsn(struct peer *p)
{
	struct targets *to = &p->d->to;

	for (unsigned i = 0; i < to->n; i++)
		if (p->caps & REPLY_DSN && said_yes(p) && to->t[i].state == TARGET_YES)
			to->t[i].flags |= OUT_DSN;
}

/* Nobody waits for more when the requester was restarted: what is left is asked for again. */
static bool wanted(const struct delivery *d)
{
	return d->token.generation == d->token.chan->generation;
}

void converse_final(struct peer *p)
{
	struct delivery *d = p->d;

	peer_said(p);
	mark_dsn(p);
	targets_end(&d->to, TARGETS_YES, &d->outcome);
	if (said_yes(p) && wanted(d) && targets_count(&d->to, TARGETS_OPEN | TARGETS_LATER)) {
		targets_move(&d->to, TARGET_LATER, TARGET_OPEN);
		converse_begin(p);
	} else if (p->reply.code == 421) {
		peer_quit(p);
	} else {
		peer_keep(p);
	}
}
