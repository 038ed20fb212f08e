/* SPDX-License-Identifier: ISC */
#ifndef INIT_GRANTS_H
#define INIT_GRANTS_H

#include "init/tables.h"

/*
 * The descriptors that need privilege to open. Listeners are bound once and live as long as
 * init, so that connections wait in them while a front end restarts, and so does the memory of
 * auth's failures; everything else is opened anew for each start. What cannot be opened is said,
 * and replaced by a descriptor from which nothing ever comes (sockets) or that is empty (files),
 * so that the others keep their places.
 */
struct grants {
	int listener[GRANT_MAX]; /* owned; -1 = not bound, or made, yet */
	int silent[2];		 /* owned; -1 = not needed yet */
	bool machine;
};

void grants_init(struct grants *g, bool machine);
/* -1: the process cannot be started now. *keep: the descriptor stays init's after sending. */
int grants_open(struct grants *g, enum grant_kind kind, bool *keep);
/* Reads as empty and takes no octet: what a process gets as standard input and output. -1 =
 * none. */
int grants_null(void);

enum { GRANTS_ADDRESS = 46 }; /* the longest, with its NUL */

/* What SMTPD_LISTEN (words PORT=ADDRESS) says of a port. False: nothing, so nothing listens there. */
bool grants_address(const char *words, const char *port, char out[GRANTS_ADDRESS]);

#endif
