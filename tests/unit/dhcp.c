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

#define TYPE(t)	     "\x35\x01" t
#define SERVER_ID    "\x36\x04\xC0\x00\x02\x01"
#define MASK	     "\x01\x04\xFF\xFF\xFF\x00"
#define ROUTER	     "\x03\x04\xC0\x00\x02\xFE"
#define DNS	     "\x06\x08\xC0\x00\x02\x35\xC0\x00\x02\x36"
#define LEASE_1H     "\x33\x04\x00\x00\x0E\x10"
#define LEASE_1S     "\x33\x04\x00\x00\x00\x01"
#define NTP	     "\x2A\x08\xC0\x00\x02\x7B\xC0\x00\x02\x7C"
#define MTU(m)	     "\x1A\x02" m
#define X16	     "xxxxxxxxxxxxxxxx"
#define END	     "\xFF"
#define GOOD_OPEN(t) TYPE(t) SERVER_ID MASK ROUTER DNS LEASE_1H
#define GOOD(t)	     GOOD_OPEN(t) END
#define OPTIONS(s)   s, sizeof(s) - 1

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
	{ "type twice", OPTIONS(GOOD_OPEN("\x05") TYPE("\x06") END), false },
	{ "server twice", OPTIONS(GOOD_OPEN("\x05") SERVER_ID END), false },
	{ "time servers twice", OPTIONS(GOOD_OPEN("\x05") NTP NTP END), false },
	{ "host name twice, whatever it says",
	  OPTIONS(GOOD_OPEN("\x05") "\x0C\x05;reb\0"
				    "\x0C\x04\xFF\x0D\x0A=" END),
	  true },
	{ "domain name of 255",
	  OPTIONS(GOOD_OPEN("\x05") "\x0F\xFF" X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16
			  X16 X16 X16 "xxxxxxxxxxxxxxx" END),
	  true },
	{ "overload: the other fields are not options", OPTIONS("\x34\x01\x03" GOOD("\x05")),
	  true },
	{ "overload of 0 octets", OPTIONS("\x34\x00" GOOD("\x05")), true },
	{ "option of 255 in 20", OPTIONS(GOOD_OPEN("\x05") "\x0F\xFF" X16 "xxxx"), false },
	{ "mtu of 1", OPTIONS(GOOD_OPEN("\x05") "\x1A\x01\x05" END), false },
	{ "mtu of 4", OPTIONS(GOOD_OPEN("\x05") "\x1A\x04\0\0\5\xDC" END), false },
	{ "time servers of 3", OPTIONS(GOOD_OPEN("\x05") "\x2A\x03\xC0\0\2" END), false },
	{ "lease of 3", OPTIONS(TYPE("\x05") SERVER_ID MASK "\x33\x03\0\0\1" END), false },
	{ "T1 of 2", OPTIONS(GOOD_OPEN("\x05") "\x3A\x02\0\1" END), false },
	{ "one of two hosts",
	  OPTIONS(TYPE("\x05") SERVER_ID "\x01\x04\xFF\xFF\xFF\xFE" LEASE_1H END), true },
	{ "one of two in four",
	  OPTIONS(TYPE("\x05") SERVER_ID "\x01\x04\xFF\xFF\xFF\xFC" LEASE_1H END), true },
	{ "mask of 7 bits", OPTIONS(TYPE("\x05") SERVER_ID "\x01\x04\xFE\0\0\0" LEASE_1H END),
	  false },
	{ "nothing", OPTIONS(""), false },
};

static void test_parse(void)
{
	uint8_t p[1024];
	struct dhcp_reply r;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		CHECK_ROW(dhcp_parse(answer(p, XID, cases[i].options, cases[i].n), XID, mac,
				     &r) == (cases[i].ok ? DHCP_GOOD : DHCP_BAD),
			  cases[i].name);
	CHECK_EQ(dhcp_parse(answer(p, XID, OPTIONS(GOOD_OPEN("\x05") NTP MTU("\x05\x14") END)),
			    XID, mac, &r),
		 DHCP_GOOD);
	CHECK_EQ(r.type, DHCP_ACK);
	CHECK_EQ(r.address, SELF);
	CHECK_EQ(r.server, SERVER);
	CHECK_EQ(r.prefix, 24);
	CHECK_EQ(r.router, 0xC00002FE);
	CHECK_EQ(r.dns.n, 2);
	CHECK_EQ(r.dns.a[1], 0xC0000236);
	CHECK_EQ(r.ntp.n, 2);
	CHECK_EQ(r.ntp.a[0], 0xC000027B);
	CHECK_EQ(r.mtu, 1300);
	CHECK_EQ(r.lease, 3600);
	CHECK_EQ(r.t1, 1800);
	CHECK_EQ(r.t2, 3150);
}

