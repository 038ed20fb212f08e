/* SPDX-License-Identifier: ISC */
#ifndef KEYS_HOLDER_SRSLONG_H
#define KEYS_HOLDER_SRSLONG_H

#include "smtpd/proto/path.h"

/*
 * Senders that do not fit into an SRS local part (RFC 5321 4.5.3.1.1), by a random name that does. The table lives in
 * memory: a restart forgets it, and a full one gives up the name that was given longest ago.
 */
enum { SRSLONG_ROWS = 1024, SRSLONG_NAME = 16 /* octets, hex digits */ };

struct srslong { /* empty when zeroed */
	struct {
		uint64_t name;
		uint16_t n; /* 0: free */
		uint8_t address[PATH_OCTETS];
	} row[SRSLONG_ROWS];
	unsigned next;
};

/* Puts the name of an address of at most PATH_OCTETS octets: the one that it has already, or a new one. */
void srslong_put(struct srslong *l, struct slice address, struct buf *name);
/* Puts the address behind a name, whose letters may have changed case. False: it is not known. */
bool srslong_get(const struct srslong *l, struct slice name, struct buf *address);

#endif
