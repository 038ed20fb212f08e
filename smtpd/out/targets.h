/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_OUT_TARGETS_H
#define SMTPD_OUT_TARGETS_H

#include "smtpd/out/held.h"
#include "smtpd/out/outcome.h"

/*
 * The recipients of one delivery and what became of each. A verdict is given once; it reaches the held row at
 * once, so that it is not forgotten when the requester dies before it is told.
 */
enum target_state {
	TARGET_OPEN,  /* not asked yet */
	TARGET_ASKED, /* RCPT was said */
	TARGET_YES,   /* RCPT was accepted */
	TARGET_LATER, /* 452: too many at once (RFC 5321 4.5.3.1.10); outcome says so */
	TARGET_DONE,  /* outcome is the verdict */
};

enum { /* sets of states */
       TARGETS_OPEN = 1 << TARGET_OPEN,
       TARGETS_YES = 1 << TARGET_YES,
       TARGETS_LATER = 1 << TARGET_LATER,
       TARGETS_MISSING = ~(1 << TARGET_DONE),
};

struct target {
	uint32_t index;	      /* in the journal's letter */
	struct out_held *row; /* NULL: nothing is to be kept */
	enum target_state state;
	uint8_t flags; /* enum out_flag */
	struct outcome outcome;
};

struct targets {
	unsigned n;
	struct target t[OUT_RCPTS];
};

/* How many are in one of these states. */
unsigned targets_count(const struct targets *s, unsigned states);
/* o becomes the verdict of all in these states; NULL: what their outcome says already. */
void targets_end(struct targets *s, unsigned states, const struct outcome *o);
void target_end(struct target *t, const struct outcome *o);
/* The final dot is on its way: those that said yes may have the letter. */
void targets_busy(struct targets *s);
/* Those in one state go to another. */
void targets_move(struct targets *s, enum target_state from, enum target_state to);
/* Gives back the rows of those without a verdict. */
void targets_drop(struct targets *s);

#endif
