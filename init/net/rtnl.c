/* SPDX-License-Identifier: ISC */
#include "init/net/rtnl.h"

#include <errno.h>
#include <linux/if.h>
#include <linux/rtnetlink.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

enum { ROOM = 256, ANSWER = 8192 };

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
	memcpy((uint8_t *)r + at + RTA_LENGTH(0), p, n);
	r->h.nlmsg_len = (uint32_t)(at + RTA_SPACE(n));
}

static void attribute32(struct request *r, uint16_t type, uint32_t host)
{
	uint8_t net[4] = { (uint8_t)(host >> 24), (uint8_t)(host >> 16), (uint8_t)(host >> 8),
			   (uint8_t)host };

	attribute(r, type, net, sizeof net);
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
	*out = (struct rtnl_link){ .index = link.ifi_index, .up = link.ifi_flags & IFF_UP };
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

static void put_address(struct request *r, int index, uint32_t address, unsigned prefix)
{
	r->u.address.ifa_family = AF_INET;
	r->u.address.ifa_prefixlen = (uint8_t)prefix;
	r->u.address.ifa_index = (uint32_t)index;
	attribute32(r, IFA_LOCAL, address);
	attribute32(r, IFA_ADDRESS, address);
}

bool rtnl_address(int fd, int index, uint32_t address, unsigned prefix, uint32_t seconds)
{
	struct ifa_cacheinfo life = { .ifa_prefered = seconds, .ifa_valid = seconds };
	struct request r;

	begin(&r, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, sizeof r.u.address);
	put_address(&r, index, address, prefix);
	if (prefix < 31)
		attribute32(&r, IFA_BROADCAST, address | 0xffffffffu >> prefix);
	attribute(&r, IFA_CACHEINFO, &life, sizeof life);
	return tell(fd, &r);
}

bool rtnl_drop_address(int fd, int index, uint32_t address, unsigned prefix)
{
	struct request r;

	begin(&r, RTM_DELADDR, 0, sizeof r.u.address);
	put_address(&r, index, address, prefix);
	return tell(fd, &r);
}

bool rtnl_gateway(int fd, int index, uint32_t gateway)
{
	struct request r;

	begin(&r, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, sizeof r.u.route);
	r.u.route.rtm_family = AF_INET;
	r.u.route.rtm_table = RT_TABLE_MAIN;
	r.u.route.rtm_protocol = RTPROT_BOOT;
	r.u.route.rtm_scope = RT_SCOPE_UNIVERSE;
	r.u.route.rtm_type = RTN_UNICAST;
	r.u.route.rtm_flags =
		RTNH_F_ONLINK; /* some hosters' gateways lie outside of the subnet */
	attribute32(&r, RTA_GATEWAY, gateway);
	attribute(&r, RTA_OIF, &index, sizeof index);
	return tell(fd, &r);
}
