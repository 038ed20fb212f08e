/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_QUEUE_JOURNAL_H
#define SMTPD_QUEUE_JOURNAL_H

#include "smtpd/queue/jwrite.h"
#include "smtpd/queue/ledger.h"

/*
 * The journal: which letters exist, and what is to be written next. All state is here and belongs
 * to one thread; the disk is written by jobs, one at a time:
 *
 *	if (journal_job(j, &job)) { job_run(disk, &job); journal_done(j, &job); }
 *
 * where job_run() may happen in another thread. What is told through the two callbacks is on disk.
 * The caller sets now and wall before each call.
 */
enum {
	JOURNAL_WAITING = CONFIG_SMTPD_MAX_SESSIONS + 2, /* and reports */
	JOURNAL_RESULTS = CONFIG_SMTPD_QUEUE_ACTIVE < 40 ? 8 * CONFIG_SMTPD_QUEUE_ACTIVE + 64
							 : 384,
	JOURNAL_DIRTY = 256,
	JOURNAL_RESULT_MS = 150, /* a RESULT waits so long for a flush to ride on */
	JOURNAL_LIFETIME = CONFIG_SMTPD_QUEUE_LIFETIME,
};

enum seg_state {
	SEG_ABSENT,  /* no file */
	SEG_FREE,    /* nothing in it is needed */
	SEG_LIVE,    /* has letters, or receives them */
	SEG_BAD,     /* a flush failed: read only; survivors move out, then it is retired */
	SEG_ASIDE,   /* its header is not ours or damaged: never touched */
	SEG_RETIRED, /* was BAD, holds nothing any more; not used again before a restart */
};

struct segment {
	enum seg_state state;
	struct jr_use use;
	uint64_t end;	   /* where the next batch goes; block-aligned; all below is flushed */
	uint32_t gap;	   /* octets of a torn tail before `end` */
	uint64_t reserved; /* for records that its letters will need */
	uint64_t live;	   /* octets of its letters, rounded, with what is reserved */
	uint32_t letters;
	uint64_t newest; /* time of the newest record */
	bool damaged;	 /* something unreadable lies in it: not used again for a lifetime */
	bool stale; /* letters in it exist elsewhere, newer: must be renewed before those end */
};

enum taken { TAKEN_OK, TAKEN_FULL, TAKEN_BROKEN };

struct intake {
	uint32_t tag;	/* the caller's */
	int head, text; /* borrowed until taken() */
	struct jr_letter l;
};

struct result {
	bool used, in_job;
	uint32_t rcpt;
	int64_t due;
	struct jr_note note; /* host and text: in `octets` */
	uint8_t octets[UINT8_MAX + JR_NOTE_TEXT];
};

struct journal_report { /* the one that is being made; its letter is `reporting` until it is over */
	enum {
		REPORT_NONE,
		REPORT_ASKED,
		REPORT_TAKEN
	} state; /* taken: a REPORT is to be written */
	bool in_job, delay;
	uint64_t id; /* of the letter that it is about */
	uint64_t covers;
};

struct journal {
	int64_t now;	   /* monotonic ms */
	uint64_t wall;	   /* s since 1970, may jump */
	struct disk *disk; /* NULL: no data device, everything is TAKEN_BROKEN */
	struct ledger g;
	struct segment seg[DISK_SEGMENTS];
	unsigned wanted; /* segments to have */
	unsigned segs;	 /* segments that matter: `wanted`, or more if more were found */
	uint64_t seg_size;
	int current, cleaning, making; /* -1 = none */
	uint64_t made;		       /* octets of `making` */
	int64_t make_due;	       /* after a failure: not before */
	int64_t clean_due;
	uint64_t seq, use; /* next ones */
	bool busy;
	struct intake waiting[JOURNAL_WAITING];
	unsigned nwaiting, taking; /* the first `taking` are in the job that runs */
	struct result result[JOURNAL_RESULTS];
	unsigned nresult;
	struct journal_report report;
	struct {
		uint64_t letter; /* its own number; 0 = none */
		struct jr_letter l;
	} newest_report;	       /* recovery */
	bool reports;		       /* somebody sends reports: results are kept for them */
	uint32_t dirty[JOURNAL_DIRTY]; /* recipients with an ATTEMPT to write */
	unsigned ndirty;
	int64_t dirty_since;
	bool urgent; /* some of them are */
	bool probe;  /* somebody waits for a flush */
	/* The letter with this tag has an answer; its descriptors are the caller's again. */
	void (*taken)(void *ctx, uint32_t tag, enum taken how, uint64_t id);
	/* The result of this recipient is on disk; its rcpt entry may be gone. */
	void (*kept)(void *ctx, uint64_t id, uint32_t no);
	/* What became of journal_probe(). */
	void (*probed)(void *ctx, enum taken how);
	void *ctx;
};