/* An MTU that no network has is as if it were not said; names of hosts nobody can be are left out of lists. */
static void test_values(void)
{
	uint8_t p[1024];
	struct dhcp_reply r;

	CHECK_EQ(dhcp_parse(answer(p, XID, OPTIONS(GOOD_OPEN("\x05") MTU("\x02\x3F") END)), XID,
			    mac, &r),
		 DHCP_GOOD);
	CHECK_EQ(r.mtu, 0);
	CHECK_EQ(dhcp_parse(answer(p, XID, OPTIONS(GOOD_OPEN("\x05") MTU("\x02\x40") END)), XID,
			    mac, &r),
		 DHCP_GOOD);
	CHECK_EQ(r.mtu, 576);
	CHECK_EQ(
		dhcp_parse(
			answer(p, XID,
			       OPTIONS(TYPE("\x05") SERVER_ID MASK LEASE_1H
				       "\x06\x18\0\0\0\0\x7F\0\0\1\xE0\0\0\1\x0A\0\0\1\x0A\0\0\2\x0A\0\0\3" END)),
			XID, mac, &r),
		DHCP_GOOD);
	CHECK_EQ(r.dns.n, 3);
	CHECK_EQ(r.dns.a[0], 0x0A000001);
}

/* Every octet of the heads that is looked at, changed, and every shorter packet. */
static void test_damage(void)
{
	static const uint16_t at[] = { 0, 2, 6, 9, 10, 12, 20, 22, 28, 29, 30, 32, 56, 264 };
	uint8_t p[1024], other[DHCP_MAC] = { 2, 0, 0, 0, 0, 8 };
	struct dhcp_reply r = { .lease = 77 };
	struct slice s = answer(p, XID, OPTIONS(TYPE("\x05") SERVER_ID MASK LEASE_1H));

	CHECK_EQ(dhcp_parse(s, XID + 1, mac, &r), DHCP_OTHER);
	CHECK_EQ(dhcp_parse(s, XID, other, &r), DHCP_OTHER);
	for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
		p[at[i]] ^= 0x55;
		CHECK(dhcp_parse(s, XID, mac, &r) != DHCP_GOOD);
		p[at[i]] ^= 0x55;
	}
	for (size_t n = 0; n < s.n; n++)
		CHECK(dhcp_parse(slice_head(s, n), XID, mac, &r) != DHCP_GOOD);
	CHECK_EQ(r.lease, 77);
	CHECK_EQ(dhcp_parse(s, XID, mac, &r), DHCP_GOOD);
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

/* Of four addresses the first is the network's and the last all hosts'; two, or one, are all hosts. */
static void test_no_host(void)
{
	static const struct {
		const char *mask;
		uint8_t last;
		enum dhcp_kind kind;
	} rows[] = {
		{ "\x01\x04\xFF\xFF\xFF\xFC", 8, DHCP_BAD },
		{ "\x01\x04\xFF\xFF\xFF\xFC", 9, DHCP_GOOD },
		{ "\x01\x04\xFF\xFF\xFF\xFC", 10, DHCP_GOOD },
		{ "\x01\x04\xFF\xFF\xFF\xFC", 11, DHCP_BAD },
		{ "\x01\x04\xFF\xFF\xFF\xFE", 10, DHCP_GOOD },
		{ "\x01\x04\xFF\xFF\xFF\xFE", 11, DHCP_GOOD },
		{ "\x01\x04\xFF\xFF\xFF\xFF", 10, DHCP_GOOD },
		{ "\x01\x04\xFF\xFF\xFF\x00", 255, DHCP_BAD },
	};
	uint8_t p[1024], o[64];
	struct dhcp_reply r;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buf b = BUF(o);
		struct slice s;

		buf_put(&b, SLICE(TYPE("\x05") SERVER_ID LEASE_1H));
		buf_put(&b, (struct slice){ (const uint8_t *)rows[i].mask, 6 });
		s = answer(p, XID, (const char *)o, b.len);
		p[20 + 8 + 19] = rows[i].last;
		CHECK_EQ(dhcp_parse(s, XID, mac, &r), rows[i].kind);
	}
}

/* Answers that are malformed are said once for each transaction; foreign ones never. */
static void test_odd(void)
{
	uint8_t p[1024];
	struct lease l;

	lease_init(&l, mac, 0);
	lease_tick(&l, 0, XID);
	CHECK_EQ(lease_feed(&l, 1, 1, answer(p, XID + 1, OPTIONS(TYPE("\x02") END))),
		 LEASE_QUIET);
	CHECK_EQ(lease_feed(&l, 1, 1, answer(p, XID, OPTIONS(TYPE("\x02") END))), LEASE_ODD);
	CHECK_EQ(lease_feed(&l, 1, 1, answer(p, XID, OPTIONS(TYPE("\x02") END))), LEASE_QUIET);
	CHECK_EQ(lease_feed(&l, 1, 1, answer(p, XID, OPTIONS(GOOD("\x02")))), LEASE_SEND);
}

