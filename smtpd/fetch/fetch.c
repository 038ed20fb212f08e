/* SPDX-License-Identifier: ISC */
#include "smtpd/fetch/fetch.h"

#include <string.h>
#include <time.h>

#include "smtpd/http/url.h"
#include "smtpd/lib/arena.h"
#include "smtpd/lib/log.h"
#include "smtpd/lib/owner.h"
#include "smtpd/lib/proc.h"
#include "smtpd/msg/dns.h"
#include "smtpd/proto/dnsmsg.h"

/*
 * NOTES
 * A question is a waiter. When its domain was checked lately it is answered at once; else a lookup runs for it: TXT,
 * then the policy if the record's id is new or the policy is old, then everybody who waits for the domain is
 * answered from the cache. A failure at any step leaves what the cache holds (RFC 8461 3.3), and is not tried again
 * for FETCH_CHECK.
 */
enum { STATUS_OK = 200 };

static const struct want want_dns = { DNS_QUERY, sizeof(struct dns_reply), DNS_TAIL };

static struct slice domain_of(const struct fetch_waiter *w)
{
	return (struct slice){ w->domain, w->domain_n };
}

/* ---- answers ---- */

static void answer(const struct token *t, const struct stsplace *p)
{
	struct fetch_policy m = { .mode = FETCH_NONE };
	struct slice hosts = { NULL, 0 };

	if (stscache_valid(p, time(NULL)) && p->row.mode != STS_NONE) {
		m.mode = p->row.mode == STS_ENFORCE ? FETCH_ENFORCE : FETCH_TESTING;
		hosts = (struct slice){ p->row.hosts, p->row.hosts_n };
	}
	chan_answer(t, &m, sizeof m, hosts);
}

static void answer_all(struct fetch *f, struct slice domain)
{
	for (size_t i = 0; i < FETCH_WAITERS; i++) {
		struct fetch_waiter *w = &f->waiter[i];

		if (!w->used || !slice_ieq(domain_of(w), domain))
			continue;
		w->used = false;
		answer(&w->token, stscache_find(&f->cache, domain));
	}
}

/* ---- lookups ---- */

static void start_lookups(struct fetch *f);

static void log_lookup(const struct fetch_lookup *l, const struct stsplace *p, const char *why)
{
	struct logline log;

	log_begin(&log, "sts");
	log_text(&log, "domain", l->domain);
	if (why)
		log_text(&log, "failed", why);
	if (stscache_valid(p, time(NULL))) {
		log_text(&log, "mode",
			 p->row.mode == STS_ENFORCE   ? "enforce"
			 : p->row.mode == STS_TESTING ? "testing"
						      : "none");
		log_num(&log, "until", p->row.until);
	}
	log_send(&log);
}

/* why NULL: as it should be. */
static void ended(struct fetch_lookup *l, const char *why)
{
	struct fetch *f = l->owner;
	struct slice domain = slice_of(l->domain);
	struct stsplace *p = stscache_place(&f->cache, domain);

	p->checked = f->env.loop->now + (int64_t)FETCH_CHECK * 1000;
	if (why)
		log_lookup(l, p, why);
	l->busy = false;
	answer_all(f, domain);
	start_lookups(f);
}

/* Redirects are not followed (RFC 8461 3.3). */
static const char *why_not(const struct fetch_lookup *l)
{
	if (l->get.why)
		return l->get.why;
	if (l->get.reply.status != STATUS_OK)
		return "the status is not 200";
	return l->text ? NULL : "not text/plain";
}

static void on_field(struct httpreply *r, struct slice name, struct slice value)
{
	struct fetch_lookup *l = OWNER(struct fetch_lookup, get.reply, r);

	if (slice_ieq(name, SLICE("content-type")))
		l->text = slice_ieq(slice_trim(slice_head(value, slice_find(value, ';'))),
				    SLICE("text/plain"));
}

