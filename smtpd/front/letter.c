/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "smtpd/front/letter.h"

#include <string.h>

#include "smtpd/front/front.h"
#include "smtpd/lib/log.h"
#include "smtpd/lib/memfd.h"
#include "smtpd/msg/check.h"
#include "smtpd/msg/selfcheck.h"
#include "smtpd/proto/envelope.h"

/*
 * NOTES
 * The head is written as recipients are accepted, the text as it comes. Whatever goes wrong on the way, the text is
 * read to its true end and the answer given there (RFC 5321 2.3.8): `lost` says what the answer will be.
 */

enum {
	CHUNK = 8 * 1024, /* text is written in such pieces */
	HEAD_MAX = 128 *
		   1024, /* envelope records; the rest of ENV_HEAD_MAX is for check's header */
	PAGE = 4096,	 /* of memory: a head takes whole ones */
	RCPT_MS = 30 * 1000,
	IDLE_MS = CONFIG_SMTPD_TIMEOUT * 1000,
	LONG_MS = 2 * IDLE_MS, /* text that takes longer gives way when memory is short */
	QUIET_MS = CONFIG_SMTPD_STRESS_TIMEOUT * 1000, /* so does silent text */
	GRACE_MS = 60 * 1000, /* text has to come at SMTPD_MIN_RATE, but for this long */
	HOURLY = CONFIG_SMTPD_CLIENT_LETTERS,
	VERDICT_MS = 3600 * 1000, /* the client has heard 451 long before */
};

static const struct want want_rcpt = {
	.type = CHECK_RCPT,
	.size = sizeof(struct answer),
	.tail_max = ANSWER_TEXT,
};

static const struct want want_letter = {
	.type = CHECK_LETTER,
	.size = sizeof(struct answer),
	.tail_max = ANSWER_TEXT,
};

void letter_init(struct tx *t)
{
	memset(t, 0, sizeof *t);
	t->text = t->head = -1;
}

static void let_go(struct session *s)
{
	memfd_close(&s->tx.text);
	memfd_close(&s->tx.head);
	budget_give(&s->front->budget, &s->tx.held);
	budget_give(&s->front->envelopes, &s->tx.enveloped);
}

void letter_drop(struct session *s)
{
	let_go(s);
	letter_init(&s->tx);
}

static struct slice sender_of(const struct tx *t)
{
	return (struct slice){ t->sender, t->sender_n };
}

/* ---- MAIL ---- */

/* Keeps a value that command.h bounds. */
static size_t keep_value(uint8_t *to, struct slice v)
{
	if (v.n)
		memcpy(to, v.p, v.n);
	return v.n;
}

static void lose(struct session *s, enum tx_lost why)
{
	s->tx.lost = (uint8_t)why;
	let_go(s);
}

/* Of the letters whose text takes too long, or is silent, the one that began first makes room. False: there is none. */
static bool make_room(const struct front *f)
{
	struct session *old = NULL;

	for (size_t i = 0; i < CONFIG_SMTPD_MAX_SESSIONS; i++) {
		struct session *x = &f->session[i];

		if (x->live && x->state == ST_DATA && x->tx.held &&
		    (session_now(x) - x->since >= LONG_MS ||
		     session_now(x) - x->tx.heard >= QUIET_MS) &&
		    (!old || x->since < old->since))
			old = x;
	}
	if (old)
		lose(old, TX_MEMORY);
	return old;
}

