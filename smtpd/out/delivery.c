/* SPDX-License-Identifier: ISC */
#include "smtpd/out/delivery.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "smtpd/lib/log.h"
#include "smtpd/lib/owner.h"
#include "smtpd/lib/sock.h"
#include "smtpd/msg/dns.h"
#include "smtpd/out/turns.h"
#include "smtpd/proto/dnsmsg.h"
#include "smtpd/proto/ipaddr.h"

/*
 * NOTES
 * At any time exactly one of these is waited for: the answer of `ask`; the socket or the time of `next`; the
 * conversation of `peer`; its `turn`. `next` with fd -1 means: go on with try_next(), outside of any callback of
 * the stream. Before the verdict d->outcome holds the last failure, which becomes the verdict when no address is left.
 */
static const struct want want_dns = { DNS_QUERY, sizeof(struct dns_reply), DNS_TAIL };
static const struct slice nothing = { NULL, 0 };

static void on_next(struct watch *w, short got);

const char *delivery_host(const struct delivery *d)
{
	return d->host < d->mx.n ? d->mx.host[d->host].name : "";
}

bool delivery_past_dot(const struct delivery *d)
{
	return d->peer && d->peer->step == STEP_FINAL;
}

static void close_next(struct delivery *d)
{
	loop_drop(d->owner->loop, &d->next);
	if (d->next.fd >= 0)
		close(d->next.fd);
	d->next.fd = -1;
}

void delivery_drop(struct delivery *d)
{
	ask_drop(&d->ask);
	policy_drop(&d->policy);
	close_next(d);
	if (d->peer)
		peer_close(d->peer);
	outletter_close(&d->letter);
	targets_drop(&d->to);
	turns_leave(d);
	d->busy = false;
}

static bool alike(const struct target *a, const struct target *b)
{
	return a->outcome.code == b->outcome.code &&
	       memcmp(a->outcome.enhanced, b->outcome.enhanced, 3) == 0;
}

/* How many have the verdict of t; 0 when one before it has it. */
static unsigned same_verdict(const struct delivery *d, const struct target *t)
{
	unsigned n = 0;

	for (const struct target *o = d->to.t; o < d->to.t + d->to.n; o++) {
		if (!alike(o, t))
			continue;
		if (o < t)
			return 0;
		n++;
	}
	return n;
}

/* One line for all recipients with the verdict of t, which is the first of them. */
static void log_delivery(const struct delivery *d, const struct target *t)
{
	uint8_t ip[IPADDR_TEXT], enhanced[16];
	struct buf b = BUF(ip), e = BUF(enhanced);
	struct logline l;

	log_begin(&l, "deliver");
	log_bytes(&l, "to", d->letter.domain);
	if (*d->last_host) {
		ipaddr_put(&b, &d->last_addr);
		log_text(&l, "mx", d->last_host);
		log_bytes(&l, "ip", buf_slice(&b));
		log_text(&l, "tls", d->last_tls ? d->last_tls : "none");
	}
	if (d->peer && d->peer->letters)
		log_num(&l, "kept", d->peer->letters);
	log_text(&l, "policy", policy_name(&d->policy));
	if (d->to.n > 1)
		log_num(&l, "rcpts", same_verdict(d, t));
	log_num(&l, "code", t->outcome.code);
	buf_dots(&e, t->outcome.enhanced);
	log_bytes(&l, "enhanced", buf_slice(&e));
	if (t->outcome.means.class > GMAIL_PERM)
		log_text(&l, "class", gmail_name(t->outcome.means.class));
	if (d->turn.waited)
		log_num(&l, "waited",
			(d->turn.begun ? d->turn.begun : d->owner->loop->now) - d->turn.came);
	log_num(&l, "ms", d->owner->loop->now - d->began);
	log_bytes(&l, "reply", outcome_text(&t->outcome));
	log_send(&l);
}

/* Before the connection goes. */
static void note_tls(struct delivery *d)
{
	if (d->peer && d->peer->stream.secure)
		d->last_tls = tls_suite(&d->peer->tls);
}

