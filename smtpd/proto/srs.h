/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_PROTO_SRS_H
#define SMTPD_PROTO_SRS_H

#include "smtpd/lib/bytes.h"

/*
 * The Sender Rewriting Scheme, as libsrs2, postsrsd and Mail::SRS agree on it:
 *   SRS0=hash=day=domain=local              the first forwarder
 *   SRS1=hash=first==hash=day=domain=local  every later one; `first` is the SRS0 forwarder's domain
 * The hash is the head of base64(HMAC-SHA1(secret, lower case of what it covers)). It is compared without case, because
 * some mail systems fold local parts: so each of its characters is worth 5 bits, not 6. Local parts are in decoded form
 * (path_local()) on both sides.
 */
enum {
	SRS_LOCAL = 64,	   /* RFC 5321 4.5.3.1.1 */
	SRS_HASH_MAX = 27, /* 160 bits in base64, without padding */
	SRS_AGE = 21,	   /* days that an address may be replied to */
};

struct srs {
	const struct slice *secret; /* borrowed; the first one makes hashes, all of them check */
	size_t nsecret;		    /* at least one */
	size_t hash;		    /* characters made; 1 to SRS_HASH_MAX */
	size_t least;		    /* the fewest that are accepted; 0: as many as are made */
	uint64_t day;		    /* days since 1970 */
	struct slice domain;	    /* our SRS domain */
};

enum srs_result {
	SRS_NOT, /* not an SRS address */
	SRS_OK,
	SRS_OWN,  /* forward: the sender is in our domain already and stays as it is */
	SRS_LONG, /* forward: the new local part would exceed SRS_LOCAL */
	SRS_BAD,  /* reverse: malformed, or not made with one of our secrets */
	SRS_OLD,  /* reverse: made more than SRS_AGE days ago, or in the future */
};

/* Puts the new local part; the new domain is s->domain. Nothing is put unless SRS_OK. */
enum srs_result srs_forward(const struct srs *s, struct slice local, struct slice domain,
			    struct buf *out);

/* Puts the local part behind an SRS local part, and *domain borrows from `local`. An SRS1 address has no day:
 * its age is judged by the SRS0 forwarder. Nothing is put unless SRS_OK. */
enum srs_result srs_reverse(const struct srs *s, struct slice local, struct buf *out,
			    struct slice *domain);

/* A local part that asks to be reversed: begins with SRS0 or SRS1 and a separator. */
bool srs_is(struct slice local);

#endif