bool letter_begin(struct session *s, const struct command_mail *m)
{
	struct ipaddr who = front_who(&s->peer);
	struct tx *t = &s->tx;
	struct buf b = BUF(t->sender);

	if (s->grant_n && session_now(s) >= s->stale) { /* a new connection gets a new one */
		session_end(s, "421 4.7.0 The session is too old, please connect again",
			    "old session");
		return false;
	}
	if (ON(CONFIG_CHECK_GATE) && s->front->gate != SELFCHECK_OPEN) {
		session_reply(
			s, "451 4.3.5 Our own DNS records are not in order, try again later");
		return false;
	}
	if (m->size > CONFIG_SMTPD_MAX_SIZE) {
		session_refuse(s, "552 5.3.4 Message too big");
		return false;
	}
	if (!s->front->sub && !rates_may(&s->front->clients, who.b, session_now(s), HOURLY)) {
		session_refuse(s,
			       "450 4.7.1 Too many letters from your address, try again later");
		return false;
	}
	letter_drop(s);
	path_print(&m->from, &b);
	if (b.bad) {
		session_refuse(s, "501 5.1.7 Bad sender address");
		return false;
	}
	/* Announced octets only have to fit now; what arrives is counted, so that words alone hold nothing. */
	while (m->size > budget_room(&s->front->budget, m->size))
		if (!make_room(s->front)) {
			session_reply(s, "452 4.3.1 Too much mail in flight, try again later");
			return false;
		}
	t->sender_n = (uint16_t)b.len;
	t->body = (uint8_t)m->body;
	t->utf8 = m->utf8;
	t->ret_n = (uint8_t)keep_value(t->ret, m->ret);
	t->envid_n = (uint8_t)keep_value(t->envid, m->envid);
	session_reply(s, "250 2.1.0 Ok");
	return true;
}

/* ---- RCPT ---- */

static void put_with(const struct session *s, struct buf *b)
{
	uint8_t mem[12];
	struct buf w = BUF(mem);

	/* RFC 3848, RFC 6531 4.3 */
	buf_put(&w, s->tx.utf8 ? SLICE("UTF8SMTP") : s->esmtp ? SLICE("ESMTP") : SLICE("SMTP"));
	if (s->esmtp && s->stream.secure)
		buf_u8(&w, 'S');
	if (s->esmtp && s->authed)
		buf_u8(&w, 'A');
	envelope_put(b, ENV_WITH, buf_slice(&w));
}

static void put_tls(const struct session *s, struct buf *b)
{
	uint8_t mem[64];
	struct buf t = BUF(mem);

	if (!s->stream.secure)
		return;
	buf_put(&t, SLICE("TLS1.2 "));
	buf_put(&t, slice_of(tls_suite(&s->tls)));
	envelope_put(b, ENV_TLS, buf_slice(&t));
}

/* A parameter of RFC 3461, when it was given. */
static void put_given(struct buf *b, enum env_tag tag, const uint8_t *p, size_t n)
{
	if (n)
		envelope_put(b, tag, (struct slice){ p, n });
}

/* Everything about the envelope that is known before the first recipient. */
static void put_envelope(const struct session *s, struct buf *b)
{
	uint8_t mem[IPADDR_TEXT];
	struct buf peer = BUF(mem);

	ipaddr_put(&peer, &s->peer);
	envelope_put(b, ENV_SENDER, sender_of(&s->tx));
	if (s->grant_n) {
		envelope_put(b, ENV_ACCOUNT, (struct slice){ s->account, s->account_n });
		envelope_put(b, ENV_GRANT, (struct slice){ s->grant, s->grant_n });
	}
	envelope_put(b, ENV_HELO, (struct slice){ s->helo, s->helo_n });
	envelope_put(b, ENV_PEER, buf_slice(&peer));
	put_with(s, b);
	put_tls(s, b);
	envelope_put(b, ENV_BODY, s->tx.body == COMMAND_8BIT ? SLICE("8") : SLICE("7"));
	if (s->tx.utf8)
		envelope_put(b, ENV_UTF8, SLICE("1"));
	put_given(b, ENV_RET, s->tx.ret, s->tx.ret_n);
	put_given(b, ENV_ENVID, s->tx.envid, s->tx.envid_n);
}

