/* SPDX-License-Identifier: ISC */
#include "smtpd/out/delivery.h"

#include "smtpd/lib/owner.h"

/*
 * NOTES
 * `step` names the reply that is waited for. A reply that nobody waits for is a breach of RFC 5321 3: above all, no
 * 250 counts as the final one before the final dot was sent. With `pipelined` MAIL, RCPT and DATA went out together and
 * their replies come one after the other. Each recipient gets its own verdict (targets.h): no to MAIL is that of all,
 * no to RCPT that of one, the answer to the final dot that of those who are left. Who got 452 is asked again in a
 * transaction of its own after the others have the letter.
 * Until the final dot is sent the destination does not have the letter; from then on (STEP_FINAL) it may.
 */
enum { ROOM_MIN = 512, CHUNK = 4096, MINUTE = 60 * 1000, EARLY_MX_MS = MINUTE };

static const struct slice nothing = { NULL, 0 };

static void on_greeting(struct delivery *d);
static void on_ehlo(struct delivery *d);
static void on_helo(struct delivery *d);
static void on_starttls(struct delivery *d);
static void on_mail(struct delivery *d);
static void on_rcpt(struct delivery *d);
static void on_data(struct delivery *d);
static void on_text(struct delivery *d);
static void on_final(struct delivery *d);
static void on_quit(struct delivery *d);

/* Timeouts of RFC 5321 4.5.3.2. Up to the handshake a failure may be tried again elsewhere. */
static const struct {
	const char *name;
	int32_t ms;
	bool early;
	void (*reply)(struct delivery *); /* NULL: none is due */
} steps[] = {
	[STEP_NONE] = { "", 0, true, NULL },
	[STEP_GREETING] = { "greeting", 5 * MINUTE, true, on_greeting },
	[STEP_EHLO] = { "EHLO", 5 * MINUTE, true, on_ehlo },
	[STEP_HELO] = { "HELO", 5 * MINUTE, true, on_helo },
	[STEP_STARTTLS] = { "STARTTLS", 5 * MINUTE, true, on_starttls },
	[STEP_HANDSHAKE] = { "TLS handshake", MINUTE, true, NULL },
	[STEP_SECURED] = { "EHLO", 5 * MINUTE, true, on_ehlo },
	[STEP_MAIL] = { "MAIL", 5 * MINUTE, false, on_mail },
	[STEP_RCPT] = { "RCPT", 5 * MINUTE, false, on_rcpt },
	[STEP_DATA] = { "DATA", 2 * MINUTE, false, on_data },
	[STEP_TEXT] = { "text", 3 * MINUTE, false, on_text },
	[STEP_FINAL] = { "final dot", 10 * MINUTE, false, on_final },
	[STEP_QUIT] = { "QUIT", DELIVERY_QUIT_MS, false, on_quit },
};

_Static_assert(sizeof steps / sizeof *steps == STEPS, "row missing");

/* The forward lane's sender waits: until a letter is under way it asks the next host earlier than RFC 5321 says. */
static void set_due(struct delivery *d)
{
	int64_t ms = steps[d->step].ms, left = d->deadline - d->owner->loop->now;

	if (!d->owner->keeps && steps[d->step].early && ms > EARLY_MX_MS)
		ms = EARLY_MX_MS;
	if (ms > left && d->step != STEP_QUIT)
		ms = left;
	stream_due(&d->stream, ms);
}

static void go(struct delivery *d, enum step step)
{
	d->step = step;
	set_due(d);
}

static void say(struct delivery *d, struct slice s)
{
	buf_put(&d->stream.out, s);
}

static void end_line(struct delivery *d)
{
	say(d, SLICE("\r\n"));
}

/* ---- endings ---- */

void converse_close(struct delivery *d)
{
	stream_close(&d->stream);
	d->step = STEP_NONE;
}

/* The verdict is known and the peer still listens. */
static void quit(struct delivery *d)
{
	delivery_answer(d);
	say(d, SLICE("QUIT\r\n"));
	go(d, STEP_QUIT);
}

/* The verdict is known and the connection is useless. */
static void give_up(struct delivery *d)
{
	if (!d->answered)
		delivery_answer(d);
	delivery_next(d);
}