static void on_file(struct httpcall *h)
{
	struct fetch_lookup *l = OWNER(struct fetch_lookup, get, h);
	struct fetch *f = l->owner;
	const char *why = why_not(l);
	struct sts_policy policy;
	struct stsplace *p;
	struct stsrow *r;

	if (why || !sts_parse(buf_slice(&h->reply.body), &policy)) {
		ended(l, why ? why : "the policy is not valid");
		return;
	}
	p = stscache_place(&f->cache, slice_of(l->domain));
	r = &p->row;
	r->fetched = time(NULL);
	r->until = r->fetched + policy.max_age;
	r->mode = policy.mode;
	r->id_n = l->id_n;
	memcpy(r->id, l->id, l->id_n);
	r->hosts_n = (uint16_t)policy.hosts_n;
	memcpy(r->hosts, policy.hosts, policy.hosts_n);
	stscache_save(&f->cache, p);
	log_lookup(l, p, NULL);
	ended(l, NULL);
}

static bool is_fresh(const struct stsplace *p, struct slice id)
{
	int64_t now = time(NULL);

	return stscache_valid(p, now) &&
	       slice_eq((struct slice){ p->row.id, p->row.id_n }, id) &&
	       now - p->row.fetched < FETCH_FRESH && now >= p->row.fetched;
}

static void on_record(struct ask *a, const void *reply, struct slice records)
{
	struct fetch_lookup *l = OWNER(struct fetch_lookup, ask, a);
	const struct dns_reply *r = reply;
	struct buf host = { .p = (uint8_t *)l->host, .cap = sizeof l->host - 1 };
	struct buf request = BUF(l->request);
	struct stsplace *p = stscache_find(&l->owner->cache, slice_of(l->domain));
	bool held = stscache_valid(p, time(NULL));
	struct slice id;

	if (!r && !chan_wired(l->owner->env.dns)) {
		l->busy = false; /* dns is being restarted: with the next tick once more */
		return;
	}
	if (!r || r->result == DNS_FAILED) {
		ended(l, held ? "name service failed" : NULL);
		return;
	}
	if (r->result != DNS_OK || !sts_record(records, &id)) {
		ended(l, held ? "the record is gone" : NULL);
		return;
	}
	if (is_fresh(p, id)) {
		ended(l, NULL);
		return;
	}
	l->id_n = (uint8_t)id.n;
	memcpy(l->id, id.p, id.n);
	buf_put(&host, SLICE("mta-sts."));
	buf_put(&host, slice_of(l->domain));
	l->host[host.len] = 0;
	l->text = false;
	httpcall_put(&request, "GET", l->host, l->owner->port,
		     SLICE("/.well-known/mta-sts.txt"), "text/plain",
		     (struct slice){ NULL, 0 });
	httpcall_start(&l->get, l->host, l->owner->port, buf_slice(&request));
}

/* Says whether the place is in use now. */
static bool start_lookup(struct fetch_lookup *l, struct slice domain)
{
	struct dns_query q = { .qtype = DNSMSG_TXT };
	uint8_t mem[FETCH_NAME + 16];
	struct buf name = BUF(mem);

	slice_cstr(domain, l->domain, sizeof l->domain);
	buf_put(&name, SLICE("_mta-sts."));
	buf_put(&name, domain);
	l->ask.done = on_record;
	l->busy = dnsmsg_name_ok(buf_slice(&name)) &&
		  chan_ask(l->owner->env.dns, &l->ask, &q, sizeof q, buf_slice(&name), NULL, 0,
			   &want_dns, FETCH_DNS_MS);
	return l->busy;
}

static bool in_flight(const struct fetch *f, struct slice domain)
{
	for (size_t i = 0; i < FETCH_LOOKUPS; i++)
		if (f->lookup[i].busy && slice_ieq(slice_of(f->lookup[i].domain), domain))
			return true;
	return false;
}

