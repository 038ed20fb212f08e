/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "keys/auth/mynetworks.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/unit/test.h"

#define HEAD \
	"Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
#define ZERO "00000000000000000000000000000000"

static struct mynetworks m;

static struct ipaddr_net net(const char *text)
{
	struct ipaddr_net n;

	CHECK_ROW(ipaddr_net_parse(slice_of(text), &n), text);
	return n;
}

/* An address as the kernel prints it there: the number that the four octets are in memory. */
static const char *route(const char *gateway)
{
	static char line[256];
	struct ipaddr a;
	uint32_t v;

	CHECK(ipaddr_parse4(slice_of(gateway), &a));
	memcpy(&v, a.b + 12, sizeof v);
	snprintf(line, sizeof line,
		 HEAD "eth0\t00000000\t%08X\t0003\t0\t0\t0\t00000000\t0\t0\t0  \n", v);
	return line;
}

static void gateways(void)
{
	static const struct {
		const char *net, *text;
		bool routed;
	} cases[] = {
		{ "10.0.0.0/8", HEAD, false },
		{ "0.0.0.0/0", HEAD "eth0\t0000000A\t00000000\t0001\t0\n",
		  false }, /* no gateway */
		{ "10.0.0.0/8", HEAD "eth0\t0000000A\t00000000\t0001\t0\n", false },
		/* not what it should be: nobody can tell */
		{ "10.0.0.0/8", "", true },
		{ "10.0.0.0/8", "eth0\t0000000A\t00000000\t0001\t0\n", true },
		{ "10.0.0.0/8", HEAD "eth0\t0000000A\t00000000\t0001", true },
		{ "10.0.0.0/8", HEAD "eth0\t0000000A\t0000000\t0001\t\n", true },
		{ "10.0.0.0/8", HEAD "eth0\t0000000A\t0000000g\t0001\t\n", true },
		{ "10.0.0.0/8", HEAD "\n", true },
		{ "fd00::/8", "", false },
		{ "fd00::/8", ZERO " 00 " ZERO " 00 " ZERO " 00000400 0 0 1 eth0\n", false },
		{ "fd00::/8",
		  ZERO " 00 " ZERO " 00 fd000000000000000000000000000001 00000400 1 0 3 eth0\n",
		  true },
		{ "fd00::/8",
		  ZERO " 00 " ZERO " 00 fe800000000000000000000000000001 00000400 1 0 3 eth0\n",
		  false },
		{ "fe80::/10",
		  ZERO " 00 " ZERO " 00 FE800000000000000000000000000001 00000400 1 0 3 eth0\n",
		  true },
		{ "fd00::/8", ZERO " 00 " ZERO "\n", true },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct ipaddr_net n = net(cases[i].net);

		CHECK_ROW(mynetworks_routed(&n, slice_of(cases[i].text)) == cases[i].routed,
			  cases[i].text);
	}
	CHECK(mynetworks_routed(&(struct ipaddr_net){ net("172.17.0.0/16").addr, 112 },
				slice_of(route("172.17.0.1"))));
	CHECK(!mynetworks_routed(&(struct ipaddr_net){ net("172.18.0.0/16").addr, 112 },
				 slice_of(route("172.17.0.1"))));
}

