/* SPDX-License-Identifier: ISC */
#include <linux/capability.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "init/clock/timesync.h"
#include "smtpd/lib/log.h"
#include "smtpd/lib/owner.h"

static struct clock {
	struct proc proc;
	struct timesync sync;
} state;

static void stop(struct proc *p)
{
	timesync_stop(&OWNER(struct clock, proc, p)->sync);
	_exit(0);
}

int main(void)
{
	bool may = prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_SYS_TIME, 0, 0) == 1;

	proc_start(&state.proc, PROG_CLOCK, 1);
	state.proc.stop = stop;
	if (!may)
		log_event("off", "why", "not_our_clock");
	else if (sizeof CONFIG_INIT_NTP_SERVERS > 1)
		timesync_init(&state.sync, &state.proc);
	proc_serve(&state.proc, timesync_rules, CLOCK_TYPES, &state.sync);
	proc_seal(&state.proc);
	loop_run(&state.proc.loop);
}
