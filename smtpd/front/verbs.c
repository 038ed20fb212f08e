/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "smtpd/front/verbs.h"

#include <string.h>

#include "smtpd/front/account.h"
#include "smtpd/front/front.h"
#include "smtpd/front/letter.h"

#define IN(st) (1u << (st))
#define ANY    (IN(ST_GREET) | IN(ST_READY) | IN(ST_MAIL) | IN(ST_RCPT))

enum verb_flag {
	PRE_TLS = 1,  /* allowed in clear text on the accounts' lane */
	PRE_AUTH = 2, /* allowed there before AUTH */
	NO_ARG = 4,
	SUB_ONLY = 8, /* and never in clear text */
	IDLE = 16,    /* brings no letter nearer */
};

struct verb {
	const char *name;
	unsigned in; /* states it is legal in */
	unsigned flags;
	enum smtp_state (*run)(struct session *s,
			       struct slice arg); /* NULL: known, not offered */
};

static bool secure(const struct session *s)
{
	return s->stream.secure;
}

/* ---- greeting ---- */

static bool say_hello(struct session *s, struct slice arg)
{
	if (!command_helo(arg) || arg.n > sizeof s->helo) {
		session_refuse(s, "501 5.5.4 A host name or an address literal is needed");
		return false;
	}
	letter_drop(s);
	memcpy(s->helo, arg.p, arg.n);
	s->helo_n = (uint16_t)arg.n;
	return true;
}

static enum smtp_state do_helo(struct session *s, struct slice arg)
{
	if (!say_hello(s, arg))
		return s->state;
	s->esmtp = false;
	session_reply(s, "250 " CONFIG_SMTPD_HOSTNAME);
	return ST_READY;
}

static void offer_auth(struct buf *out, unsigned offer)
{
	buf_put(out, SLICE("250-AUTH PLAIN LOGIN"));
	if (offer & AUTH_OFFER_SCRAM)
		buf_put(out, SLICE(" SCRAM-SHA-256"));
	if (ON(CONFIG_AUTH_LEGACY_CRAM_MD5) && offer & AUTH_OFFER_CRAM)
		buf_put(out, SLICE(" CRAM-MD5"));
	buf_put(out, SLICE("\r\n"));
}

static enum smtp_state do_ehlo(struct session *s, struct slice arg)
{
	struct buf *out = &s->stream.out;

	if (!say_hello(s, arg))
		return s->state;
	s->esmtp = true;
	session_reply(s, "250-" CONFIG_SMTPD_HOSTNAME);
	session_reply(s, "250-PIPELINING");
	buf_put(out, SLICE("250-SIZE "));
	buf_dec(out, CONFIG_SMTPD_MAX_SIZE);
	buf_put(out, SLICE("\r\n"));
	if (!secure(s) && tlsid_get(&s->front->tlsid))
		session_reply(s, "250-STARTTLS");
	if (s->front->sub && secure(s) && !s->authed)
		offer_auth(out, s->front->offer);
	if (s->front->sub)
		session_reply(s, "250-DSN");
	session_reply(s, "250-8BITMIME");
	session_reply(s, "250-SMTPUTF8");
	buf_put(out, SLICE("250-LIMITS RCPTMAX=")); /* RFC 9422 */
	buf_dec(out, CONFIG_SMTPD_MAX_RCPTS);
	buf_put(out, SLICE("\r\n"));
	session_reply(s, "250 ENHANCEDSTATUSCODES");
	return ST_READY;
}

static enum smtp_state do_starttls(struct session *s, struct slice arg)
{
	(void)arg;
	if (secure(s)) {
		session_refuse(s, "503 5.5.1 TLS is already active");
		return s->state;
	}
	if (!tlsid_get(&s->front->tlsid)) {
		session_reply(s, "454 4.7.0 TLS not available now");
		return s->state;
	}
	letter_drop(s);
	session_reply(s, "220 2.0.0 Ready to start TLS");
	s->state = ST_GREET;
	session_secure(s);
	return s->state;
}

/* ---- AUTH ---- */

static enum smtp_state auth_next(struct session *s, enum authline_next next, struct slice said)
{
	switch (next) {
	case AUTHLINE_ASK:
		session_reply(s, authline_prompt(&s->auth));
		return ST_AUTH;
	case AUTHLINE_DONE:
		account_login(s);
		return ST_READY;
	case AUTHLINE_FIRST:
		account_scram(s, SLICE(""));
		return ST_READY; /* or what the answer says */
	case AUTHLINE_FINAL:
		account_scram(s, said);
		return ST_READY;
	case AUTHLINE_AGREED:
		session_reply(s, "235 2.7.0 Authentication successful");
		return ST_READY;
	case AUTHLINE_CANCEL:
		session_refuse(s, "501 5.7.0 Authentication cancelled");
		break;
	case AUTHLINE_BAD:
		session_refuse(s, "501 5.5.2 Malformed authentication response");
		break;
	case AUTHLINE_WHAT:
		session_refuse(s, "504 5.5.4 Authentication mechanism not offered");
		break;
	}
	account_cancel(s);
	return ST_READY;
}

/* What AUTH or a line after it leads to; begin: the argument of AUTH. */
static enum smtp_state auth_line(struct session *s, struct slice line, bool begin)
{
	uint8_t mem[AUTHLINE_SAID];
	struct buf said = BUF(mem);
	enum authline_next next = begin ? authline_begin(&s->auth, line, s->front->offer, &said)
					: authline_feed(&s->auth, line, &said);
	enum smtp_state state = auth_next(s, next, buf_slice(&said));