static void bound(struct lease *l, uint8_t *p)
{
	lease_init(l, mac, 0);
	lease_tick(l, 0, XID);
	lease_feed(l, 0, 1, answer(p, XID, OPTIONS(GOOD("\x02"))));
	CHECK_EQ(lease_feed(l, 0, 1, answer(p, XID, OPTIONS(GOOD("\x05")))), LEASE_GOT);
}

/* The link came back: the address is asked for by name, and kept while nobody contradicts. */
static void test_link(void)
{
	uint8_t p[1024];
	struct lease l;
	bool unicast;
	int sends = 0;

	lease_init(&l, mac, 0);
	lease_tick(&l, 0, XID);
	lease_link(&l, 10);
	CHECK_EQ(lease_tick(&l, 10, XID + 1), LEASE_SEND); /* not a second later */
	CHECK_EQ(sent(&l, 10, &unicast), DHCP_DISCOVER);
	bound(&l, p);
	lease_link(&l, 5000);
	CHECK_EQ(l.state, LEASE_REBOOTING);
	CHECK_EQ(lease_tick(&l, 5000, XID + 2), LEASE_SEND);
	CHECK_EQ(sent(&l, 5000, &unicast), DHCP_REQUEST);
	CHECK(!unicast);
	CHECK_EQ(lease_feed(&l, 5001, 1, answer(p, XID + 2, OPTIONS(GOOD("\x05")))), LEASE_GOT);
	CHECK_EQ(l.expiry, 5000 + 3600 * 1000);
	lease_link(&l, 9000);
	lease_tick(&l, 9000, XID + 3);
	CHECK_EQ(lease_feed(&l, 9001, 1, answer(p, XID + 3, OPTIONS(GOOD("\x06")))),
		 LEASE_LOST);
	bound(&l, p);
	lease_link(&l, 5000);
	while (l.state == LEASE_REBOOTING && sends++ < 10)
		CHECK_EQ(lease_tick(&l, l.due, XID + 4), LEASE_SEND);
	CHECK_EQ(l.state, LEASE_RENEWING);
	CHECK_EQ(sends, 5);
	lease_link(&l, l.expiry);
	CHECK_EQ(lease_tick(&l, l.expiry, 1), LEASE_LOST);
}

/* An answer with another address than was offered, or than we have, is not for us; while it is the server that is
 * asked, others have nothing to say. */
static void test_foreign(void)
{
	uint8_t p[1024];
	struct lease l;
	struct slice s;

	lease_init(&l, mac, 0);
	lease_tick(&l, 0, XID);
	lease_feed(&l, 0, 1, answer(p, XID, OPTIONS(GOOD("\x02"))));
	s = answer(p, XID, OPTIONS(GOOD("\x05")));
	p[20 + 8 + 19]++;
	CHECK_EQ(lease_feed(&l, 0, 1, s), LEASE_QUIET);
	bound(&l, p);
	lease_tick(&l, l.t1, XID + 1);
	CHECK_EQ(lease_feed(&l, l.t1, 1,
			    answer(p, XID + 1,
				   OPTIONS(TYPE("\x06") "\x36\x04\xC0\x00\x02\x02" END))),
		 LEASE_QUIET);
	CHECK_EQ(lease_feed(&l, l.t1, 1,
			    answer(p, XID + 1, OPTIONS(TYPE("\x06") SERVER_ID END))),
		 LEASE_LOST);
}

/* A server that appears late: the waits double to a minute, and never end. */
static void test_late(void)
{
	uint8_t p[1024];
	struct lease l;
	int64_t at = 0, before = 0;

	lease_init(&l, mac, 0);
	for (int i = 0; i < 60; i++) {
		before = at;
		at = l.due;
		CHECK_EQ(lease_tick(&l, at, XID), LEASE_SEND);
		CHECK(at - before <= 64500);
	}
	CHECK(at - before > 63000 && at > 3000 * 1000);
	CHECK_EQ(lease_feed(&l, at, 1, answer(p, XID, OPTIONS(GOOD("\x02")))), LEASE_SEND);
	CHECK_EQ(lease_feed(&l, at, 1, answer(p, XID, OPTIONS(GOOD("\x05")))), LEASE_GOT);
}

int main(void)
{
	test_parse();
	test_values();
	test_damage();
	test_put();
	test_lease();
	test_lease_refused();
	test_no_host();
	test_odd();
	test_link();
	test_foreign();
	test_late();
	TEST_END();
}
