/* SPDX-License-Identifier: ISC */
#ifndef INIT_SPAWN_H
#define INIT_SPAWN_H

#include <stdbool.h>
#include <sys/types.h>

#include "init/tables.h"

struct spawn_place {
	bool machine; /* false: capabilities that reach the host are not handed out */
	unsigned flags; /* enum ctl_flag: without keys or data those processes live in /empty too */
	int null;	/* becomes descriptors 0 and 1 */
};

/*
 * Starts the program of a row as its own user, in its root directory, with descriptor 2 = log,
 * 3 = control and nothing else open, without environment, and with no capability but its row's.
 * The binary is executed through a descriptor that was opened before the root changed. -1: not
 * started.
 */
pid_t spawn_start(const struct spawn_place *place, enum proc_id id, int log, int control);

#endif
