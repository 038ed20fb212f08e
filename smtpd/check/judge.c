/* SPDX-License-Identifier: ISC */
#include "smtpd/check/judge.h"

#include "smtpd/check/check.h"
#include "smtpd/check/verdict.h"
#include "smtpd/lib/arena.h"
#include "smtpd/lib/memfd.h"
#include "smtpd/lib/owner.h"
#include "smtpd/msg/dns.h"

/*
 * NOTES
 * A judge has JUDGE_TRACKS tracks; each is a row of tracks[] and asks one name at a time, so that a slow answer to one
 * does not hold up the others. It is over when no track has a question, which is not before the body was hashed: DKIM
 * asks for no key until then. A question that finds no wire, or whose wire goes away, is asked again until its time is
 * up; then it counts as a temporary error, like each one after it.
 * check->judging is the one timer: for pieces of bodies, questions to be repeated, and letters that wait for a place.
 */

_Static_assert((int)JUDGE_PIECE <= (int)HEADER_SCRATCH, "it goes through c->header");

static const struct slice nothing;

static void soon(struct check *c, int64_t ms)
{
	int64_t due = c->proc.loop.now + ms;

	if (due < c->judging.due)
		c->judging.due = due;
}

/* ---- the sender's domain ---- */

/* RFC 5321 5.1: without an exchanger the domain's own address is one. */
static const uint16_t sender_types[] = { DNSMSG_MX, DNSMSG_A, DNSMSG_AAAA };
enum { SENDER_TYPES = sizeof sender_types / sizeof *sender_types };

static bool sender_ask(struct judge *v, struct buf *name, uint16_t *type)
{
	if (v->sender_at == SENDER_TYPES)
		return false;
	*type = sender_types[v->sender_at];
	buf_put(name, v->sender.domain);
	return true;
}

static void sender_answer(struct judge *v, enum dnsmsg_kind kind, struct slice records)
{
	bool mx = sender_types[v->sender_at++] == DNSMSG_MX;
	struct cur c = CUR(records);
	struct slice first = nothing, more;

	if (kind == DNSMSG_OK) {
		v->sender_at = SENDER_TYPES;
		v->domain = SENDER_FINE;
		if (mx && dnsmsg_record(&c, &first) && !dnsmsg_record(&c, &more) &&
		    first.n == 2)
			v->domain = SENDER_NULL_MX; /* a preference, and the root for a host */
	} else if (kind != DNSMSG_NODATA && kind != DNSMSG_NXDOMAIN) {
		v->sender_at = SENDER_TYPES;
		v->domain = SENDER_UNKNOWN;
	} else {
		v->domain = SENDER_MISSING; /* so far */
	}
}

/* ---- SPF: of MAIL FROM, then of HELO ---- */

static void spf_begin(struct judge *v)
{
	struct spf_who who = {
		.ip = v->client,
		.helo = v->helo,
		.local = v->sender.local,
		.domain = v->helo_begun ? nothing : v->sender.domain,
		.receiver = SLICE(CONFIG_SMTPD_HOSTNAME),
		.now = (uint64_t)v->job->time,
	};

	spf_init(&v->spf, &who);
}

static bool spf_next(struct judge *v)
{
	*(v->helo_begun ? &v->by_helo : &v->mail_from) = v->spf.result;
	v->spf_over = v->helo_begun || !v->helo.n;
	v->helo_begun = true;
	if (!v->spf_over)
		spf_begin(v);
	return !v->spf_over;
}

static bool spf_track_ask(struct judge *v, struct buf *name, uint16_t *type)
{
	struct slice s;

	while (!v->spf_over) {
		if (spf_ask(&v->spf, &s, type)) {
			buf_put(name, s);
			return true;
		}
		spf_next(v);
	}
	return false;
}

static void spf_track_answer(struct judge *v, enum dnsmsg_kind kind, struct slice records)
{
	spf_answer(&v->spf, kind, records);
}

/* ---- DKIM ---- */

static bool hashed(const struct judge *v)
{
	return v->body == v->job->size;
}

static bool dkim_track_ask(struct judge *v, struct buf *name, uint16_t *type)
{
	*type = DNSMSG_TXT;
	return hashed(v) && dkim_verify_ask(&v->dkim, name);
}

static void dkim_track_answer(struct judge *v, enum dnsmsg_kind kind, struct slice records)
{
	dkim_verify_answer(&v->dkim, kind, records);
}

/* The next piece of the body, through the process's scratch memory. False: it cannot be read now. */
static bool hash_more(struct judge *v)
{
	uint64_t left = v->job->size - v->body;
	size_t n = left < JUDGE_PIECE ? (size_t)left : JUDGE_PIECE;

	if (!memfd_read(v->job->text, v->body, v->check->header, n))
		return false;
	dkim_verify_body(&v->dkim, (struct slice){ v->check->header, n });
	v->body += n;
	if (hashed(v))
		dkim_verify_end(&v->dkim);
	return true;
}

/* ---- DMARC ---- */