static bool add_rcpt(struct session *s)
{
	struct tx *t = &s->tx;
	uint8_t mem[4096];
	struct buf b = BUF(mem);

	if (t->head < 0) {
		t->head = memfd_make("head");
		put_envelope(s, &b);
	}
	envelope_put(&b, ENV_RCPT, (struct slice){ t->rcpt, t->rcpt_n });
	put_given(&b, ENV_NOTIFY, t->notify, t->notify_n);
	put_given(&b, ENV_ORCPT, t->orcpt, t->orcpt_n);
	if (b.bad || t->head < 0 ||
	    !budget_raise(&s->front->envelopes, &t->enveloped,
			  (t->head_size + b.len + PAGE - 1) / PAGE * PAGE) ||
	    !memfd_append(t->head, t->head_size, buf_slice(&b)))
		return false;
	t->head_size += b.len;
	t->nrcpt++;
	return true;
}

static void log_rcpt(struct session *s, const struct answer *a)
{
	struct logline l;

	session_log(s, &l, "rcpt");
	log_bytes(&l, "to", (struct slice){ s->tx.rcpt, s->tx.rcpt_n });
	log_num(&l, "code", a ? a->code : 451);
	log_send(&l);
}

static void on_rcpt(struct ask *ask, const void *reply, struct slice text)
{
	struct session *s = session_of_ask(ask);
	const struct answer *a = reply;
	struct tx *t = &s->tx;
	bool good = a && a->code / 100 == 2, route = good && a->flags & ANSWER_ROUTE;

	if (!good)
		log_rcpt(s, a);
	if (route && t->routed && t->route != a->route)
		session_reply(s, "452 4.5.3 One destination at a time");
	else if (good && !add_rcpt(s))
		session_reply(s, "452 4.3.1 Too much mail in flight, try again later");
	else if (!a || !session_answer(s, a, text))
		session_reply(s, "451 4.3.0 Temporary failure, try again later");
	if (route && !t->routed && t->nrcpt) {
		t->routed = true;
		t->route = a->route;
	}
	session_resume(s, t->nrcpt ? ST_RCPT : ST_MAIL);
}

enum smtp_state letter_rcpt(struct session *s, const struct command_rcpt *r)
{
	struct tx *t = &s->tx;
	struct buf rcpt = BUF(t->rcpt);
	uint8_t mem[CHECK_RCPT_TAIL];
	struct buf tail = BUF(mem);
	struct check_rcpt m = { .sender_len = t->sender_n, .grant_len = s->grant_n };

	if (t->nrcpt >= CONFIG_SMTPD_MAX_RCPTS || t->head_size > HEAD_MAX) {
		session_reply(s, "452 4.5.3 Too many recipients");
		return s->state;
	}
	path_print(&r->to, &rcpt);
	t->notify_n = (uint8_t)keep_value(t->notify, r->notify);
	t->orcpt_n = (uint16_t)keep_value(t->orcpt, r->orcpt);
	t->rcpt_n = m.rcpt_len = (uint16_t)rcpt.len;
	buf_put(&tail, sender_of(t));
	buf_put(&tail, buf_slice(&rcpt));
	buf_put(&tail, (struct slice){ s->grant, s->grant_n });
	s->ask.done = on_rcpt;
	if (rcpt.bad || tail.bad ||
	    !chan_ask(s->front->check, &s->ask, &m, sizeof m, buf_slice(&tail), NULL, 0,
		      &want_rcpt, RCPT_MS))
		session_reply(s, "451 4.3.0 Temporary failure, try again later");
	else
		session_wait(s, WAIT_RCPT);
	return s->state;
}

/* ---- DATA ---- */

/* What has come buys time for what is to come; ms from now. */
static int64_t due_in(const struct session *s)
{
	int64_t grace = GRACE_MS;

	if (front_stressed(s->front) && !s->grant_n)
		grace = CONFIG_SMTPD_STRESS_TIMEOUT * 1000;
	return s->tx.began + grace - session_now(s) +
	       (int64_t)(s->tx.taken * 1000 / CONFIG_SMTPD_MIN_RATE);
}

