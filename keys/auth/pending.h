/* SPDX-License-Identifier: ISC */
#ifndef KEYS_AUTH_PENDING_H
#define KEYS_AUTH_PENDING_H

#include "smtpd/lib/chan.h"
#include "smtpd/msg/auth.h"

/*
 * Logins that wait for a dear check (argon2id), one of which is made at a time: PENDING_MAX, so that nobody waits
 * longer than that many checks. Friends, from networks where the account was used before, come first. When all places
 * are taken a network with many of them gives one up for a network with few, and strangers do for a friend.
 */
enum { PENDING_MAX = 32 };

struct pending {
	bool used, friend;
	uint64_t order; /* of arrival */
	struct token token;
	uint8_t peer[16];
	int64_t asked; /* monotonic ms */
	uint16_t user_n, password_n;
	uint8_t user[AUTH_USER_MAX];
	uint8_t password[AUTH_PASSWORD_MAX]; /* secret: pending_wipe() */
};

struct pendings {
	struct pending slot[PENDING_MAX];
	uint64_t order;
	unsigned n;
};

/* A place for a login from this network. NULL: none, all are taken. One that is used gives way: its asker is told, then
 * it is wiped. */
struct pending *pending_place(struct pendings *q, const uint8_t peer[16], bool friend);
/* Fills a place that is not used. user and password fit. */
void pending_put(struct pendings *q, struct pending *p, const struct token *t,
		 const uint8_t peer[16], bool friend, struct slice user, struct slice password,
		 int64_t now);
struct pending *pending_next(struct pendings *q); /* whose turn it is; NULL: nobody waits */
void pending_wipe(struct pendings *q, struct pending *p); /* used no more, its octets zero */

#endif
