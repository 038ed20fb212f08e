/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_OUT_PEER_H
#define SMTPD_OUT_PEER_H

#include "smtpd/lib/stream.h"
#include "smtpd/out/mxlist.h"
#include "smtpd/out/outbound.h"
#include "smtpd/proto/dot.h"
#include "smtpd/proto/ipaddr.h"
#include "smtpd/proto/reply.h"

/*
 * A connection to a destination. While a letter is under way it belongs to a delivery; after the final answer it may be
 * kept for a moment, for the next letter to the same domain under the same policy; or it says QUIT.
 */
enum step {
	STEP_NONE, /* no connection */
	STEP_GREETING,
	STEP_EHLO,
	STEP_HELO,
	STEP_STARTTLS,
	STEP_HANDSHAKE,
	STEP_SECURED,  /* EHLO again */
	STEP_PASSWORD, /* smarthost: auth is asked */
	STEP_AUTH,
	STEP_MAIL,
	STEP_RCPT,
	STEP_DATA,
	STEP_TEXT,
	STEP_FINAL,
	STEP_KEPT, /* no letter, for now */
	STEP_QUIT,
	STEPS
};

struct delivery;

struct peer { /* zeroed: free */
	struct outbound *owner;
	struct delivery *d; /* NULL: kept, or on its way out */
	enum step step;
	char host[MXLIST_NAME + 1], domain[MXLIST_NAME + 1];
	struct ipaddr addr;
	bool pinned, smart;
	bool asked_sts; /* policy.asks_sts of the last letter, for `domain` */
	bool implicit;	/* TLS before the greeting */
	bool resumed;	/* a TLS session was offered */
	unsigned tries;
	uint8_t level;	  /* enum policy_level that it was made under */
	unsigned letters; /* that went before the one at hand */
	int64_t until;	  /* no letter begins after this */

	bool pipelined;
	bool heard;		  /* something was answered since MAIL */
	unsigned nasked, nsaid;	  /* RCPT of this transaction: said, answered */
	uint8_t asked[OUT_RCPTS]; /* whom, as places in d->to */
	struct reply reply;
	uint64_t limit; /* SIZE the destination announced */
	uint8_t caps;
	uint64_t sent; /* octets of header and text that went through dot */
	struct dot_out dot;
	struct stream stream;
	struct tls tls;
	uint8_t in[2 * REPLY_LINE], out[16 * 1024];
};

/* A place for a connection; where all are taken the one that was kept longest ends. */
struct peer *peer_new(struct outbound *o);
/* A kept connection to the domain of d, or to the smarthost, under a policy that is no weaker; NULL: none. */
struct peer *peer_kept(const struct delivery *d);
/* The same by host and address, for letters to any domain whose policy asks for nothing. */
struct peer *peer_kept_at(struct outbound *o, const char *host, const struct ipaddr *addr);
/* The letter of d on a connected socket, which it takes over; d->peer becomes p. */
void peer_start(struct peer *p, struct delivery *d, int fd);
/* The same on a kept connection. */
void peer_again(struct peer *p, struct delivery *d);
void peer_close(struct peer *p);

/* ---- peer.c for converse.c ---- */

void peer_say(struct peer *p, struct slice s);
void peer_go(struct peer *p, enum step step); /* its reply is waited for now */
/* What the destination said becomes the outcome. Yes is one only to the final dot. */
void peer_said(struct peer *p);
/* Our own finding becomes the outcome, and the connection has failed us: until MAIL another address may do. */
void peer_fail(struct peer *p, uint8_t subject, uint8_t detail, const char *text);
/* The verdicts are known. The peer still listens: QUIT; or the connection is kept; or it is useless. */
void peer_quit(struct peer *p);
void peer_keep(struct peer *p);
void peer_give_up(struct peer *p);

/* ---- converse.c for peer.c: the letter, and what is said to it ---- */

void converse_begin(struct peer *p);
void converse_mail(struct peer *p);
void converse_rcpt(struct peer *p);
void converse_data(struct peer *p);
void converse_pump(struct peer *p); /* as much of the letter as `out` takes now */
void converse_text(struct peer *p);
void converse_final(struct peer *p);

#endif