/* Reserves memory and reads the segments; *j was zeroed, or holds `wanted` and `seg_size` if these
 * are not those of .config. disk NULL is fine. False: the journal cannot be used. */
bool journal_init(struct journal *j, struct disk *d, int64_t now, uint64_t wall);

/* A letter that was checked, head and text as l says. False: too many wait (cannot happen within
 * the channel's credit) or there is no journal; taken() is not called. */
bool journal_offer(struct journal *j, uint32_t tag, int head, int text,
		   const struct jr_letter *l);
/* An attempt failed for now; the count is in the entry. Forgetting it does no harm. */
void journal_attempt(struct journal *j, uint32_t rcpt);
/* The letter has these flags from now on (JR_MARKS may change), on disk with the next flush of its
 * segment. False: too many such changes wait for the disk. */
bool journal_mark(struct journal *j, uint32_t letter, uint32_t flags);
/* The final result of a recipient; no, time and NOTE_OWED are filled in. False: too many wait for
 * the disk; try again later. */
bool journal_result(struct journal *j, uint32_t rcpt, const struct jr_note *note);
unsigned journal_result_room(const struct journal *j);
/*
 * Reports, one at a time. A letter that owes one (struct letter.owes) does not end before it. begin:
 * what is on disk of its recipients now is `told`; false: not now. Then the report is offered with
 * `about`, `covers` and JR_DELAY as journal_report_letter() says, and end is called when it is on
 * disk (or there is nothing to tell) with true, or with false to try again later.
 */
bool journal_report_begin(struct journal *j, uint32_t letter, bool delay);
bool journal_report_letter(const struct journal *j, uint64_t about, struct jr_letter *l);
void journal_report_end(struct journal *j, bool done);
/* What is on disk of a recipient that has a note. False: the disk failed. */
bool journal_note(struct journal *j, uint32_t rcpt, uint8_t scratch[JR_SMALL],
		  struct jr_note *note);
/* A warning is due, if there was none. */
void journal_late(struct journal *j, uint32_t letter);
/* A letter turned out to be damaged on disk: it is not tried again, and its segment stays. */
void journal_aside(struct journal *j, uint32_t letter);

/* The next flush, or one for a record of no meaning, is told by probed(); TAKEN_FULL: there is no room for it. */
void journal_probe(struct journal *j);

bool journal_job(struct journal *j, struct job *job); /* false: nothing to do now */
void journal_done(struct journal *j, struct job *job);
int64_t journal_due(const struct journal *j); /* when to ask again; INT64_MAX */

int64_t journal_pause(unsigned attempts); /* ms until the next one */

/* recover.c */
void recover_segments(struct journal *j);
/* journal.c, for recover.c: accounting of a letter that lies in a segment. */
void journal_count(struct journal *j, const struct letter *e, bool add);
/* Blocks that are reserved for a letter with so many open recipients. */
uint64_t journal_blocks(const struct jr_letter *l, uint32_t open);
/* Gives back the block of a REPORT that is not its letter's end. */
void journal_unextra(struct journal *j, struct letter *e);
/* Octets that are left behind a new letter: a segment that is full of letters has room for reports. */
uint64_t journal_spare(const struct segment *s, const struct jr_letter *l);
/* Puts the letter in the list that it belongs in now. */
void journal_owe(struct journal *j, uint32_t letter);

#endif
