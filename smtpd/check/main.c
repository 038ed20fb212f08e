/* SPDX-License-Identifier: ISC */
#include "smtpd/check/check.h"

int main(void)
{
	static struct check c;

	proc_start(&c.proc, PROG_CHECK, CHECK_WATCHES);
	check_init(&c);
	proc_seal(&c.proc);
	loop_run(&c.proc.loop);
}
