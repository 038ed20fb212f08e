/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_DNS_DNSASK_H
#define SMTPD_DNS_DNSASK_H

#include "smtpd/dns/dotlink.h"
#include "smtpd/lib/loop.h"
#include "smtpd/msg/dns.h"
#include "smtpd/proto/dnsmsg.h"
#include "smtpd/proto/ipaddr.h"

/*
 * One question on the wire. Every try has a socket of its own, with a random port and a random id, connected so
 * that only the server's datagrams arrive. A truncated answer is asked again over TCP. "secure" of an answer is
 * what a server on this machine says; from others it is nothing but a bit on the wire.
 */
enum {
	DNSASK_UDP_MS = 2000,
	DNSASK_TCP_MS = 5000,
	DNSASK_ROUNDS = 3,	    /* over all servers */
	DNSASK_TCP = 16 * 1024 - 2, /* the longest answer taken over TCP */
	DNSASK_PORT = 53,
};

struct dnsask_servers {
	struct ipaddr addr[SERVERS_MAX];
	uint32_t n, first; /* first: asked before the others, because it answered last */
	uint16_t port;
};

struct dnsask { /* zeroed and with watch.fd -1: idle */
	struct watch watch;
	struct loop *loop;
	const struct dnsask_servers *servers; /* borrowed; may change between two tries */
	/* The question is idle again when this runs. The answer is borrowed; its kind is one of
	 * SERVFAIL (all that is temporary), NXDOMAIN, NODATA, OK. */
	void (*done)(struct dnsask *a, const struct dnsmsg_answer *answer);
	struct dotlink *dot; /* borrowed; NULL: in clear. Set before dnsask_start() */
	uint8_t *tcp;	     /* owned by the owner: 2 + DNSASK_TCP octets */
	size_t got;	     /* octets in tcp */
	unsigned tries, first;
	uint16_t id, type;
	bool over_tcp, asked; /* asked: the query was sent over this TCP connection */
	bool local; /* what the server asked last says of DNSSEC counts: this machine, or TLS */
	bool waiting; /* asked over dot */
	bool heard;   /* some server said something, if only that it failed */
	uint8_t name_n;
	uint8_t name[DNSMSG_NAME];
};

/* done is not called before this returns. The name is one that dnsmsg_query() takes. */
void dnsask_start(struct dnsask *a, struct slice name, uint16_t type);
struct slice dnsask_name(const struct dnsask *a);
/* From the owner of the link: a message came; what was asked is lost. */
void dnsask_given(struct dnsask *a, struct slice msg);
void dnsask_lost(struct dnsask *a);
/* Inside done: the server that answered is the first one from now on. */
void dnsask_prefer(const struct dnsask *a, struct dnsask_servers *s);

#endif