/* The connection failed us, with d->outcome set: before MAIL another address may do. */
static void fail(struct delivery *d)
{
	if (steps[d->step].early)
		delivery_next(d);
	else
		give_up(d);
}

static void fail_own(struct delivery *d, uint8_t subject, uint8_t detail, const char *text)
{
	uint8_t where[MXLIST_NAME + 32];
	struct buf b = BUF(where);

	buf_put(&b, slice_of(delivery_host(d)));
	buf_put(&b, SLICE(" at "));
	buf_put(&b, slice_of(steps[d->step].name));
	outcome_own(&d->outcome, 451, subject, detail, text, buf_slice(&b));
	fail(d);
}

/* The handshake failed. Pinned: never in clear. Else once more without TLS, on a new connection. */
static void fail_tls(struct delivery *d, const char *why)
{
	if (!policy_must_tls(&d->policy) && !d->no_tls)
		d->no_tls = d->again = true;
	fail_own(d, 7, 5, why);
}

/* What the destination said becomes the outcome. Yes is one only to the final dot. */
static void said(struct delivery *d)
{
	if (d->step == STEP_FINAL || reply_verdict(&d->reply) != V_OK)
		outcome_said(&d->outcome, &d->reply, delivery_host(d));
	else
		outcome_own(&d->outcome, 451, 5, 0, "reply out of place",
			    slice_of(delivery_host(d)));
}

static bool is_refusal(const struct delivery *d)
{
	return d->reply.code >= 400;
}

/* ---- the beginning ---- */

static void hello(struct delivery *d, enum step step)
{
	say(d, step == STEP_HELO ? SLICE("HELO ") : SLICE("EHLO "));
	say(d, d->owner->self);
	end_line(d);
	go(d, step);
}

static void on_greeting(struct delivery *d)
{
	if (d->reply.code != 220) {
		said(d);
		fail(d);
		return;
	}
	hello(d, STEP_EHLO);
}

static void say_mail(struct delivery *d)
{
	struct outletter *l = &d->letter;

	say(d, SLICE("MAIL FROM:<"));
	say(d, (struct slice){ l->sender, l->sender_n });
	say(d, SLICE(">"));
	if (d->caps & REPLY_SIZE) {
		say(d, SLICE(" SIZE="));
		buf_dec(&d->stream.out, outletter_size(&d->letter));
	}
	if (l->eight && d->caps & REPLY_8BITMIME)
		say(d, SLICE(" BODY=8BITMIME"));
	end_line(d);
}

/* The next recipient. False: there is none, or `out` has no room for it: then it waits for another transaction. */
static bool say_rcpt(struct delivery *d)
{
	struct targets *to = &d->to;
	unsigned i = d->nasked ? d->asked[d->nasked - 1] + 1u : 0;

	while (i < to->n && to->t[i].state != TARGET_OPEN)
		i++;
	if (i == to->n || buf_room(&d->stream.out) < ROOM_MIN)
		return false;
	to->t[i].state = TARGET_ASKED;
	d->asked[d->nasked++] = (uint8_t)i;
	say(d, SLICE("RCPT TO:<"));
	say(d, outletter_rcpt(&d->letter, i));
	say(d, SLICE(">\r\n"));
	return true;
}

/* The connection is as good as it gets: the letter itself. */
static void begin_mail(struct delivery *d)
{
	if (d->limit && outletter_size(&d->letter) > d->limit) {
		outcome_own(&d->outcome, 552, 3, 4, "larger than the destination takes",
			    slice_of(delivery_host(d)));
		quit(d);
		return;
	}
	/* What the destination cannot take as it is, is not changed (RFC 6152 3, RULES F12). */
	if (!(d->caps & REPLY_8BITMIME) && outletter_eight(&d->letter)) {
		outcome_own(&d->outcome, 554, 6, 3, "the destination takes no 8-bit letters",
			    slice_of(delivery_host(d)));
		quit(d);
		return;
	}
	d->pipelined = d->caps & REPLY_PIPELINING;
	d->nasked = d->nsaid = 0;
	say_mail(d);
	if (d->pipelined) {
		while (say_rcpt(d))
			;
		say(d, SLICE("DATA\r\n"));
	}
	go(d, STEP_MAIL);
}

