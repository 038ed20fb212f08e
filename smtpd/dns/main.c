/* SPDX-License-Identifier: ISC */
#include "smtpd/dns/resolver.h"
#include "smtpd/lib/proc.h"

int main(void)
{
	static struct proc proc; /* this and the next: the process's context */
	static struct resolver resolver;

	proc_start(&proc, PROG_DNS, RESOLVER_OPEN);
	resolver_init(&resolver, &proc.loop, slice_of(CONFIG_INIT_NAMESERVERS));
	proc_serve(&proc, resolver_rules, DNS_TYPES, &resolver);
	proc_seal(&proc);
	loop_run(&proc.loop);
}