static struct fetch_lookup *free_lookup(struct fetch *f)
{
	for (size_t i = 0; i < FETCH_LOOKUPS; i++)
		if (!f->lookup[i].busy)
			return &f->lookup[i];
	return NULL;
}

/* Without a name service the question stays: it is tried again with the next tick. */
static void start_lookups(struct fetch *f)
{
	for (size_t i = 0; i < FETCH_WAITERS; i++) {
		struct fetch_waiter *w = &f->waiter[i];
		struct fetch_lookup *l = free_lookup(f);

		if (!l)
			return;
		if (w->used && !in_flight(f, domain_of(w)))
			start_lookup(l, domain_of(w));
	}
}

/* ---- questions ---- */

static bool stale(const struct token *t)
{
	return t->chan->watch.fd < 0 || t->generation != t->chan->generation;
}

static void on_tick(struct watch *t, short got)
{
	enum { TICK_MS = 1000 };
	struct fetch *f = OWNER(struct fetch, tick, t);
	bool waits = false;

	(void)got;
	for (size_t i = 0; i < FETCH_WAITERS; i++) {
		struct fetch_waiter *w = &f->waiter[i];

		if (w->used && stale(&w->token))
			w->used = false;
		if (w->used && f->env.loop->now >= w->due) {
			w->used = false;
			answer(&w->token, stscache_find(&f->cache, domain_of(w)));
		}
		waits |= w->used;
	}
	start_lookups(f);
	t->due = f->env.loop->now + TICK_MS;
	if (!waits)
		loop_drop(f->env.loop, t);
}

static struct fetch_waiter *free_waiter(struct fetch *f)
{
	for (size_t i = 0; i < FETCH_WAITERS; i++)
		if (!f->waiter[i].used || stale(&f->waiter[i].token))
			return &f->waiter[i];
	return NULL;
}

static void on_sts(void *ctx, struct call *c)
{
	struct fetch *f = ctx;
	struct stsplace *p = stscache_find(&f->cache, c->tail);
	struct fetch_waiter *w;
	struct buf name;

	if (!dnsmsg_name_ok(c->tail) || (p && p->checked > f->env.loop->now)) {
		answer(&c->token, p);
		return;
	}
	w = free_waiter(f);
	if (!w) {
		chan_fail(&c->token);
		return;
	}
	*w = (struct fetch_waiter){ .token = c->token,
				    .used = true,
				    .due = f->env.loop->now + FETCH_TURN_MS,
				    .domain_n = (uint8_t)c->tail.n };
	name = BUF(w->domain);
	buf_lower(&name, c->tail);
	start_lookups(f);
	f->tick.due = f->env.loop->now + 1;
	loop_add(f->env.loop, &f->tick);
}

const struct rule fetch_rules[FETCH_TYPES] = {
	[FETCH_STS] = { .from = 1u << P_OUT_MX | 1u << P_OUT_SUB | 1u << P_SELFCHECK,
			.size = sizeof(struct fetch_sts),
			.tail_max = FETCH_NAME,
			.run = on_sts },
};

void fetch_init(struct fetch *f, struct loop *l, struct chan *dns, int cache_fd)
{
	f->env = (struct httpcall_env){ .loop = l, .dns = dns, .anchors = f->env.anchors };
	f->port = URL_PORT;
	f->waiter = arena_reserve(FETCH_WAITERS * sizeof *f->waiter);
	f->tick = (struct watch){ .fd = -1, .ready = on_tick };
	stscache_init(&f->cache, cache_fd);
	for (size_t i = 0; i < FETCH_LOOKUPS; i++) {
		struct fetch_lookup *k = &f->lookup[i];

		k->owner = f;
		k->get.env = &f->env;
		k->get.done = on_file;
		k->get.stream.watch.fd = -1;
		k->get.field = on_field;
		k->get.out = BUF(k->out);
		k->get.body = (struct buf){ .p = arena_reserve(FETCH_BODY), .cap = FETCH_BODY };
	}
}
