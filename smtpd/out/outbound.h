/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_OUT_OUTBOUND_H
#define SMTPD_OUT_OUTBOUND_H

#include "smtpd/lib/proc.h"
#include "smtpd/lib/tls.h"
#include "smtpd/msg/out.h"
#include "smtpd/out/held.h"
#include "smtpd/out/ownaddr.h"
#include "smtpd/out/policy.h"
#include "smtpd/out/sessions.h"
#include "smtpd/out/shape.h"

/*
 * Outbound SMTP: takes letters from check.mx or a queue, for recipients of one domain, and answers with the
 * destination's verdicts. One pool of deliveries, reserved at start; a letter beyond it gets 451.
 */
struct delivery;
struct peer;
struct targets;

enum {
	OUTBOUND_PORT = 25,
	OUTBOUND_SMTPS = 465,
	OUTBOUND_POOL_MX = SHAPE_TURNS,
	OUTBOUND_POOL_SUB = CONFIG_SMTPD_QUEUE_ACTIVE,
	OUTBOUND_WATCHES = 1 + 2 * (OUTBOUND_POOL_MX > OUTBOUND_POOL_SUB ? OUTBOUND_POOL_MX
									 : OUTBOUND_POOL_SUB),
};

enum outbound_family { OUTBOUND_IPV4 = 1, OUTBOUND_IPV6 = 2 };

struct outbound {
	struct loop *loop;
	struct chan *dns;
	bool sub; /* out.sub: the queue gives turns, and has patience */
	uint16_t port;
	struct slice self, pinned_domain, pinned_hosts;
	struct tls_anchors anchors, public; /* of the pinned route; of everybody else */
	struct policy_env policy;
	struct slice smarthost; /* empty: none */
	uint16_t smartport;
	bool smart_tls;	   /* from the first octet */
	struct chan *auth; /* knows the smarthost's password */
	bool private_ok;   /* also addresses that are nobody's on the Internet */
	bool self_ok;	   /* also this machine's own */
	unsigned families; /* enum outbound_family */
	struct ownaddr own;
	struct sessions sessions;
	int64_t keep_ms; /* a connection waits this long for the next letter; 0: it does not */
	struct delivery *pool; /* owned */
	struct peer *peers;    /* owned; as many */
	size_t npool;
	struct held held;
	struct shape shape; /* out.mx: turns.h */
	struct watch line;  /* for those that wait there */
	uint8_t *head;	    /* owned: ENV_HEAD_MAX octets of scratch */
};

extern const struct rule outbound_rules[OUT_TYPES];

/* Reserves memory for `pool` deliveries. */
void outbound_init(struct outbound *o, struct loop *l, struct chan *dns, size_t pool, bool sub);
/* All letters go to SMARTHOST_HOST where that is set; auth holds its password. */
void outbound_smarthost(struct outbound *o, struct chan *auth);
/* Serves the channels of p. */
void outbound_serve(struct outbound *o, struct proc *p);
/* The verdicts of all recipients; host: who was spoken to, may be empty; policy: policy_name(); who: whose turn it was,
 * NULL: unknown. */
void outbound_answer(struct outbound *o, const struct token *t, struct slice host,
		     const char *policy, const struct targets *to, const struct shape_op *who);
/* The requester has a new wire: what was for the old one ends, unless its final dot was sent. */
void outbound_wired(struct chan *c);

#endif