static void on_ehlo(struct delivery *d)
{
	bool tls = d->stream.secure;

	if (reply_verdict(&d->reply) != V_OK) {
		said(d);
		if (reply_verdict(&d->reply) == V_PERM && !policy_must_tls(&d->policy) && !tls)
			hello(d, STEP_HELO);
		else
			fail(d);
		return;
	}
	d->caps = d->reply.caps;
	d->limit = d->reply.size;
	if (!tls && d->caps & REPLY_STARTTLS && !d->no_tls) {
		say(d, SLICE("STARTTLS\r\n"));
		go(d, STEP_STARTTLS);
	} else if (!tls && policy_must_tls(&d->policy)) {
		fail_own(d, 7, 5, "STARTTLS is not offered");
	} else {
		begin_mail(d);
	}
}

static void on_helo(struct delivery *d)
{
	if (reply_verdict(&d->reply) != V_OK) {
		said(d);
		fail(d);
		return;
	}
	d->caps = 0;
	d->limit = 0;
	begin_mail(d);
}

static void on_starttls(struct delivery *d)
{
	if (d->reply.code != 220) {
		if (policy_must_tls(&d->policy))
			fail_own(d, 7, 5, "STARTTLS was refused");
		else
			begin_mail(d); /* RFC 3207 4: as if it had not been offered */
		return;
	}
	policy_tls(&d->policy, &d->tls, delivery_host(d));
	stream_tls(&d->stream, &d->tls);
	go(d, STEP_HANDSHAKE);
}

/* ---- the letter ---- */

static void say_empty(struct delivery *d)
{
	say(d,
	    SLICE(".\r\n")); /* RFC 2920 3.1: a 354 after refusals is answered with nothing */
	quit(d);
}

/* No to MAIL or DATA: the verdict of all who have none. 421: the connection is about to close. False: it is of no
 * more use. */
static bool refuse_all(struct delivery *d)
{
	said(d);
	if (!is_refusal(d) || d->reply.code == 421) {
		give_up(d);
		return false;
	}
	targets_end(&d->to, TARGETS_LATER, NULL);
	targets_end(&d->to, TARGETS_MISSING, &d->outcome);
	return true;
}

static void on_mail(struct delivery *d)
{
	if (reply_verdict(&d->reply) != V_OK) {
		if (!refuse_all(d))
			return;
		if (!d->pipelined) {
			quit(d);
			return;
		}
	}
	if (!d->pipelined)
		say_rcpt(d);
	go(d, STEP_RCPT);
}

static void judge_rcpt(struct delivery *d, struct target *t)
{
	if (t->state != TARGET_ASKED) /* MAIL was refused */
		return;
	if (reply_verdict(&d->reply) == V_OK) {
		t->state = TARGET_YES;
		return;
	}
	outcome_said(&t->outcome, &d->reply, delivery_host(d));
	if (d->reply.code == 452)
		t->state = TARGET_LATER;
	else
		target_end(t, &t->outcome);
}

static void on_rcpt(struct delivery *d)
{
	if (reply_verdict(&d->reply) != V_OK && (!is_refusal(d) || d->reply.code == 421)) {
		said(d);
		give_up(d);
		return;
	}
	judge_rcpt(d, &d->to.t[d->asked[d->nsaid++]]);
	if (d->nsaid < d->nasked || (!d->pipelined && say_rcpt(d))) {
		go(d, STEP_RCPT);
	} else if (d->pipelined) {
		go(d, STEP_DATA);
	} else if (targets_count(&d->to, TARGETS_YES)) {
		say(d, SLICE("DATA\r\n"));
		go(d, STEP_DATA);
	} else {
		quit(d);
	}
}

