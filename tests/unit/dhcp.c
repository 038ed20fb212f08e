/* SPDX-License-Identifier: ISC */
#include "init/net/dhcp.h"

#include "init/net/lease.h"
#include "tests/unit/test.h"

static const uint8_t mac[DHCP_MAC] = { 2, 0, 0, 0, 0, 7 };

enum { XID = 0x11223344, SELF = 0xC000020A, SERVER = 0xC0000201, MINUTE = 60 * 1000 };

static uint16_t sum16(const uint8_t *p, size_t n)
{
	uint32_t s = 0;

	for (size_t i = 0; i < n; i += 2)
		s += (uint32_t)p[i] << 8 | p[i + 1];
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return (uint16_t)s;
}

/* A server's answer: what a client's packet of ours becomes when it is turned round, with
 * these options. */
static struct slice answer(uint8_t *p, uint32_t xid, const char *options, size_t n)
{
	struct buf b = { .p = p, .cap = 1024 };
	uint16_t total = (uint16_t)(20 + 8 + 236 + 4 + n);

	memset(p, 0, 1024);
	buf_be32(&b, 0x45000000u | total);
	buf_be32(&b, 0);
	buf_be32(&b, 64u << 24 | 17u << 16);
	buf_be32(&b, SERVER);
	buf_be32(&b, 0xffffffff);
	buf_be32(&b, 67u << 16 | 68);
	buf_be32(&b, (uint32_t)(total - 20) << 16);
	buf_be32(&b, 0x02010600);
	buf_be32(&b, xid);
	b.len += 8;
	buf_be32(&b, SELF);
	b.len += 8;
	buf_put(&b, (struct slice){ mac, 6 });
	b.len += 10 + 192;
	buf_be32(&b, 0x63825363);
	buf_put(&b, (struct slice){ (const uint8_t *)options, n });
	n = sum16(p, 20);
	p[10] = (uint8_t)(~n >> 8);
	p[11] = (uint8_t)~n;
	return buf_slice(&b);
}

#define TYPE(t)	   "\x35\x01" t
#define SERVER_ID  "\x36\x04\xC0\x00\x02\x01"
#define MASK	   "\x01\x04\xFF\xFF\xFF\x00"
#define ROUTER	   "\x03\x04\xC0\x00\x02\xFE"
#define DNS	   "\x06\x08\xC0\x00\x02\x35\xC0\x00\x02\x36"
#define LEASE_1H   "\x33\x04\x00\x00\x0E\x10"
#define LEASE_1S   "\x33\x04\x00\x00\x00\x01"
#define END	   "\xFF"
#define GOOD(t)	   TYPE(t) SERVER_ID MASK ROUTER DNS LEASE_1H END
#define OPTIONS(s) s, sizeof(s) - 1