/* The one that counts: of MAIL FROM, or with <> of HELO (RFC 7208 2.4). */
static enum spf_result spf_counts(const struct judge *v)
{
	return v->sender.domain.n ? v->mail_from : v->by_helo;
}

/* DKIM has no question left, and SPF has the answer that counts. */
static bool dmarc_begin(struct judge *v)
{
	enum spf_result spf = spf_counts(v);
	uint8_t mem[DNSMSG_NAME];
	struct buf name = BUF(mem);

	if (v->added)
		return true;
	if (!hashed(v) || dkim_verify_ask(&v->dkim, &name) ||
	    (spf == SPF_PENDING && !v->spf_over))
		return false;
	v->added = true;
	if (spf == SPF_PASS || spf == SPF_TEMPERROR)
		dmarc_add(&v->dmarc, DMARC_SPF, v->sender.domain.n ? v->sender.domain : v->helo,
			  spf == SPF_PASS);
	for (size_t i = 0; i < v->dkim.n; i++)
		if (v->dkim.sig[i].verdict == DKIM_PASS ||
		    v->dkim.sig[i].verdict == DKIM_TEMPERROR)
			dmarc_add(&v->dmarc, DMARC_DKIM, v->dkim.sig[i].domain,
				  v->dkim.sig[i].verdict == DKIM_PASS);
	return true;
}

static bool dmarc_track_ask(struct judge *v, struct buf *name, uint16_t *type)
{
	*type = DNSMSG_TXT;
	return dmarc_begin(v) && dmarc_ask(&v->dmarc, name);
}

static void dmarc_track_answer(struct judge *v, enum dnsmsg_kind kind, struct slice records)
{
	dmarc_answer(&v->dmarc, kind, records);
}

/* ---- lists of addresses, RFC 5782 ---- */

static bool lists_ask(struct judge *v, struct buf *name, uint16_t *type)
{
	struct slice rest = v->lists;
	uint8_t mem[80];
	struct buf arpa = BUF(mem);

	ipaddr_put_arpa(&arpa, &v->client);
	buf_put(name, slice_head(buf_slice(&arpa),
				 arpa.len - (ipaddr_v4(&v->client) ? SLICE("in-addr.arpa").n
								   : SLICE("ip6.arpa").n)));
	buf_put(name, slice_word(&rest));
	*type = DNSMSG_A;
	return v->lists.n && !v->listed.n;
}

/* Lists answer 127.255.255.x to those whom they will not serve. A failure is no listing. */
static void lists_answer(struct judge *v, enum dnsmsg_kind kind, struct slice records)
{
	struct slice zone = slice_word(&v->lists), one;
	struct cur c = CUR(records);

	while (kind == DNSMSG_OK && dnsmsg_record(&c, &one))
		if (one.n == 4 && one.p[0] == 127 && !(one.p[1] == 255 && one.p[2] == 255))
			v->listed = zone;
}

/* ---- asking ---- */

static const struct {
	/* Puts the name to look up next; false: there is none now. */
	bool (*ask)(struct judge *v, struct buf *name, uint16_t *type);
	void (*answer)(struct judge *v, enum dnsmsg_kind kind, struct slice records);
} tracks[] = {
	[JUDGE_SENDER] = { sender_ask, sender_answer },
	[JUDGE_SPF] = { spf_track_ask, spf_track_answer },
	[JUDGE_DKIM] = { dkim_track_ask, dkim_track_answer },
	[JUDGE_LISTS] = { lists_ask, lists_answer },
	[JUDGE_DMARC] = { dmarc_track_ask, dmarc_track_answer },
};

_Static_assert(sizeof tracks / sizeof *tracks == JUDGE_TRACKS, "row missing");

static void on_answer(struct ask *a, const void *reply, struct slice records)
{
	static const enum dnsmsg_kind kinds[] = {
		[DNS_OK] = DNSMSG_OK,
		[DNS_NODATA] = DNSMSG_NODATA,
		[DNS_NXDOMAIN] = DNSMSG_NXDOMAIN,
	};
	struct judge_question *q = OWNER(struct judge_question, ask, a);
	struct judge *v = q->judge;
	const struct dns_reply *r = reply;

	if (!r && !chan_wired(v->check->dns)) { /* dns died: judge_run() asks the next one */
		soon(v->check, JUDGE_AGAIN_MS);
		return;
	}
	if (v->check->judge_stalled) /* there is room for one more question */
		soon(v->check, 0);
	tracks[q - v->question].answer(
		v, r && r->result < DNS_FAILED ? kinds[r->result] : DNSMSG_SERVFAIL,
		r ? records : nothing);
	judge_run(v);
}

/* False: there was no room on the wire. */
static bool ask_dns(struct judge_question *q, struct slice name, uint16_t type, int64_t ms)
{
	static const struct want want = { DNS_QUERY, sizeof(struct dns_reply), DNS_TAIL };
	struct dns_query m = { .qtype = type };

	q->ask.done = on_answer;
	return chan_ask(q->judge->check->dns, &q->ask, &m, sizeof m, name, NULL, 0, &want, ms);
}

