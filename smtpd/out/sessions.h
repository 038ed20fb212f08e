/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_OUT_SESSIONS_H
#define SMTPD_OUT_SESSIONS_H

#include "smtpd/lib/tls.h"
#include "smtpd/out/mxlist.h"

/*
 * TLS sessions with destinations, so that the next handshake with the same host saves the certificate's verification.
 * One is used only for the same host under the same policy, which it was verified for: resuming verifies nothing.
 */
enum { SESSIONS = 64, SESSIONS_MS = 3600 * 1000 };

struct session {
	int64_t until; /* 0: free */
	uint8_t level;
	char host[MXLIST_NAME + 1];
	struct tls_session tls;
};

struct sessions {
	struct session *row; /* owned */
};

void sessions_init(struct sessions *s);
/* NULL: none. */
struct session *sessions_find(const struct sessions *s, const char *host, uint8_t level,
			      int64_t now);
/* After a handshake. */
void sessions_keep(struct sessions *s, const char *host, uint8_t level, const struct tls *t,
		   int64_t now);
void sessions_drop(struct session *row); /* NULL is fine */

#endif
