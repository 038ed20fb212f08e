/* SPDX-License-Identifier: ISC */
#ifndef KEYS_AUTH_THROTTLE_H
#define KEYS_AUTH_THROTTLE_H

#include "smtpd/lib/bytes.h"

/*
 * Failed logins by address (IPv6: /64) and by account, in a table of fixed size. What others do locks no account out:
 * an address that it was used from before has its own failures with it counted alone, and of an account that is under
 * attack every other address may be wrong once, so that guessing takes an address for each try and who knows the
 * password gets in. Only who shares an attacker's address, and never came from there before, has to wait.
 * The table may outlive the process: it has no pointers, and any content is a table.
 */
enum {
	THROTTLE_FAILURES = 2048,
	THROTTLE_FRIENDS = 128,
	THROTTLE_ADDRESS = 10,		     /* failures of one address */
	THROTTLE_ACCOUNT = 30,		     /* failures of an account: it is under attack */
	THROTTLE_WINDOW_MS = 15 * 60 * 1000, /* forgotten so long after the last one */
	THROTTLE_FRIEND_MS = 7 * 24 * 3600 * 1000,
};

struct throttle_mark {
	uint8_t key[16]; /* keyed hash of what is counted */
	uint32_t count;	 /* 0 = free */
	int64_t last;	 /* monotonic ms, of this boot */
};

struct throttle {
	uint8_t secret[32]; /* places in the table cannot be chosen from outside */
	struct throttle_mark failure[THROTTLE_FAILURES];
	struct throttle_mark friend[THROTTLE_FRIENDS];
};

/* secret: 32 random octets. */
void throttle_init(struct throttle *t, const uint8_t secret[32]);
/* The same, but a table that an earlier process began stays. */
void throttle_resume(struct throttle *t, const uint8_t secret[32]);
/* The network of a peer, IPv4 /24, IPv6 /64: the rest of its octets zero. */
void throttle_network(const uint8_t peer[16], uint8_t net[16]);
/* Was the account used from this address before? */
bool throttle_friend(const struct throttle *t, const uint8_t peer[16], struct slice account,
		     int64_t now);
/* May this address try this account now? peer: 16 octets, IPv4 as ::ffff:a.b.c.d. */
bool throttle_allows(const struct throttle *t, const uint8_t peer[16], struct slice account,
		     int64_t now);
void throttle_failed(struct throttle *t, const uint8_t peer[16], struct slice account,
		     int64_t now);
/* A right password: the address is a friend of the account, and its failures are forgotten. */
void throttle_worked(struct throttle *t, const uint8_t peer[16], struct slice account,
		     int64_t now);

#endif
