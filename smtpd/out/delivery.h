/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_OUT_DELIVERY_H
#define SMTPD_OUT_DELIVERY_H

#include "smtpd/lib/stream.h"
#include "smtpd/out/mxlist.h"
#include "smtpd/out/outbound.h"
#include "smtpd/out/outletter.h"
#include "smtpd/out/policy.h"
#include "smtpd/out/targets.h"
#include "smtpd/proto/dot.h"

/*
 * One letter on its way to the recipients of one domain. delivery.c finds the destination's hosts and addresses and
 * connects to one after the other; converse.c speaks SMTP on a connection. The requester is answered once; the
 * QUIT comes after that.
 */
enum {
	DELIVERY_ADDRS = 4,    /* of one host */
	DELIVERY_CONNECTS = 8, /* in all */
	DELIVERY_DNS_MS = 45 * 1000,
	DELIVERY_CONNECT_MS = 30 * 1000,
	DELIVERY_WIRE_MS = 100, /* pause while dns has no wire */
	DELIVERY_QUIT_MS = 5 * 1000,
	DELIVERY_MX_MS = 300 * 1000,   /* the forward lane, in all: RULES P3 */
	DELIVERY_SUB_MS = 3600 * 1000, /* the submission lane, in all */
};

enum step {
	STEP_NONE, /* no connection */
	STEP_GREETING,
	STEP_EHLO,
	STEP_HELO,
	STEP_STARTTLS,
	STEP_HANDSHAKE,
	STEP_SECURED, /* EHLO again */
	STEP_MAIL,
	STEP_RCPT,
	STEP_DATA,
	STEP_TEXT,
	STEP_FINAL,
	STEP_QUIT,
	STEPS
};

struct delivery { /* zeroed: free */
	struct outbound *owner;
	bool busy, answered;
	struct token token;
	struct targets to;
	struct outletter letter;
	int64_t began, deadline;
	struct outcome
		outcome; /* the verdict of those that have none of their own; or the failure so far */

	/* the route */
	struct policy policy;
	bool pinned;	  /* the one destination whose exchangers the configuration names */
	bool judged;	  /* policy: of the domain */
	bool host_judged; /* and of the host at hand */
	bool mx_secure, addr_secure; /* DNSSEC: the exchangers, the addresses at hand */
	bool no_tls; /* opportunistic: the handshake failed, once more in clear */
	bool again;  /* the same address once more */
	bool tried;  /* the address at hand was connected to */
	bool soft;   /* a host could not be asked: no verdict of another is for ever */
	struct ask ask;
	struct watch next; /* connecting; or the next thing to do, outside of callbacks */
	struct mxlist mx;
	unsigned host, naddr, at, connects;
	uint8_t addr[DELIVERY_ADDRS][4];
	unsigned last_host; /* connected to last, for the log */
	uint8_t last_addr[4];

	/* the conversation */
	enum step step;
	bool pipelined;
	unsigned nasked, nsaid;	  /* RCPT of this transaction: said, answered */
	uint8_t asked[OUT_RCPTS]; /* whom, as places in `to` */
	struct reply reply;
	uint64_t limit; /* SIZE the destination announced */
	uint8_t caps;
	uint64_t sent; /* octets of header and text that went through dot */
	struct dot_out dot;
	struct stream stream;
	struct tls tls;
	uint8_t in[2 * REPLY_LINE], out[16 * 1024];
};

/* ---- delivery.c ---- */

/* The letter and the recipients are filled in. Answers later, never before it returns. */
void delivery_begin(struct delivery *d, const struct token *t);
/* Ends it without an answer and frees the place. Not inside its own callbacks. */
void delivery_drop(struct delivery *d);
/* d->outcome is the verdict of those without one: logs them, gives the letter back, answers. */
void delivery_answer(struct delivery *d);
/* The connection is of no more use: the next address, or the end, comes with the next round. */
void delivery_next(struct delivery *d);
const char *delivery_host(const struct delivery *d); /* the host at hand */
bool delivery_past_dot(const struct delivery *d);

/* ---- converse.c ---- */

/* Speaks on a connected socket, which it takes over. */
void converse_start(struct delivery *d, int fd);
void converse_close(struct delivery *d);

#endif
