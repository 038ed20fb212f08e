/* SPDX-License-Identifier: ISC */
#include "smtpd/check/check.h"

#include "smtpd/check/judge.h"
#include "smtpd/check/verdict.h"
#include "smtpd/lib/owner.h"

/*
 * NOTES: a stranger's letter. Forward: the envelope sender is rewritten (SRS), the destinations come from the map.
 * Return: the recipient is an SRS address, holder.srs says whose, the sender stays <>. In both the text is not
 * touched; Delivered-To, X-Forwarded-To and Received go before it.
 *
 * While holder.srs is asked the letter is judged (judge.h); deliver() waits for both. A letter to a verified return
 * address is judged for the log alone: it answers one of ours, and who bounces a letter has often no SPF for his HELO.
 *
 *   forward_letter ─┬─ sender <> or ours ──────────────── deliver
 *                   ├─ HOLDER_SRS_FORWARD ── on_rewritten ── deliver
 *                   └─ HOLDER_SRS_REVERSE ── on_reversed ─── deliver ── legs_start
 */

static const struct say no_field = { 550,
				     { 5, 6, 0 },
				     "The first line of a letter cannot begin with a blank" };
static const struct say loop = { 554, { 5, 4, 6 }, "Mail loop detected" };
static const struct say other_route = { 451, { 4, 5, 3 }, "One destination at a time, please" };

/* Sender of letters whose own sender is no address of a domain, such as ann@[192.0.2.1]: it passes SPF. The
 * destination's verdict reaches the true sender while he waits; a later bounce does not. */
#define UNREWRITTEN "forwarded"

enum { LOG_TO = 160 };

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

/* Is one of these addresses among those? */
static bool meets(struct slice these, struct slice those)
{
	struct slice one, other, rest;

	while ((one = slice_word(&these)).n)
		for (rest = those; (other = slice_word(&rest)).n;)
			if (slice_ieq(one, other))
				return true;
	return false;
}

/* Our own marker, for the address at hand or for another alias that leads where this one does (to; empty: a return). */
static bool marked(struct check *c, struct slice value, struct slice rcpt, struct slice to)
{
	struct path p;
	struct slice other;

	return slice_ieq(value, rcpt) ||
	       (to.n && path_addr(value, PATH_UTF8, &p) &&
		alias_find(&c->aliases, &c->domains, &p, &other) == ALIAS_TO &&
		meets(to, other));
}

/* Marked, or too many hops (RULES F7, RFC 5321 6.3). */
static bool loops(struct check *c, struct slice header, struct slice rcpt, struct slice to)
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

static void deliver(struct job *j)
{
	j->prepared = true;
	if (j->judge)
		return;
	legs_start(j);
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

static void set_address(struct job *j, struct slice address)
{
	struct buf b = BUF(j->address);

	buf_put(&b, address);
	j->address_n = (uint16_t)b.len;
}

static void on_reversed(struct ask *a, const void *reply, struct slice tail)
{
	struct job *j = job_of(a);

	if (!job_returns(j, reply, tail))
		return;
	set_address(j, tail);
	legs_add(j, SLICE(""), (struct slice){ j->address, j->address_n });
	envelope_put(&j->env, ENV_SENDER, SLICE(""));
	deliver(j);
}

/* To the addresses in `to`; with none, to the one behind the SRS address p. */
static void set_out(struct job *j, const struct letter *l, const struct path *p,
		    struct slice to)
{
	uint8_t bytes[PATH_OCTETS];
	struct buf sender = BUF(bytes);
	struct slice rcpt, w;

	envelope_get(l->head, ENV_RCPT, &rcpt);
	j->returned = !to.n;
	if (j->returned) { /* else each destination gets it with its own field */
		buf_put(&j->header, SLICE("Delivered-To: "));
		buf_put(&j->header, rcpt);
		buf_put(&j->header, SLICE("\r\n"));
	}
	trace_received(&j->header, j, l, l->nrcpt == 1 ? rcpt : SLICE(""));
	if (j->returned) {
		job_ask_srs(j, p, SLICE(""), on_reversed);
		return;
	}
	log_bytes(&j->log, "to", slice_head(to, LOG_TO));
	rate_key(RATE_SENDER, &l->sender, j->rate_key[RATE_SENDER]);
	rate_key(RATE_RCPT, p, j->rate_key[RATE_RCPT]);
	path_print(&l->sender, &sender);
	while ((w = slice_word(&to)).n)
		legs_add(j, buf_slice(&sender), w);
	set_address(j, rcpt);
	if (legs_before(j))
		return;
	if (path_null(&l->sender) || ours(j->check, l->sender.domain)) {
		envelope_put(&j->env, ENV_SENDER, buf_slice(&sender));
		deliver(j);
	} else {
		job_ask_srs(j, &l->sender, l->sender.domain, on_rewritten);
	}
}

/* Do all recipients lead where the first one does? front keeps one route per transaction; that several return
 * addresses lead to one place is front's word alone. */
static bool one_route(struct check *c, const struct letter *l, enum alias_kind kind,
		      struct slice to)
{
	struct cur in = CUR(l->head);
	enum env_tag tag;
	struct slice v, other;
	struct path p;

	while (envelope_next(&in, &tag, &v)) {
		if (tag != ENV_RCPT)
			continue;
		if (!path_addr(v, PATH_BARE | PATH_UTF8, &p) ||
		    alias_find(&c->aliases, &c->domains, &p, &other) != kind ||
		    (kind == ALIAS_TO && !slice_eq(to, other)))
			return false;
	}
	return true;
}

void forward_letter(struct job *j, const struct letter *l)
{
	struct check *c = j->check;
	struct slice rcpt, body, name, to = { NULL, 0 };
	struct path p;
	enum alias_kind kind;
	enum header_fault fault;

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
	} else if (!one_route(c, l, kind, to)) {
		job_say(j, &other_route);
	} else if (l->header.n && (l->header.p[0] == ' ' || l->header.p[0] == '\t')) {
		job_say(j, &no_field); /* it would go on with the last field of ours */
	} else if (loops(c, l->header, rcpt, to)) {
		job_say(j, &loop);
	} else if (kind == ALIAS_TO &&
		   (fault = header_check_stranger(l->header, l->utf8, &name)) != HEADER_OK) {
		job_fault(j, fault, name);
	} else if (!judge_start(j->judge, l)) {
		job_say(j, &say_trouble);
	} else {
		set_out(j, l, &p, to);
	}
}
