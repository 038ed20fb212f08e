/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_MSG_CHECK_H
#define SMTPD_MSG_CHECK_H

#include "smtpd/msg/answer.h"

/* front -> check; CHECK_REPORT: queue -> check.sub, queue.mx -> check.mx */
enum check_type { CHECK_RCPT = 1, CHECK_LETTER, CHECK_REPORT, CHECK_UNHEARD, CHECK_TYPES };

/* May this recipient be given to this sender? Reply: struct answer. The tail is sender, recipient, grant, one after
 * the other; both paths in the canonical form of path_print(), an empty sender is <>; the grant is the octets auth
 * returned (submission) or empty (mx). */
struct check_rcpt {
	struct msg h;
	uint16_t sender_len;
	uint16_t rcpt_len;
	uint16_t grant_len;
	uint16_t zero;
};

/* A whole letter: descriptors `text` and `head` (envelope records, smtpd/proto/envelope.h, with an empty header).
 * Reply: struct answer, when the letter's fate is known: mx after the destination answered, submission after the
 * journal is on disk. The reply means that no one below holds the letter's memory any more. */
struct check_letter {
	struct msg h;
	uint64_t text_size; /* octets; the receiver compares with the descriptor */
	uint8_t sha256[32]; /* mx: of the text; else zero */
};

/* mx: the 250 to the letter with this number (struct answer, `route`) may not have reached the client. Reply: struct
 * check_noted. A number that is not known is fine. */
struct check_unheard {
	struct msg h;
	uint64_t number;
};

struct check_noted {
	struct msg h;
};

/* CHECK_REPORT, the same struct: sign a report to a sender and hand it back by QUEUE_LETTER. Its head has an empty
 * ENV_SENDER, one ENV_RCPT, and ENV_REPORT, which comes back as it is; its header and body are in text. Reply: struct
 * answer, queue's own, or why it did not come so far; 5xx: it never will. check.mx takes one from queue.mx for
 * postmaster, whom the alias map names, and sends it on as it is; its answer is the destination's. */

enum { CHECK_RCPT_TAIL = 256 + 256 + 1024 };

_Static_assert(sizeof(struct check_rcpt) == 16, "no padding on the wire");
_Static_assert(sizeof(struct check_letter) == 48, "no padding on the wire");
_Static_assert(sizeof(struct check_unheard) == 16, "no padding on the wire");

#endif
