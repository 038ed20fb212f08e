/* SPDX-License-Identifier: ISC */
#include "init/tables.h"

const struct proc_row proc_rows[] = {
#define PROC(id, name, program, root, memory, nofile, nice, flags) \
	[P_##id] = { name, PROG_##program, ROOT_##root, memory, nofile, nice, FLAG_##flags },
#include "init/topology.def"
};

const struct chan_row chan_rows[] = {
#define CHAN(requester, answerer, credit) \
	[CH_##requester##_##answerer] = { P_##requester, P_##answerer, credit },
#include "init/topology.def"
};

const struct grant_row grant_rows[] = {
#define GRANT(process, what) { P_##process, GRANT_##what },
#include "init/topology.def"
};

const unsigned grant_count = sizeof grant_rows / sizeof *grant_rows;

const char *const program_paths[] = {
	[PROG_LOG] = "/bin/log",       [PROG_DNS] = "/bin/dns",
	[PROG_HOLDER] = "/bin/holder", [PROG_AUTH] = "/bin/auth",
	[PROG_NET] = "/bin/net",       [PROG_CLOCK] = "/bin/clock",
	[PROG_OUT] = "/bin/out",       [PROG_CHECK] = "/bin/check",
	[PROG_FRONT] = "/bin/front",   [PROG_QUEUE] = "/bin/queue",
	[PROG_FETCH] = "/bin/fetch",   [PROG_ADMIN] = "/bin/admin",
	[PROG_ACME] = "/bin/acme",     [PROG_SELFCHECK] = "/bin/selfcheck",
	[PROG_HEALTH] = "/bin/health", [PROG_UPDATE] = "/bin/update",
};

_Static_assert(sizeof proc_rows / sizeof *proc_rows == P_MAX, "row missing");
_Static_assert(sizeof chan_rows / sizeof *chan_rows == CH_MAX, "row missing");
_Static_assert(sizeof program_paths / sizeof *program_paths == PROG_MAX, "row missing");

unsigned tables_uid(enum proc_id id)
{
	return UID_BASE + (unsigned)(id == P_KEYGEN	  ? P_HOLDER_DKIM
				     : id == P_KEYGEN_TLS ? P_HOLDER_TLS
							  : id);
}

bool tables_built(enum proc_id id)
{
	if (id == P_ACME || id == P_HOLDER_ACME)
		return ON(CONFIG_KEYS_ACME);
	if (id == P_KEYGEN_TLS)
		return ON(CONFIG_KEYS_TLS_RSA);
	if (id == P_QUEUE_MX)
		return ON(CONFIG_FORWARD_SPOOL);
	if (id == P_UPDATE)
		return ON(CONFIG_UPDATE_SERVICE);
	return proc_rows[id].program != PROG_ADMIN || ON(CONFIG_ADMIN_CONSOLE);
}