	explicit_bzero(mem, sizeof mem);
	return state;
}

static enum smtp_state do_auth(struct session *s, struct slice arg)
{
	if (s->authed) {
		session_refuse(s, "503 5.5.1 Already authenticated");
		return s->state;
	}
	return auth_line(s, arg, true);
}

/* ---- the letter ---- */

static enum smtp_state do_mail(struct session *s, struct slice arg)
{
	struct command_mail m;
	enum command_error e = command_mail(arg, s->front->sub, &m);

	if (e) {
		session_refuse(s, command_fault(e, false));
		return s->state;
	}
	return letter_begin(s, &m) ? ST_MAIL : s->state;
}

static enum smtp_state do_rcpt(struct session *s, struct slice arg)
{
	struct command_rcpt r;
	enum command_error e = command_rcpt(arg, s->front->sub, s->tx.utf8, &r);

	if (e) {
		session_refuse(s, command_fault(e, true));
		return s->state;
	}
	return letter_rcpt(s, &r);
}

static enum smtp_state do_data(struct session *s, struct slice arg)
{
	(void)arg;
	return letter_data(s);
}

static enum smtp_state do_rset(struct session *s, struct slice arg)
{
	(void)arg;
	letter_drop(s);
	session_reply(s, "250 2.0.0 Ok");
	return s->state == ST_GREET ? ST_GREET : ST_READY;
}

static enum smtp_state do_noop(struct session *s, struct slice arg)
{
	(void)arg;
	session_reply(s, "250 2.0.0 Ok");
	return s->state;
}

static enum smtp_state do_quit(struct session *s, struct slice arg)
{
	(void)arg;
	s->quit = true;
	session_end(s, "221 2.0.0 Bye", "quit");
	return ST_END;
}

static const struct verb verbs[] = {
	{ "EHLO", ANY, PRE_TLS | PRE_AUTH | IDLE, do_ehlo },
	{ "HELO", ANY, PRE_TLS | PRE_AUTH | IDLE, do_helo },
	{ "STARTTLS", IN(ST_READY), PRE_TLS | PRE_AUTH | NO_ARG, do_starttls },
	{ "AUTH", IN(ST_READY), PRE_AUTH | SUB_ONLY, do_auth },
	{ "MAIL", IN(ST_READY), 0, do_mail },
	{ "RCPT", IN(ST_MAIL) | IN(ST_RCPT), 0, do_rcpt },
	{ "DATA", IN(ST_RCPT), NO_ARG, do_data },
	{ "RSET", ANY, PRE_AUTH | NO_ARG | IDLE, do_rset },
	{ "NOOP", ANY, PRE_TLS | PRE_AUTH | IDLE, do_noop },
	{ "QUIT", ANY, PRE_TLS | PRE_AUTH | NO_ARG, do_quit },
	{ "VRFY", ANY, PRE_AUTH, NULL },
	{ "EXPN", ANY, PRE_AUTH, NULL },
	{ "HELP", ANY, PRE_AUTH, NULL },
	{ "BDAT", ANY, PRE_AUTH, NULL },
	{ "BURL", ANY, PRE_AUTH, NULL },
	{ "ETRN", ANY, PRE_AUTH, NULL },
	{ "TURN", ANY, PRE_AUTH, NULL },
	{ "SEND", ANY, PRE_AUTH, NULL },
	{ "SOML", ANY, PRE_AUTH, NULL },
	{ "SAML", ANY, PRE_AUTH, NULL },
	{ "XCLIENT", ANY, PRE_AUTH, NULL },
	{ "XFORWARD", ANY, PRE_AUTH, NULL },
};

static const struct verb *find(struct slice name)
{
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		if (slice_ieq(name, slice_of(verbs[i].name)))
			return &verbs[i];
	return NULL;
}

/* Why this verb cannot be run now; NULL when it can. */
static const char *objection(const struct session *s, const struct verb *v, struct slice arg)
{
	bool sub = s->front->sub, trusted = s->grant_n && !s->authed; /* by its network */

	if (!v)
		return "500 5.5.2 Unknown command";
	if (sub && !secure(s) && !(v->flags & PRE_TLS) && (!trusted || v->flags & SUB_ONLY))
		return "530 5.7.0 Must issue a STARTTLS command first";
	if (!v->run || (v->flags & SUB_ONLY && !sub))
		return "502 5.5.1 Command not implemented";
	if (sub && !s->grant_n && !(v->flags & PRE_AUTH))
		return "530 5.7.0 Authentication required";
	if (!(v->in & IN(s->state)))
		return s->state == ST_GREET ? "503 5.5.1 Send EHLO first"
					    : "503 5.5.1 Bad sequence of commands";
	if (v->flags & NO_ARG && arg.n)
		return "501 5.5.4 No parameters allowed";
	return NULL;
}

void verbs_line(struct session *s, struct slice line)
{
	struct command c;
	const struct verb *v;
	const char *no;
	enum smtp_state next;

	if (s->state == ST_AUTH) {
		next = auth_line(s, line, false);
	} else if (!command_parse(line, &c)) {
		session_refuse(s, "500 5.5.2 Malformed command");
		return;
	} else {
		v = find(c.verb);
		no = objection(s, v, c.arg);
		if (no) {
			session_refuse(s, no);
			return;
		}
		s->idle += (v->flags & IDLE) != 0;
		next = v->run(s, c.arg);
	}
	if (s->state != ST_END)
		s->state = (uint8_t)next;
}
