/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_FETCH_HTTPGET_H
#define SMTPD_FETCH_HTTPGET_H

#include "smtpd/fetch/httpreply.h"
#include "smtpd/lib/chan.h"
#include "smtpd/lib/stream.h"

/* One file over HTTPS: name, connection, verified TLS, one GET, one reply, each with its time. No redirects, no
 * cookies, nothing but the first IPv4 addresses of the host. */
enum {
	HTTPGET_BODY = 64 * 1024,
	HTTPGET_ADDRS = 3,
	HTTPGET_DNS_MS = 20 * 1000,
	HTTPGET_MS = 30 * 1000, /* the connection, in all */
	HTTPGET_PORT = 443,
};

struct httpget_env {
	struct loop *loop;
	struct chan *dns;
	const struct tls_anchors *anchors;
	uint16_t port;
};

struct httpget { /* idle with stream.watch.fd -1 */
	const struct httpget_env *env;
	struct ask ask;
	/* the end is told outside of the stream's callbacks; and the next address is tried there */
	struct watch next;
	const char *why; /* NULL: reply.body is the file */
	/* Idle again when this runs. */
	void (*done)(struct httpget *g);
	const char *host, *path;
	unsigned naddr, at;
	uint8_t addr[HTTPGET_ADDRS][4];
	int64_t deadline;
	struct httpreply reply;
	struct stream stream;
	struct tls tls;
	uint8_t in[4096], out[512];
	uint8_t *body; /* owned by the owner: HTTPGET_BODY octets */
};

/* host and path stay where they are. done is not called before this returns. */
void httpget_start(struct httpget *g, const char *host, const char *path);

#endif
