/* SPDX-License-Identifier: ISC */
#ifndef INIT_UPDATE_UPDATE_H
#define INIT_UPDATE_UPDATE_H

#include "init/update/receive.h"
#include "smtpd/front/tlsid.h"
#include "smtpd/lib/proc.h"
#include "smtpd/lib/stream.h"
#include "smtpd/msg/health.h"

/*
 * The process. On its own port it tells, over TLS, one line
 *
 *	hello 1 CHALLENGE VERSION BUILD a|b usual|trial|next
 *
 * with a challenge of 64 hexadecimal digits that is good for this connection alone. It takes a manifest that answers
 * it, says `go`, takes the chunks, says `done`, and has the machine started again; or it says `no` with the reason, at
 * any time. Before the manifest is good the oldest connection gives way to a new one; after it, one alone is heard. A
 * system on trial is kept when the machine is well.
 */
enum { UPDATE_CLIENTS = 4, UPDATE_IN = 16 * 1024, UPDATE_OUT = 512 };

struct update_client {
	struct update *u;
	uint64_t number; /* counted up */
	struct stream s;
	struct tls *tls; /* owned */
	struct manifest_want want;
	bool over; /* it has its answer */
	uint8_t in[UPDATE_IN], out[UPDATE_OUT];
};

struct update {
	struct proc proc; /* first */
	struct slots slots;
	bool usable; /* slots is */
	bool going;  /* the other slot starts next: nothing more is taken */
	struct receive receive;
	struct tlsid tlsid;
	struct ask well; /* while on trial */
	struct watch listen, work;
	struct update_client client[UPDATE_CLIENTS];
	struct update_client *writer; /* whose manifest was good; NULL: nobody's */
	uint64_t admitted;
};

enum { UPDATE_WATCHES = UPDATE_CLIENTS + 4 };

void update_init(struct update *u); /* after proc_start() */

#endif
