/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "keys/auth/login.h"
#include "smtpd/lib/log.h"

_Static_assert(sizeof(struct throttle) <= GRANT_FAILURES_OCTETS, "init's memory is enough");

struct auth { /* the process's context */
	struct proc proc;
	struct login login;
};

static _Noreturn void on_stop(struct proc *p)
{
	struct auth *a = (struct auth *)(void *)p; /* first member */

	login_wipe(&a->login);
	explicit_bzero(p->grant_key, sizeof p->grant_key);
	_exit(0);
}

int main(void)
{
	static struct auth a;

	proc_start(&a.proc, PROG_AUTH, LOGIN_WATCHES);
	a.proc.stop = on_stop;
	login_init(&a.login, &a.proc.loop, a.proc.grant[GRANT_USERS_CDB], a.proc.grant_key);
	login_remember(&a.login, a.proc.grant[GRANT_FAILURES]);
	mynetworks_init(&a.login.networks, SLICE(CONFIG_SMTPD_MYNETWORKS),
			SLICE(CONFIG_SMTPD_MYNETWORKS_SENDERS),
			a.proc.flags & CTL_CONTAINER && !ON(CONFIG_SMTPD_MYNETWORKS_GATEWAY),
			a.proc.grant[GRANT_ROUTES_V4], a.proc.grant[GRANT_ROUTES_V6]);
	if (!hostpass_load(&a.login.hostpass, a.proc.grant[GRANT_SMARTHOST]))
		log_event("damaged", "file", "smarthost");
	proc_serve(&a.proc, login_rules, AUTH_TYPES, &a.login);
	proc_seal(&a.proc);
	loop_run(&a.proc.loop);
}