static void mark_dead(struct delivery *d)
{
	for (unsigned i = 0; i < d->to.n; i++)
		if (d->dead && d->to.t[i].state != TARGET_DONE && d->outcome.code / 100 == 4)
			d->to.t[i].flags |= OUT_DEAD;
}

void delivery_answer(struct delivery *d)
{
	note_tls(d);
	mark_dead(d);
	targets_end(&d->to, TARGETS_LATER, NULL);
	targets_end(&d->to, TARGETS_MISSING, &d->outcome);
	for (unsigned i = 0; i < d->to.n; i++)
		if (same_verdict(d, &d->to.t[i]))
			log_delivery(d, &d->to.t[i]);
	turns_learn(d);
	outbound_answer(d->owner, &d->token, slice_of(d->last_host), policy_name(&d->policy),
			&d->to, d->turn.op);
	if (d->peer)
		d->peer->d = NULL;
	d->peer = NULL;
	delivery_drop(d);
}

/* A no for ever needs more than one host that says so while another could not be asked; and where the peer is to be
 * verified it needs a proven one: before TLS anyone on the way can say no. */
static void soften(struct delivery *d)
{
	struct outcome *o = &d->outcome;

	if (o->code / 100 != 5 || !(d->soft || (policy_must_tls(&d->policy) && !d->last_tls)))
		return;
	o->code = 451;
	o->enhanced[0] = 4;
}

/* The verdict, with no conversation to end. */
static void finish(struct delivery *d)
{
	soften(d);
	delivery_answer(d);
}

static void finish_own(struct delivery *d, uint16_t code, uint8_t subject, uint8_t detail,
		       const char *text, struct slice more)
{
	outcome_own(&d->outcome, code, subject, detail, text, more);
	finish(d);
}

static void soon(struct delivery *d)
{
	d->next.want = 0;
	d->next.due = d->owner->loop->now;
	loop_add(d->owner->loop, &d->next);
}

/* dns is being restarted: nobody else is to notice. */
static void wait_for_dns(struct delivery *d)
{
	soon(d);
	d->next.due += DELIVERY_WIRE_MS;
}

/* Did dns die with our question? Then it is asked again. */
static bool dns_died(struct delivery *d, const void *reply)
{
	if (reply || chan_wired(d->owner->dns))
		return false;
	wait_for_dns(d);
	return true;
}

void delivery_next(struct delivery *d)
{
	note_tls(d);
	ask_drop(&d->ask); /* of the smarthost's password */
	if (d->peer)
		peer_close(d->peer);
	d->soft |= d->outcome.code / 100 == 4;
	soon(d);
}

void delivery_stale(struct delivery *d)
{
	peer_close(d->peer);
	targets_move(&d->to, TARGET_ASKED, TARGET_OPEN);
	outcome_own(&d->outcome, 451, 4, 1, "no answer from the destination", d->letter.domain);
	d->fresh = d->dead = true;
	*d->last_host = 0;
	soon(d);
}

/* ---- names ---- */

static bool ask_dns(struct delivery *d, struct slice name, uint16_t type,
		    void (*done)(struct ask *, const void *, struct slice))
{
	struct dns_query q = { .qtype = type };
	int64_t left = d->deadline - d->owner->loop->now;

	d->ask.done = done;
	return chan_ask(d->owner->dns, &d->ask, &q, sizeof q, name, NULL, 0, &want_dns,
			left < DELIVERY_DNS_MS ? left : DELIVERY_DNS_MS);
}

static struct delivery *of_ask(struct ask *a)
{
	return OWNER(struct delivery, ask, a);
}

/* What name servers said, with silence as failure. */
static enum dns_result result_of(const struct dns_reply *r)
{
	return r ? (enum dns_result)r->result : DNS_FAILED;
}

