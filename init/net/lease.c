/* SPDX-License-Identifier: ISC */
#include "init/net/lease.h"

#include <string.h>

/* Quicker at first than the 4 s of RFC 2131 4.1: a link that has just come up often loses
 * the first packet. */
enum {
	FIRST_MS = 1000, /* doubled with each try */
	LAST_MS = 64000,
	JITTER_MS = 500, /* either way */
	REQUEST_TRIES = 4,
	RENEW_MS = 60000, /* RFC 2131 4.4.5: half of the time left, not less than this */
};

void lease_init(struct lease *l, const uint8_t mac[DHCP_MAC], int64_t now)
{
	*l = (struct lease){ .state = LEASE_INIT, .due = now };
	memcpy(l->mac, mac, DHCP_MAC);
}

static int64_t wait_ms(unsigned tries, uint32_t random)
{
	int64_t ms = FIRST_MS;

	while (tries-- && ms < LAST_MS)
		ms *= 2;
	return ms - JITTER_MS + (int64_t)(random % (2 * JITTER_MS));
}

static enum lease_act send(struct lease *l, int64_t now, uint32_t random)
{
	l->due = now + wait_ms(l->tries++, random);
	return LEASE_SEND;
}

static enum lease_act discover(struct lease *l, int64_t now, uint32_t random)
{
	l->state = LEASE_SELECTING;
	l->xid = random;
	l->tries = 0;
	l->odd = false;
	l->begun = now;
	return send(l, now, random);
}

/* Half of what is left until the next border, not less than a minute, not beyond the border. */
static enum lease_act ask_again(struct lease *l, enum lease_state state, int64_t now,
				int64_t border, uint32_t random)
{
	int64_t half = (border - now) / 2;

	if (l->state != state) {
		l->state = state;
		l->xid = random;
		l->begun = now;
		l->odd = false;
	}
	l->due = now + (half > RENEW_MS ? half : RENEW_MS);
	if (l->due > border)
		l->due = border;
	return LEASE_SEND;
}

static enum lease_act lose(struct lease *l, int64_t now)
{
	bool had = l->state >= LEASE_BOUND;

	l->state = LEASE_INIT;
	l->due = now + FIRST_MS;
	return had ? LEASE_LOST : LEASE_QUIET;
}

void lease_link(struct lease *l, int64_t now)
{
	l->state = l->state >= LEASE_BOUND ? LEASE_REBOOTING : LEASE_INIT;
	l->tries = 0;
	l->due = now;
}

static enum lease_act ask_whether_good(struct lease *l, int64_t now, uint32_t random)
{
	if (!l->tries) {
		l->xid = random;
		l->begun = now;
		l->odd = false;
	}
	return send(l, now, random);
}

enum lease_act lease_tick(struct lease *l, int64_t now, uint32_t random)
{
	if (now < l->due)
		return LEASE_QUIET;
	switch (l->state) {
	case LEASE_INIT:
		return discover(l, now, random);
	case LEASE_SELECTING:
		return send(l, now, random);
	case LEASE_REQUESTING:
		return l->tries < REQUEST_TRIES ? send(l, now, random)
						: discover(l, now, random);
	case LEASE_REBOOTING:
		if (now < l->expiry && l->tries < REQUEST_TRIES)
			return ask_whether_good(l, now, random);
		break; /* nobody there: it is ours until it ends (RFC 2131 3.2) */
	case LEASE_BOUND:
	case LEASE_RENEWING:
	case LEASE_REBINDING:
		break;
	}
	if (now >= l->expiry)
		return lose(l, now);
	if (now >= l->t2)
		return ask_again(l, LEASE_REBINDING, now, l->expiry, random);
	return ask_again(l, LEASE_RENEWING, now, l->t2, random);
}

static enum lease_act bind_lease(struct lease *l, const struct dhcp_reply *r)
{
	l->now = *r;
	l->state = LEASE_BOUND;
	l->t1 = l->begun + (int64_t)r->t1 * 1000;
	l->t2 = l->begun + (int64_t)r->t2 * 1000;
	l->expiry = l->begun + (int64_t)r->lease * 1000;
	l->due = l->t1;
	return LEASE_GOT;
}

static enum lease_act request(struct lease *l, int64_t now, uint32_t random,
			      const struct dhcp_reply *r)
{
	l->offer = *r;
	l->state = LEASE_REQUESTING;
	l->tries = 0;
	l->begun = now;
	return send(l, now, random);
}

/* Is it from whom we asked? Everybody was asked when we look for a server, or for any that knows the lease. */
static bool from_asked(const struct lease *l, const struct dhcp_reply *r)
{
	if (l->state == LEASE_REQUESTING)
		return r->server == l->offer.server;
	return l->state != LEASE_RENEWING || r->server == l->now.server;
}

enum lease_act lease_feed(struct lease *l, int64_t now, uint32_t random, struct slice packet)
{
	struct dhcp_reply r;
	enum dhcp_kind kind = dhcp_parse(packet, l->xid, l->mac, &r);
	bool odd = l->odd;

	if (l->state == LEASE_INIT || l->state == LEASE_BOUND || kind == DHCP_OTHER)
		return LEASE_QUIET;
	if (kind == DHCP_BAD) {
		l->odd = true;
		return odd ? LEASE_QUIET : LEASE_ODD;
	}
	if (l->state == LEASE_SELECTING)
		return r.type == DHCP_OFFER ? request(l, now, random, &r) : LEASE_QUIET;
	if (!from_asked(l, &r))
		return LEASE_QUIET;
	if (r.type == DHCP_NAK)
		return lose(l, now);
	if (r.type != DHCP_ACK ||
	    r.address != (l->state == LEASE_REQUESTING ? l->offer : l->now).address)
		return LEASE_QUIET;
	return bind_lease(l, &r);
}

void lease_packet(const struct lease *l, int64_t now, struct buf *out, bool *unicast)
{
	struct dhcp_request r = { .type = DHCP_REQUEST, .xid = l->xid };
	int64_t secs = (now - l->begun) / 1000;

	memcpy(r.mac, l->mac, DHCP_MAC);
	r.secs = (uint16_t)(secs > 0xffff ? 0xffff : secs);
	*unicast = l->state == LEASE_RENEWING;
	if (l->state == LEASE_SELECTING) {
		r.type = DHCP_DISCOVER;
	} else if (l->state == LEASE_REQUESTING) {
		r.requested = l->offer.address;
		r.server = l->offer.server;
	} else if (l->state == LEASE_REBOOTING) {
		r.requested = l->now.address;
	} else {
		r.ciaddr = l->now.address;
		r.to = *unicast ? l->now.server : 0;
	}
	dhcp_put(out, &r);
}