/* Is a question of this track open? Asks the next one. */
static bool track_run(struct judge *v, enum judge_track t)
{
	int64_t left = v->until - v->check->proc.loop.now;
	uint8_t mem[2 * DNSMSG_NAME];
	struct buf name = BUF(mem);
	uint16_t type;

	if (v->question[t].ask.chan)
		return true;
	if (t != JUDGE_DMARC)
		left -= v->check->judge_ms / 4;
	for (; tracks[t].ask(v, &name, &type); name = (struct buf)BUF(mem)) {
		if (left <= 0) {
			tracks[t].answer(v, DNSMSG_SERVFAIL, nothing);
		} else if (name.bad || !dnsmsg_question_ok(buf_slice(&name))) {
			tracks[t].answer(v, DNSMSG_NXDOMAIN, nothing);
		} else {
			if (!ask_dns(&v->question[t], buf_slice(&name), type, left)) {
				v->check->judge_stalled = true;
				soon(v->check, JUDGE_AGAIN_MS);
			}
			return true;
		}
	}
	return false;
}

void judge_run(struct judge *v)
{
	bool open = false;

	for (int t = 0; t < JUDGE_TRACKS; t++)
		open |= track_run(v, (enum judge_track)t);
	if (!hashed(v))
		soon(v->check, 0);
	else if (!open)
		forward_judged(v->job);
}

/* ---- places ---- */

static void on_judging(struct watch *w, short got)
{
	struct check *c = OWNER(struct check, judging, w);
	struct judge *v = NULL;

	(void)got;
	w->due = LOOP_NEVER;
	c->judge_stalled = false;
	for (size_t i = 0; i < JUDGES && !v; i++) {
		v = &c->judges[c->judge_turn++ % JUDGES];
		if (!v->job || hashed(v))
			v = NULL;
	}
	if (v && !hash_more(v))
		job_say(v->job, &say_trouble);
	for (v = c->judges; v < c->judges + JUDGES; v++)
		if (v->job)
			judge_run(v);
	letter_more(c);
}

static void on_dns_wired(struct chan *dns)
{
	struct proc *p = dns->owner;

	soon(OWNER(struct check, proc, p), 0);
}

void judge_init(struct check *c)
{
	c->judge_ms = CONFIG_FORWARD_JUDGE_WAIT * 1000;
	c->judges = arena_reserve(JUDGES * sizeof *c->judges);
	c->dns = proc_chan(&c->proc, PROG_DNS);
	c->dns->wired = on_dns_wired;
	c->judging = (struct watch){ .fd = -1, .due = LOOP_NEVER, .ready = on_judging };
	loop_add(&c->proc.loop, &c->judging);
}

bool judge_take(struct check *c, struct job *j)
{
	for (struct judge *v = c->judges; v < c->judges + JUDGES; v++)
		if (!v->job) {
			v->job = j;
			v->check = c;
			j->judge = v;
			return true;
		}
	return false;
}

bool judge_start(struct judge *v, const struct letter *l)
{
	struct buf text = BUF(v->text);
	struct slice peer, helo;
	size_t n;

	if (!envelope_get(l->head, ENV_PEER, &peer) || !ipaddr_parse(peer, &v->client) ||
	    !envelope_get(l->head, ENV_HELO, &helo))
		return false;
	path_print(&l->sender, &text);
	n = text.len;
	if (helo.n <= buf_room(&text) && path_name(helo))
		buf_put(&text, helo);
	if (text.bad ||
	    !path_addr(slice_head(buf_slice(&text), n), PATH_NULL | PATH_UTF8, &v->sender))
		return false;
	v->helo = slice_from(buf_slice(&text), n);
	v->domain = SENDER_FINE;
	v->sender_at = path_name(v->sender.domain) ? 0 : SENDER_TYPES;
	v->listed = nothing;
	v->lists = v->check->lists;
	v->forged = v->check->authres &&
		    verdict_forged(l->header, SLICE(CONFIG_SMTPD_HOSTNAME));
	for (int t = 0; t < JUDGE_TRACKS; t++)
		v->question[t].judge = v;
	v->began = v->job->taken;
	v->until = v->began + v->check->judge_ms;
	v->mail_from = v->by_helo = SPF_PENDING;
	v->helo_begun = !v->sender.domain.n;
	v->spf_over = v->helo_begun && !v->helo.n;
	v->added = false;
	if (!v->spf_over)
		spf_begin(v);
	dmarc_init(&v->dmarc, l->header);
	dkim_verify_init(&v->dkim, l->header, (uint64_t)v->job->time);
	v->body = l->body;
	if (!v->dkim.sums)
		v->body = v->job->size;
	if (hashed(v))
		dkim_verify_end(&v->dkim);
	return true;
}

void judge_drop(struct judge *v)
{
	for (int t = 0; t < JUDGE_TRACKS; t++)
		ask_drop(&v->question[t].ask);
	v->job->judge = NULL;
	v->job = NULL;
	soon(v->check, 0); /* who waits for a place? */
}
