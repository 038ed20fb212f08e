/* SPDX-License-Identifier: ISC */
#include "init/health/health.h"

int main(void)
{
	static struct proc proc; /* this and the next: the process's context */
	static struct health health;

	proc_start(&proc, PROG_HEALTH, HEALTH_WATCHES);
	health_init(&health, &proc, slice_of(CONFIG_SMTPD_LISTEN));
	proc_serve(&proc, health_rules, HEALTH_TYPES, &health);
	proc_seal(&proc);
	loop_run(&proc.loop);
}
