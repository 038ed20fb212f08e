/* SPDX-License-Identifier: ISC */
#ifndef INIT_TABLES_H
#define INIT_TABLES_H

#include <stdbool.h>
#include <stdint.h>

#include "init/topology.h"

/* The rows of topology.def as init uses them. */

enum proc_flag { FLAG_0 = 0, FLAG_ONCE = 1, FLAG_CAP_NET_ADMIN = 2, FLAG_CAP_SYS_TIME = 4 };

struct proc_row {
	const char *name;
	enum program program;
	enum proc_root root;
	uint32_t memory; /* MiB */
	uint32_t nofile;
	int nice;
	unsigned flags; /* enum proc_flag */
};

struct chan_row {
	enum proc_id asks, answers;
	uint32_t credit;
};

struct grant_row {
	enum proc_id proc;
	enum grant_kind kind;
};

extern const struct proc_row proc_rows[P_MAX];
extern const struct chan_row chan_rows[CH_MAX];
extern const struct grant_row grant_rows[];
extern const unsigned grant_count;
extern const char *const program_paths[PROG_MAX];

/* Where the journal of queue.mx lies, beside the one of queue. */
#define SPOOL_FOLDER "/data/mx"

/* User and group id of a process; keygen and keygen.tls share that of the process that uses what they make. */
unsigned tables_uid(enum proc_id id);
bool tables_built(enum proc_id id); /* its program is in the image */

#endif
