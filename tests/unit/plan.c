/* SPDX-License-Identifier: ISC */
#include "init/net/plan.h"

#include <string.h>

#include "tests/unit/test.h"

enum { V4_BITS = 96 };

static struct plan configured(const char *addresses, const char *gateways, bool ok)
{
	struct plan p;

	CHECK_ROW(plan_configured(&p, SLICE("eth0"), false, slice_of(addresses),
				  slice_of(gateways)) == ok,
		  addresses);
	return p;
}

static void test_configured(void)
{
	struct plan p = configured("192.0.2.10/24 2001:db8::10/64", "192.0.2.1 fe80::1", true);
	struct ipaddr a;

	CHECK_EQ(p.addresses, 2);
	CHECK_EQ(p.address[0].bits, V4_BITS + 24);
	CHECK_EQ(p.address[1].bits, 64);
	CHECK(ipaddr_parse6(SLICE("fe80::1"), &a) && ipaddr_eq(&p.gateway.a[1], &a));
	CHECK(!strcmp(p.interface, "eth0"));
	/* What is good of a bad list is there. */
	p = configured("192.0.2.10 192.0.2.11/32", "", false);
	CHECK_EQ(p.addresses, 1);
	p = configured("", "192.0.2.1 192.0.2.2", false);
	CHECK_EQ(p.gateway.n, 1);
	p = configured(
		"10.0.0.1/8 10.0.0.2/8 10.0.0.3/8 10.0.0.4/8 10.0.0.5/8 10.0.0.6/8 10.0.0.7/8 10.0.0.8/8",
		"", true);
	CHECK_EQ(p.addresses, PLAN_ADDRESSES);
	configured(
		"10.0.0.1/8 10.0.0.2/8 10.0.0.3/8 10.0.0.4/8 10.0.0.5/8 10.0.0.6/8 10.0.0.7/8 10.0.0.8/8 10.0.0.9/8",
		"", false);
	CHECK(!plan_configured(&p, SLICE("a-name-of-16-cha"), false, SLICE(""), SLICE("")));
}

/* text: interface, address, gateway, name servers, time servers, d for DHCP; "" = refused, NULL = no such word */
static const struct {
	const char *line, *text;
} lines[] = {
	{ "console=ttyS0 quiet", NULL },
	{ "ip=", NULL },
	{ "tip=dhcp", NULL },
	{ "ip=dhcp", "eth0 d" },
	{ "ip=on quiet", "eth0 d" },
	{ "ip=off", "eth0" },
	{ "ip=:::::eth1:dhcp", "eth1 d" },
	{ "ip=192.0.2.7::192.0.2.1:255.255.255.0::eth1:none", "eth1 192.0.2.7/24 g192.0.2.1" },
	{ "ip=192.0.2.7:192.0.2.99:192.0.2.1:255.255.255.0:a.host::off:192.0.2.2:192.0.2.3:192.0.2.4",
	  "eth0 192.0.2.7/24 g192.0.2.1 s192.0.2.2 s192.0.2.3 t192.0.2.4" },
	{ "ip=192.0.2.7:::255.255.255.255", "eth0 192.0.2.7/32" },
	{ "ip=dhcp ip=192.0.2.7:::255.0.0.0:", "eth0 192.0.2.7/8" },
	{ "ip=dhcp ip=nonsense", "" },
	{ "ip=dhcp6", "" },
	{ "ip=192.0.2.7", "" },
	{ "ip=192.0.2.7::", "" },
	{ "ip=192.0.2.7:::255.0.255.0", "" },
	{ "ip=192.0.2.7:::254.0.0.0", "" },
	{ "ip=192.0.2.7:::255.255.255.0:::dhcp", "" },
	{ "ip=192.0.2.7:::255.255.255.0:::bootp", "" },
	{ "ip=192.0.2.7::x:255.255.255.0", "" },
	{ "ip=192.0.2.7:::255.255.255.0::an-interface-of-17", "" },
	{ "ip=192.0.2.7:::255.255.255.0::::::x", "" },
	{ "ip=192.0.2.7:::255.255.255.0:::::::", "" },
	{ "ip=:::::eth0:dhcp:192.0.2.2::192.0.2.4", "eth0 s192.0.2.2 t192.0.2.4 d" },
	{ "ip=[2001:db8::1]:::64::eth0:none", "" },
};

static void list(struct buf *b, char what, const struct plan_list *l)
{
	for (unsigned i = 0; i < l->n; i++) {
		buf_u8(b, ' ');
		buf_u8(b, (uint8_t)what);
		ipaddr_put(b, &l->a[i]);
	}
}

static void test_lines(void)
{
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		struct plan p = configured("198.51.100.1/24 2001:db8::1/64", "198.51.100.9",
					   true),
			    old = p;
		uint8_t text[256];
		struct buf b = BUF(text);
		bool odd = true, ok = plan_command_line(slice_of(lines[i].line), &p, &odd);

		if (!lines[i].text || !*lines[i].text) {
			CHECK_ROW(!ok && odd == (lines[i].text != NULL), lines[i].line);
			CHECK_ROW(memcmp(&old, &p, sizeof p) == 0, lines[i].line);
			continue;
		}
		CHECK_ROW(ok && !odd, lines[i].line);
		buf_put(&b, slice_of(p.interface));
		for (unsigned k = 0; k < p.addresses; k++) {
			buf_u8(&b, ' ');
			ipaddr_put(&b, &p.address[k].addr);
			buf_u8(&b, '/');
			buf_dec(&b, p.address[k].bits - V4_BITS);
		}
		list(&b, 'g', &p.gateway);
		list(&b, 's', &p.dns);
		list(&b, 't', &p.ntp);
		if (p.dhcp)
			buf_put(&b, SLICE(" d"));
		CHECK_ROW(slice_eq(buf_slice(&b), slice_of(lines[i].text)), lines[i].line);
	}
}

int main(void)
{
	test_configured();
	test_lines();
	TEST_END();
}
