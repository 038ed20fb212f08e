/* SPDX-License-Identifier: ISC */
#ifndef KEYS_ACME_ACME_H
#define KEYS_ACME_ACME_H

#include "keys/acme/talk.h"

/*
 * When the certificate authority is asked for what: a certificate at once where there is none of its own, again before
 * it ends (RULES A3), and twice a day for the time that it suggests. What failed waits (RULES A7).
 */
enum { ACME_WATCHES = 1 + TALK_WATCHES };

struct acme {
	struct talk talk;
	struct orderfile file;
	struct watch tick;
	struct ask ask;		/* for the chain at hand */
	struct chan *selfcheck; /* who is told our account's URL; NULL: nobody */
	struct ask tell;
	acmedoc_url told;
	bool known;  /* what holder presents */
	bool issued; /* it is an authority's */
	bool other;  /* for other names, or another kind of key, than wanted */
	int64_t not_before, not_after; /* unix s, of what holder presents */
	int64_t now;		       /* unix s: of the last turn, a second ago at most */
	int64_t retry_at;	       /* unix s: after the authority was not reached */
	unsigned unreached;
	int64_t window_at;	      /* unix s: ask for the window again */
	int64_t alarmed;	      /* unix s */
	bool for_window;	      /* the talk under way is for that */
	struct acmedoc_window before; /* what was known when it began */
};

/* What is ordered, the loop and the channels are in a->talk. */
void acme_init(struct acme *a, const char *directory, int listen_fd);
/* Begins what is due at this time, and says when the next thing is: unix s, or 0 while something is under way. For
 * acme's own clock, and for tests. */
int64_t acme_turn(struct acme *a, int64_t now);
/* unix s: when a certificate of this life is renewed without the authority's advice. */
int64_t acme_renewal(int64_t not_before, int64_t not_after);

#endif
