/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_LIB_CHAN_H
#define SMTPD_LIB_CHAN_H

#include "smtpd/lib/bytes.h"
#include "smtpd/lib/loop.h"

/*
 * Channels between processes: SOCK_SEQPACKET, fixed structs with at most one tail, up to two
 * descriptors on requests, none on replies. The requester keeps at most `credit` requests open, and
 * init sized the socket buffers for that, so a send never finds the channel full.
 */
enum {
	MSG_MAX = 16 * 1024, /* one message with its tail, octets */
	MSG_FDS = 2,
};

enum msg_status {
	MSG_OK = 0,
	MSG_FAILED =
		1, /* the answerer could not even look at it: a temporary failure without a body */
};

struct msg {		 /* first member of every message struct */
	uint16_t type;	 /* request: type of the receiver's enum; reply: the same */
	uint16_t status; /* request: 0; reply: enum msg_status */
	uint32_t id;	 /* chosen by the requester, repeated by the reply */
};

struct chan;
struct proc;

/* ---- asking ---- */

struct want { /* what a good reply looks like; anything else is a breach by the peer */
	uint16_t type;
	uint16_t size;	   /* sizeof the reply struct */
	uint16_t tail_max; /* octets */
};

struct ask { /* embedded in its owner; idle when zeroed */
	/* Called exactly once unless dropped. reply NULL: the peer failed, died or was late: temporary.
	 * The ask is idle again when this runs, so it may be reused at once. */
	void (*done)(struct ask *a, const void *reply, struct slice tail);
	struct chan *chan; /* NULL = idle */
	const struct want *want;
	uint32_t id;
	int64_t due;
};

/* Sends a request. msg begins with struct msg, whose id and status are filled in here. Descriptors stay the
 * caller's. False: no wire or no credit now; the ask stays idle and done is not called. */
bool chan_ask(struct chan *c, struct ask *a, void *msg, size_t size, struct slice tail,
	      const int *fd, unsigned nfd, const struct want *want, int64_t timeout_ms);
/* The owner no longer wants the answer; its credit comes back with the reply. No-op when idle. */
void ask_drop(struct ask *a);

/* The one blocking call (holder.tls): sends, waits at most timeout_ms, copies the reply's tail.
 * False: no answer in time, or not MSG_OK. reply must hold want->size octets. */
bool chan_ask_wait(struct chan *c, void *msg, size_t size, struct slice tail,
		   const struct want *want, void *reply, struct buf *reply_tail,
		   int timeout_ms);

/* ---- answering ---- */

struct token { /* names one request; keep it to answer later */
	struct chan *chan;
	uint32_t generation;
	uint32_t id;
	uint16_t type;
};

struct call {
	struct token token;
	unsigned from;	   /* enum proc_id of the requester */
	const void *msg;   /* rule.size octets; borrowed until the handler returns */
	struct slice tail; /* borrowed until the handler returns */
	int fd[MSG_FDS]; /* a handler that keeps one sets it to -1 here; the rest is closed after it */
};

struct rule { /* everything a process listens to, indexed by type; absent rows mean no */
	uint32_t from;	   /* bits 1 << P_x */
	uint16_t size;	   /* sizeof the request struct, exactly */
	uint16_t tail_max; /* octets */
	uint8_t nfd;	   /* exactly */
	void (*run)(void *ctx, struct call *c);
};

/* Answers a request: msg begins with struct msg (filled in here). Answers of an older generation are
 * dropped in silence. Each token is answered exactly once. */
void chan_answer(const struct token *t, void *msg, size_t size, struct slice tail);
void chan_fail(const struct token *t); /* MSG_FAILED: temporary failure without detail */

/* ---- wiring: proc.c and the tests ---- */

struct chan_slot {
	struct ask *owner; /* NULL: dropped or late */
	uint32_t id;
	bool open;
};

struct chan {
	struct watch watch; /* fd -1 = not wired now */
	struct loop *loop;
	void *ctx;		  /* handed to rules */
	const struct rule *rules; /* answering side */
	size_t nrules;
	struct chan_slot *slot; /* owned; credit entries, asking side */
	uint32_t credit, open, seq, generation;
	unsigned peer; /* enum proc_id */
	/* The peer broke the law: told once, the wire is already closed. */
	void (*accuse)(struct chan *c);
	void (*worked)(struct chan *c); /* a request was answered, on either side */
	/* a new wire is in place; may ask at once; NULL = not interested */
	void (*wired)(struct chan *c);
	void *owner; /* for the three callbacks */
	uint8_t *rx; /* borrowed: MSG_MAX octets, shared by all channels of a process */
};

void chan_init(struct chan *c, struct loop *l, unsigned peer, uint32_t credit, uint8_t *rx);
/* Takes over fd (non-blocking). Everything outstanding ends as temporary failure first. */
void chan_wire(struct chan *c, int fd, uint32_t generation);
bool chan_wired(const struct chan *c); /* the peer was alive when we last looked */
bool chan_ready(const struct chan *c); /* wired, with credit left */

#endif
