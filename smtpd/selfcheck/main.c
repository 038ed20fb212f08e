/* SPDX-License-Identifier: ISC */
#include "smtpd/lib/proc.h"
#include "smtpd/selfcheck/selfcheck.h"

int main(void)
{
	static struct proc proc; /* this and the next two: the process's context */
	static struct selfcheck selfcheck;
	static struct publish_site site;
	struct slice to = slice_of(CONFIG_FORWARD_TO);

	proc_start(&proc, PROG_SELFCHECK, SELFCHECK_WATCHES);
	publish_configured(&site);
	selfcheck.dns = proc_chan(&proc, PROG_DNS);
	selfcheck.holder = proc_chan(&proc, PROG_HOLDER);
	selfcheck.fetch = ON(CONFIG_OUT_STS) ? proc_chan(&proc, PROG_FETCH) : NULL;
	selfcheck_init(&selfcheck, &proc.loop, &site, slice_from(to, slice_rfind(to, '@') + 1));
	proc_serve(&proc, selfcheck_rules, SELFCHECK_TYPES, &selfcheck);
	proc_seal(&proc);
	loop_run(&proc.loop);
}
