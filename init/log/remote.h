/* SPDX-License-Identifier: ISC */
#ifndef INIT_LOG_REMOTE_H
#define INIT_LOG_REMOTE_H

#include "init/log/logring.h"
#include "init/log/syslogmsg.h"
#include "smtpd/lib/stream.h"
#include "smtpd/proto/endpoint.h"

/*
 * The log at a syslog server, by UDP (RFC 5426), TCP (RFC 6587 3.4.1, octets counted) or TLS (RFC 5425). Lines wait in
 * a ring: nobody waits for the server, and where it is away for long the oldest lines go and are counted. It is tried
 * again after a second, and then more and more rarely. By TCP and TLS what may not have left this machine when a
 * connection broke is sent once more.
 */
enum {
	REMOTE_FIRST_MS = 1000,
	REMOTE_LAST_MS = 60 * 1000,
	REMOTE_WAIT_MS = 30 * 1000, /* nothing goes out though there is something: broken */
	REMOTE_IDLE_MS = 24 * 3600 * 1000, /* nothing to send: that is no fault */
	REMOTE_FRAME = SYSLOGMSG_MAX + 8,  /* with its length before it */
};

enum remote_how { REMOTE_NONE, REMOTE_UDP, REMOTE_TCP, REMOTE_TLS };

enum remote_state { REMOTE_UNKNOWN, REMOTE_UP, REMOTE_DOWN };

struct remote {
	struct loop *loop;
	const struct tls_anchors *anchors; /* borrowed */
	enum remote_how how;
	struct endpoint to;
	struct logring ring;
	uint64_t at; /* the next line to send; those since ring.keep may be on their way */
	struct watch timer; /* something is to be sent, or tried again */
	int64_t pause;	    /* before the next try */
	uint64_t told;	    /* of ring.lost */
	enum remote_state state;
	const char *why; /* it is down; static text */
	bool resting;	 /* until timer.due */
	struct stream stream;
	struct tls tls;
	struct tls_pinned engine;
	uint8_t in[256], out[4 * REMOTE_FRAME];
};

/* server: udp:ADDRESS[@PORT], tcp:ADDRESS[@PORT], or tls:ADDRESS[@PORT]#NAME or #pin-sha256:BASE64; anything else:
 * false, and nothing is ever sent. mem: for the ring, borrowed for good. Two watches. */
bool remote_init(struct remote *r, struct loop *l, struct slice server,
		 const struct tls_anchors *anchors, uint8_t *mem, size_t cap);
/* A line of this process, with the time as it is. Returns at once. */
void remote_line(struct remote *r, struct slice name, struct slice line);
/* The end: what can be sent without waiting. */
void remote_last(struct remote *r);

#endif
