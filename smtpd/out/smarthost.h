/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_OUT_SMARTHOST_H
#define SMTPD_OUT_SMARTHOST_H

#include "smtpd/out/peer.h"

/*
 * The one host that takes all submitted letters (SMARTHOST_HOST). Its password lies with auth, comes for each log-in,
 * and is wiped as soon as it is sent.
 */

/* TLS is up and EHLO answered: logs in where there is a password, then begins the letter. */
void smarthost_login(struct peer *p);
/* The reply to AUTH (RFC 4954 4). */
void smarthost_said(struct peer *p);
/* Nobody had time for our question yet. */
void smarthost_late(struct peer *p);

#endif
