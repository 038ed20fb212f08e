/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_DNS_DOTLINK_H
#define SMTPD_DNS_DOTLINK_H

#include "smtpd/lib/stream.h"
#include "smtpd/msg/dns.h"
#include "smtpd/proto/endpoint.h"

/*
 * DNS over TLS (RFC 7858): one connection to one of the servers of the configuration, verified by name or by the digest
 * of its key, kept while it is used; queries follow each other without waiting. After a failure the next server.
 */
enum {
	DOTLINK_PORT = 853,
	DOTLINK_MSG = 16 * 1024 - 2, /* the longest answer taken */
	DOTLINK_IDLE_MS = 20 * 1000, /* unused: closed */
	DOTLINK_WAIT_MS = 5 * 1000,  /* nothing comes though something was asked: broken */
};

struct dotlink {
	struct loop *loop;
	const struct tls_anchors *anchors;
	struct endpoint server[SERVERS_MAX];
	unsigned n, at;
	unsigned open; /* asked on this connection, not answered */
	struct stream stream;
	struct tls tls;
	struct tls_pinned engine;
	uint8_t *in; /* owned: 2 + DOTLINK_MSG octets */
	uint8_t out[4096];
	struct buf early; /* queries that wait for the handshake */
	uint8_t early_mem[4096];
	void *ctx;
	void (*answer)(void *ctx, struct slice msg);
	void (*lost)(
		void *ctx); /* what was asked is not going to be answered; the link can be used again */
};

/* servers: ADDRESS[@PORT]#NAME or ADDRESS[@PORT]#pin-sha256:BASE64, separated by one space; what is none is left out.
 * Reserves memory where there is one. */
void dotlink_init(struct dotlink *l, struct loop *loop, struct slice servers);
/* One DNS message with its length before it. False: not now. Neither callback runs before it returns. */
bool dotlink_send(struct dotlink *l, struct slice query);

#endif
