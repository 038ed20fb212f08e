/* SPDX-License-Identifier: ISC */
#include "smtpd/check/check.h"

int main(void)
{
	static struct check c;

	proc_start(&c.proc, PROG_CHECK, 0);
	check_init(&c);
	proc_seal(&c.proc);
	loop_run(&c.proc.loop);
}
