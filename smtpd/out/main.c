/* SPDX-License-Identifier: ISC */
#include "smtpd/out/outbound.h"

int main(void)
{
	static struct proc proc; /* this and the next: the process's context */
	static struct outbound outbound;
	bool sub;

	proc_start(&proc, PROG_OUT, OUTBOUND_WATCHES);
	sub = proc.me == P_OUT_SUB;
	outbound_init(&outbound, &proc.loop, proc_chan(&proc, PROG_DNS),
		      sub ? OUTBOUND_POOL_SUB : OUTBOUND_POOL_MX, sub);
	tls_anchors_read(&outbound.anchors, proc.grant[GRANT_ANCHORS_PEM], "pinned");
	if (sub || ON(CONFIG_OUT_STS))
		tls_anchors_read(&outbound.public, proc.grant[GRANT_PUBLIC_PEM], "public");
	if (ON(CONFIG_OUT_STS))
		outbound.policy.fetch = proc_chan(&proc, PROG_FETCH);
	if (sub)
		outbound_smarthost(&outbound, proc_chan(&proc, PROG_AUTH));
	outbound_serve(&outbound, &proc);
	proc_seal(&proc);
	loop_run(&proc.loop);
}
