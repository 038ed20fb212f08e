/* SPDX-License-Identifier: ISC */
#include "init/net/ifsetup.h"

static struct net {
	struct proc proc;
	struct ifsetup setup;
} state;

int main(void)
{
	proc_start(&state.proc, PROG_NET, IFSETUP_WATCHES);
	ifsetup_init(&state.setup, &state.proc);
	proc_seal(&state.proc);
	loop_run(&state.proc.loop);
}