/* No more of it than an idle client has: what came fast does not pay for a day of silence. */
static void set_due(struct session *s)
{
	int64_t ms = due_in(s);

	if (ms > IDLE_MS) {
		s->tx.began -= ms - IDLE_MS;
		ms = IDLE_MS;
	}
	stream_due(&s->stream, ms);
}

enum smtp_state letter_data(struct session *s)
{
	s->tx.text = memfd_make("text");
	if (s->tx.text < 0) {
		session_reply(s, "452 4.3.1 Too much mail in flight, try again later");
		return s->state;
	}
	br_sha256_init(&s->tx.sha256);
	s->tx.began = s->tx.heard = session_now(s);
	session_reply(s, "354 End data with <CR><LF>.<CR><LF>");
	set_due(s);
	return ST_DATA;
}

static void keep(struct session *s, struct slice text)
{
	struct tx *t = &s->tx;
	uint64_t need = t->text_size + text.n;

	if (t->lost || !text.n)
		return;
	t->heard = session_now(s);
	if (need > CONFIG_SMTPD_MAX_SIZE) {
		lose(s, TX_SIZE);
		return;
	}
	if (need > t->held) { /* in steps, but never beyond the largest letter */
		need = (need + BUDGET_STEP - 1) / BUDGET_STEP * BUDGET_STEP;
		if (need > CONFIG_SMTPD_MAX_SIZE)
			need = CONFIG_SMTPD_MAX_SIZE;
	}
	while (!t->lost && !budget_raise(&s->front->budget, &t->held, need))
		if (!make_room(s->front))
			lose(s, TX_MEMORY);
	if (t->lost)
		return;
	if (!memfd_append(t->text, t->text_size, text)) {
		lose(s, TX_WORLD);
	} else {
		t->text_size += text.n;
		if (!s->front->sub)
			br_sha256_update(&t->sha256, text.p, text.n);
	}
}

static void log_letter(struct session *s, unsigned code, struct slice text)
{
	struct logline l;

	session_log(s, &l, "letter");
	log_bytes(&l, "from", sender_of(&s->tx));
	log_num(&l, "rcpts", s->tx.nrcpt);
	log_num(&l, "size", (int64_t)s->tx.text_size);
	log_num(&l, "code", code);
	log_bytes(&l, "text", text);
	log_send(&l);
}

/* The letter's end without check: reply, log, and all is free again. */
static void settle(struct session *s, const char *line)
{
	struct slice text = slice_of(line);

	log_letter(s,
		   (unsigned)(line[0] - '0') * 100 + (unsigned)(line[1] - '0') * 10 +
			   (unsigned)(line[2] - '0'),
		   slice_from(text, 4));
	if (s->state != ST_END) {
		if (line[0] == '5')
			session_refuse(s, line);
		else
			session_reply(s, line);
	}
	letter_drop(s);
}

static bool print_of(struct session *s)
{
	struct tx *t = &s->tx;

	if (!t->printed)
		t->printed = crashed_print(&s->front->crashed, sender_of(t), t->text,
					   t->text_size, t->print);
	return t->printed;
}

/* Something died while it was at work on it. */
static const char *blame(struct session *s)
{
	if (print_of(s) && crashed_note(&s->front->crashed, s->tx.print) == CRASHED_POISON)
		return "554 5.6.0 This message cannot be processed";
	return "451 4.3.0 Temporary failure, try again later";
}

void letter_unheard(struct session *s)
{
	static const struct want want = { CHECK_UNHEARD, sizeof(struct check_noted), 0 };
	struct check_unheard m = { .number = s->unheard };

	if (!s->unheard)
		return;
	s->unheard = 0;
	chan_ask(s->front->check, &s->ask, &m, sizeof m, (struct slice){ NULL, 0 }, NULL, 0,
		 &want, RCPT_MS);
	ask_drop(&s->ask); /* nobody waits for the reply */
}

