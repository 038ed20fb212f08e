/* SPDX-License-Identifier: ISC */
#include "tests/unit/test.h"

#include <stdlib.h>

#include "smtpd/proto/ipaddr.h"

static const struct {
	const char *in, *out; /* NULL: refused */
} cases[] = {
	{ "0.0.0.0", "0.0.0.0" },
	{ "1.2.3.4", "1.2.3.4" },
	{ "255.255.255.255", "255.255.255.255" },
	{ "256.0.0.0", NULL },
	{ "1.2.3", NULL },
	{ "1.2.3.", NULL },
	{ ".1.2.3", NULL },
	{ "1..2.3", NULL },
	{ "1.2.3.4.5", NULL },
	{ "01.2.3.4", NULL },
	{ "1.2.3.00", NULL },
	{ "0001.2.3.4", NULL },
	{ "1.2.3.4 ", NULL },
	{ " 1.2.3.4", NULL },
	{ "+1.2.3.4", NULL },
	{ "0x1.2.3.4", NULL },
	{ "16909060", NULL },
	{ "", NULL },
	{ "::", "::" },
	{ "::1", "::1" },
	{ "1::", "1::" },
	{ "2001:DB8::0001", "2001:db8::1" },
	{ "2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1" },
	{ "2001:0:0:1:0:0:0:1", "2001:0:0:1::1" },
	{ "2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1" },
	{ "1:2:3:4:5:6:0:0", "1:2:3:4:5:6::" },
	{ "0:0:3:4:5:6:7:8", "::3:4:5:6:7:8" },
	{ "0:2:3:4:5:6:7:0", "0:2:3:4:5:6:7:0" },
	{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
	  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
	{ "::ffff:1.2.3.4", "1.2.3.4" },
	{ "::fffe:1.2.3.4", "::fffe:102:304" },
	{ "1::2::3", NULL },
	{ "1:2:3:4:5:6:7", NULL },
	{ "1:2:3:4:5:6:7:8:9", NULL },
	{ "12345::", NULL },
	{ ":1::", NULL },
	{ ":::", NULL },
	{ "g::", NULL },
	{ "fe80::1%eth0", NULL },
	{ "::1.2.3.256", NULL },
	{ "0000000000000000000000000000000000000000000000001::", NULL },
};

static void check_case(size_t i)
{
	uint8_t room[IPADDR_TEXT];
	struct buf b = BUF(room);
	struct ipaddr a, again;
	bool ok = ipaddr_parse(slice_of(cases[i].in), &a);

	CHECK_ROW(ok == !!cases[i].out, cases[i].in);
	if (!ok)
		return;
	ipaddr_put(&b, &a);
	CHECK_ROW(!b.bad && slice_eq(buf_slice(&b), slice_of(cases[i].out)), cases[i].in);
	CHECK_ROW(ipaddr_parse(buf_slice(&b), &again) && !memcmp(&a, &again, sizeof a),
		  cases[i].in);
	CHECK_ROW(ipaddr_v4(&a) == (slice_find(buf_slice(&b), ':') == b.len), cases[i].in);
}

static const struct {
	const char *net, *in, *out; /* an address inside and one outside; NULL in: refused */
} nets[] = {
	{ "10.0.0.0/8", "10.255.255.255", "11.0.0.0" },
	{ "192.0.2.2/24", "192.0.2.255", "192.0.3.0" },
	{ "192.0.2.0/23", "192.0.3.255", "192.0.4.0" },
	{ "192.0.2.1/32", "192.0.2.1", "192.0.2.0" },
	{ "0.0.0.0/0", "255.1.2.3", "::1" },
	{ "2001:db8::/33", "2001:db8:7fff::", "2001:db8:8000::" },
	{ "::1/128", "::1", "::" },
	{ "::/0", "1.2.3.4", NULL },
	{ "10.0.0.0/33", NULL, NULL },
	{ "::/129", NULL, NULL },
	{ "10.0.0.0", NULL, NULL },
	{ "10.0.0.0/", NULL, NULL },
	{ "10.0.0.0/08", NULL, NULL },
	{ "10.0.0.0/8/8", NULL, NULL },
	{ "10.0.0.0/-1", NULL, NULL },
	{ "10.0.0/8", NULL, NULL },
	{ "/8", NULL, NULL },
	{ "", NULL, NULL },
};

static void check_net(size_t i)
{
	struct ipaddr_net net;
	struct ipaddr a;

	CHECK_ROW(ipaddr_net_parse(slice_of(nets[i].net), &net) == !!nets[i].in, nets[i].net);
	if (nets[i].in)
		CHECK_ROW(ipaddr_net_length(&net) ==
				  strtoul(strchr(nets[i].net, '/') + 1, NULL, 10),
			  nets[i].net);
	if (nets[i].in)
		CHECK_ROW(ipaddr_parse(slice_of(nets[i].in), &a) && ipaddr_in(&a, &net),
			  nets[i].net);
	if (nets[i].out)
		CHECK_ROW(ipaddr_parse(slice_of(nets[i].out), &a) && !ipaddr_in(&a, &net),
			  nets[i].net);
}

static const struct {
	const char *text;
	bool ok;
} worlds[] = {
	{ "192.0.2.1", true },
	{ "8.8.8.8", true },
	{ "9.255.255.255", true },
	{ "10.0.0.1", false },
	{ "11.0.0.0", true },
	{ "100.63.255.255", true },
	{ "100.64.0.0", false },
	{ "100.127.255.255", false },
	{ "100.128.0.0", true },
	{ "127.0.0.1", false },
	{ "128.0.0.1", true },
	{ "169.254.1.1", false },
	{ "172.15.0.1", true },
	{ "172.16.0.1", false },
	{ "172.31.255.255", false },
	{ "172.32.0.1", true },
	{ "192.168.1.1", false },
	{ "192.169.0.1", true },
	{ "223.255.255.255", true },
	{ "224.0.0.1", false },
	{ "255.255.255.255", false },
	{ "0.0.0.0", false },
	{ "::", false },
	{ "::1", false },
	{ "::127.0.0.1", false },
	{ "2001:db8::1", true },
	{ "fc00::1", false },
	{ "fdff::1", false },
	{ "fe80::1", false },
	{ "febf::1", false },
	{ "fec0::1", false },
	{ "ff02::1", false },
	{ "::ffff:10.0.0.1", false },
};

static void reach(void)
{
	struct ipaddr a, b;
	uint8_t bytes[80];
	struct buf name = BUF(bytes);

	for (size_t i = 0; i < sizeof worlds / sizeof *worlds; i++) {
		CHECK_ROW(ipaddr_parse(slice_of(worlds[i].text), &a), worlds[i].text);
		CHECK_ROW(ipaddr_public(&a) == worlds[i].ok, worlds[i].text);
	}
	CHECK(ipaddr_parse(SLICE("192.0.2.17"), &a));
	ipaddr_put_arpa(&name, &a);
	CHECK_SLICE(buf_slice(&name), "17.2.0.192.in-addr.arpa");
	name.len = 0;
	CHECK(ipaddr_literal(SLICE("[IPv6:2001:db8::c]"), &b) && !ipaddr_eq(&a, &b));
	ipaddr_put_arpa(&name, &b);
	CHECK_SLICE(buf_slice(&name), "c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."
				      "8.b.d.0.1.0.0.2.ip6.arpa");
	CHECK(ipaddr_literal(SLICE("[192.0.2.17]"), &b) && ipaddr_eq(&a, &b));
	CHECK(!ipaddr_literal(SLICE("[]"), &b) && !ipaddr_literal(SLICE("[192.0.2.17"), &b) &&
	      !ipaddr_literal(SLICE("192.0.2.17"), &b) && !ipaddr_literal(SLICE("["), &b) &&
	      !ipaddr_literal(SLICE("[::1]"), &b) &&
	      !ipaddr_literal(SLICE("[IPv6:1.2.3.4]"), &b) && !ipaddr_literal(SLICE(""), &b));
}

int main(void)
{
	reach();
	struct ipaddr a;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		check_case(i);
	for (size_t i = 0; i < sizeof nets / sizeof *nets; i++)
		check_net(i);
	CHECK(!ipaddr_parse(SLICE("1.2.3.4\0"), &a));
	CHECK(!ipaddr_parse(SLICE("::1\0"), &a));
	CHECK(!ipaddr_parse4(SLICE("::1"), &a));
	CHECK(!ipaddr_parse6(SLICE("1.2.3.4"), &a));
	TEST_END();
}
