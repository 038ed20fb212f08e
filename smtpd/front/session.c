/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "smtpd/front/session.h"

#include <string.h>

#include "smtpd/front/account.h"
#include "smtpd/front/front.h"
#include "smtpd/front/letter.h"
#include "smtpd/front/verbs.h"
#include "smtpd/lib/log.h"
#include "smtpd/lib/owner.h"
#include "smtpd/msg/health.h"

/*
 * NOTES
 * A slot is live from accept until the connection is closed and no answer is awaited. While `wait` is set no command
 * is executed; what the client sends stays in `in`, and when that is full, in the kernel. While a letter is inside,
 * the slot outlives its connection: the letter's memory counts until the answer comes.
 * The deadline is set anew by whole commands, not by single octets, and never beyond `until`: who neither logs in nor
 * brings a letter for that long loses the slot, whatever he says. Text of a letter has its own (letter_due()).
 */

enum {
	IDLE_MS = CONFIG_SMTPD_TIMEOUT * 1000,
	LOGIN_MS = CONFIG_SMTPD_LOGIN_TIMEOUT * 1000,
	STRESS_MS = CONFIG_SMTPD_STRESS_TIMEOUT * 1000,
	HANDSHAKE_MS = 60 * 1000,
	LETTER_MS = 360 *
		    1000, /* longer than check; clients wait 10 minutes (RFC 5321 4.5.3.2.6) */
	GOODBYE_MS = 2000,
	/* They keep their pages: to touch them anew costs a fourth of a TLS session. */
	WARM_SLOTS = 24,
	IDLE_COMMANDS = 100, /* of those that bring no letter nearer */
};

static void on_event(struct stream *stream, enum stream_event e);

struct session *session_of_ask(struct ask *a)
{
	return OWNER(struct session, ask, a);
}

void session_log(struct session *s, struct logline *l, const char *event)
{
	log_begin(l, event);
	log_num(l, "id", s->id);
}

int64_t session_now(const struct session *s)
{
	return s->front->proc.loop.now;
}

/* ---- replies ---- */

void session_reply(struct session *s, const char *line)
{
	buf_put(&s->stream.out, slice_of(line));
	buf_put(&s->stream.out, SLICE("\r\n"));
}

/* An error is the session's, and its client's unless that is an account. A client that has made too many pays for no
 * more, so that those who share its address wait no longer than one takes to be forgotten. */
static void count_error(struct session *s)
{
	struct ipaddr who = front_who(&s->peer);

	s->errors++;
	if (!s->grant_n && !front_weary(s->front, &s->peer))
		rates_count(&s->front->faults, who.b, session_now(s),
			    CONFIG_SMTPD_CLIENT_ERRORS);
}

static bool too_many_errors(const struct session *s)
{
	return s->errors >= CONFIG_SMTPD_MAX_ERRORS ||
	       (s->errors && !s->grant_n && front_weary(s->front, &s->peer));
}

void session_refuse(struct session *s, const char *line)
{
	session_reply(s, line);
	count_error(s);
}

bool session_answer(struct session *s, const struct answer *a, struct slice text)
{
	struct buf *b = &s->stream.out;

	if (a->code < 200 || a->code > 599 || a->code / 100 == 3 || a->code == 421 || !text.n ||
	    text.n > ANSWER_TEXT)
		return false;
	buf_dec(b, a->code);
	buf_u8(b, ' ');
	if (a->enhanced[0] == a->code / 100) {
		buf_dots(b, a->enhanced);
		buf_u8(b, ' ');
	}
	buf_visible(b, text);
	buf_put(b, SLICE("\r\n"));
	if (a->code >= 500)
		count_error(s);
	return true;
}

/* ---- deadlines ---- */

/* Something came forward: the client's time for the next step begins. */
static void pace(struct session *s, int64_t ms)
{
	s->since = session_now(s);
	if (front_stressed(s->front) && !s->grant_n && ms > STRESS_MS)
		ms = STRESS_MS;
	if (ms > s->until - s->since)
		ms = s->until - s->since;
	stream_due(&s->stream, ms);
}

void session_earned(struct session *s)
{
	s->idle = 0;
	s->until = session_now(s) + 2 * IDLE_MS;
}

void session_hurry(struct session *s)
{
	int64_t ms = s->since + STRESS_MS - session_now(s);

	if (s->grant_n || s->state == ST_END || s->state == ST_DATA ||
	    (s->wait && s->wait != WAIT_TLS))
		return;
	if (s->stream.watch.due > session_now(s) + ms)
		stream_due(&s->stream, ms);
}

