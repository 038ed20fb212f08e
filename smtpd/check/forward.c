/* SPDX-License-Identifier: ISC */
#include "smtpd/check/check.h"

#include <string.h>

#include "smtpd/check/judge.h"
#include "smtpd/check/verdict.h"
#include "smtpd/lib/memfd.h"
#include "smtpd/lib/owner.h"

/*
 * NOTES: a stranger's letter. Forward: the envelope sender is rewritten (SRS), the destination comes from the map.
 * Return: the recipient is an SRS address, holder.srs says whose, the sender stays <>. In both the text is not
 * touched; Delivered-To, X-Forwarded-To and Received go before it.
 *
 * All letters go to out.mx in the order in which they were ready; one that finds it full or being restarted waits, for
 * ROOM_MS. What it waited here, and for the judge, is taken off the time that out.mx has for it: OUT_MX_MS from the
 * dot in all (RULES P3).
 *
 * While holder.srs is asked the letter is judged (judge.h); deliver() waits for both. A letter to a verified return
 * address is judged for the log alone: it answers one of ours, and who bounces a letter has often no SPF for his HELO.
 *
 *   forward_letter ─┬─ sender <> or ours ──────────────── deliver
 *                   ├─ HOLDER_SRS_FORWARD ── on_rewritten ── deliver
 *                   └─ HOLDER_SRS_REVERSE ── on_reversed ─── deliver ── on_delivered
 */

static const struct say no_field = { 550,
				     { 5, 6, 0 },
				     "The first line of a letter cannot begin with a blank" };
static const struct say loop = { 554, { 5, 4, 6 }, "Mail loop detected" };
static const struct say other_route = { 451, { 4, 5, 3 }, "One destination at a time, please" };

/* Sender of letters whose own sender is no address of a domain, such as ann@[192.0.2.1]: it passes SPF. The
 * destination's verdict reaches the true sender while he waits; a later bounce does not. */
#define UNREWRITTEN "forwarded"

static const struct want want_delivered = { OUT_DELIVER, sizeof(struct out_result),
					    OUT_RESULT_TAIL };

static struct job *job_of(struct ask *a)
{
	return OWNER(struct job, ask, a);
}

/* The value of a field, which may begin on its second line. */
static struct slice value_of(struct slice body)
{
	body = slice_trim(body);
	return slice_trim(slice_iprefix(body, SLICE("\r\n")) ? slice_from(body, 2) : body);
}

/* Our own marker, for the address at hand or for another alias of the same destination (*to; NULL: a return). */
static bool marked(struct check *c, struct slice value, struct slice rcpt,
		   const struct path *to)
{
	struct path p, other;

	return slice_ieq(value, rcpt) ||
	       (to && path_addr(value, PATH_UTF8, &p) &&
		alias_find(&c->aliases, &c->domains, &p, &other) == ALIAS_TO &&
		path_eq(to, &other));
}

/* Marked, or too many hops (RULES F7, RFC 5321 6.3). */
static bool loops(struct check *c, struct slice header, struct slice rcpt,
		  const struct path *to)
{
	struct header_field f;
	unsigned hops = 0;

	while (header_next(&header, &f)) {
		if (slice_ieq(f.name, SLICE("Received")))
			hops++;
		else if (slice_ieq(f.name, SLICE("Delivered-To")) &&
			 marked(c, value_of(f.body), rcpt, to))
			return true;
	}
	return hops >= CONFIG_FORWARD_MAX_HOPS;
}

static void learn(struct job *j, const struct out_result *r)
{
	struct slice to;

	if (envelope_get(buf_slice(&j->env), ENV_RCPT, &to))
		stops_learn(&j->check->stops, slice_from(to, slice_rfind(to, '@') + 1), r->op,
			    r->stop_ms, j->check->proc.loop.now);
}

static void log_route(struct job *j, const struct out_result *r, struct slice host)
{
	log_bytes(&j->log, "mx", host);
	log_bytes(&j->log, "tls",
		  (struct slice){ (const uint8_t *)r->policy,
				  strnlen(r->policy, sizeof r->policy) });
	log_num(&j->log, "out", j->check->proc.loop.now - j->handed);
}

bool forward_stopped(const struct check *c, struct slice domain)
{
	return stops_left(&c->stops, domain, c->proc.loop.now) > 0;
}

/* A letter that the destination took, and no other: nobody spends what is another's by words alone. */
static void count(struct job *j)
{
	struct check *c = j->check;

	for (int i = 0; i < CHECK_RATES; i++)
		if (j->rate_key[i][0])
			rates_count(&c->rates, j->rate_key[i], c->proc.loop.now, c->hourly[i]);
}

