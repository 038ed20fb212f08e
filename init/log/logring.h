/* SPDX-License-Identifier: ISC */
#ifndef INIT_LOG_LOGRING_H
#define INIT_LOG_LOGRING_H

#include "smtpd/lib/bytes.h"

/* The newest lines, in memory of a fixed size: where there is no room the oldest ones go. Places are octets since the
 * beginning, and never come again. */
struct logring {
	uint8_t *p; /* borrowed: cap octets */
	size_t cap;
	uint64_t first, end; /* the oldest line that is there; behind the newest one */
	uint64_t keep;	     /* lines from here on are still wanted */
	uint64_t lost;	     /* wanted lines that had to go */
};

enum { LOGRING_LINE = 4096 }; /* octets at most */

void logring_init(struct logring *r, uint8_t *p, size_t cap);
/* A longer line, or one that is longer than the ring, is lost. */
void logring_put(struct logring *r, struct slice line);
/* Puts the line at *at into out, and *at behind it. A place whose line is gone becomes that of the oldest one. False:
 * there is none, or out has no room for it; nothing has changed. */
bool logring_get(const struct logring *r, uint64_t *at, struct buf *out);
/* Lines before this place are wanted no more. */
void logring_release(struct logring *r, uint64_t at);

#endif
