/* SPDX-License-Identifier: ISC */
#ifndef INIT_TOPOLOGY_H
#define INIT_TOPOLOGY_H

#include <stdint.h>

/* Names for the rows of topology.def. */

enum proc_id {
#define PROC(id, ...) P_##id,
#include "init/topology.def"
	P_MAX
};

enum program {
	PROG_LOG,
	PROG_DNS,
	PROG_HOLDER,
	PROG_AUTH,
	PROG_NET,
	PROG_CLOCK,
	PROG_OUT,
	PROG_CHECK,
	PROG_FRONT,
	PROG_QUEUE,
	PROG_FETCH,
	PROG_ADMIN,
	PROG_ACME,
	PROG_SELFCHECK,
	PROG_HEALTH,
	PROG_UPDATE,
	PROG_MAX
};

enum chan_id {
#define CHAN(requester, answerer, credit) CH_##requester##_##answerer,
#include "init/topology.def"
	CH_MAX
};

enum grant_kind {
	GRANT_CONSOLE,
	GRANT_SCREEN,	/* a second console */
	GRANT_INPUT,	/* what is typed at the console */
	GRANT_LOG_TAPS, /* P_MAX descriptors: one for each process */
	GRANT_USERS_CDB,
	GRANT_SMARTHOST,
	GRANT_FAILURES, /* memory that outlives the process: GRANT_FAILURES_OCTETS, zero at boot */
	GRANT_DKIM_KEY,
	GRANT_TLS_KEY, /* and its chain (KEYS_TLS_FILE) */
	GRANT_ROUTES_V4,
	GRANT_ROUTES_V6,
	GRANT_DHCP_PACKET,
	GRANT_ROUTE_SOCKET,
	GRANT_COMMAND_LINE, /* of the kernel */
	GRANT_VIRTUAL_CDB,
	GRANT_LISTEN_25,
	GRANT_LISTEN_465,
	GRANT_LISTEN_587,
	GRANT_LISTEN_INNER, /* port 25 of an inner address, for submission */
	GRANT_ANCHORS_PEM,
	GRANT_PUBLIC_PEM,
	GRANT_STS_CACHE,
	GRANT_BINDING,	 /* of the account at the certificate authority */
	GRANT_LISTEN_80, /* bound, but not listening: acme opens and closes them */
	GRANT_LISTEN_443,
	GRANT_LISTEN_UPDATE,
	GRANT_SLOTS, /* the partition of the boot loader and the slots, to be written */
	GRANT_SAVED_TIME,
	GRANT_SEEN,   /* deliveries that a sender may not know of */
	GRANT_BACKUP, /* keys, sealed to the operator's one, on the data volume */
	GRANT_MAX
};

enum proc_root { ROOT_EMPTY, ROOT_KEYS, ROOT_DATA, ROOT_SPOOL };

enum {
	UID_BASE = 100,
	GRANT_FAILURES_OCTETS = 80 * 1024,
	/* Deliveries of queue.mx, which is there with FORWARD_SPOOL alone. */
	SPOOL_ACTIVE = ON(CONFIG_FORWARD_SPOOL) * CONFIG_SMTPD_QUEUE_ACTIVE,
};

#endif