static void on_fate(struct delivery *d, enum mx_fate fate)
{
	struct slice domain = d->letter.domain;

	switch (fate) {
	case MX_GO:
		soon(d);
		return;
	case MX_NULL:
		finish_own(d, 556, 1, 10, "domain takes no mail (null MX)", domain);
		return;
	case MX_LOOP:
		finish_own(d, 554, 4, 6, "mail for the domain loops back to this host", domain);
		return;
	case MX_OTHER:
		finish_own(d, 451, 7, 5, "no mail exchanger of the pinned route", domain);
		return;
	default:
		finish_own(d, 451, 4, 4, "no usable mail exchanger", domain);
	}
}

static void on_mx(struct ask *a, const void *reply, struct slice records)
{
	struct delivery *d = of_ask(a);
	struct outbound *o = d->owner;
	struct slice pinned = d->pinned ? o->pinned_hosts : nothing;
	uint64_t random;

	if (dns_died(d, reply))
		return;
	d->mx_secure = reply && ((const struct dns_reply *)reply)->secure;
	switch (result_of(reply)) {
	case DNS_OK:
		if (getrandom(&random, sizeof random, 0) != sizeof random)
			bug("getrandom");
		on_fate(d, mxlist_fill(&d->mx, records, o->self, pinned, random));
		return;
	case DNS_NODATA:
		on_fate(d, mxlist_single(&d->mx, d->letter.domain, o->self, pinned));
		return;
	case DNS_NXDOMAIN:
		finish_own(d, 550, 1, 2, "domain does not exist", d->letter.domain);
		return;
	default:
		finish_own(d, 451, 4, 3, "name service failed", d->letter.domain);
	}
}

/* The hosts that the configuration names may be anywhere. */
static bool may_connect(const struct delivery *d, const struct ipaddr *a)
{
	return d->pinned || d->smart || d->owner->private_ok || ipaddr_public(a);
}

static void add_addr(struct delivery *d, struct slice r)
{
	struct ipaddr *a = &d->addr[d->naddr];

	if (d->naddr == DELIVERY_ADDRS || (r.n != 4 && r.n != sizeof a->b))
		return;
	if (r.n == 4)
		*a = ipaddr_of4(r.p);
	else
		memcpy(a->b, r.p, sizeof a->b);
	d->naddr += may_connect(d, a);
}

static void on_addr(struct ask *a, const void *reply, struct slice records)
{
	struct delivery *d = of_ask(a);
	struct slice host = slice_of(delivery_host(d));
	struct cur c = CUR(records);
	struct slice r;
	unsigned n = 0;

	if (dns_died(d, reply)) {
		d->asked = 0;
		return;
	}
	d->naddr = d->at = 0;
	d->addr_secure = reply && ((const struct dns_reply *)reply)->secure;
	d->host_judged = false;
	for (; result_of(reply) == DNS_OK && dnsmsg_record(&c, &r); n++)
		add_addr(d, r);
	if (!d->naddr) {
		if (result_of(reply) == DNS_FAILED)
			outcome_own(&d->outcome, 451, 4, 3, "name service failed", host);
		else
			outcome_own(&d->outcome, 451, 4, 4,
				    n ? "no public address" : "no address", host);
		d->soft = true;
	}
	soon(d);
}

/* The addresses of the host at hand in the next family. False: there is none. */
static bool ask_addrs(struct delivery *d)
{
	unsigned left = d->owner->families & ~(unsigned)d->asked;
	bool four = left & OUTBOUND_IPV4;

	if (!left)
		return false;
	if (ask_dns(d, slice_of(delivery_host(d)), four ? DNSMSG_A : DNSMSG_AAAA, on_addr))
		d->asked |= four ? OUTBOUND_IPV4 : OUTBOUND_IPV6;
	else
		wait_for_dns(d);
	return true;
}

/* ---- policies ---- */

static void next_host(struct delivery *d)
{
	d->host++;
	d->naddr = d->at = d->asked = 0;
}

/* The host at hand is not to be spoken to. */
static void skip_host(struct delivery *d)
{
	outcome_own(&d->outcome, 451, 7, 5, d->policy.why, slice_of(delivery_host(d)));
	d->soft = true;
	next_host(d);
	soon(d);
}

