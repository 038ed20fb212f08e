/* SPDX-License-Identifier: ISC */
#include "smtpd/dns/resolver.h"

#include <string.h>

#include "smtpd/lib/arena.h"
#include "smtpd/lib/log.h"
#include "smtpd/lib/proc.h"

static const uint8_t results[] = {
	[DNSMSG_SERVFAIL] = DNS_FAILED,
	[DNSMSG_NXDOMAIN] = DNS_NXDOMAIN,
	[DNSMSG_NODATA] = DNS_NODATA,
	[DNSMSG_OK] = DNS_OK,
};

_Static_assert((int)DNSMSG_RECORDS <= (int)DNS_TAIL, "every answer fits a reply");

static void answer(const struct token *t, const struct dnsmsg_answer *a)
{
	struct dns_reply m = { .result = results[a->kind],
			       .n = a->n,
			       .secure = a->secure,
			       .silent = a->silent,
			       .ttl = a->ttl };

	chan_answer(t, &m, sizeof m, (struct slice){ a->records, a->len });
}

/* What came over TLS and what came in clear are kept apart: numbers of types end below. */
static uint16_t cache_type(uint16_t type, bool over_tls)
{
	enum { OVER_TLS = 0x8000 };

	return over_tls ? type | OVER_TLS : type;
}

static void on_done(struct dnsask *ask, const struct dnsmsg_answer *a)
{
	struct resolver_query *q = (struct resolver_query *)(void *)ask; /* first member */
	struct resolver *r = q->owner;

	q->busy = false;
	if (a->kind == DNSMSG_SERVFAIL) {
		struct logline l;

		log_begin(&l, "nodns");
		log_bytes(&l, "name", dnsask_name(ask));
		log_num(&l, "type", ask->type);
		log_num(&l, "servers", r->servers.n);
		log_num(&l, "silent", a->silent);
		log_send(&l);
	} else {
		dnsask_prefer(ask, &r->servers);
	}
	dnscache_keep(&r->cache, r->loop->now, dnsask_name(ask),
		      cache_type(ask->type, ask->dot), a);
	for (size_t i = 0; i < RESOLVER_OPEN; i++) {
		struct resolver_waiter *w = &r->waiter[i];

		if (w->query != q)
			continue;
		w->query = NULL;
		answer(&w->token, a);
	}
}

static bool stale(const struct token *t)
{
	return t->chan->watch.fd < 0 || t->generation != t->chan->generation;
}

/* A place for one more requester. Those that were left by requesters who died are taken first. */
static struct resolver_waiter *free_waiter(struct resolver *r)
{
	for (size_t i = 0; i < RESOLVER_OPEN; i++)
		if (!r->waiter[i].query || stale(&r->waiter[i].token))
			return &r->waiter[i];
	return NULL;
}

static struct resolver_query *free_query(struct resolver *r)
{
	for (size_t i = 0; i < RESOLVER_OPEN; i++)
		if (!r->query[i].busy)
			return &r->query[i];
	return NULL;
}

static struct resolver_query *in_flight(struct resolver *r, struct slice name, uint16_t type,
					bool over_tls)
{
	for (size_t i = 0; i < RESOLVER_OPEN; i++)
		if (r->query[i].busy && r->query[i].ask.type == type &&
		    !r->query[i].ask.dot == !over_tls &&
		    slice_ieq(dnsask_name(&r->query[i].ask), name))
			return &r->query[i];
	return NULL;
}

static bool known_type(uint16_t type)
{
	return type == DNSMSG_A || type == DNSMSG_AAAA || type == DNSMSG_MX ||
	       type == DNSMSG_TXT || type == DNSMSG_PTR || type == DNSMSG_TLSA ||
	       type == DNSMSG_CAA;
}

