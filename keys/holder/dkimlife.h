/* SPDX-License-Identifier: ISC */
#ifndef KEYS_HOLDER_DKIMLIFE_H
#define KEYS_HOLDER_DKIMLIFE_H

#include "keys/holder/dkimed.h"
#include "keys/holder/dkimring.h"
#include "smtpd/lib/loop.h"
#include "smtpd/msg/dns.h"

/*
 * keygen: makes the DKIM keys of each mail domain and moves them through their life (dkimring.h). It alone writes them;
 * holder.dkim reads. Whether a record is public it asks dns itself: nobody asks keygen anything, and dns asks nobody,
 * so no ring of waiting processes can form. An answer that does not come, or tells nothing, changes nothing.
 */
enum {
	DKIMLIFE_KEEP = 7 * 86400, /* s: an old key's record after its last signature */
	DKIMLIFE_ROUND_MS = 15 * 60 * 1000, /* between two looks at all of them */
	DKIMLIFE_SOON_MS = 20 * 1000,	    /* where dns had no answer, or a record is late */
	DKIMLIFE_TELL = 96,		    /* rounds until all of it is said again */
};

struct dkimlife {
	struct loop *loop;
	struct chan *dns;
	int64_t (*now)(void); /* unix s */
	struct slice domains, selector;
	bool rsa, ed25519; /* which are wanted; both: Ed25519 is the second one */
	bool imported;	   /* the RSA key is not on disk, and none is made */
	bool retired;	   /* says the private key of a record that is gone */
	unsigned bits;
	void (*kept)(const struct dkimlife
			     *); /* the ring of `domain` and `at_ed` is on disk; or NULL */
	int64_t days;		 /* that a key signs; 0: for good, and there is no next one */
	/* where the round is */
	struct slice rest, domain; /* words to come; the one it is at */
	bool at_ed;
	unsigned round; /* rounds that are complete */
	bool unknown;	/* some answer did not come in this one, or is waited for */
	enum dkimring_role asked;
	struct ask ask;
	struct watch timer;
	struct dkimring ring; /* secret */
	struct dkimrsa work;  /* secret */
};

/* Members above `rest` are set by the owner. Begins with the first turn of the loop. */
void dkimlife_init(struct dkimlife *l);
void dkimlife_wipe(struct dkimlife *l);

#endif
