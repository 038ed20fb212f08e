/* SPDX-License-Identifier: ISC */
#include "init/net/rtnl.h"

#include <errno.h>
#include <linux/if.h>
#include <linux/rtnetlink.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ROOM = 256, ANSWER = 8192, ND_OPTIONS_GROUP = 1 << (RTNLGRP_ND_USEROPT - 1) };

struct request {
	struct nlmsghdr h;
	union {
		struct ifinfomsg link;
		struct ifaddrmsg address;
		struct rtmsg route;
	} u;
	uint8_t room[ROOM];
};

union answer {
	struct nlmsghdr h;
	uint8_t b[ANSWER];
};

static void begin(struct request *r, uint16_t type, uint16_t flags, size_t head)
{
	memset(r, 0, sizeof *r);
	r->h.nlmsg_type = type;
	r->h.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
	r->h.nlmsg_len = NLMSG_LENGTH(head);
}

static void attribute(struct request *r, uint16_t type, const void *p, size_t n)
{
	size_t at = NLMSG_ALIGN(r->h.nlmsg_len);
	struct rtattr a = { .rta_len = (uint16_t)RTA_LENGTH(n), .rta_type = type };

	if (at + RTA_SPACE(n) > sizeof *r)
		return; /* cannot be: all our attributes together are shorter */
	memcpy((uint8_t *)r + at, &a, sizeof a);
	if (n)
		memcpy((uint8_t *)r + at + RTA_LENGTH(0), p, n);
	r->h.nlmsg_len = (uint32_t)(at + RTA_SPACE(n));
}

static void attribute_address(struct request *r, uint16_t type, const struct ipaddr *a)
{
	if (ipaddr_v4(a))
		attribute(r, type, a->b + 12, 4);
	else
		attribute(r, type, a->b, sizeof a->b);
}

/* What is added until nest_end() lies inside of this attribute. */
static size_t nest(struct request *r, uint16_t type)
{
	size_t at = NLMSG_ALIGN(r->h.nlmsg_len);

	attribute(r, type, NULL, 0);
	return at;
}

static void nest_end(struct request *r, size_t at)
{
	uint16_t n = (uint16_t)(r->h.nlmsg_len - at);

	memcpy((uint8_t *)r + at, &n, sizeof n); /* rta_len is its first member */
}

static uint8_t family(const struct ipaddr *a)
{
	return ipaddr_v4(a) ? AF_INET : AF_INET6;
}

/* The first message of the given type that comes back; type NLMSG_ERROR is the
 * acknowledgement itself. */
static bool ask(int fd, const struct request *r, uint16_t type, union answer *a)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct nlmsgerr e;

	while (recv(fd, a->b, sizeof a->b, MSG_DONTWAIT) > 0)
		; /* left over from an earlier answer */
	if (sendto(fd, r, r->h.nlmsg_len, 0, (struct sockaddr *)&kernel, sizeof kernel) < 0)
		return false;
	for (;;) {
		ssize_t n = recv(fd, a->b, sizeof a->b, MSG_DONTWAIT);

		if (n < (ssize_t)sizeof a->h || a->h.nlmsg_len > (size_t)n)
			return false;
		if (a->h.nlmsg_type == NLMSG_ERROR &&
		    a->h.nlmsg_len >= NLMSG_LENGTH(sizeof e)) {
			memcpy(&e, a->b + NLMSG_HDRLEN, sizeof e);
			errno = -e.error;
			return type == NLMSG_ERROR && !e.error;
		}
		if (a->h.nlmsg_type == type)
			return true;
	}
}

static bool tell(int fd, const struct request *r)
{
	union answer a;

	return ask(fd, r, NLMSG_ERROR, &a);
}

bool rtnl_find(int fd, const char *name, struct rtnl_link *out)
{
	struct request r;
	union answer a;
	struct ifinfomsg link;
	size_t at = NLMSG_LENGTH(sizeof link);

	begin(&r, RTM_GETLINK, 0, sizeof r.u.link);
	attribute(&r, IFLA_IFNAME, name, strlen(name) + 1);
	if (!ask(fd, &r, RTM_NEWLINK, &a) || a.h.nlmsg_len < at)
		return false;
	memcpy(&link, a.b + NLMSG_HDRLEN, sizeof link);
	*out = (struct rtnl_link){ .index = link.ifi_index,
				   .up = link.ifi_flags & IFF_UP,
				   .carrier = link.ifi_flags & IFF_RUNNING };
	while (at + sizeof(struct rtattr) <= a.h.nlmsg_len) {
		struct rtattr at_head;

		memcpy(&at_head, a.b + at, sizeof at_head);
		if (at_head.rta_len < RTA_LENGTH(0) || at_head.rta_len > a.h.nlmsg_len - at)
			break;
		if (at_head.rta_type == IFLA_ADDRESS &&
		    at_head.rta_len == RTA_LENGTH(sizeof out->mac))
			memcpy(out->mac, a.b + at + RTA_LENGTH(0), sizeof out->mac);
		at += RTA_ALIGN(at_head.rta_len);
	}
	return true;
}

bool rtnl_up(int fd, int index)
{
	struct request r;

	begin(&r, RTM_NEWLINK, 0, sizeof r.u.link);
	r.u.link.ifi_index = index;
	r.u.link.ifi_flags = IFF_UP;
	r.u.link.ifi_change = IFF_UP;
	return tell(fd, &r);
}

