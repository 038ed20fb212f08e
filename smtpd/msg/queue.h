/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_MSG_QUEUE_H
#define SMTPD_MSG_QUEUE_H

#include "smtpd/msg/answer.h"

/* check.sub -> queue */
enum queue_type { QUEUE_LETTER = 1, QUEUE_TYPES };

/* Take responsibility for a letter: descriptors `text` and `head` (envelope records and the complete, signed header).
 * Reply: struct answer; 250 exactly when the LETTER record is whole and on disk. */
struct queue_letter {
	struct msg h;
	uint64_t text_size;
	uint32_t skip; /* octets of text that head's header replaces */
	uint32_t zero;
};

_Static_assert(sizeof(struct queue_letter) == 24, "no padding on the wire");

#endif
