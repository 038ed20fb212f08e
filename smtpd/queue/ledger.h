/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_QUEUE_LEDGER_H
#define SMTPD_QUEUE_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "smtpd/queue/jrecord.h"

/*
 * What is in memory of the letters on disk: where each lies, and for each recipient what became of
 * it and when it is tried next. Reserved at start; addresses are read from the disk when needed.
 */
enum {
	LEDGER_LETTERS = CONFIG_SMTPD_QUEUE_LETTERS, /* that may live at the same time */
	LEDGER_RCPTS = 4 * LEDGER_LETTERS,
	LEDGER_BUCKETS = LEDGER_LETTERS / 4,
	/* Recovery meets letters that were finished later and copies of letters: three times, because
	 * at no moment of the past were there more than LEDGER_LETTERS. */
	LEDGER_SLACK = 3,
	LEDGER_REPORTS = 64, /* of ours, beyond LEDGER_LETTERS: a full queue can still say so */
	LEDGER_NONE = UINT32_MAX,
};

enum rcpt_state {
	RCPT_FREE,
	RCPT_WAIT,  /* in the heap: tried when due */
	RCPT_READY, /* due, in a lane of the scheduler */
	RCPT_HELD,  /* in no order: its letter is held */
	RCPT_SENT,  /* out has it */
	RCPT_BUSY,  /* out had it, and may be past the final dot */
	RCPT_KNOWN, /* result known, not on disk */
	RCPT_DONE,  /* result on disk, out may still hold it */
};

struct rcpt {
	int64_t due;	      /* monotonic ms */
	uint32_t letter;      /* index */
	uint32_t next;	      /* of the same letter, or free */
	uint32_t heap;	      /* 1 + place in the heap, 0 = not there */
	uint32_t reason;      /* what was said last */
	uint32_t dest;	      /* its domain, as the scheduler's hash */
	uint32_t left, right; /* in the lane */
	struct lane *lane;    /* RCPT_READY: the scheduler's */
	uint16_t no;	      /* position in the envelope */
	uint8_t state;	      /* enum rcpt_state */
	uint8_t attempts;     /* that ended with a word of the destination */
	uint8_t crashes;      /* out died with it; not on disk */
	bool unwritten;	      /* an ATTEMPT record waits for a flush to ride on */
	bool urgent;	      /* and that one is for something that must not be forgotten */
	bool listed;	      /* out named it, and the sweep after that list has not come yet */
	bool told;	      /* the report that is being sent covers the note */
	uint32_t note; /* place of its RESULT's content that the sender was not told of; 0 = none */
};

enum owes {
	OWES_NOTHING,
	OWES_NOW, /* a report can be sent */
	OWES_SOON /* when more recipients are decided, or it has waited long enough */
};

struct letter {
	struct jr r; /* the LETTER record; r.letter names the letter, 0 = free */
	uint32_t seg;
	struct jr_letter l;
	uint32_t open;	/* recipients without a result on disk */
	uint32_t first; /* recipients */
	uint32_t chain; /* same hash, or free */
	int64_t born;	/* monotonic ms, moved back by the age it had at the last start */
	bool spare;	/* a block for ATTEMPT records is still reserved */
	bool moving;	/* being copied by the job that runs */
	bool aside;	/* damaged: not delivered */
	uint32_t notes; /* recipients with a note */
	bool late;	/* a warning is to be sent */
	bool reporting; /* a report is on its way to the journal: the letter stays where it is */
	bool extra;	/* a block for a REPORT is reserved beside the last one's */
	uint8_t owes;	/* enum owes: in which list it is */
	int64_t owed_since; /* monotonic ms */
	uint32_t owe_next, owe_prev;
	struct account *account; /* the scheduler's; NULL: nobody's */
};

struct ledger {
	struct letter *letter; /* owned: LEDGER_SLACK * LEDGER_LETTERS */
	struct rcpt *rcpt;     /* owned: LEDGER_SLACK * LEDGER_RCPTS */
	uint32_t *heap;	       /* owned */
	uint32_t letters, rcpts, heaped;
	uint32_t free_letter, free_rcpt;
	uint32_t top_letter, top_rcpt; /* indices above were never used */
	uint32_t *bucket;	       /* owned: LEDGER_BUCKETS */
	uint32_t owe_first[OWES_SOON + 1], owe_last[OWES_SOON + 1];
	/* The scheduler's: a recipient that is RCPT_READY leaves its lane; a letter ends. */
	void (*unready)(void *ctx, uint32_t rcpt);
	void (*left)(void *ctx, uint32_t letter);
	void *ctx;
};

/* Empty. Zeroed before the first time; later times use the same memory again. */
void ledger_init(struct ledger *g);
/* For more letters, or for a report of ours. */
bool ledger_room(const struct ledger *g, uint32_t letters, uint32_t nrcpt, bool report);
/* A letter with its nrcpt recipients, in no heap, state RCPT_WAIT. LEDGER_NONE: no room. */
uint32_t ledger_add(struct ledger *g, const struct jr *r, uint32_t seg,
		    const struct jr_letter *l);
void ledger_drop(struct ledger *g, uint32_t letter);
uint32_t ledger_find(const struct ledger *g, uint64_t id); /* LEDGER_NONE: unknown */
uint32_t ledger_rcpt(const struct ledger *g, uint32_t letter, uint32_t no);
/* The heap of recipients that wait, by due time; those of a held letter wait outside of it. */
void ledger_wait(struct ledger *g, uint32_t rcpt, int64_t due);
/* It leaves the heap, or its lane; its state is the caller's to set. */
void ledger_unwait(struct ledger *g, uint32_t rcpt);
uint32_t ledger_first(const struct ledger *g); /* LEDGER_NONE: nobody waits */
/* Moves the letter to the end of the list of those that owe a report, or out of all. */
void ledger_owe(struct ledger *g, uint32_t letter, enum owes owes, int64_t now);

#endif