/* ---- life ---- */

void session_greet(struct session *s)
{
	session_reply(s, "220 " CONFIG_SMTPD_HOSTNAME " ESMTP tinpost");
}

/* Its dialogues come every minute, and nobody wants to read of them. */
static bool by_health(const struct session *s)
{
	struct ipaddr health = ipaddr_of4(HEALTH_ADDRESS);

	return ipaddr_eq(&s->peer, &health);
}

void session_start(struct session *s, struct front *f, int fd, uint16_t port, bool implicit,
		   const struct ipaddr *peer)
{
	uint8_t mem[IPADDR_TEXT];
	struct buf b = BUF(mem);
	struct logline l;

	memset(s, 0,
	       offsetof(struct session, in)); /* the rest is not touched before it is used */
	s->front = f;
	s->id = ++f->last_id;
	s->live = true;
	s->port = port;
	s->implicit = implicit;
	s->peer = *peer;
	s->why = "client";
	letter_init(&s->tx);
	stream_open(&s->stream, &f->proc.loop, fd, BUF(s->in), BUF(s->out), on_event);
	ipaddr_put(&b, peer);
	session_log(s, &l, "connect");
	log_bytes(&l, "peer", buf_slice(&b));
	log_num(&l, "port", port);
	if (!by_health(s))
		log_send(&l);
	s->until = session_now(s) + (f->sub ? LOGIN_MS : 2 * IDLE_MS);
	pace(s, IDLE_MS);
	if (implicit) {
		session_secure(s);
	} else if (!account_network(s)) {
		session_greet(s);
		stream_kick(&s->stream);
	}
}

static void free_slot(struct session *s)
{
	letter_drop(s);
	explicit_bzero(&s->auth, sizeof s->auth);
	if (s->stream.tls && s >= s->front->session + WARM_SLOTS) {
		/* Pages that TLS touched are not kept for a client who may never come. */
		arena_wipe(s->in, sizeof *s - offsetof(struct session, in));
	} else {
		explicit_bzero(s->in, sizeof s->in);
		if (s->stream.tls)
			explicit_bzero(&s->tls, sizeof s->tls);
	}
	s->live = false;
	front_free(s->front);
}

/* The connection is over. The slot waits for its letter's answer. */
static void drop(struct session *s)
{
	struct logline l;

	session_log(s, &l, "disconnect");
	log_text(&l, "why", s->why);
	if (!by_health(s))
		log_send(&l);
	stream_close(&s->stream);
	s->state = ST_END;
	if (s->wait == WAIT_LETTER)
		return;
	ask_drop(&s->ask);
	if (!s->eof || !s->quit) /* an orderly end after QUIT: it has read all */
		letter_unheard(s);
	free_slot(s);
}

void session_end(struct session *s, const char *line, const char *why)
{
	if (line)
		session_reply(s, line);
	s->why = why;
	s->state = ST_END; /* first: what follows may come back here by an event */
	stream_due(&s->stream, GOODBYE_MS);
	stream_end(&s->stream);
}

void session_stop(struct session *s)
{
	if (s->wait == WAIT_TLS) {
		s->why = "stop";
		drop(s);
	} else if (s->state != ST_DATA && s->wait == WAIT_NOTHING && s->state != ST_END)
		session_end(s, "421 4.3.2 " CONFIG_SMTPD_HOSTNAME " is going down", "stop");
}

void session_secure(struct session *s)
{
	const struct tls_identity *id = tlsid_get(&s->front->tlsid);

	if (!id) { /* looked at before: only a listener that should not be open leads here */
		session_end(s, NULL, "no certificate");
		return;
	}
	tls_server(&s->tls, id);
	s->wait = WAIT_TLS;
	pace(s, HANDSHAKE_MS);
	stream_tls(&s->stream, &s->tls);
}

static void on_secure(struct session *s)
{
	struct logline l;

	session_log(s, &l, "tls");
	log_text(&l, "suite", tls_suite(&s->tls));
	if (s->tls.resumed)
		log_text(&l, "session", "resumed");
	log_send(&l);
	/* RFC 3207 4.2: both sides forget what they knew. */
	s->wait = WAIT_NOTHING;
	s->state = ST_GREET;
	s->helo_n = 0;
	pace(s, IDLE_MS);
	if (s->implicit)
		session_greet(s);
}

