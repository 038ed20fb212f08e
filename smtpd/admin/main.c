/* SPDX-License-Identifier: ISC */
#include "smtpd/admin/admin.h"
#include "smtpd/lib/proc.h"

int main(void)
{
	static struct proc proc; /* this and the next: the process's context */
	static struct admin admin;

	proc_start(&proc, PROG_ADMIN, ADMIN_WATCHES);
	if (ON(CONFIG_FORWARD_SPOOL))
		admin.other = proc_chan_to(&proc, P_QUEUE_MX);
	admin_init(&admin, &proc.loop, proc_chan_to(&proc, P_QUEUE),
		   proc_chan(&proc, PROG_SELFCHECK), proc.grant[GRANT_INPUT],
		   proc.grant[GRANT_CONSOLE]);
	proc_seal(&proc);
	loop_run(&proc.loop);
}
