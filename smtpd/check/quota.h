/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_CHECK_QUOTA_H
#define SMTPD_CHECK_QUOTA_H

#include "smtpd/lib/bytes.h"

/*
 * How much an account may send: letters in an hour, recipients in a day. Both are counted in twelfths of their span, so
 * that no stretch of that length holds more than the limit. One entry an account, QUOTA_ACCOUNTS at most: for a further
 * one the account that sent least is forgotten. A restart forgets all.
 */
enum { QUOTA_PARTS = 12, QUOTA_ACCOUNTS = 1024, QUOTA_NAME = 64, QUOTA_WHY = 240 };

enum quota_word {
	QUOTA_FINE,
	QUOTA_LATER,
	QUOTA_NEVER, /* more recipients in one letter than the account has in a day */
};

struct quota_window {
	int64_t part; /* number of the newest one */
	uint32_t count[QUOTA_PARTS + 1];
};

struct quota_entry {
	uint8_t name[QUOTA_NAME];
	uint8_t n; /* octets of name; 0 = free */
	struct quota_window letters, rcpts;
};

struct quota {
	uint32_t letters, rcpts; /* limits; 0 = none. rcpts: of an account without its own */
	struct quota_entry entry[QUOTA_ACCOUNTS];
};

/* May the account, which has `limit` recipients in a day (0: no limit), send a letter to so many now? If not, *why
 * (room for QUOTA_WHY) tells how long to wait. */
enum quota_word quota_ask(struct quota *q, struct slice account, uint32_t limit, uint32_t rcpts,
			  int64_t now, struct buf *why);
/* Counts it. */
void quota_take(struct quota *q, struct slice account, uint32_t rcpts, int64_t now);
/* It was not sent after all: what was counted at `then` is given back. */
void quota_back(struct quota *q, struct slice account, uint32_t rcpts, int64_t then,
		int64_t now);
/* What the account has sent in an hour and in a day. */
void quota_used(struct quota *q, struct slice account, int64_t now, uint32_t *letters,
		uint32_t *rcpts);

#endif
