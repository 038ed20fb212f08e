/* SPDX-License-Identifier: ISC */
#include "smtpd/fetch/fetch.h"
#include "smtpd/lib/proc.h"

int main(void)
{
	static struct proc proc; /* this and the next two: the process's context */
	static struct fetch fetch;
	static struct tls_anchors anchors;

	proc_start(&proc, PROG_FETCH, FETCH_WATCHES);
	tls_anchors_read(&anchors, proc.grant[GRANT_PUBLIC_PEM], "public");
	fetch.env.anchors = &anchors;
	fetch_init(&fetch, &proc.loop, proc_chan(&proc, PROG_DNS), proc.grant[GRANT_STS_CACHE]);
	proc_serve(&proc, fetch_rules, FETCH_TYPES, &fetch);
	proc_seal(&proc);
	loop_run(&proc.loop);
}
