/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_LIB_PROC_H
#define SMTPD_LIB_PROC_H

#include "init/ctl.h"
#include "smtpd/lib/chan.h"
#include "smtpd/lib/loop.h"

/*
 * How every process but PID 1 begins: proc_start() reads CTL_START, the program reserves its memory
 * and takes its channels, proc_seal() closes the sandbox and reports ready, loop_run() never returns.
 */
enum { PROC_CHANS = 10 };

struct proc {
	struct loop loop;
	enum proc_id me;
	uint32_t flags; /* enum ctl_flag */
	uint8_t grant_key[CTL_GRANT_KEY];
	int grant[GRANT_MAX];	      /* -1 = not granted; owned */
	int taps[P_MAX];	      /* log only; owned */
	struct chan chan[PROC_CHANS]; /* one per topology row that names us */
	uint8_t chan_id[PROC_CHANS];
	size_t nchan;
	bool worked;
	struct watch control;
	/* CTL_STOP: finish and _exit(0). NULL: exit at once. */
	void (*stop)(struct proc *p);
	uint8_t rx[MSG_MAX];
};

/* Exits the process when its start message is not what this build expects. watches: how many the
 * program itself will add to the loop, channels and control not counted. */
void proc_start(struct proc *p, enum program prog, size_t watches);
/* Our channel towards a program we ask; never NULL: a program without that row in topology.def is a bug(). */
struct chan *proc_chan(struct proc *p, enum program to);
/* The same, towards one process of a program that has several. */
struct chan *proc_chan_to(struct proc *p, enum proc_id to);
/* What every requester may ask of us; ctx is handed to the handlers. */
void proc_serve(struct proc *p, const struct rule *rules, size_t n, void *ctx);
/* Closes the sandbox (seccomp list of topology.def, no new privileges), then tells init. */
void proc_seal(struct proc *p);
/* Tells init something that has no channel. */
void proc_note(enum ctl_type type);
const char *proc_name(enum proc_id id);

#endif
