/* SPDX-License-Identifier: ISC */
#ifndef INIT_NET_PLAN_H
#define INIT_NET_PLAN_H

#include "smtpd/proto/ipaddr.h"

/* What the interface gets: what Kconfig says, or the word `ip=` of the kernel's command line. */
enum { PLAN_NAME = 16, PLAN_ADDRESSES = 8, PLAN_SERVERS = 4 };

struct plan_list {
	struct ipaddr a[PLAN_SERVERS];
	unsigned n;
};

struct plan {
	char interface[PLAN_NAME]; /* 0-terminated */
	bool dhcp;
	struct ipaddr_net address[PLAN_ADDRESSES]; /* besides what DHCP and routers say */
	unsigned addresses;
	struct plan_list gateway;  /* at most one of each family */
	struct plan_list dns, ntp; /* of `ip=` alone */
};

/* Kconfig's lists are words with one space between them. False: one is not what it should be; what was good is
 * there all the same. */
bool plan_configured(struct plan *p, struct slice interface, bool dhcp, struct slice addresses,
		     struct slice gateways);
/*
 * `ip=` as the kernel itself takes it, in a line of words; the last one counts:
 *	ip=off|none|dhcp|on|any    or
 *	ip=CLIENT:SERVER:GATEWAY:NETMASK:HOST:DEVICE:HOW:DNS:DNS:NTP    (IPv4, each may be empty)
 * SERVER and HOST are not looked at. Unlike there a CLIENT must have a NETMASK. False: no such word, or one that is
 * not understood (*odd); *p untouched.
 */
bool plan_command_line(struct slice line, struct plan *p, bool *odd);

#endif
