/* SPDX-License-Identifier: ISC */
#ifndef INIT_UPDATE_RECEIVE_H
#define INIT_UPDATE_RECEIVE_H

#include "init/update/slots.h"

/*
 * One update on its way into the other slot: the manifest, then the chunks that are not zero, in order. A chunk is
 * written when it is the one that was signed; when all are there they are read back from the disk.
 */
enum receive_state {
	RECEIVE_WANTS,	 /* more octets */
	RECEIVE_GOES,	 /* there is more to do with what is there */
	RECEIVE_DONE,	 /* the slot holds the update, flushed and read back */
	RECEIVE_REFUSED, /* `why`; the other slot is no system any more, and is not started */
};

struct receive {
	struct slots *slots; /* borrowed */
	struct manifest m;
	uint8_t raw[MANIFEST_SIZE]; /* for the note */
	unsigned at; /* chunk; 0 to MANIFEST_CHUNKS twice: while writing, while reading back */
	bool written;
	size_t have;	 /* of a chunk that is on its way */
	const char *why; /* static text */
};

/* in: MANIFEST_SIZE octets. NULL: it is good, and the other slot may be written from now on. Else why not: nothing was
 * written, and an update under way is not disturbed. */
const char *receive_begin(struct receive *r, struct slots *s, struct slice in,
			  const struct manifest_want *want);
/* Eats from in, and does at most one chunk's work. After DONE or REFUSED: not again before receive_begin(). */
enum receive_state receive_step(struct receive *r, struct buf *in);

#endif