bool rtnl_mtu(int fd, int index, uint32_t octets)
{
	struct request r;

	begin(&r, RTM_NEWLINK, 0, sizeof r.u.link);
	r.u.link.ifi_index = index;
	attribute(&r, IFLA_MTU, &octets, sizeof octets);
	return tell(fd, &r);
}

bool rtnl_vlan(int fd, int index, uint16_t tag, const char *name)
{
	struct request r;
	size_t info, data;

	begin(&r, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof r.u.link);
	attribute(&r, IFLA_IFNAME, name, strlen(name) + 1);
	attribute(&r, IFLA_LINK, &index, sizeof index);
	info = nest(&r, IFLA_LINKINFO);
	attribute(&r, IFLA_INFO_KIND, "vlan", 4);
	data = nest(&r, IFLA_INFO_DATA);
	attribute(&r, IFLA_VLAN_ID, &tag, sizeof tag);
	nest_end(&r, data);
	nest_end(&r, info);
	return tell(fd, &r) || errno == EEXIST;
}

static void put_address(struct request *r, int index, const struct ipaddr_net *a)
{
	r->u.address.ifa_family = family(&a->addr);
	r->u.address.ifa_prefixlen = (uint8_t)ipaddr_net_length(a);
	r->u.address.ifa_index = (uint32_t)index;
	attribute_address(r, IFA_LOCAL, &a->addr);
	attribute_address(r, IFA_ADDRESS, &a->addr);
}

/* The last address of the subnet, which all its hosts hear. */
static struct ipaddr broadcast(const struct ipaddr_net *a)
{
	struct ipaddr b = a->addr;

	for (unsigned i = a->bits; i < 128; i++)
		b.b[i / 8] |= (uint8_t)(0x80 >> i % 8);
	return b;
}

bool rtnl_address(int fd, int index, const struct ipaddr_net *address, uint32_t seconds)
{
	struct ifa_cacheinfo life = { .ifa_prefered = seconds, .ifa_valid = seconds };
	struct ipaddr all = broadcast(address);
	struct request r;

	begin(&r, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, sizeof r.u.address);
	put_address(&r, index, address);
	if (ipaddr_v4(&address->addr) && address->bits < 127)
		attribute_address(&r, IFA_BROADCAST, &all);
	attribute(&r, IFA_CACHEINFO, &life, sizeof life);
	return tell(fd, &r);
}

bool rtnl_drop_address(int fd, int index, const struct ipaddr_net *address)
{
	struct request r;

	begin(&r, RTM_DELADDR, 0, sizeof r.u.address);
	put_address(&r, index, address);
	return tell(fd, &r);
}

bool rtnl_gateway(int fd, int index, const struct ipaddr *gateway)
{
	struct request r;

	begin(&r, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, sizeof r.u.route);
	r.u.route.rtm_family = family(gateway);
	r.u.route.rtm_table = RT_TABLE_MAIN;
	r.u.route.rtm_protocol = RTPROT_BOOT;
	r.u.route.rtm_scope = RT_SCOPE_UNIVERSE;
	r.u.route.rtm_type = RTN_UNICAST;
	r.u.route.rtm_flags =
		RTNH_F_ONLINK; /* some hosters' gateways lie outside of the subnet */
	attribute_address(&r, RTA_GATEWAY, gateway);
	attribute(&r, RTA_OIF, &index, sizeof index);
	return tell(fd, &r);
}

int rtnl_listen(void)
{
	struct sockaddr_nl me = { .nl_family = AF_NETLINK,
				  .nl_groups = RTMGRP_LINK | ND_OPTIONS_GROUP };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	if (fd >= 0 && bind(fd, (struct sockaddr *)&me, sizeof me) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

static void take_link(struct slice body, enum rtnl_what what, struct rtnl_event *e)
{
	struct ifinfomsg link;

	if (body.n < sizeof link)
		return;
	memcpy(&link, body.p, sizeof link);
	if (link.ifi_family != AF_UNSPEC) /* a bridge speaks of its ports */
		return;
	*e = (struct rtnl_event){ .what = what,
				  .index = link.ifi_index,
				  .carrier = link.ifi_flags & IFF_RUNNING };
}

static void take_options(struct slice body, struct rtnl_event *e)
{
	struct nduseroptmsg m;

	if (body.n < sizeof m)
		return;
	memcpy(&m, body.p, sizeof m);
	if (m.nduseropt_family == AF_INET6)
		*e = (struct rtnl_event){ .what = RTNL_OPTIONS,
					  .index = m.nduseropt_ifindex,
					  .options = slice_head(slice_from(body, sizeof m),
								m.nduseropt_opts_len) };
}

bool rtnl_event(struct slice *datagram, struct rtnl_event *out)
{
	struct nlmsghdr h;
	struct slice body;

	*out = (struct rtnl_event){ .what = RTNL_OTHER };
	if (datagram->n < sizeof h)
		return false;
	memcpy(&h, datagram->p, sizeof h);
	if (h.nlmsg_len < sizeof h || h.nlmsg_len > datagram->n)
		return false;
	body = slice_from(slice_head(*datagram, h.nlmsg_len), sizeof h);
	*datagram = slice_from(*datagram, NLMSG_ALIGN(h.nlmsg_len));
	if (h.nlmsg_type == RTM_NEWLINK)
		take_link(body, RTNL_LINK, out);
	else if (h.nlmsg_type == RTM_DELLINK)
		take_link(body, RTNL_GONE, out);
	else if (h.nlmsg_type == RTM_NEWNDUSEROPT)
		take_options(body, out);
	return true;
}
