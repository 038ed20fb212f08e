/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_ADMIN_SCREEN_H
#define SMTPD_ADMIN_SCREEN_H

#include "smtpd/msg/queue.h"

/*
 * Rows of the queue as lines for a terminal. Addresses and replies are strangers' octets: what is
 * not printable ASCII comes out as \xNN, and each has its width. One answer is one write(), at most
 * SCREEN_TEXT octets, which a pipe and a terminal take whole.
 */
enum { SCREEN_TEXT = 4096 };

/* At most `width` columns of it, cut with `...`. */
void screen_text(struct buf *out, struct slice s, size_t width);
void screen_time(struct buf *out, uint32_t s);	    /* 40s, 12m, 3h05m, 4d02h */
void screen_size(struct buf *out, uint64_t octets); /* 812, 4K, 35M, 2G */

struct screen_place { /* where the next page begins */
	uint64_t letter; /* of a list: the last one shown; of a letter: itself; 0: nothing follows */
	bool rcpts;
	uint32_t rcpt;
};

/* The answer to QUEUE_LIST. False: the rows are not what they should be. */
bool screen_list(struct buf *out, const struct queue_page *m, struct slice rows,
		 struct screen_place *next);
/* The answer to QUEUE_SHOW, recipients from number `from` on. */
bool screen_show(struct buf *out, const struct queue_page *m, struct slice rows, uint32_t from,
		 struct screen_place *next);

#endif