static const struct {
	const char *name, *options;
	size_t n;
	bool ok;
} cases[] = {
	{ "offer", OPTIONS(GOOD("\x02")), true },
	{ "ack", OPTIONS(GOOD("\x05")), true },
	{ "nak alone", OPTIONS(TYPE("\x06") END), true },
	{ "no end", OPTIONS(TYPE("\x05") SERVER_ID MASK LEASE_1H), true },
	{ "pads", OPTIONS("\0\0" TYPE("\x05") "\0" SERVER_ID MASK LEASE_1H END "\0\0"), true },
	{ "short lease is lengthened", OPTIONS(TYPE("\x05") SERVER_ID MASK LEASE_1S END),
	  true },
	{ "unknown option", OPTIONS("\xC8\x02xy" GOOD("\x05")), true },
	{ "discover", OPTIONS(GOOD("\x01")), false },
	{ "no type", OPTIONS(SERVER_ID MASK LEASE_1H END), false },
	{ "no server", OPTIONS(TYPE("\x05") MASK LEASE_1H END), false },
	{ "no mask", OPTIONS(TYPE("\x05") SERVER_ID LEASE_1H END), false },
	{ "no lease", OPTIONS(TYPE("\x05") SERVER_ID MASK END), false },
	{ "mask with holes",
	  OPTIONS(TYPE("\x05") SERVER_ID "\x01\x04\xFF\x00\xFF\x00" LEASE_1H END), false },
	{ "mask of 5",
	  OPTIONS(TYPE("\x05") SERVER_ID "\x01\x05\xFF\xFF\xFF\x00\x00" LEASE_1H END), false },
	{ "router of 5",
	  OPTIONS(TYPE("\x05") SERVER_ID MASK "\x03\x05\xC0\x00\x02\x01\x01" LEASE_1H), false },
	{ "router 127.0.0.1",
	  OPTIONS(TYPE("\x05") SERVER_ID MASK "\x03\x04\x7F\x00\x00\x01" LEASE_1H), false },
	{ "cut option", OPTIONS(TYPE("\x05") SERVER_ID MASK LEASE_1H "\x06\x08\xC0"), false },
	{ "cut length", OPTIONS(TYPE("\x05") SERVER_ID MASK LEASE_1H "\x06"), false },
	{ "empty dns", OPTIONS(TYPE("\x05") SERVER_ID MASK LEASE_1H "\x06\x00" END), true },
	{ "nothing", OPTIONS(""), false },
};

static void test_parse(void)
{
	uint8_t p[1024];
	struct dhcp_reply r;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		CHECK_ROW(dhcp_parse(answer(p, XID, cases[i].options, cases[i].n), XID, mac,
				     &r) == cases[i].ok,
			  cases[i].name);
	CHECK(dhcp_parse(answer(p, XID, OPTIONS(GOOD("\x05"))), XID, mac, &r));
	CHECK_EQ(r.type, DHCP_ACK);
	CHECK_EQ(r.address, SELF);
	CHECK_EQ(r.server, SERVER);
	CHECK_EQ(r.prefix, 24);
	CHECK_EQ(r.router, 0xC00002FE);
	CHECK_EQ(r.ndns, 2);
	CHECK_EQ(r.dns[1], 0xC0000236);
	CHECK_EQ(r.lease, 3600);
	CHECK_EQ(r.t1, 1800);
	CHECK_EQ(r.t2, 3150);
}

/* Every octet of the heads that is looked at, changed, and every shorter packet. */
static void test_damage(void)
{
	static const uint16_t at[] = { 0, 2, 6, 9, 10, 12, 20, 22, 28, 29, 30, 32, 56, 264 };
	uint8_t p[1024], other[DHCP_MAC] = { 2, 0, 0, 0, 0, 8 };
	struct dhcp_reply r = { .lease = 77 };
	struct slice s = answer(p, XID, OPTIONS(TYPE("\x05") SERVER_ID MASK LEASE_1H));

	CHECK(!dhcp_parse(s, XID + 1, mac, &r));
	CHECK(!dhcp_parse(s, XID, other, &r));
	for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
		p[at[i]] ^= 0x55;
		CHECK(!dhcp_parse(s, XID, mac, &r));
		p[at[i]] ^= 0x55;
	}
	for (size_t n = 0; n < s.n; n++)
		CHECK(!dhcp_parse(slice_head(s, n), XID, mac, &r));
	CHECK_EQ(r.lease, 77);
	CHECK(dhcp_parse(s, XID, mac, &r));
}

static void test_put(void)
{
	uint8_t p[DHCP_PACKET_MAX];
	struct buf b = BUF(p);
	struct dhcp_request q = {
		.type = DHCP_REQUEST, .xid = XID, .requested = SELF, .server = SERVER
	};

	dhcp_put(&b, &q);
	CHECK(!b.bad);
	CHECK_EQ(b.len, 20 + 8 + 300);
	CHECK_EQ(sum16(p, 20), 0xffff);
	/* addresses, protocol and length before the UDP part make its sum whole */
	CHECK_EQ((uint16_t)(sum16(p + 12, b.len - 12) + 17 + b.len - 20) % 0xffff, 0);
	CHECK_EQ(p[16] & p[17] & p[18] & p[19], 0xff);
	b = (struct buf){ .p = p, .cap = 300 };
	dhcp_put(&b, &q);
	CHECK(b.bad);
}

