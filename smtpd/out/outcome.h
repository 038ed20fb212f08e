/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_OUT_OUTCOME_H
#define SMTPD_OUT_OUTCOME_H

#include "smtpd/msg/out.h"
#include "smtpd/proto/gmail.h"

/* What became of a delivery to one recipient, in the words of struct out_verdict. */
struct outcome {
	uint16_t code;
	uint8_t enhanced[3];
	struct gmail means; /* for the letters after it; our own verdict: GMAIL_TEMP */
	size_t text_n;
	uint8_t text[ANSWER_TEXT]; /* one line of printable ASCII, never empty */
};

/* Our own verdict. The class of the enhanced code is the first digit of code; `more`, where not empty, follows the
 * text after ": ". */
void outcome_own(struct outcome *o, uint16_t code, uint8_t subject, uint8_t detail,
		 const char *text, struct slice more);
/* The destination's: 2xx is 250, 5xx stays, all else is 451. host: who said it. */
void outcome_said(struct outcome *o, const struct reply *r, const char *host);
struct slice outcome_text(const struct outcome *o);
/* As struct out_verdict with its text; OUT_RATE is added by what it means. */
void outcome_put(const struct outcome *o, uint8_t flags, struct buf *out);

#endif