static int file(const char *text)
{
	char name[] = "routesXXXXXX";
	int fd = mkstemp(name);

	CHECK(fd >= 0 && unlink(name) == 0 &&
	      write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	return fd;
}

static void init(const char *list, bool guarded, int v4, int v6)
{
	mynetworks_init(&m, slice_of(list), SLICE("@a.org,me@b.org"), guarded, v4, v6);
	CHECK_SLICE(m.rights, "@a.org me@b.org");
}

static enum mynetworks_word judge(const char *peer)
{
	struct ipaddr a;

	CHECK_ROW(ipaddr_parse(slice_of(peer), &a), peer);
	return mynetworks_judge(&m, a.b);
}

static void ranges(void)
{
	init("10.1.0.0/16 192.0.2.7/32 fd00:1::/64", false, -1, -1);
	CHECK_EQ(m.n, 3);
	CHECK_EQ(judge("10.1.255.255"), MYNETWORKS_YES);
	CHECK_EQ(judge("10.2.0.0"), MYNETWORKS_NO);
	CHECK_EQ(judge("10.0.255.255"), MYNETWORKS_NO);
	CHECK_EQ(judge("192.0.2.7"), MYNETWORKS_YES);
	CHECK_EQ(judge("192.0.2.6"), MYNETWORKS_NO);
	CHECK_EQ(judge("fd00:1::9"), MYNETWORKS_YES);
	CHECK_EQ(judge("fd00:1:0:1::9"), MYNETWORKS_NO);
	CHECK_EQ(judge("::10.1.0.1"), MYNETWORKS_NO);
	init("", false, -1, -1);
	CHECK_EQ(judge("0.0.0.0"), MYNETWORKS_NO);
	CHECK_EQ(judge("::"), MYNETWORKS_NO);
	CHECK_EQ(judge("127.0.0.1"), MYNETWORKS_NO);
	/* what no build lets through opens nothing, all of IPv6 not all of IPv4 */
	init("10.1.0.0 10.1.0.0/33 x/8 ::/0 ::/64", false, -1, -1);
	CHECK_EQ(m.n, 0);
	CHECK_EQ(judge("10.1.0.0"), MYNETWORKS_NO);
}

static void guarded(void)
{
	int null = memfd_create("null", MFD_CLOEXEC | MFD_ALLOW_SEALING), v4;

	init("172.17.0.0/16 10.0.0.0/8", true, v4 = file(route("172.17.0.1")), -1);
	CHECK_EQ(judge("172.17.0.1"), MYNETWORKS_GATEWAY);
	CHECK_EQ(judge("172.17.0.2"), MYNETWORKS_GATEWAY);
	CHECK_EQ(judge("10.0.0.1"), MYNETWORKS_YES);
	/* the table is looked at every time */
	CHECK(ftruncate(v4, 0) == 0 &&
	      pwrite(v4, route("10.9.9.9"), strlen(route("10.9.9.9")), 0) > 0);
	CHECK_EQ(judge("10.0.0.1"), MYNETWORKS_GATEWAY);
	CHECK_EQ(judge("172.17.0.2"), MYNETWORKS_YES);
	/* a narrower range beside one that is not in force */
	init("10.0.0.0/8 10.1.0.0/16", true, v4, -1);
	CHECK_EQ(judge("10.1.0.1"), MYNETWORKS_YES);
	CHECK_EQ(judge("10.9.9.9"), MYNETWORKS_GATEWAY);
	/* no table, or only the place holder for one */
	init("10.0.0.0/8 fd00::/8", true, -1, -1);
	CHECK_EQ(judge("10.0.0.1"), MYNETWORKS_GATEWAY);
	CHECK_EQ(judge("fd00::1"), MYNETWORKS_GATEWAY);
	init("10.0.0.0/8 fd00::/8", true, null, null);
	CHECK_EQ(judge("10.0.0.1"), MYNETWORKS_GATEWAY);
	CHECK_EQ(judge("fd00::1"), MYNETWORKS_GATEWAY);
	init("fd00::/8", true, -1, file(""));
	CHECK_EQ(judge("fd00::1"), MYNETWORKS_YES);
	CHECK_EQ(judge("fc00::1"), MYNETWORKS_NO);
	/* longer than we take */
	CHECK(ftruncate(v4, MYNETWORKS_ROUTES) == 0);
	init("192.0.2.0/24", true, v4, -1);
	CHECK_EQ(judge("192.0.2.1"), MYNETWORKS_GATEWAY);
	/* the kernel's own */
	init("127.0.0.0/8", true, open("/proc/net/route", O_RDONLY), -1);
	CHECK_EQ(judge("127.0.0.1"), MYNETWORKS_YES);
	init("fd00:dead::/32", true, -1, open("/proc/net/ipv6_route", O_RDONLY));
	if (access("/proc/net/ipv6_route", R_OK) == 0)
		CHECK_EQ(judge("fd00:dead::1"), MYNETWORKS_YES);
}

int main(void)
{
	gateways();
	ranges();
	guarded();
	TEST_END();
}