static void on_letter(struct ask *ask, const void *reply, struct slice text)
{
	struct session *s = session_of_ask(ask);
	const struct answer *a = reply;
	bool crashed = a ? a->flags & ANSWER_CRASHED
			 : s->front->check->watch.fd < 0 && memfd_marked(s->tx.text);

	if (crashed) {
		settle(s, blame(s));
	} else if (!a) {
		settle(s, "451 4.3.0 Temporary failure, try again later");
	} else {
		if (s->tx.printed)
			crashed_forget(&s->front->crashed, s->tx.print);
		log_letter(s, a->code, text);
		if (s->state != ST_END && !session_answer(s, a, text))
			session_reply(s, "451 4.3.0 Temporary failure, try again later");
		if (a->code / 100 == 2) {
			s->errors = 0;
			s->unheard = s->front->sub ? 0 : a->route;
		}
		if (s->state == ST_END || s->eof) /* the client left while it waited */
			letter_unheard(s);
		session_earned(s);
		letter_drop(s);
	}
	session_resume(s, ST_READY);
}

static bool close_head(struct tx *t)
{
	uint8_t mem[4];
	struct buf b = BUF(mem);

	envelope_put_header(&b, (struct slice){ NULL, 0 });
	return memfd_append(t->head, t->head_size, buf_slice(&b)) && memfd_seal(t->head) &&
	       memfd_seal(t->text);
}

static bool show(struct session *s)
{
	struct tx *t = &s->tx;
	struct check_letter m = { .text_size = t->text_size };
	struct ipaddr who = front_who(&s->peer);
	int fd[2] = { t->text, t->head };

	if (!s->front->sub)
		br_sha256_out(&t->sha256, m.sha256);
	s->ask.done = on_letter;
	if (!close_head(t) ||
	    !chan_ask(s->front->check, &s->ask, &m, sizeof m, (struct slice){ NULL, 0 }, fd, 2,
		      &want_letter, VERDICT_MS))
		return false;
	session_wait(s, WAIT_LETTER);
	rates_count(&s->front->clients, who.b, session_now(s), s->front->sub ? 0 : HOURLY);
	return true;
}

/* The final dot was read. */
static void finish(struct session *s)
{
	static const char *const lost[] = {
		[TX_SIZE] = "552 5.3.4 Message too big",
		[TX_MEMORY] = "452 4.3.1 Too much mail in flight, try again later",
		[TX_WORLD] = "451 4.3.0 Temporary failure, try again later",
	};
	struct crashed *c = &s->front->crashed;
	struct tx *t = &s->tx;

	s->state = ST_READY;
	if (t->dot.bad)
		settle(s, "550 5.6.0 Bare CR, bare LF or NUL in the message");
	else if (t->lost)
		settle(s, lost[t->lost]);
	else if (c->used && !print_of(s))
		settle(s, lost[TX_WORLD]);
	else if (c->used && crashed_find(c, t->print) == CRASHED_POISON)
		settle(s, "554 5.6.0 This message cannot be processed");
	else if (!show(s))
		settle(s, lost[TX_WORLD]);
}

/* Discarding to the true end has an end too: far above what was announced, or far too slow. */
static bool endless(struct session *s)
{
	if (s->tx.taken > 4ull * CONFIG_SMTPD_MAX_SIZE)
		session_end(s, "552 5.3.4 Message too big", "endless text");
	else if (due_in(s) < 0)
		session_end(s, "421 4.4.2 Timeout", "slow text");
	return s->state == ST_END;
}

bool letter_feed(struct session *s)
{
	uint8_t mem[CHUNK];
	struct buf out = BUF(mem);
	struct buf *buf = &s->stream.in;
	struct slice in = buf_slice(buf);
	bool end;

	if (!in.n || endless(s))
		return false;
	end = dot_feed(&s->tx.dot, &in, &out);
	keep(s, buf_slice(&out));
	s->tx.taken += buf->len - in.n;
	buf_eat(buf, buf->len - in.n);
	if (s->tx.dot.bad && s->tx.text >= 0)
		lose(s, (enum tx_lost)s->tx.lost);
	if (end)
		finish(s);
	else
		set_due(s);
	return true;
}