static void on_delivered(struct ask *a, const void *reply, struct slice tail)
{
	struct job *j = job_of(a);
	struct check *c = j->check;
	const struct out_result *r = reply;
	struct cur in = CUR(tail);
	struct answer m = { 0 };
	struct out_verdict v;
	struct slice text = SLICE("");

	if (r) {
		log_route(j, r, cur_take(&in, r->host_len));
		learn(j, r);
	}
	if (r && out_verdict_take(&in, &v, &text)) {
		m.code = v.code;
		memcpy(m.enhanced, v.enhanced, sizeof m.enhanced);
	}
	if (m.code / 100 == 2)
		count(j);
	/* No wire to out means that it died with the letter inside; a late answer does not, nor does one whose turn had
	 * not come. */
	job_pass(j, m.code ? &m : NULL, text, !chan_wired(c->down) && memfd_marked(j->text));
	forward_more(c);
}

static void hand_over(struct job *j)
{
	int64_t now = j->check->proc.loop.now;
	struct out_deliver m = { .text_size = j->size,
				 .ms = (uint32_t)(OUT_MX_MS - (now - j->taken)) };
	static const uint32_t index = 0;
	struct slice tail = { (const uint8_t *)&index, sizeof index };
	int fd[MSG_FDS] = { j->text, j->head };

	j->ask.done = on_delivered;
	j->handed = now;
	if (chan_ask(j->check->down, &j->ask, &m, sizeof m, tail, fd, 2, &want_delivered,
		     DOWN_MS))
		j->waits = 0;
}

/* The one that has waited longest. NULL: none waits. */
static struct job *first_waiting(struct check *c)
{
	struct job *first = NULL;

	for (size_t i = 0; i < JOBS; i++) {
		struct job *j = &c->jobs[i];

		if (j->token.chan && j->waits && (!first || j->waits < first->waits))
			first = j;
	}
	return first;
}

void forward_more(struct check *c)
{
	struct job *j;

	while (chan_ready(c->down) && (j = first_waiting(c))) {
		if (c->proc.loop.now - j->waits >= ROOM_MS) {
			job_say(j, &say_busy);
			continue;
		}
		hand_over(j);
		if (j->waits)
			break;
	}
}

static void on_told(struct ask *a, const void *reply, struct slice tail)
{
	struct stops *s = OWNER(struct stops, ask, a);

	(void)reply;
	(void)tail;
	forward_more(OWNER(struct check, stops, s));
}

void forward_wired(struct check *c)
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
	forward_more(c);
}

static void deliver(struct job *j)
{
	j->prepared = true;
	if (j->judge)
		return;
	if (!letter_head(j, SLICE(""))) {
		job_say(j, &say_trouble);
		return;
	}
	memfd_mark(j->text, false); /* out.mx marks it when it begins */
	j->waits = j->check->proc.loop.now;
	forward_more(j->check);
}

static bool ours(const struct check *c, struct slice domain)
{
	return slice_ieq(domain, c->domains.srs) || alias_domain(c->domains.mail, domain) >= 0;
}

void forward_judged(struct job *j)
{
	struct check *c = j->check;
	struct judge *v = j->judge;
	const struct verdict_rules rules = { .dmarc = c->refuse_dmarc, .spf = c->refuse_spf };
	uint8_t mem[ANSWER_TEXT + 1];
	struct buf text = BUF(mem);
	struct say s;

	verdict_put(v, c->proc.loop.now, &j->log);
	if (!verdict_passes(v, &rules, ours(c, v->sender.domain), &text, &s) &&
	    (!j->returned || v->forged)) {
		ask_drop(&j->ask); /* of holder.srs */
		job_say(j, &s);
		return;
	}
	if (c->authres)
		verdict_field(v, SLICE(CONFIG_SMTPD_HOSTNAME), &j->header);
	judge_drop(v);
	if (j->prepared)
		deliver(j);
}

static void on_rewritten(struct ask *a, const void *reply, struct slice tail)
{
	struct job *j = job_of(a);
	const struct holder_reply *r = reply;
	uint8_t bytes[PATH_OCTETS];
	struct buf sender = BUF(bytes);

	if (!r || r->result == HOLDER_NOT_YET) {
		job_say(j, &say_trouble);
	} else {
		path_join(r->result == HOLDER_DONE ? tail : SLICE(UNREWRITTEN),
			  j->check->domains.srs, &sender);
		j->env.bad |= sender.bad;
		envelope_put(&j->env, ENV_SENDER, buf_slice(&sender));
		deliver(j);
	}
}

