/* SPDX-License-Identifier: ISC */
#include "init/net/dhcp.h"

#include <string.h>

enum {
	IP_HEAD = 20,
	UDP_HEAD = 8,
	BOOTP_HEAD = 236,
	PORT_SERVER = 67,
	PORT_CLIENT = 68,
	PROTO_UDP = 17,
	COOKIE = 0x63825363,
	BOOTP_MIN = 300, /* RFC 1542 2.1: relays drop what is shorter */
	LEASE_MIN = 60,
};

enum option {
	OPT_PAD = 0,
	OPT_MASK = 1,
	OPT_ROUTER = 3,
	OPT_DNS = 6,
	OPT_MTU = 26,
	OPT_NTP = 42,
	OPT_ADDRESS = 50,
	OPT_LEASE = 51,
	OPT_TYPE = 53,
	OPT_SERVER = 54,
	OPT_WANTED = 55,
	OPT_SIZE = 57,
	OPT_T1 = 58,
	OPT_T2 = 59,
	OPT_CLIENT = 61,
	OPT_END = 255,
};

/* RFC 1071 */
static uint16_t checksum(struct slice s, uint32_t sum)
{
	for (size_t i = 0; i + 1 < s.n; i += 2)
		sum += (uint32_t)s.p[i] << 8 | s.p[i + 1];
	if (s.n & 1)
		sum += (uint32_t)s.p[s.n - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void put_option32(struct buf *b, enum option code, uint32_t v)
{
	if (!v)
		return;
	buf_u8(b, code);
	buf_u8(b, 4);
	buf_be32(b, v);
}

static void put_bootp(struct buf *b, const struct dhcp_request *r)
{
	static const uint8_t zero[192], wanted[] = { OPT_MASK, OPT_ROUTER, OPT_DNS, OPT_MTU,
						     OPT_NTP,  OPT_LEASE,  OPT_T1,  OPT_T2 };
	size_t start = b->len;

	buf_be32(b, 1u << 24 | 1u << 16 | DHCP_MAC << 8); /* request, Ethernet */
	buf_be32(b, r->xid);
	buf_be16(b, r->secs);
	buf_be16(b, 0);
	buf_be32(b, r->ciaddr);
	buf_put(b, (struct slice){ zero, 12 });
	buf_put(b, (struct slice){ r->mac, DHCP_MAC });
	buf_put(b, (struct slice){ zero, 10 });
	buf_put(b, (struct slice){ zero, 192 });
	buf_be32(b, COOKIE);
	buf_put(b, (struct slice){ (const uint8_t[]){ OPT_TYPE, 1, (uint8_t)r->type }, 3 });
	buf_put(b, (struct slice){ (const uint8_t[]){ OPT_CLIENT, 1 + DHCP_MAC, 1 }, 3 });
	buf_put(b, (struct slice){ r->mac, DHCP_MAC });
	put_option32(b, OPT_ADDRESS, r->requested);
	put_option32(b, OPT_SERVER, r->server);
	buf_put(b, (struct slice){ (const uint8_t[]){ OPT_SIZE, 2, DHCP_PACKET_MAX >> 8,
						      DHCP_PACKET_MAX & 255 },
				   4 });
	buf_put(b, (struct slice){ (const uint8_t[]){ OPT_WANTED, sizeof wanted }, 2 });
	buf_put(b, (struct slice){ wanted, sizeof wanted });
	buf_u8(b, OPT_END);
	while (!b->bad && b->len - start < BOOTP_MIN)
		buf_u8(b, OPT_PAD);
}

static void set16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

void dhcp_put(struct buf *b, const struct dhcp_request *r)
{
	uint8_t *ip = b->p + b->len, *udp = ip + IP_HEAD;
	uint16_t total, udp_len, sum;

	buf_be32(b, 0x45000000); /* version, header length; the length follows */
	buf_be32(b, 0);		 /* id, fragment */
	buf_be32(b, 64u << 24 | PROTO_UDP << 16); /* time to live; the checksum follows */
	buf_be32(b, r->ciaddr);
	buf_be32(b, r->to ? r->to : 0xffffffff);
	buf_be16(b, PORT_CLIENT);
	buf_be16(b, PORT_SERVER);
	buf_be32(b, 0);
	put_bootp(b, r);
	if (b->bad)
		return;
	total = (uint16_t)(b->p + b->len - ip);
	udp_len = (uint16_t)(total - IP_HEAD);
	set16(ip + 2, total);
	set16(ip + 10, checksum((struct slice){ ip, IP_HEAD }, 0));
	set16(udp + 4, udp_len);
	/* The pseudo header: addresses, protocol, length (RFC 768). */
	sum = checksum((struct slice){ ip + 12, 8u + udp_len }, PROTO_UDP + udp_len);
	set16(udp + 6, sum ? sum : 0xffff);
}

/* Takes IP and UDP heads off; bad when the packet is not UDP from a server to a client. */
static void strip(struct cur *c)
{
	struct slice whole = c->s, head;
	uint8_t first = cur_u8(c);
	size_t head_len = (size_t)(first & 15) * 4, total;

	cur_u8(c);
	total = cur_be16(c);
	if (c->bad || first >> 4 != 4 || head_len < IP_HEAD || total > whole.n ||
	    total < head_len + UDP_HEAD) {
		c->bad = true;
		return;
	}
	head = slice_head(whole, head_len);
	c->s = slice_from(slice_head(whole, total), head_len);
	if (checksum(head, 0) != 0 || (head.p[6] & 0x3f) || head.p[7] || head.p[9] != PROTO_UDP)
		c->bad = true;
	if (cur_be16(c) != PORT_SERVER || cur_be16(c) != PORT_CLIENT)
		c->bad = true;
	total = cur_be16(c);
	cur_be16(c);
	if (total < UDP_HEAD || total - UDP_HEAD > c->s.n)
		c->bad = true;
	else
		c->s = slice_head(c->s, total - UDP_HEAD);
}

static unsigned prefix_of(uint32_t mask)
{
	unsigned n = 0;

	while (n < 32 && mask & 0x80000000u >> n)
		n++;
	return n < 32 && mask << n ? 0 : n;
}

static bool is_host(uint32_t a)
{
	return a >> 24 && a >> 24 != 127 && a >> 24 < 224;
}

/* Not its network's own address, nor the one for all (RFC 1122 3.2.1.3); RFC 3021: two hosts need neither. */
static bool is_host_in(uint32_t a, unsigned prefix)
{
	uint32_t rest = prefix < 31 ? a & 0xffffffffu >> prefix : 1;

	return is_host(a) && rest && (prefix >= 31 || rest != 0xffffffffu >> prefix);
}

static void take_list(struct cur *v, struct dhcp_list *l)
{
	while (v->s.n && !v->bad) {
		uint32_t a = cur_be32(v);

		if (l->n < DHCP_LIST_MAX && is_host(a))
			l->a[l->n++] = a;
	}
}

static uint16_t take_mtu(struct cur *v)
{
	uint16_t mtu = cur_be16(v);

	return mtu >= DHCP_MTU_MIN ? mtu : 0;
}

static void take_option(struct cur *v, uint8_t code, struct dhcp_reply *r)
{
	switch (code) {
	case OPT_TYPE:
		r->type = cur_u8(v);
		break;
	case OPT_MASK:
		r->prefix = prefix_of(cur_be32(v));
		break;
	case OPT_ROUTER: /* the first of a list */
		r->router = cur_be32(v);
		v->bad |= v->s.n % 4 != 0;
		return;
	case OPT_DNS:
		take_list(v, &r->dns);
		break;
	case OPT_NTP:
		take_list(v, &r->ntp);
		break;
	case OPT_MTU:
		r->mtu = take_mtu(v);
		break;
	case OPT_SERVER:
		r->server = cur_be32(v);
		break;
	case OPT_LEASE:
		r->lease = cur_be32(v);
		break;
	case OPT_T1:
		r->t1 = cur_be32(v);
		break;
	case OPT_T2:
		r->t2 = cur_be32(v);
		break;
	default:
		return;
	}
	v->bad |= v->s.n != 0;
}

/* An option of ours that stands twice would be one long one (RFC 3396); what we read is short. */
static bool twice(uint64_t *seen, uint8_t code)
{
	static const uint64_t ours = 1ull << OPT_MASK | 1ull << OPT_ROUTER | 1ull << OPT_DNS |
				     1ull << OPT_MTU | 1ull << OPT_NTP | 1ull << OPT_LEASE |
				     1ull << OPT_TYPE | 1ull << OPT_SERVER | 1ull << OPT_T1 |
				     1ull << OPT_T2;
	uint64_t bit = code < 64 ? 1ull << code & ours : 0;
	bool again = *seen & bit;

	*seen |= bit;
	return again;
}

static void take_options(struct cur *c, struct dhcp_reply *r)
{
	uint64_t seen = 0;

	while (!c->bad && !cur_end(c)) {
		uint8_t code = cur_u8(c);
		struct cur value;

		if (code == OPT_END)
			return;
		if (code == OPT_PAD)
			continue;
		value = CUR(cur_take(c, cur_u8(c)));
		if (!c->bad)
			take_option(&value, code, r);
		c->bad |= value.bad || twice(&seen, code);
	}
}

static bool complete(struct dhcp_reply *r)
{
	if (r->type == DHCP_NAK)
		return true;
	if ((r->type != DHCP_OFFER && r->type != DHCP_ACK) || r->prefix < 8 ||
	    !is_host_in(r->address, r->prefix) || !is_host(r->server) ||
	    (r->router && !is_host(r->router)))
		return false;
	if (!r->lease)
		return false;
	if (r->lease < LEASE_MIN)
		r->lease = LEASE_MIN;
	/* RFC 2131 4.4.5: half and seven eighths, where the server says nothing sensible */
	if (!r->t1 || r->t1 > r->lease)
		r->t1 = r->lease / 2;
	if (r->t2 < r->t1 || r->t2 > r->lease)
		r->t2 = r->lease / 8 * 7 > r->t1 ? r->lease / 8 * 7 : r->lease;
	return true;
}

enum dhcp_kind dhcp_parse(struct slice packet, uint32_t xid, const uint8_t mac[DHCP_MAC],
			  struct dhcp_reply *out)
{
	struct cur c = CUR(packet);
	struct dhcp_reply r = { 0 };
	struct slice head;

	strip(&c);
	head = cur_take(&c, BOOTP_HEAD);
	if (cur_be32(&c) != COOKIE || c.bad)
		return DHCP_OTHER;
	if (head.p[0] != 2 || head.p[1] != 1 || head.p[2] != DHCP_MAC ||
	    memcmp(head.p + 28, mac, DHCP_MAC) != 0)
		return DHCP_OTHER;
	head = slice_from(head, 4);
	if (cur_be32(&CUR(head)) != xid)
		return DHCP_OTHER;
	head = slice_from(head, 12);
	r.address = cur_be32(&CUR(head));
	take_options(&c, &r);
	if (c.bad || !complete(&r))
		return DHCP_BAD;
	*out = r;
	return DHCP_GOOD;
}
