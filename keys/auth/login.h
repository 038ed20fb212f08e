/* SPDX-License-Identifier: ISC */
#ifndef KEYS_AUTH_LOGIN_H
#define KEYS_AUTH_LOGIN_H

#include "keys/auth/hostpass.h"
#include "keys/auth/mynetworks.h"
#include "keys/auth/passhash.h"
#include "keys/auth/pending.h"
#include "keys/auth/scram.h"
#include "keys/auth/throttle.h"
#include "smtpd/lib/map.h"
#include "smtpd/lib/proc.h"
#include "smtpd/msg/auth.h"

/*
 * Who may log in, as whom, how often; who may submit without; and the password for the smarthost. A login that fails is
 * answered LOGIN_FAIL_MS after the question, and what SCRAM begins with LOGIN_FIRST_MS, however long the check took, so
 * that its time says nothing. Checks that take their time (argon2id) wait for what does not: between two of them
 * everything that came is answered. Whoever finds no place among those that wait is told so at once, whatever his name
 * and password are worth.
 */
enum {
	LOGIN_FAIL_MS = 1000,
	LOGIN_FIRST_MS = 3,
	LOGIN_WATCHES = 3,
	LOGIN_WAITING = 2 * CONFIG_SMTPD_MAX_SESSIONS, /* credit, and a dead requester's */
};

struct login_waiter {
	struct token token;
	uint8_t result; /* enum auth_result */
	int64_t due;
};

struct login_first { /* server-first-message that waits */
	struct token token;
	int64_t due;
	uint16_t n;
	uint8_t text[AUTH_SCRAM_TEXT_MAX];
};

struct login {
	struct loop *loop;
	struct map users;
	bool damaged; /* the map is not whole: nobody can be judged */
	uint8_t grant_key[CTL_GRANT_KEY];
	struct scram_secret scram;
	bool have[PASSHASH_KINDS]; /* some account has it; where the check is dear each failure costs it */
	uint8_t dummy_mem[PASSHASH_KINDS][PASSHASH_MAX + 2];
	struct slice dummy[PASSHASH_KINDS]; /* what an unknown name is checked against */
	struct slice nobody;		    /* what the map would hold for it */
	struct throttle *throttle;	    /* own_throttle, or memory of init's */
	struct throttle own_throttle;
	struct pendings pending;
	struct watch work; /* due when somebody is pending */
	struct mynetworks networks;
	struct hostpass hostpass;
	struct watch hold;					  /* of firsts */
	struct login_first firsts[CONFIG_SMTPD_MAX_SESSIONS + 1]; /* ring */
	size_t firsts_at, firsts_n;
	struct watch timer;
	struct login_waiter waiting[LOGIN_WAITING]; /* ring, the next one due first */
	size_t first, n;
};

/* Loads the map (fd -1: no accounts); before the sandbox closes. `networks` and `hostpass` are empty after it and
 * loaded by themselves. */
void login_init(struct login *a, struct loop *l, int users_fd,
		const uint8_t grant_key[CTL_GRANT_KEY]);
/* Failures are counted in memory that outlives this process: fd, of at least sizeof(struct throttle). Without it they
 * are forgotten with us. Before the sandbox closes. */
void login_remember(struct login *a, int fd);
void login_wipe(struct login *a);

extern const struct rule login_rules[AUTH_TYPES];

#endif