static void on_query(void *ctx, struct call *c)
{
	struct resolver *r = ctx;
	const struct dns_query *m = c->msg;
	struct dnsmsg_answer a = { .kind = DNSMSG_NXDOMAIN };
	struct resolver_waiter *w;
	struct resolver_query *q;
	/* clock and net never depend on TLS, which depends on them. */
	bool over_tls = r->dot.n && c->from != P_CLOCK && c->from != P_NET;

	if (!known_type(m->qtype)) {
		chan_fail(&c->token);
		return;
	}
	/* A name that cannot be asked for does not exist. */
	if (!dnsmsg_question_ok(c->tail) || dnscache_find(&r->cache, r->loop->now, c->tail,
							  cache_type(m->qtype, over_tls), &a)) {
		answer(&c->token, &a);
		return;
	}
	w = free_waiter(r);
	q = in_flight(r, c->tail, m->qtype, over_tls);
	if (!q && w && (q = free_query(r))) {
		q->busy = true;
		q->ask.dot = over_tls ? &r->dot : NULL;
		dnsask_start(&q->ask, c->tail, m->qtype);
	}
	if (!q || !w) {
		chan_fail(&c->token);
		return;
	}
	*w = (struct resolver_waiter){ .token = c->token, .query = q };
}

static void on_servers(void *ctx, struct call *c)
{
	struct resolver *r = ctx;
	const struct servers *m = c->msg;
	struct servers_set done = { 0 };

	if (m->n > SERVERS_MAX) {
		chan_fail(&c->token);
		return;
	}
	if (m->n) { /* none named: those of the configuration stay */
		r->servers.n = m->n;
		r->servers.first = 0;
		for (uint32_t i = 0; i < m->n; i++)
			memcpy(r->servers.addr[i].b, m->addr[i], sizeof m->addr[i]);
	}
	chan_answer(&c->token, &done, sizeof done, (struct slice){ NULL, 0 });
}

#define FROM(p) (1u << P_##p)

const struct rule resolver_rules[DNS_TYPES] = {
	[DNS_QUERY] = { .from = FROM(OUT_MX) | FROM(OUT_SUB) | FROM(CHECK_MX) | FROM(FETCH) |
				FROM(ACME) | FROM(KEYGEN) | FROM(CLOCK) | FROM(NET) |
				FROM(SELFCHECK) | FROM(HEALTH),
			.size = sizeof(struct dns_query),
			.tail_max = DNSMSG_NAME,
			.run = on_query },
	[DNS_SERVERS] = { .from = FROM(NET), .size = sizeof(struct servers), .run = on_servers },
};

static void init_servers(struct dnsask_servers *s, struct slice list)
{
	struct slice word;

	s->port = DNSASK_PORT;
	while ((word = slice_word(&list)).n)
		if (s->n < SERVERS_MAX && ipaddr_parse(word, &s->addr[s->n]))
			s->n++;
}

static void on_dot_answer(void *ctx, struct slice msg)
{
	struct resolver *r = ctx;
	struct cur c = CUR(msg);
	uint16_t id = cur_be16(&c);

	for (size_t i = 0; i < RESOLVER_OPEN; i++) {
		struct resolver_query *q = &r->query[i];

		if (q->busy && q->ask.dot && q->ask.waiting && q->ask.id == id)
			dnsask_given(&q->ask, msg);
	}
}

static void on_dot_lost(void *ctx)
{
	struct resolver *r = ctx;

	for (size_t i = 0; i < RESOLVER_OPEN; i++) {
		struct resolver_query *q = &r->query[i];

		if (q->busy && q->ask.dot && q->ask.waiting)
			dnsask_lost(&q->ask);
	}
}

void resolver_init(struct resolver *r, struct loop *l, struct slice servers, struct slice dot)
{
	*r = (struct resolver){ .loop = l };
	init_servers(&r->servers, servers);
	dotlink_init(&r->dot, l, dot);
	r->dot.ctx = r;
	r->dot.answer = on_dot_answer;
	r->dot.lost = on_dot_lost;
	dnscache_init(&r->cache);
	r->waiter = arena_reserve(RESOLVER_OPEN * sizeof *r->waiter);
	r->query = arena_reserve(RESOLVER_OPEN * sizeof *r->query);
	for (size_t i = 0; i < RESOLVER_OPEN; i++)
		r->query[i] = (struct resolver_query){
			.owner = r,
			.ask = { .watch.fd = -1,
				 .loop = l,
				 .servers = &r->servers,
				 .done = on_done,
				 .tcp = arena_reserve(2 + DNSASK_TCP) },
		};
}
