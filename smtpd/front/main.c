/* SPDX-License-Identifier: ISC */
#include "smtpd/front/front.h"

enum { WATCHES = CONFIG_SMTPD_MAX_SESSIONS + FRONT_LISTENERS + 3 };

int main(void)
{
	static struct front f; /* the only mutable object with static storage */

	proc_start(&f.proc, PROG_FRONT, WATCHES);
	front_init(&f);
	proc_seal(&f.proc);
	loop_run(&f.proc.loop);
}
