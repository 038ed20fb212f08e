/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_CHECK_JUDGE_H
#define SMTPD_CHECK_JUDGE_H

#include "smtpd/lib/chan.h"
#include "smtpd/proto/dkim_verify.h"
#include "smtpd/proto/dmarc.h"
#include "smtpd/proto/path.h"
#include "smtpd/proto/spf.h"

/*
 * A stranger's letter before it is sent on: SPF (RFC 7208), DKIM (RFC 6376), DMARC (RFC 9989), whether the sender's
 * domain exists, and lists of addresses (RFC 5782). It asks `dns` and hashes the body; what follows from the result,
 * verdict.h says. A place is taken for as long as that lasts; all places are reserved at start.
 */
enum {
	JUDGES = CONFIG_FORWARD_MAX_HELD, /* letters judged at the same time */
	JUDGE_PIECE = 32 * 1024, /* octets of a body hashed before others have their turn */
	JUDGE_AGAIN_MS = 250,	 /* until a question is tried again that found no wire */
	JUDGE_HELO = 255,
};

enum judge_track {
	JUDGE_SENDER, /* MX, A and AAAA of the sender's domain */
	JUDGE_SPF,
	JUDGE_DKIM,
	JUDGE_LISTS,
	JUDGE_DMARC, /* last: it waits for SPF and DKIM */
	JUDGE_TRACKS
};

enum judge_sender {
	SENDER_FINE,	/* or it has no domain */
	SENDER_MISSING, /* neither an exchanger nor an address */
	SENDER_NULL_MX, /* it takes no mail (RFC 7505) */
	SENDER_UNKNOWN, /* it could not be looked up */
};

struct check;
struct job;
struct letter;

struct judge {
	struct job *job; /* NULL: a free place */
	/* the result: */
	struct ipaddr client;
	struct path sender; /* in text[]; both empty: <> */
	struct slice helo;  /* in text[] */
	enum judge_sender domain;
	enum spf_result mail_from, by_helo; /* SPF_PENDING: not asked, there is no such name */
	struct dkim_verify dkim;
	struct dmarc dmarc;
	struct slice listed; /* the list that has the client; empty: none */
	bool forged;	     /* the letter says that we judged it (RFC 8601 5) */
	/* the rest is internal */
	struct check *check;
	struct judge_question {
		struct ask ask;
		struct judge *judge;
	} question[JUDGE_TRACKS];
	/* monotonic ms; the last quarter is for DMARC alone */
	int64_t began, until;
	uint64_t body;	   /* the next octet of the text that is not hashed yet */
	uint8_t sender_at; /* index of the type asked next */
	bool helo_begun, spf_over, added;
	struct slice lists; /* still to be asked */
	struct spf spf;
	uint8_t text[PATH_OCTETS + JUDGE_HELO];
};

_Static_assert(sizeof(struct judge) <= 28 * 1024, "FORWARD_MAX_HELD of them");

/* mx, at start: the places, the channel to dns, the one timer. */
void judge_init(struct check *c);
/* A place for the job, job->judge; false: none is free. */
bool judge_take(struct check *c, struct job *j);
/* Begins with it; *l is borrowed by this call alone. False: the envelope does not say who the client is. */
bool judge_start(struct judge *v, const struct letter *l);
/* As far as it goes now; forward_judged() is called when the result is there, here or later. */
void judge_run(struct judge *v);
/* The job ends, or has what it wanted. */
void judge_drop(struct judge *v);

#endif
