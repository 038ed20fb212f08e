/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_CHECK_RIGHTS_H
#define SMTPD_CHECK_RIGHTS_H

#include "smtpd/proto/grant.h"
#include "smtpd/proto/path.h"

/*
 * What an account may call itself: the envelope sender, and each address of From:, Sender:, Resent-From: and
 * Resent-Sender:. On false a sentence for the sender goes to *why: which address, and of which account. An empty
 * envelope sender may be everybody's: read receipts and vacation replies have it (RFC 5321 4.5.5), and From: says whose
 * they are.
 */
bool rights_sender(const struct grant *g, const struct path *sender, struct buf *why);
/* *domain: that of the first address of From:. A header without From:, or with one of these fields that holds no list
 * of addresses, is nobody's. */
bool rights_header(const struct grant *g, struct slice header, struct slice *domain,
		   struct buf *why);

#endif
