/* SPDX-License-Identifier: ISC */
#include "smtpd/out/policy.h"

#include <string.h>

#include "smtpd/lib/owner.h"
#include "smtpd/msg/dns.h"
#include "smtpd/proto/dnsmsg.h"
#include "smtpd/proto/mxname.h"
#include "smtpd/proto/tlsa.h"

enum { DNS_MS = 45 * 1000 };

static const struct want want_tlsa = { DNS_QUERY, sizeof(struct dns_reply), DNS_TAIL };
static const struct want want_sts = { FETCH_STS, sizeof(struct fetch_policy), FETCH_HOSTS };

static const struct {
	const char *name;
	bool must_tls;
} levels[] = {
	[POLICY_OPPORTUNISTIC] = { "opportunistic", false },
	[POLICY_TLS] = { "dane-unverified", true },
	[POLICY_STS] = { "sts", true },
	[POLICY_DANE] = { "dane", true },
	[POLICY_PINNED] = { "pinned", true },
	[POLICY_SMARTHOST] = { "smarthost", true },
};

void policy_begin(struct policy *p, const struct policy_env *env, bool pinned, bool asks_sts,
		  void (*done)(struct policy *p, enum policy_fate fate))
{
	p->env = env;
	p->done = done;
	p->pinned = pinned;
	p->asks_sts = asks_sts && env->fetch;
	p->level = pinned ? POLICY_PINNED : POLICY_OPPORTUNISTIC;
	p->sts = FETCH_NONE;
	p->mx_secure = false;
	p->hosts_n = 0;
	p->pins.n = 0;
}

void policy_smarthost(struct policy *p, const struct policy_env *env)
{
	policy_begin(p, env, true, false, NULL);
	p->level = POLICY_SMARTHOST;
}

void policy_drop(struct policy *p)
{
	ask_drop(&p->ask);
}

static enum policy_fate failed(struct policy *p, const char *why)
{
	p->why = why;
	return POLICY_FAILED;
}

/* ---- MTA-STS ---- */

static void on_sts(struct ask *a, const void *reply, struct slice hosts)
{
	struct policy *p = OWNER(struct policy, ask, a);
	const struct fetch_policy *m = reply;

	if (!m) { /* what it keeps may be an "enforce" */
		p->done(p, chan_wired(p->env->fetch)
				   ? failed(p, "no word on the MTA-STS policy")
				   : POLICY_WAIT);
		return;
	}
	p->sts = m->mode;
	p->hosts_n = hosts.n;
	if (hosts.n)
		memcpy(p->hosts, hosts.p, hosts.n);
	p->done(p, POLICY_GO);
}

enum policy_fate policy_domain(struct policy *p, struct slice domain, bool mx_secure)
{
	struct fetch_sts m = { 0 };

	p->mx_secure = mx_secure;
	if (p->pinned || !p->asks_sts)
		return POLICY_GO;
	p->ask.done = on_sts;
	return chan_ask(p->env->fetch, &p->ask, &m, sizeof m, domain, NULL, 0, &want_sts,
			FETCH_MS)
		       ? POLICY_ASKED
		       : POLICY_WAIT;
}

/* ---- DANE ---- */

static enum policy_fate without_dane(struct policy *p)
{
	p->level = POLICY_OPPORTUNISTIC;
	if (p->sts < FETCH_ENFORCE)
		return POLICY_GO;
	p->level = POLICY_STS;
	if (!mxname_match(slice_of(p->host), (struct slice){ p->hosts, p->hosts_n }))
		return failed(p, "mail exchanger is not in the MTA-STS policy");
	return POLICY_GO;
}

static enum policy_fate judge(struct policy *p, const struct dns_reply *r, struct slice records)
{
	if (!r && !chan_wired(p->env->dns))
		return POLICY_WAIT;
	if (!r || r->result == DNS_FAILED) /* RFC 7672 2.1.2: perhaps somebody hides them */
		return failed(p, "TLSA lookup failed");
	if (r->result != DNS_OK || !r->secure)
		return without_dane(p);
	tlsa_pins(records, &p->pins);
	p->level = p->pins.n ? POLICY_DANE : POLICY_TLS;
	return POLICY_GO;
}

static void on_tlsa(struct ask *a, const void *reply, struct slice records)
{
	struct policy *p = OWNER(struct policy, ask, a);

	p->done(p, judge(p, reply, records));
}

enum policy_fate policy_host(struct policy *p, const char *host, bool addr_secure)
{
	uint8_t mem[DNSMSG_NAME + 16];
	struct buf name = BUF(mem);
	struct dns_query q = { .qtype = DNSMSG_TLSA };

	p->host = host;
	p->pins.n = 0;
	if (p->pinned)
		return POLICY_GO;
	tlsa_name(&name, slice_of(host));
	/* RFC 7672 2.2.2: no TLSA where the address is not secure: such zones often fail on unknown types. */
	if (!p->mx_secure || !addr_secure || !dnsmsg_name_ok(buf_slice(&name)))
		return without_dane(p);
	p->ask.done = on_tlsa;
	return chan_ask(p->env->dns, &p->ask, &q, sizeof q, buf_slice(&name), NULL, 0,
			&want_tlsa, DNS_MS)
		       ? POLICY_ASKED
		       : POLICY_WAIT;
}

/* ---- what follows from it ---- */

bool policy_must_tls(const struct policy *p)
{
	return levels[p->level].must_tls;
}

const char *policy_name(const struct policy *p)
{
	return levels[p->level].name;
}

void policy_tls(struct policy *p, struct tls *t, const char *host)
{
	if (p->level == POLICY_DANE)
		tls_client_pinned(t, &p->engine, &p->pins, host);
	else
		tls_client(t,
			   p->level == POLICY_PINNED ? p->env->pinned
			   : p->level == POLICY_STS || p->level == POLICY_SMARTHOST
				   ? p->env->public
				   : NULL,
			   host);
}