static enum dhcp_type sent(const struct lease *l, int64_t now, bool *unicast)
{
	uint8_t p[DHCP_PACKET_MAX];
	struct buf b = BUF(p);

	lease_packet(l, now, &b, unicast);
	CHECK(!b.bad);
	return (enum dhcp_type)p[20 + 8 + 236 + 4 + 2];
}

static void test_lease(void)
{
	uint8_t p[1024];
	struct lease l;
	bool unicast;

	lease_init(&l, mac, 0);
	CHECK_EQ(lease_tick(&l, 0, XID), LEASE_SEND);
	CHECK_EQ(sent(&l, 0, &unicast), DHCP_DISCOVER);
	CHECK(!unicast);
	CHECK_EQ(lease_tick(&l, l.due - 1, 1), LEASE_QUIET);
	CHECK_EQ(lease_tick(&l, l.due, 1), LEASE_SEND);
	CHECK_EQ(l.xid, XID);
	CHECK_EQ(lease_feed(&l, 100, 1, answer(p, XID, OPTIONS(GOOD("\x05")))), LEASE_QUIET);
	CHECK_EQ(lease_feed(&l, 100, 1, answer(p, XID, OPTIONS(GOOD("\x02")))), LEASE_SEND);
	CHECK_EQ(sent(&l, 100, &unicast), DHCP_REQUEST);
	CHECK_EQ(lease_feed(&l, 200, 1, answer(p, XID, OPTIONS(GOOD("\x05")))), LEASE_GOT);
	CHECK_EQ(l.due, 100 + 1800 * 1000);
	CHECK_EQ(lease_feed(&l, 300, 1, answer(p, XID, OPTIONS(GOOD("\x06")))), LEASE_QUIET);
	/* T1: to the server; T2: to everybody; the end: gone */
	CHECK_EQ(lease_tick(&l, l.t1, XID + 1), LEASE_SEND);
	CHECK_EQ(sent(&l, l.t1, &unicast), DHCP_REQUEST);
	CHECK(unicast);
	CHECK_EQ(lease_tick(&l, l.t2, XID + 2), LEASE_SEND);
	CHECK_EQ(sent(&l, l.t2, &unicast), DHCP_REQUEST);
	CHECK(!unicast);
	CHECK_EQ(lease_feed(&l, l.t2 + 5, 1, answer(p, XID + 2, OPTIONS(GOOD("\x05")))),
		 LEASE_GOT);
	CHECK_EQ(l.state, LEASE_BOUND);
	CHECK_EQ(lease_tick(&l, l.expiry, 1), LEASE_LOST);
	CHECK_EQ(l.state, LEASE_INIT);
}

static void test_lease_refused(void)
{
	uint8_t p[1024];
	struct lease l;
	int sends = 0;

	lease_init(&l, mac, 0);
	lease_tick(&l, 0, XID);
	lease_feed(&l, 0, 1, answer(p, XID, OPTIONS(GOOD("\x02"))));
	CHECK_EQ(lease_feed(&l, 1, 1, answer(p, XID, OPTIONS(GOOD("\x06")))),
		 LEASE_QUIET); /* had none yet */
	CHECK_EQ(l.state, LEASE_INIT);
	CHECK_EQ(lease_tick(&l, l.due, XID), LEASE_SEND);
	lease_feed(&l, l.due, 1, answer(p, XID, OPTIONS(GOOD("\x02"))));
	while (l.state == LEASE_REQUESTING && sends++ < 10)
		lease_tick(&l, l.due, 1);
	CHECK_EQ(l.state, LEASE_SELECTING); /* a server that fell silent is not waited for */
	CHECK_EQ(sends, 4);
}

int main(void)
{
	test_parse();
	test_damage();
	test_put();
	test_lease();
	test_lease_refused();
	TEST_END();
}