static void on_fate_known(struct delivery *d, enum policy_fate fate)
{
	bool *judged = d->judged ? &d->host_judged : &d->judged;

	switch (fate) {
	case POLICY_GO:
		*judged = true;
		soon(d);
		return;
	case POLICY_ASKED:
		return;
	case POLICY_WAIT:
		wait_for_dns(d);
		return;
	case POLICY_FAILED:
		if (d->judged)
			skip_host(d);
		else
			finish_own(d, 451, 7, 5, d->policy.why, d->letter.domain);
	}
}

static void on_policy(struct policy *p, enum policy_fate fate)
{
	on_fate_known(OWNER(struct delivery, policy, p), fate);
}

/* ---- connections ---- */

static void connect_failed(struct delivery *d, const char *why)
{
	outcome_own(&d->outcome, 451, 4, 1, why, slice_of(delivery_host(d)));
	delivery_next(d);
}

void delivery_loop(struct delivery *d)
{
	outcome_own(&d->outcome, 554, 4, 6, "mail for the domain loops back to this host",
		    d->letter.domain);
	d->mx.n = d->host + 1;
	d->naddr = d->at + 1;
	d->asked = UINT8_MAX;
	delivery_next(d);
}

static void connect_to(struct delivery *d, const struct ipaddr *addr)
{
	struct outbound *o = d->owner;
	int fd = sock_connect(addr->b, d->smart ? o->smartport : o->port, SOCK_STREAM), one = 1;

	d->last_addr = *addr;
	memcpy(d->last_host, d->mx.host[d->host].name, sizeof d->last_host);
	d->last_tls = NULL;
	d->connects++;
	d->tried = true;
	if (fd < 0) {
		connect_failed(d, "cannot connect");
		return;
	}
	/* The handshake is several small writes in a row: they must not wait for delayed ACKs. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	d->next.fd = fd;
	d->next.want = POLLOUT;
	d->next.due = d->owner->loop->now + DELIVERY_CONNECT_MS;
	if (d->next.due > d->deadline)
		d->next.due = d->deadline;
	loop_add(d->owner->loop, &d->next);
}

static void on_connected(struct delivery *d, short got)
{
	int fd = d->next.fd, error = 0;
	struct ipaddr own;
	socklen_t n = sizeof error;

	loop_drop(d->owner->loop, &d->next);
	if (got && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) == 0 && !error) {
		d->next.fd = -1;
		if (!d->owner->self_ok && !d->pinned && !d->smart && sock_own(fd, own.b) &&
		    ipaddr_eq(&own, &d->last_addr)) {
			close(fd);
			delivery_loop(d);
			return;
		}
		peer_start(peer_new(d->owner), d, fd);
		return;
	}
	close_next(d);
	connect_failed(d, !got			  ? "connection timed out"
			  : error == ECONNREFUSED ? "connection refused"
						  : "no connection");
}

/* The address after the one tried last; after a host's last one the next host. */
static bool move_on(struct delivery *d)
{
	if (d->tried && !d->again) {
		d->no_tls = false;
		d->at++;
	}
	d->tried = d->again = false;
	return d->host < d->mx.n && d->connects < DELIVERY_CONNECTS &&
	       d->owner->loop->now < d->deadline && d->outcome.means.class != GMAIL_RATE;
}

static void use_kept(struct delivery *d, struct peer *p)
{
	memcpy(d->last_host, p->host, sizeof d->last_host);
	d->last_addr = p->addr;
	d->policy.level = p->level;
	peer_again(p, d);
}

/* A kept connection to the address at hand will do where no policy asks for more. */
static struct peer *kept_here(const struct delivery *d)
{
	if (d->fresh || d->no_tls || d->policy.level != POLICY_OPPORTUNISTIC)
		return NULL;
	return peer_kept_at(d->owner, delivery_host(d), &d->addr[d->at]);
}

/* The address at hand, unless it is IPv6 and ours has no name (RULES D2). */
static void use_addr(struct delivery *d)
{
	const struct ipaddr *a = &d->addr[d->at];
	struct peer *kept = kept_here(d);

	if (kept) {
		use_kept(d, kept);
		return;
	}
	switch (ipaddr_v4(a) ? OWN_GOOD : ownaddr_judge(&d->owner->own, a)) {
	case OWN_GOOD:
		connect_to(d, a);
		return;
	case OWN_UNKNOWN:
		wait_for_dns(d);
		return;
	case OWN_BAD:
		d->at++;
		d->soft = true;
		outcome_own(&d->outcome, 451, 4, 4, "our IPv6 address has no name",
			    slice_of(delivery_host(d)));
		soon(d);
	}
}

static void try_next(struct delivery *d)
{
	if (!move_on(d)) {
		finish(d);
	} else if (d->at == d->naddr) {
		if (ask_addrs(d))
			return;
		next_host(d);
		soon(d);
	} else if (!d->host_judged) {
		on_fate_known(d, policy_host(&d->policy, delivery_host(d), d->addr_secure));
	} else {
		use_addr(d);
	}
}

/* user@[192.0.2.1]: the domain is the address. */
static void go_literal(struct delivery *d)
{
	struct slice domain = d->letter.domain;

	if (!ipaddr_literal(domain, d->addr)) {
		finish_own(d, 550, 1, 2, "no address literal", domain);
	} else if (!may_connect(d, d->addr)) {
		finish_own(d, 550, 1, 2, "address literal of a private network", domain);
	} else {
		mxlist_single(&d->mx, domain, nothing, nothing);
		d->naddr = 1;
		d->asked = UINT8_MAX;
		d->judged = d->host_judged = true;
		soon(d);
	}
}

static void on_next(struct watch *w, short got)
{
	struct delivery *d = OWNER(struct delivery, next, w);

	if (w->fd >= 0) {
		on_connected(d, got);
		return;
	}
	loop_drop(d->owner->loop, w);
	if (d->judged && turns_wait(d, slice_of(delivery_host(d))))
		return;
	if (d->judged)
		try_next(d);
	else if (d->owner->loop->now >= d->deadline)
		finish_own(d, 451, 4, 3, "name service is not there", d->letter.domain);
	else if (slice_iprefix(d->letter.domain, SLICE("[")))
		go_literal(d);
	else if (d->mx.n)
		on_fate_known(d, policy_domain(&d->policy, d->letter.domain, d->mx_secure));
	else if (!ask_dns(d, d->letter.domain, DNSMSG_MX, on_mx))
		wait_for_dns(d);
}

/* Where to ask first. */
static void set_route(struct delivery *d)
{
	struct outbound *o = d->owner;

	d->smart = o->smarthost.n > 0;
	d->pinned = !d->smart && slice_ieq(d->letter.domain, o->pinned_domain);
	if (d->smart) {
		policy_smarthost(&d->policy, &o->policy);
		mxlist_single(&d->mx, o->smarthost, nothing, nothing);
		d->judged = d->soft = true;
	} else {
		policy_begin(&d->policy, &o->policy, d->pinned, o->sub || d->letter.aliased,
			     on_policy);
	}
}

void delivery_go(struct delivery *d)
{
	struct peer *kept = peer_kept(d);

	if (!kept)
		soon(d);
	else if (!turns_wait(d, slice_of(kept->host)))
		use_kept(d, kept);
}

void delivery_begin(struct delivery *d, const struct token *t, int64_t ms)
{
	struct outbound *o = d->owner;

	d->busy = true;
	d->no_tls = d->again = d->tried = d->soft = d->fresh = false;
	d->judged = d->host_judged = false;
	d->dead = true;
	d->peer = NULL;
	d->turn = (struct turn){ .word = SHAPE_NONE, .yields = t->chan->peer == P_QUEUE_MX };
	d->last_tls = NULL;
	*d->last_host = 0;
	d->token = *t;
	d->began = o->loop->now;
	d->deadline = d->began + ms;
	d->mx.n = d->host = d->naddr = d->at = d->connects = d->asked = 0;
	set_route(d);
	d->next = (struct watch){ .fd = -1, .ready = on_next };
	outcome_own(&d->outcome, 451, 4, 1, "no answer from the destination", d->letter.domain);
	delivery_go(d);
}
