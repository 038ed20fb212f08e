/* SPDX-License-Identifier: ISC */
#ifndef INIT_HEALTH_HEALTH_H
#define INIT_HEALTH_HEALTH_H

#include "smtpd/lib/proc.h"
#include "smtpd/msg/health.h"
#include "smtpd/proto/ipaddr.h"
#include "smtpd/proto/reply.h"

/*
 * Whether the machine serves: every INIT_HEALTH_INTERVAL seconds each front end holds an SMTP dialogue (greeting,
 * EHLO, QUIT), dns answers, and queue answers, each tenth time after a record was written and flushed. Init gets a
 * heartbeat (CTL_HEALTHY) for each round in which all of them passed, and feeds the watchdog while it is young.
 *
 * Only what this machine does is judged: no question needs a network, an address that the machine does not have now
 * is passed over, and a journal that could not be written since the start counts as one that is not there, so that a
 * machine without disk or network, or with a broken disk, is not reset for ever.
 */
enum {
	HEALTH_WATCHES = 2,
	HEALTH_ROUND_MS = CONFIG_INIT_HEALTH_INTERVAL * 1000,
	HEALTH_WRITES = 10, /* one round of so many writes to the journal */
};

enum health_part { HEALTH_FRONT_MX, HEALTH_FRONT_SUB, HEALTH_DNS, HEALTH_QUEUE, HEALTH_PARTS };

struct health_port {
	uint16_t port; /* 0: none is configured */
	bool implicit; /* TLS from the first octet */
	struct ipaddr address;
};

struct health {
	struct proc *proc; /* borrowed */
	struct chan *dns, *queue;
	struct health_port port[HEALTH_FRONT_SUB + 1];
	struct watch timer, socket;
	struct ask ask;
	unsigned part, step; /* enum health_part; of its dialogue */
	struct buf in;
	struct reply reply;
	struct token waits; /* for a round that passes; no channel: nobody does */
	unsigned rounds;
	bool well;			/* the last round passed */
	bool kept;			/* the journal was written since the start */
	bool journal;			/* it was when it was asked last */
	const char *why[HEALTH_PARTS];	/* NULL: passed; static text */
	const char *told[HEALTH_PARTS]; /* what the log says of it */
	uint8_t line[REPLY_LINE];
};

extern const struct rule health_rules[HEALTH_TYPES]; /* ctx: struct health */

/* listen: as SMTPD_LISTEN has it. The first round is a second later. */
void health_init(struct health *h, struct proc *p, struct slice listen);

#endif
