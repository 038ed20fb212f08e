/* SPDX-License-Identifier: ISC */
#include <sodium.h>

#include "init/update/update.h"

int main(void)
{
	static struct update u; /* the only mutable object with static storage */

	proc_start(&u.proc, PROG_UPDATE, UPDATE_WATCHES);
	if (sodium_init() < 0)
		return 1;
	update_init(&u);
	proc_seal(&u.proc);
	loop_run(&u.proc.loop);
}
