/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_QUEUE_DESK_H
#define SMTPD_QUEUE_DESK_H

#include "smtpd/msg/queue.h"
#include "smtpd/queue/clerk.h"

/*
 * Where the operator's questions arrive: pages of letters and recipients, and what is to be done
 * with them. Every deed is a line `ev=admin`.
 */

/* Rows go to *rows, which has room for QUEUE_PAGE octets. */
void desk_list(struct courier *c, uint64_t after, struct slice filter, struct buf *rows,
	       struct queue_page *page);
void desk_show(struct courier *c, uint64_t letter, uint32_t from, struct buf *rows,
	       struct queue_page *page);
/* False: there is no such deed. */
bool desk_act(struct courier *c, uint64_t letter, uint32_t what, enum queue_how *how);

#endif
