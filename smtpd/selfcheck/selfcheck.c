/* SPDX-License-Identifier: ISC */
#include "smtpd/selfcheck/selfcheck.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "smtpd/lib/log.h"
#include "smtpd/lib/owner.h"
#include "smtpd/lib/proc.h"
#include "smtpd/lib/sock.h"
#include "smtpd/msg/dns.h"
#include "smtpd/msg/fetch.h"
#include "smtpd/proto/mxname.h"

/*
 * NOTES
 * A run: the route (its exchanger's address tells our own, then port 25), then the rows of publish_next(), each of a
 * DKIM key preceded by a question to holder.dkim, each of TLSRPT followed by one of MTA-STS. While a row waits for an
 * answer, `ask` or `socket` is open and `timer` is the next run's no longer. A question that finds no wire is asked
 * again after AGAIN_MS.
 */
enum { AGAIN_MS = 250, ANSWER_MS = 5000, DISCARD = 9, GREETING = 160 };

static const struct slice none = { NULL, 0 };

static void go(struct selfcheck *s);

/* ---- sockets ---- */

/* The address that the kernel uses towards this one, if others can see it; nothing is sent. */
static void find_own(const struct ipaddr *to, struct ipaddr *own)
{
	struct ipaddr found;
	int fd = publish_known(to) && !publish_known(own)
			 ? sock_connect(to->b, DISCARD, SOCK_DGRAM)
			 : -1;

	if (fd < 0)
		return;
	if (sock_own(fd, found.b) && ipaddr_public(&found))
		*own = found;
	close(fd);
}

static void port_over(struct selfcheck *s, enum rowcheck_verdict verdict, struct slice seen)
{
	loop_drop(s->loop, &s->socket);
	close(s->socket.fd);
	s->socket.fd = -1;
	rowcheck_say(&s->row, verdict, seen);
	go(s);
}

/* Any greeting of SMTP will do: its code is the other side's business. */
static void on_socket(struct watch *w, short got)
{
	struct selfcheck *s = OWNER(struct selfcheck, socket, w);
	uint8_t text[GREETING];
	ssize_t n = got ? recv(w->fd, text, sizeof text, 0) : -1;
	struct slice line = { text, n > 0 ? (size_t)n : 0 };

	if (!got) {
		port_over(s, ROWCHECK_WRONG, SLICE("no answer: is port 25 closed on the way?"));
	} else if (!line.n) {
		port_over(s, ROWCHECK_WRONG, SLICE("the connection was refused"));
	} else {
		ssize_t sent = send(w->fd, "QUIT\r\n", 6, MSG_NOSIGNAL);

		(void)sent; /* politeness */
		line = slice_head(line, slice_find(line, '\r'));
		port_over(s, byte_digit(line.p[0]) ? ROWCHECK_OK : ROWCHECK_WRONG, line);
	}
}

/* False: the row is over. */
static bool try_port(struct selfcheck *s)
{
	const struct ipaddr *to = &s->row.v4;

	find_own(&s->row.v4, &s->site.v4);
	find_own(&s->row.v6, &s->site.v6);
	if (ON(CONFIG_OUT_IPV6) || !publish_known(to))
		to = &s->row.v6;
	s->socket.fd = publish_known(to) ? sock_connect(to->b, s->port, SOCK_STREAM) : -1;
	if (s->socket.fd < 0) {
		rowcheck_say(&s->row, ROWCHECK_UNKNOWN, SLICE("there is no way to it"));
		return false;
	}
	s->socket.want = POLLIN;
	s->socket.due = s->loop->now + SELFCHECK_CONNECT_MS;
	loop_add(s->loop, &s->socket);
	return true;
}

/* ---- rows ---- */

