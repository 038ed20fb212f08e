/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_OUT_SHAPE_H
#define SMTPD_OUT_SHAPE_H

#include <stdbool.h>
#include <stdint.h>

#include "smtpd/lib/link.h"
#include "smtpd/msg/out.h"
#include "smtpd/proto/gmail.h"

/*
 * How fast letters of the forward lane go out, and to whom none goes now. Pure: times are the caller's, monotonic ms.
 *
 * Whoever runs a destination's exchangers (RULES S13) and each mailbox have a bucket; a letter takes a token of both
 * when it begins. Letters wait in one line, in the order in which they came, but one whose own mailbox or operator
 * has no room holds up none of another's. What could not begin within the budget is told so at once.
 *
 * An operator begins with one connection and gets one more with each success, up to a limit. Told to stop, or not to
 * its liking several times in a row without a success, it gets nothing for OUT_RATE_MS, then one connection again.
 *
 * A letter that yields stands behind all that do not, has half of the operator's connections at most (but one), and
 * leaves half of each bucket and of a mailbox's minute for letters that come now.
 */
enum {
	SHAPE_TURNS =
		CONFIG_FORWARD_MAX_HELD + ON(CONFIG_FORWARD_SPOOL) * CONFIG_SMTPD_QUEUE_ACTIVE,
	SHAPE_OPERATORS = SHAPE_TURNS + 16,
	SHAPE_BOXES = SHAPE_TURNS + 64,
};

struct shape_limits {
	uint32_t burst;	 /* tokens in a bucket, at least 1 */
	int64_t every;	 /* one more token after so many ms */
	uint32_t minute; /* letters to one mailbox in any minute, at most SHAPE_MINUTE; 0: any */
	uint32_t connections; /* to one operator */
	uint32_t refusals;    /* in a row, for reputation, and the operator is left alone */
	int64_t budget;	      /* ms that a letter may wait */
};

enum { SHAPE_MINUTE = CONFIG_FORWARD_MAILBOX_MINUTE };

struct shape_op {
	uint64_t key;			 /* mxname_operator() */
	int64_t full;			 /* when its bucket is full */
	uint32_t most, active, yielding; /* yielding: of those active */
	uint32_t refused;		 /* for reputation, since the last success */
	int64_t until;			 /* stopped; what is past: not */
	int64_t since;			 /* when it was told to, last */
	int64_t used;
	uint32_t turns, ahead;
};

struct shape_box {
	uint64_t key;
	int64_t full, used;
	int64_t at[SHAPE_MINUTE + 1]; /* the last limits.minute letters began then, a ring */
	uint32_t next;
	uint32_t turns, ahead;
};

enum shape_word {
	SHAPE_NONE, /* it is not in the line */
	SHAPE_WAITS,
	SHAPE_GOES,    /* until shape_end() or shape_leave() */
	SHAPE_STOPPED, /* its operator gets nothing now */
	SHAPE_LATE,    /* its turn would not come within the budget */
};

struct turn { /* a letter's; zeroed: in no line */
	struct link line;
	struct shape_op *op;
	struct shape_box *box;
	enum shape_word word;
	bool waited; /* it could not go at once */
	bool yields; /* nobody waits for it (FORWARD_SPOOL); set before shape_enter() */
	int64_t came, begun;
};

struct shape {
	struct shape_limits limits;
	struct link line; /* of turns that wait */
	struct shape_op op[SHAPE_OPERATORS];
	struct shape_box box[SHAPE_BOXES];
};

/* The limits are those of the configuration. */
void shape_init(struct shape *s);
/* To the end of the line, with SHAPE_WAITS. At most SHAPE_TURNS have a turn, waiting or going. */
void shape_enter(struct shape *s, struct turn *t, uint64_t op, uint64_t box, int64_t now);
/* The first that leaves the line now; its word says how. NULL: none; *when is the time to ask again, INT64_MAX: when
 * one has ended. */
struct turn *shape_next(struct shape *s, int64_t now, int64_t *when);
/* One that goes is over, and what the destination said is this. True: with that its operator is left alone. */
bool shape_end(struct shape *s, struct turn *t, enum gmail_class said, int64_t now);
/* The turn is given up, or is over, and nothing was learnt. No-op without one. */
void shape_leave(struct turn *t);
/* Nothing goes to this operator for so long; a stop that lasts longer stays. */
void shape_stop(struct shape *s, uint64_t op, int64_t ms, int64_t now);
/* How long this operator still gets nothing, ms; 0: it is not stopped. */
int64_t shape_left(const struct shape_op *o, int64_t now);

#endif
