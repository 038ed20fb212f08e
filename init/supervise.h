/* SPDX-License-Identifier: ISC */
#ifndef INIT_SUPERVISE_H
#define INIT_SUPERVISE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "init/ctl.h"
#include "init/grants.h"
#include "init/spawn.h"

/*
 * Starts every process of topology.def, keeps it running and keeps it wired. A process that
 * dies is started again: at once the first time, then after 100 ms, doubling to 10 s, until a
 * life in which it answered a request or lived for a minute. Whenever a process starts, each
 * channel between it and a living peer gets a new pair and the next generation number.
 */
enum child_state {
	CHILD_WAITS /* for `due` */,
	CHILD_RUNS,
	CHILD_DONE /* one-shot, or we stop */
};

struct child {
	enum child_state state;
	pid_t pid;
	int control;	   /* owned; -1 = none */
	int log[2];	   /* owned, both ends, for good: reading, writing */
	int64_t due;	   /* CHILD_WAITS: monotonic ms */
	int64_t started;   /* monotonic ms */
	int64_t accused;   /* when it last accused a peer; 0 = never */
	unsigned failures; /* lives in a row without success */
	bool ready;	   /* told so in any life */
};

struct supervise {
	struct child child[P_MAX];
	uint32_t generation[CH_MAX];
	struct grants grants;
	struct spawn_place place;
	uint8_t grant_key[CTL_GRANT_KEY];
	bool announced;	 /* every process was ready once */
	int64_t restart; /* when the machine is to be started again; INT64_MAX: not by itself */
	unsigned stage;	 /* of stopping; 0 = running */
	int64_t stage_due;
	int64_t healthy; /* monotonic ms: the last heartbeat, or as if there had been one */
};

int64_t supervise_now(void); /* monotonic ms */
/* The delay before the next life after this many failures in a row. */
int64_t supervise_backoff(unsigned failures);

bool supervise_init(struct supervise *s, bool machine, unsigned flags);
void supervise_start_due(struct supervise *s);	   /* starts whoever waits and is due */
int64_t supervise_next(const struct supervise *s); /* when to come back at the latest */
void supervise_control(struct supervise *s, enum proc_id id); /* reads what a process says */
void supervise_reap(struct supervise *s);

/* Stopping: front ends first, then everything but the log, then the log; who does not end in
 * time is killed. True: nobody is left. */
void supervise_stop(struct supervise *s);
bool supervise_stopped(struct supervise *s);

#endif