static void tell(struct selfcheck *s)
{
	const struct rowcheck *r = &s->row;
	uint8_t mem[2][PUBLISH_VALUE];
	struct buf name = BUF(mem[0]), value = BUF(mem[1]);
	struct logline l;

	log_begin(&l, "record");
	log_text(&l, "check", rowcheck_word(r));
	log_bytes(&l, "name", r->at.domain);
	log_text(&l, "verdict", rowcheck_verdict_text(r->verdict));
	log_bytes(&l, "seen", buf_slice(&r->seen));
	log_send(&l);
	if (r->verdict != ROWCHECK_WRONG || r->kind != ROWCHECK_RECORD)
		return;
	publish_name(&s->site, &r->at, &name);
	publish_value(&s->site, &r->at, &value);
	if (!name.len || !value.len)
		return;
	log_begin(&l, "publish");
	log_bytes(&l, "name", buf_slice(&name));
	log_text(&l, "type", publish_type(r->at.what));
	log_bytes(&l, "value", buf_slice(&value));
	log_send(&l);
}

static void row_done(struct selfcheck *s)
{
	uint8_t *last = &s->last[s->n < SELFCHECK_ROWS ? s->n : SELFCHECK_ROWS - 1];

	if (s->loud || *last != 1 + s->row.verdict)
		tell(s);
	*last = (uint8_t)(1 + s->row.verdict);
	s->count[s->row.verdict]++;
	s->n++;
}

/* False: that was the last one. */
static bool next_row(struct selfcheck *s)
{
	bool mail = s->at.begun && s->at.what == PUBLISH_TLSRPT;

	if (mail && s->fetch && s->row.kind == ROWCHECK_RECORD) {
		rowcheck_init(&s->row, &s->site, &s->at, ROWCHECK_STS);
		return true;
	}
	if (!publish_next(&s->site, &s->at))
		return false;
	s->key = publish_dkim(s->at.what);
	rowcheck_init(&s->row, &s->site, &s->at, ROWCHECK_RECORD);
	return true;
}

static void tell_gate(const struct selfcheck *s, const struct token *t)
{
	struct selfcheck_state m = { .state = s->gate };

	chan_answer(t, &m, sizeof m, none);
}

static void set_gate(struct selfcheck *s)
{
	uint8_t was = s->gate;

	s->gate = s->count[ROWCHECK_WRONG] ? SELFCHECK_SHUT : SELFCHECK_OPEN;
	if (ON(CONFIG_CHECK_GATE) && s->gate != was)
		log_event("gate", "state", s->gate == SELFCHECK_OPEN ? "open" : "shut");
	for (unsigned i = 0; i < SELFCHECK_GATES; i++) {
		if (s->asked[i].used)
			tell_gate(s, &s->asked[i].token);
		s->asked[i].used = false;
	}
}

static void run_done(struct selfcheck *s)
{
	bool right = !s->count[ROWCHECK_WRONG] && !s->count[ROWCHECK_UNKNOWN];
	struct selfcheck_done m = { .ok = s->count[ROWCHECK_OK],
				    .none = s->count[ROWCHECK_NONE],
				    .unknown = s->count[ROWCHECK_UNKNOWN],
				    .wrong = s->count[ROWCHECK_WRONG] };
	struct logline l;

	log_begin(&l, "records");
	for (int v = 0; v < ROWCHECK_VERDICTS; v++)
		log_num(&l, rowcheck_verdict_text((enum rowcheck_verdict)v), s->count[v]);
	log_send(&l);
	set_gate(s);
	if (s->waits && s->loud)
		chan_answer(&s->token, &m, sizeof m, none);
	s->waits &= !s->loud;
	s->running = false;
	s->timer.due = s->loop->now + (s->wanted ? 0 : right ? SELFCHECK_DAY_MS : s->pause);
	s->pause = right			      ? SELFCHECK_FIRST_MS
		   : s->pause < SELFCHECK_LAST_MS / 2 ? 2 * s->pause
						      : SELFCHECK_LAST_MS;
}

/* ---- questions ---- */

