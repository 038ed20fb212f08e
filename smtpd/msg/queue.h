/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_MSG_QUEUE_H
#define SMTPD_MSG_QUEUE_H

#include "smtpd/msg/answer.h"

/* check.sub -> queue, check.mx -> queue.mx: QUEUE_LETTER; health -> queue: QUEUE_PROBE; admin -> queue: the others */
enum queue_type {
	QUEUE_LETTER = 1,
	QUEUE_LIST,
	QUEUE_SHOW,
	QUEUE_ACT,
	QUEUE_PROBE,
	QUEUE_TYPES
};

/* Take responsibility for a letter: descriptors `text` and `head` (envelope records and the complete, signed header; of
 * a stranger's letter what goes before its own, and skip is 0).
 * Reply: struct answer; 250 exactly when the LETTER record is whole and on disk. */
struct queue_letter {
	struct msg h;
	uint64_t text_size;
	uint32_t skip; /* octets of text that head's header replaces */
	uint32_t zero;
};

_Static_assert(sizeof(struct queue_letter) == 24, "no padding on the wire");

/* Do you serve? With `write`, after a flush of the journal: of a batch that is under way, or of a record that says
 * nothing. Reply: struct queue_probed. */
struct queue_probe {
	struct msg h;
	uint32_t write; /* 0 or not */
	uint32_t zero;
};

enum queue_probe_result {
	QUEUE_PROBE_SERVES, /* nothing was to be written, or there is no room for it */
	QUEUE_PROBE_KEPT,   /* written and flushed */
	QUEUE_PROBE_NONE,   /* there is no journal */
	QUEUE_PROBE_BROKEN, /* the disk said no */
};

struct queue_probed {
	struct msg h;
	uint32_t result; /* enum queue_probe_result */
	uint32_t zero;
};

_Static_assert(sizeof(struct queue_probe) == 16, "no padding on the wire");
_Static_assert(sizeof(struct queue_probed) == 16, "no padding on the wire");

/* ---- what the operator sees and does ---- */

enum {
	QUEUE_FILTER = 255, /* octets */
	QUEUE_ROWS = 16,    /* letters of one reply */
	QUEUE_RCPTS = 12,   /* or recipients */
	QUEUE_NAME = 255,   /* octets of an address or a reply; longer ones are cut */
	QUEUE_REPLY = 160,
	QUEUE_PAGE = QUEUE_ROWS * (64 + 3 * QUEUE_NAME + QUEUE_REPLY),
	QUEUE_NEVER = UINT32_MAX,
};

/* Letters with a larger number than `after`, lowest first; tail: empty, or the account or the destination
 * domain that they must have. Reply: struct queue_page, tail = rows of struct queue_row. */
struct queue_list {
	struct msg h;
	uint64_t after;
};

/* One letter: tail of the reply, struct queue_page, is one struct queue_row (none: there is no such
 * letter), then rows of struct queue_rcpt from recipient number `from` on. */
struct queue_show {
	struct msg h;
	uint64_t letter;
	uint32_t from;
	uint32_t zero;
};

struct queue_page {
	struct msg h;
	uint32_t letters; /* in the queue */
	uint32_t more;	  /* rows that would follow */
};

enum queue_mark { QUEUE_HELD = 1, QUEUE_REMOVED = 2, QUEUE_DAMAGED = 4 };

struct queue_row { /* then its octets: account, sender, a recipient that is open, what was said last */
	uint64_t letter, octets;
	uint32_t age;  /* s in which it was tried */
	uint32_t next; /* s until the next try; 0: now, or under way; QUEUE_NEVER */
	uint32_t rcpts, open, attempts;
	uint16_t code;
	uint8_t enhanced[3];
	uint8_t marks; /* of enum queue_mark */
	uint8_t account_len, sender_len, to_len, reply_len;
	uint8_t zero[2];
};

enum queue_rcpt_state { QUEUE_WAITS, QUEUE_UNDER_WAY, QUEUE_IS_HELD, QUEUE_OVER };

struct queue_rcpt { /* then its octets: address, what was said last */
	uint32_t no, next, attempts;
	uint16_t code;
	uint8_t enhanced[3];
	uint8_t state; /* enum queue_rcpt_state */
	uint8_t to_len, reply_len;
};

/* Reply: struct queue_acted. Holding, releasing and removing are on disk with the next flush of the
 * letter's segment. */
enum queue_what {
	QUEUE_HOLD = 1,
	QUEUE_RELEASE,
	QUEUE_RETRY,
	QUEUE_REMOVE,  /* the sender is told */
	QUEUE_DISCARD, /* nobody is told */
	QUEUE_FLUSH,   /* all letters that are not held; `letter` is 0 */
	QUEUE_WHATS
};

struct queue_act {
	struct msg h;
	uint64_t letter;
	uint32_t what; /* enum queue_what */
	uint32_t zero;
};

enum queue_how {
	QUEUE_DONE,
	QUEUE_UNKNOWN, /* there is no such letter */
	QUEUE_NOT_NOW, /* it is over, damaged, held or being removed, or the disk is behind */
	QUEUE_HOWS
};

struct queue_acted {
	struct msg h;
	uint32_t how;	  /* enum queue_how */
	uint32_t letters; /* in the queue */
};

_Static_assert(sizeof(struct queue_list) == 16, "no padding on the wire");
_Static_assert(sizeof(struct queue_show) == 24, "no padding on the wire");
_Static_assert(sizeof(struct queue_page) == 16, "no padding on the wire");
_Static_assert(sizeof(struct queue_row) == 48, "no padding on the wire");
_Static_assert(sizeof(struct queue_rcpt) == 20, "no padding on the wire");
_Static_assert(sizeof(struct queue_act) == 24, "no padding on the wire");
_Static_assert(sizeof(struct queue_acted) == 16, "no padding on the wire");
_Static_assert(sizeof(struct queue_page) + QUEUE_PAGE <= MSG_MAX, "one message");

#endif
