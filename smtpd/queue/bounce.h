/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_QUEUE_BOUNCE_H
#define SMTPD_QUEUE_BOUNCE_H

#include "smtpd/lib/chan.h"
#include "smtpd/proto/report.h"
#include "smtpd/queue/journal.h"
#include "smtpd/queue/reason.h"

/*
 * Reports to senders: what could not be delivered, what is late, and what was passed on where
 * somebody asked for that. One at a time. A report goes to check.sub, which signs it and hands it
 * back as a letter; when that is on disk the sender counts as told (journal.h).
 *
 * Of strangers' letters (spool) nobody is told but postmaster, once in BOUNCE_NOTICE_MS at most: check.mx sends such a
 * notice on at once, and when its destination took it that counts as told.
 */
enum { BOUNCE_NOTICE_MS = 10 * 60 * 1000 };

struct bounce {
	struct journal *j;	       /* borrowed */
	struct chan *check;	       /* borrowed */
	struct watch *timer;	       /* borrowed */
	const struct reasons *reasons; /* borrowed: why recipients wait */
	uint8_t *head;		       /* borrowed: ENV_HEAD_MAX octets of scratch */
	bool spool;
	int64_t quiet;	 /* spool: until then there is no notice */
	uint64_t untold; /* letters that had none since the last one */
	struct ask ask;
	bool offered;  /* it came back, and waits for the disk */
	int64_t again; /* after a failure: not before */
	unsigned failures;
	/* scratch for one report; owned */
	uint8_t *body, *notes;
	struct report_rcpt *rcpt;
	struct buf text;
};

void bounce_init(struct bounce *b, struct journal *j, struct chan *check, struct watch *timer,
		 const struct reasons *reasons, uint8_t *head);
/* Asks for the next report, if one is due. Call it while no job runs. */
void bounce_run(struct bounce *b);
int64_t bounce_due(const struct bounce *b); /* LOOP_NEVER */

/* The envelope of a letter that came: true when it is no report, or the one that was asked for; then *l
 * says so. False: nobody asked for it. */
bool bounce_letter(struct bounce *b, struct slice head, struct jr_letter *l);
void bounce_offered(struct bounce *b);
/* Its fate in the journal. */
void bounce_taken(struct bounce *b, bool ok);

/* NOTIFY= as it was said, empty: nothing was. word: SUCCESS, FAILURE or DELAY. */
bool bounce_notify(struct slice said, struct slice word);

#endif
