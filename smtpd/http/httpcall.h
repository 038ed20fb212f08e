/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_HTTP_HTTPCALL_H
#define SMTPD_HTTP_HTTPCALL_H

#include "smtpd/http/httpreply.h"
#include "smtpd/lib/chan.h"
#include "smtpd/lib/stream.h"

/* One request over HTTPS: name, connection, verified TLS, one reply, each with its time. No redirects are followed, no
 * cookies kept; nothing but the first IPv4 addresses of the host is tried. */
enum {
	HTTPCALL_ADDRS = 3,
	HTTPCALL_DNS_MS = 20 * 1000,
	HTTPCALL_MS = 30 * 1000, /* the connection, in all */
};

struct httpcall_env {
	struct loop *loop;
	struct chan *dns;
	const struct tls_anchors *anchors;
};

struct httpcall { /* idle with stream.watch.fd -1 */
	/* Set by the owner, once. */
	const struct httpcall_env *env;
	struct buf out, body; /* memory for a request, and for the body of a reply */
	void (*field)(struct httpreply *r, struct slice name, struct slice value);
	/* Idle again when this runs. */
	void (*done)(struct httpcall *h);

	const char *why; /* NULL: reply is whole */
	struct httpreply reply;
	struct ask ask;
	/* the end is told outside of the stream's callbacks; and the next address is tried there */
	struct watch next;
	const char *host;
	uint16_t port;
	struct slice request;
	unsigned naddr, at;
	uint8_t addr[HTTPCALL_ADDRS][4];
	int64_t deadline;
	struct stream stream;
	struct tls tls;
	uint8_t in[4096];
};

/* A request. Where body.p is not NULL it goes with it, and type is its media type, else what is accepted. port is
 * named when it is not 443. */
void httpcall_put(struct buf *b, const char *method, const char *host, uint16_t port,
		  struct slice path, const char *type, struct slice body);
/* host (0-terminated) and request stay where they are; the latter fits h->out, and begins with HEAD when its reply has
 * no body. done is not called before this returns. */
void httpcall_start(struct httpcall *h, const char *host, uint16_t port, struct slice request);
/* Ends it: done is not called. */
void httpcall_drop(struct httpcall *h);

#endif
