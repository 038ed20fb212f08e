/* SPDX-License-Identifier: ISC */
#include <stddef.h>
#include <unistd.h>

#include "init/log/taps.h"

#include "smtpd/lib/owner.h"

static struct log {
	struct proc proc;
	struct taps taps;
} state;

/* The last lines of everybody are there already: init stops us last. */
static void stop(struct proc *p)
{
	struct log *l = OWNER(struct log, proc, p);

	taps_drain(&l->taps);
	_exit(0);
}

int main(void)
{
	proc_start(&state.proc, PROG_LOG, P_MAX);
	state.proc.stop = stop;
	taps_init(&state.taps, &state.proc);
	proc_seal(&state.proc);
	loop_run(&state.proc.loop);
}