/* ---- commands ---- */

void session_wait(struct session *s, enum session_wait w)
{
	s->wait = (uint8_t)w;
	if (w == WAIT_LETTER)
		stream_due(&s->stream, LETTER_MS);
}

void session_resume(struct session *s, enum smtp_state next)
{
	s->wait = WAIT_NOTHING;
	if (s->stream.watch.fd < 0) {
		free_slot(s);
		return;
	}
	if (s->state != ST_END) {
		s->state = (uint8_t)next;
		pace(s, IDLE_MS);
	}
	session_run(s);
}

/* One line with its LF off `in`, copied: a command may begin anew with `in`. 0: none is there. */
static size_t take_line(struct session *s, uint8_t line[SESSION_LINE])
{
	struct buf *in = &s->stream.in;
	size_t n = slice_find(buf_slice(in), '\n') + 1;

	if (n > in->len) {
		if (in->len >= SESSION_LINE) {
			s->skip = true;
			buf_eat(in, in->len);
		}
		return 0;
	}
	if (n <= SESSION_LINE)
		memcpy(line, in->p, n);
	else
		s->skip = true;
	buf_eat(in, n);
	explicit_bzero(in->p + in->len, n); /* it may have been a password */
	return n;
}

static void run_line(struct session *s, const uint8_t *line, size_t n)
{
	if (s->skip) {
		s->skip = false;
		account_cancel(s);
		s->state = s->state == ST_AUTH ? ST_READY : s->state;
		session_refuse(s, "500 5.5.6 Line too long");
	} else if (n < 2 || line[n - 2] != '\r') {
		session_refuse(s, "500 5.5.2 Lines end with CRLF");
	} else {
		verbs_line(s, (struct slice){ line, n - 2 });
	}
}

/* Executes one line or takes some text. False: nothing more can be done now. */
static bool step(struct session *s)
{
	uint8_t line[SESSION_LINE];
	size_t n;

	if (s->state == ST_END || s->wait || buf_room(&s->stream.out) < SESSION_REPLY)
		return false;
	if (s->state == ST_DATA)
		return letter_feed(s);
	if (s->front->stopping) {
		session_stop(s);
		return false;
	}
	if (too_many_errors(s)) {
		session_end(s, "421 4.7.0 Too many errors", "errors");
		return false;
	}
	if (s->idle >= IDLE_COMMANDS) {
		session_end(s, "421 4.7.0 Too many commands without a letter", "idle commands");
		return false;
	}
	n = take_line(s, line);
	if (!n)
		return false;
	pace(s, IDLE_MS);
	run_line(s, line, n);
	explicit_bzero(line, n < sizeof line ? n : sizeof line);
	return true;
}

void session_run(struct session *s)
{
	while (s->live && step(s))
		;
	if (!s->live || s->stream.watch.fd < 0)
		return;
	if (!s->eof || s->wait || s->state == ST_END)
		stream_kick(&s->stream);
	else if (stream_sent(&s->stream))
		drop(s);
	else
		session_end(s, NULL, "client");
}

static void on_late(struct session *s)
{
	if (s->state == ST_END) {
		drop(s);
	} else if (s->wait == WAIT_LETTER) {
		/* Its fate is not known; a duplicate is better than a loss. */
		session_end(s, "451 4.4.7 No verdict in time", "letter timeout");
	} else if (s->wait == WAIT_TLS) {
		s->why = "TLS timeout";
		drop(s);
	} else if (s->wait) {
		stream_due(&s->stream, IDLE_MS); /* an ask has a deadline of its own */
	} else {
		session_end(s, "421 4.4.2 Timeout", "timeout");
	}
}

static void on_event(struct stream *stream, enum stream_event e)
{
	struct session *s = (struct session *)(void *)stream;

	switch (e) {
	case STREAM_SECURE:
		on_secure(s);
		break;
	case STREAM_LATE:
		on_late(s);
		return;
	case STREAM_BROKEN:
		if (s->state != ST_END)
			s->why = stream_why(stream);
		drop(s);
		return;
	case STREAM_EOF:
		s->eof = true;
		if (s->state == ST_END) {
			drop(s);
			return;
		}
		break;
	case STREAM_DATA:
		if (stream->in.len && stream_sent(stream))
			s->unheard = 0;
		break;
	}
	session_run(s);
}
