/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_ADMIN_ADMIN_H
#define SMTPD_ADMIN_ADMIN_H

#include "smtpd/admin/screen.h"
#include "smtpd/admin/word.h"

/*
 * The operator at the console: one command at a time, the queue's answer printed whole. It knows
 * nothing of a letter but what it prints. What a check of the records sees, selfcheck's log lines tell.
 */
enum { ADMIN_WATCHES = 1 };

struct admin {
	struct chan *queue, *selfcheck; /* borrowed */
	struct chan *
		other; /* borrowed: queue.mx, or queue while that is spoken to; NULL: there is but one */
	bool spool; /* it is queue.mx that is spoken to */
	struct watch input;
	int output;
	int64_t pause; /* ms after the input ended; doubles */
	struct wordline line;
	uint8_t chunk[256]; /* read, not yet taken */
	struct slice rest;
	struct ask ask;
	struct ask check; /* goes on beside the other words */
	struct word word; /* what was asked for */
	struct word sure; /* what `y` does; WORD_NONE: nothing */
	uint32_t from;	  /* recipient at which the page begins */
	uint8_t filter[QUEUE_FILTER];
	size_t filter_n;
	struct screen_place next;
	uint8_t text[SCREEN_TEXT];
};

/* Watches input; owns neither descriptor. */
void admin_init(struct admin *a, struct loop *l, struct chan *queue, struct chan *selfcheck,
		int input, int output);

#endif