/* As much of the letter as `out` takes now. */
static void pump_text(struct delivery *d)
{
	uint64_t size = outletter_size(&d->letter), before = d->sent;
	struct buf *out = &d->stream.out;
	uint8_t chunk[CHUNK];

	while (!d->dot.bad && buf_room(out) >= ROOM_MIN && d->sent < size) {
		size_t n = sizeof chunk;
		struct slice in;

		d->dot.bad |= !outletter_read(&d->letter, d->sent, chunk, &n);
		in = (struct slice){ chunk, n };
		dot_stuff(&d->dot, &in, out);
		d->sent += n - in.n;
	}
	if (d->sent == size && buf_room(out) >= ROOM_MIN && dot_stuff_end(&d->dot, out)) {
		targets_busy(&d->to);
		go(d, STEP_FINAL);
	} else if (d->dot.bad) { /* no dot is sent, so the destination forgets it */
		outcome_own(&d->outcome, 554, 6, 0, "the letter is not CRLF text", nothing);
		give_up(d);
	} else if (d->sent > before) {
		set_due(d);
	}
}

static void on_data(struct delivery *d)
{
	bool ready = d->reply.code == 354;

	if (!targets_count(&d->to, TARGETS_YES)) {
		if (ready)
			say_empty(d);
		else
			quit(d);
		return;
	}
	if (!ready) {
		if (refuse_all(d))
			quit(d);
		return;
	}
	d->sent = 0;
	d->dot = (struct dot_out){ 0 };
	go(d, STEP_TEXT);
	if (d->stream.in.len) /* an answer to what was not sent yet */
		fail_own(d, 5, 0, "reply out of place");
	else
		pump_text(d);
}

/* A reply in the middle of the text: the destination wants no more of it. */
static void on_text(struct delivery *d)
{
	said(d);
	give_up(d);
}

/* Nobody waits for more when the requester was restarted: what is left is asked for again. */
static bool wanted(const struct delivery *d)
{
	return d->token.generation == d->token.chan->generation;
}

static void on_final(struct delivery *d)
{
	said(d);
	targets_end(&d->to, TARGETS_YES, &d->outcome);
	if (reply_verdict(&d->reply) == V_OK && wanted(d) &&
	    targets_count(&d->to, TARGETS_OPEN | TARGETS_LATER)) {
		targets_move(&d->to, TARGET_LATER, TARGET_OPEN);
		begin_mail(d);
		return;
	}
	quit(d);
}

static void on_quit(struct delivery *d)
{
	delivery_next(d);
}

/* ---- events ---- */

static void read_replies(struct delivery *d)
{
	while (d->step != STEP_NONE && d->stream.in.len) {
		struct slice in = buf_slice(&d->stream.in);
		size_t n = in.n;
		enum reply_step got = reply_feed(&d->reply, &in);
		void (*handle)(struct delivery *) = steps[d->step].reply;

		buf_eat(&d->stream.in, n - in.n);
		if (got == REPLY_MORE)
			return;
		if (got == REPLY_BAD || !handle) {
			fail_own(d, 5, 0, "the destination does not speak SMTP");
			return;
		}
		handle(d);
		d->reply = (struct reply){ 0 };
	}
}

static void on_broken(struct delivery *d, const char *why)
{
	if (d->answered)
		delivery_next(d);
	else if (d->step == STEP_HANDSHAKE)
		fail_tls(d, why);
	else
		fail_own(d, 4, 2, why);
}

static void on_event(struct stream *s, enum stream_event e)
{
	struct delivery *d = OWNER(struct delivery, stream, s);

	switch (e) {
	case STREAM_SECURE:
		hello(d, STEP_SECURED);
		return;
	case STREAM_DATA:
		if (d->step != STEP_HANDSHAKE)
			read_replies(d);
		if (d->step == STEP_TEXT)
			pump_text(d);
		return;
	case STREAM_EOF:
		on_broken(d, "the destination closed the connection");
		return;
	case STREAM_BROKEN:
		on_broken(d, stream_why(s));
		return;
	case STREAM_LATE:
		on_broken(d, "the destination did not answer in time");
		return;
	}
}

void converse_start(struct delivery *d, int fd)
{
	d->reply = (struct reply){ 0 };
	d->caps = 0;
	stream_open(&d->stream, d->owner->loop, fd, BUF(d->in), BUF(d->out), on_event);
	go(d, STEP_GREETING);
}
