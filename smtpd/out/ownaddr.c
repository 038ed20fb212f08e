/* SPDX-License-Identifier: ISC */
#include "smtpd/out/ownaddr.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "smtpd/lib/log.h"
#include "smtpd/lib/owner.h"
#include "smtpd/lib/sock.h"
#include "smtpd/msg/dns.h"

enum { ASK_MS = 45 * 1000, AGAIN_MS = 60 * 1000, GOOD_MS = 600 * 1000, DISCARD = 9 };

static const struct want want_dns = { DNS_QUERY, sizeof(struct dns_reply), DNS_TAIL };

void ownaddr_init(struct ownaddr *w, struct chan *dns)
{
	*w = (struct ownaddr){ .dns = dns };
}

/* Without sending anything. */
static bool find(const struct ipaddr *to, struct ipaddr *out)
{
	int fd = sock_connect(to->b, DISCARD, SOCK_DGRAM);
	bool ok = fd >= 0 && sock_own(fd, out->b);

	if (fd >= 0)
		close(fd);
	return ok;
}

static void settle(struct ownaddr *w, enum own state, int64_t ms, const char *why)
{
	uint8_t bytes[IPADDR_TEXT];
	struct buf b = BUF(bytes);
	struct logline l;

	w->state = state;
	w->until = loop_clock() + ms;
	if (state != OWN_BAD)
		return;
	ipaddr_put(&b, &w->addr);
	log_begin(&l, "noipv6");
	log_bytes(&l, "address", buf_slice(&b));
	log_text(&l, "why", why);
	log_send(&l);
}

static bool ask(struct ownaddr *w, struct slice name, uint16_t type,
		void (*done)(struct ask *, const void *, struct slice))
{
	struct dns_query q = { .qtype = type };

	w->ask.done = done;
	return chan_ask(w->dns, &w->ask, &q, sizeof q, name, NULL, 0, &want_dns, ASK_MS);
}

static void on_address(struct ask *a, const void *reply, struct slice records)
{
	struct ownaddr *w = OWNER(struct ownaddr, ask, a);
	const struct dns_reply *r = reply;
	struct cur c = CUR(records);
	struct slice one;

	while (r && r->result == DNS_OK && dnsmsg_record(&c, &one))
		if (one.n == sizeof w->addr.b && memcmp(one.p, w->addr.b, one.n) == 0) {
			settle(w, OWN_GOOD, GOOD_MS, NULL);
			return;
		}
	settle(w, OWN_BAD, AGAIN_MS, "the name of its PTR record does not lead back");
}

static void on_name(struct ask *a, const void *reply, struct slice records)
{
	struct ownaddr *w = OWNER(struct ownaddr, ask, a);
	const struct dns_reply *r = reply;
	struct cur c = CUR(records);
	struct slice name;

	if (!r || r->result != DNS_OK || !dnsmsg_record(&c, &name) ||
	    !slice_cstr(name, w->name, sizeof w->name))
		settle(w, OWN_BAD, AGAIN_MS, "it has no PTR record");
	else if (!ask(w, slice_of(w->name), DNSMSG_AAAA, on_address))
		settle(w, OWN_UNKNOWN, 0, NULL);
}

enum own ownaddr_judge(struct ownaddr *w, const struct ipaddr *to)
{
	uint8_t bytes[80];
	struct buf b = BUF(bytes);

	if (w->ask.chan)
		return OWN_UNKNOWN;
	if (w->state != OWN_UNKNOWN && loop_clock() < w->until)
		return w->state;
	w->state = OWN_UNKNOWN;
	if (!find(to, &w->addr)) {
		memset(&w->addr, 0, sizeof w->addr);
		settle(w, OWN_BAD, AGAIN_MS, "there is none");
		return w->state;
	}
	ipaddr_put_arpa(&b, &w->addr);
	ask(w, buf_slice(&b), DNSMSG_PTR, on_name);
	return OWN_UNKNOWN;
}