static void on_answer(struct ask *a, const void *reply, struct slice records)
{
	static const enum dnsmsg_kind kinds[] = {
		[DNS_OK] = DNSMSG_OK,
		[DNS_NODATA] = DNSMSG_NODATA,
		[DNS_NXDOMAIN] = DNSMSG_NXDOMAIN,
	};
	struct selfcheck *s = OWNER(struct selfcheck, ask, a);
	const struct dns_reply *r = reply;

	rowcheck_answer(&s->row,
			r && r->result < DNS_FAILED ? kinds[r->result] : DNSMSG_SERVFAIL,
			r ? records : none);
	go(s);
}

static void on_policy(struct ask *a, const void *reply, struct slice hosts)
{
	struct selfcheck *s = OWNER(struct selfcheck, ask, a);
	const struct fetch_policy *r = reply;

	if (!r)
		rowcheck_say(&s->row, ROWCHECK_UNKNOWN, SLICE("the policy was not fetched"));
	else if (r->mode == FETCH_NONE)
		rowcheck_say(&s->row, ROWCHECK_WRONG,
			     SLICE("it is announced and cannot be had"));
	else if (!mxname_match(s->site.host, hosts))
		rowcheck_say(&s->row, ROWCHECK_WRONG,
			     SLICE("the policy does not name this host"));
	else
		rowcheck_say(&s->row, ROWCHECK_OK,
			     r->mode == FETCH_ENFORCE
				     ? SLICE("the policy names this host")
				     : SLICE("the policy names this host, for testing alone"));
	s->row.step = 1;
	go(s);
}

static void on_key(struct ask *a, const void *reply, struct slice text)
{
	struct selfcheck *s = OWNER(struct selfcheck, ask, a);
	const struct holder_reply *r = reply;

	s->key = false;
	if (r && r->result == HOLDER_DONE && text.n) {
		memcpy(s->dkim, text.p, text.n);
		s->site.dkim = (struct slice){ s->dkim, text.n };
		s->site.dkim_number = r->number;
	}
	rowcheck_init(&s->row, &s->site, &s->at, ROWCHECK_RECORD);
	go(s);
}

static bool ask(struct selfcheck *s, struct chan *to, void *msg, size_t size, struct slice tail,
		const struct want *want, int64_t ms,
		void (*done)(struct ask *, const void *, struct slice))
{
	s->ask.done = done;
	if (chan_ask(to, &s->ask, msg, size, tail, NULL, 0, want, ms))
		return true;
	s->timer.due = s->loop->now + AGAIN_MS;
	return false;
}

/* The record of the key that signs for the row's domain. */
static void ask_key(struct selfcheck *s)
{
	static const struct want want = { HOLDER_DKIM_RECORD, sizeof(struct holder_reply),
					  HOLDER_RECORD_MAX };
	struct holder_dkim_record m = { .ed25519 = s->at.what == PUBLISH_DKIM_SECOND ||
						   ON(CONFIG_KEYS_DKIM_ED25519) };
	struct slice words = s->site.domains;

	while (!slice_ieq(slice_word(&words), s->at.domain))
		m.slot++;
	s->site.dkim = none;
	s->site.dkim_number = 0;
	ask(s, s->holder, &m, sizeof m, none, &want, ANSWER_MS, on_key);
}

/* True: the row waits for something. */
static bool row_waits(struct selfcheck *s)
{
	static const struct want want_dns = { DNS_QUERY, sizeof(struct dns_reply), DNS_TAIL };
	static const struct want want_sts = { FETCH_STS, sizeof(struct fetch_policy),
					      FETCH_HOSTS };
	struct rowcheck *r = &s->row;
	uint8_t mem[2 * DNSMSG_NAME];
	struct buf name = BUF(mem);
	struct dns_query q = { .qtype = 0 };
	struct fetch_sts f = { .h = { .type = 0 } };

	if (s->key) {
		ask_key(s);
		return true;
	}
	for (; rowcheck_ask(r, &name, &q.qtype); name = (struct buf)BUF(mem)) {
		if (!name.bad && dnsmsg_question_ok(buf_slice(&name))) {
			ask(s, s->dns, &q, sizeof q, buf_slice(&name), &want_dns,
			    SELFCHECK_DNS_MS, on_answer);
			return true;
		}
		rowcheck_answer(r, DNSMSG_NXDOMAIN, none);
	}
	if (r->kind == ROWCHECK_ROUTE && !r->over)
		return try_port(s);
	if (r->kind != ROWCHECK_STS || r->verdict != ROWCHECK_OK || r->step)
		return false;
	ask(s, s->fetch, &f, sizeof f, r->at.domain, &want_sts, FETCH_MS, on_policy);
	return true;
}

