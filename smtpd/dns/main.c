/* SPDX-License-Identifier: ISC */
#include "smtpd/dns/resolver.h"
#include "smtpd/lib/proc.h"

int main(void)
{
	static struct proc proc; /* this and the next two: the process's context */
	static struct resolver resolver;
	static struct tls_anchors anchors;

	proc_start(&proc, PROG_DNS, RESOLVER_OPEN + 1);
	resolver_init(&resolver, &proc.loop, slice_of(CONFIG_INIT_NAMESERVERS),
		      slice_of(CONFIG_DNS_TLS_SERVERS));
	if (resolver.dot.n)
		tls_anchors_read(&anchors, proc.grant[GRANT_PUBLIC_PEM], "public");
	resolver.dot.anchors = &anchors;
	proc_serve(&proc, resolver_rules, DNS_TYPES, &resolver);
	proc_seal(&proc);
	loop_run(&proc.loop);
}