static void on_reversed(struct ask *a, const void *reply, struct slice tail)
{
	struct job *j = job_of(a);

	if (!job_returns(j, reply, tail))
		return;
	envelope_put(&j->env, ENV_SENDER, SLICE(""));
	envelope_put(&j->env, ENV_RCPT, tail);
	deliver(j);
}

static void put_trace(struct job *j, const struct letter *l, struct slice rcpt, struct slice to)
{
	buf_put(&j->header, SLICE("Delivered-To: "));
	buf_put(&j->header, rcpt);
	if (to.n) {
		buf_put(&j->header, SLICE("\r\nX-Forwarded-To: "));
		buf_put(&j->header, to);
	}
	buf_put(&j->header, SLICE("\r\n"));
	trace_received(&j->header, j, l, l->nrcpt == 1 ? rcpt : SLICE(""));
}

static void forward(struct job *j, const struct letter *l, const struct path *p,
		    struct slice rcpt, struct slice to)
{
	uint8_t bytes[PATH_OCTETS];
	struct buf sender = BUF(bytes);

	log_bytes(&j->log, "to", to);
	if (!rate_key(RATE_SENDER, &l->sender, j->rate_key[RATE_SENDER]))
		j->rate_key[RATE_SENDER][0] = 0;
	rate_key(RATE_RCPT, p, j->rate_key[RATE_RCPT]);
	put_trace(j, l, rcpt, to);
	envelope_put(&j->env, ENV_RCPT, to);
	envelope_put(&j->env, ENV_ORIGINAL, rcpt);
	path_print(&l->sender, &sender);
	if (path_null(&l->sender) || ours(j->check, l->sender.domain)) {
		envelope_put(&j->env, ENV_SENDER, buf_slice(&sender));
		deliver(j);
	} else {
		job_ask_srs(j, &l->sender, l->sender.domain, on_rewritten);
	}
}

/* Do all recipients lead where the first one does? front keeps one route per transaction. */
static bool one_route(struct check *c, const struct letter *l, enum alias_kind kind,
		      const struct path *to)
{
	struct cur in = CUR(l->head);
	enum env_tag tag;
	struct slice v;
	struct path p, other;

	while (envelope_next(&in, &tag, &v)) {
		if (tag != ENV_RCPT)
			continue;
		if (!path_addr(v, PATH_BARE | PATH_UTF8, &p) ||
		    alias_find(&c->aliases, &c->domains, &p, &other) != kind ||
		    (kind == ALIAS_TO && !path_eq(to, &other)))
			return false;
	}
	return kind == ALIAS_TO || l->nrcpt == 1;
}

void forward_letter(struct job *j, const struct letter *l)
{
	struct check *c = j->check;
	struct slice rcpt, body, name;
	struct path p, to;
	enum alias_kind kind;
	enum header_fault fault;
	uint8_t bytes[PATH_OCTETS];
	struct buf dest = BUF(bytes);

	if (!envelope_get(l->head, ENV_RCPT, &rcpt) ||
	    !path_addr(rcpt, PATH_BARE | PATH_UTF8, &p)) {
		job_say(j, &say_trouble);
		return;
	}
	kind = alias_find(&c->aliases, &c->domains, &p, &to);
	if (envelope_get(l->head, ENV_BODY, &body))
		envelope_put(&j->env, ENV_BODY, body);
	if (kind != ALIAS_TO && kind != ALIAS_RETURN) {
		job_say(j, &say_unknown);
	} else if (!one_route(c, l, kind, &to)) {
		job_say(j, &other_route);
	} else if (l->header.n && (l->header.p[0] == ' ' || l->header.p[0] == '\t')) {
		job_say(j, &no_field); /* it would go on with the last field of ours */
	} else if (loops(c, l->header, rcpt, kind == ALIAS_TO ? &to : NULL)) {
		job_say(j, &loop);
	} else if (kind == ALIAS_TO &&
		   (fault = header_check_stranger(l->header, l->utf8, &name)) != HEADER_OK) {
		job_fault(j, fault, name);
	} else if (!judge_start(j->judge, l)) {
		job_say(j, &say_trouble);
	} else if (kind == ALIAS_TO) {
		path_print(&to, &dest);
		forward(j, l, &p, rcpt, buf_slice(&dest));
	} else {
		j->returned = true;
		put_trace(j, l, rcpt, SLICE(""));
		job_ask_srs(j, &p, SLICE(""), on_reversed);
	}
}
