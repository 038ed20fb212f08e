/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_QUEUE_REASON_H
#define SMTPD_QUEUE_REASON_H

#include "smtpd/lib/bytes.h"

/* What destinations said last, for as many different replies as there is room; many letters share
 * one. The oldest give way. */
enum { REASONS = 256, REASON_TEXT = 160 };

struct reason {
	uint32_t serial; /* 0 = none */
	uint16_t code;
	uint8_t enhanced[3];
	uint8_t n;
	uint8_t text[REASON_TEXT]; /* as much of it as fits */
};

struct reasons {
	struct reason row[REASONS];
	uint32_t last; /* serial */
};

uint32_t reason_note(struct reasons *t, uint16_t code, const uint8_t enhanced[3],
		     struct slice text);
const struct reason *reason_get(const struct reasons *t, uint32_t serial); /* NULL: forgotten */

#endif
