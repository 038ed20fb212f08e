/* SPDX-License-Identifier: ISC */
#include <stddef.h>
#include <unistd.h>

#include "init/log/remote.h"
#include "init/log/taps.h"
#include "smtpd/lib/arena.h"
#include "smtpd/lib/owner.h"

enum { WATCHES = P_MAX + 3, RING = CONFIG_INIT_LOG_RING * 1024 };

static struct log {
	struct proc proc;
	struct taps taps;
	struct remote remote;
	struct tls_anchors anchors;
} state;

static void also(void *ctx, struct slice name, struct slice line)
{
	remote_line(ctx, name, line);
}

static void start_remote(struct log *l)
{
	struct slice server = SLICE(CONFIG_INIT_SYSLOG_SERVER);

	if (!remote_init(&l->remote, &l->proc.loop, server, &l->anchors, arena_reserve(RING),
			 RING))
		bug("INIT_SYSLOG_SERVER");
	if (l->remote.how == REMOTE_TLS && !l->remote.to.pins.n)
		tls_anchors_read(&l->anchors, l->proc.grant[GRANT_PUBLIC_PEM], "public");
	l->taps.also = also;
	l->taps.ctx = &l->remote;
}

/* The last lines of everybody are there already: init stops us last. */
static void stop(struct proc *p)
{
	struct log *l = OWNER(struct log, proc, p);

	taps_drain(&l->taps);
	if (ON(CONFIG_INIT_SYSLOG))
		remote_last(&l->remote);
	_exit(0);
}

int main(void)
{
	proc_start(&state.proc, PROG_LOG, WATCHES);
	state.proc.stop = stop;
	taps_init(&state.taps, &state.proc);
	if (ON(CONFIG_INIT_SYSLOG))
		start_remote(&state);
	proc_seal(&state.proc);
	loop_run(&state.proc.loop);
}