/* As far as it goes without waiting. */
static void go(struct selfcheck *s)
{
	while (!row_waits(s)) {
		row_done(s);
		if (!next_row(s)) {
			run_done(s);
			return;
		}
	}
}

static void begin(struct selfcheck *s)
{
	s->site = s->given;
	s->at = (struct publish_at){ .begun = false };
	s->n = 0;
	s->loud = s->waits;
	s->wanted = false;
	memset(s->count, 0, sizeof s->count);
	s->running = true;
	rowcheck_init(&s->row, &s->site, &(struct publish_at){ .domain = s->route },
		      ROWCHECK_ROUTE);
	go(s);
}

static void on_timer(struct watch *w, short got)
{
	struct selfcheck *s = OWNER(struct selfcheck, timer, w);

	(void)got;
	w->due = LOOP_NEVER;
	if (s->running)
		go(s);
	else
		begin(s);
}

/* A run, now or after the one under way. */
static void again(struct selfcheck *s)
{
	s->wanted = s->running;
	if (!s->running)
		s->timer.due = s->loop->now;
}

static void on_run(void *ctx, struct call *c)
{
	struct selfcheck *s = ctx;

	if (s->waits) { /* an earlier one, whose requester is gone */
		chan_fail(&s->token);
	}
	s->token = c->token;
	s->waits = true;
	again(s);
}

static bool is_url(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~' || s.p[i] == ';' || s.p[i] == '"' ||
		    s.p[i] == '\\')
			return false;
	return s.n > 0;
}

static void on_account(void *ctx, struct call *c)
{
	struct selfcheck *s = ctx;
	struct selfcheck_noted m = { .h = { .type = 0 } };

	if (is_url(c->tail) && !slice_eq(c->tail, s->given.ca_account)) {
		if (s->running) /* the run under way compares with the old one: without */
			s->site.ca_account = none;
		memcpy(s->account, c->tail.p, c->tail.n);
		s->given.ca_account = (struct slice){ s->account, c->tail.n };
		again(s);
	}
	chan_answer(&c->token, &m, sizeof m, none);
}

static void on_gate(void *ctx, struct call *c)
{
	struct selfcheck *s = ctx;
	const struct selfcheck_gate *m = c->msg;
	unsigned i = c->from == P_FRONT_SUB;

	s->asked[i].used = s->gate == SELFCHECK_UNKNOWN || s->gate == m->known;
	s->asked[i].token = c->token;
	if (!s->asked[i].used)
		tell_gate(s, &c->token);
}

const struct rule selfcheck_rules[SELFCHECK_TYPES] = {
	[SELFCHECK_RUN] = { .from = 1u << P_ADMIN,
			    .size = sizeof(struct selfcheck_run),
			    .run = on_run },
	[SELFCHECK_ACCOUNT] = { .from = 1u << P_ACME,
				.size = sizeof(struct selfcheck_account),
				.tail_max = SELFCHECK_URL,
				.run = on_account },
	[SELFCHECK_GATE] = { .from = 1u << P_FRONT_MX | 1u << P_FRONT_SUB,
			     .size = sizeof(struct selfcheck_gate),
			     .run = on_gate },
};

void selfcheck_init(struct selfcheck *s, struct loop *l, const struct publish_site *site,
		    struct slice route)
{
	s->loop = l;
	s->given = *site;
	s->route = route;
	s->port = SELFCHECK_PORT;
	s->pause = SELFCHECK_FIRST_MS;
	s->socket = (struct watch){ .fd = -1, .ready = on_socket };
	s->timer = (struct watch){ .fd = -1, .due = l->now, .ready = on_timer };
	loop_add(l, &s->timer);
}
