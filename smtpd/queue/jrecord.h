/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_QUEUE_JRECORD_H
#define SMTPD_QUEUE_JRECORD_H

#include <sodium.h>

#include "smtpd/lib/bytes.h"
#include "smtpd/queue/disk.h"

/*
 * What lies in a segment: two equal header blocks, then records (README.md has the layout). Every
 * checksum is BLAKE2b-128 keyed with the salt of this use of the segment, over segment, position
 * and content: octets of an earlier use, or octets planted in a letter, never pass as a record.
 */
enum {
	JR_BLOCK = 4096,
	JR_DATA = 2 * JR_BLOCK, /* where records begin */
	JR_SALT = 32,
	JR_HEAD = 64,
	JR_SUM = 16,
	JR_SMALL = 1024, /* no record but a LETTER is longer; they do not cross a block */
	JR_PREFIX = 48,	 /* a LETTER's content begins so, and then for each recipient */
	JR_RCPT = 8,
	JR_NOTES = 32 * 1024, /* of one LETTER, at most */
	JR_NOTE_TEXT = 400,
};

enum jr_type { JR_LETTER = 1, JR_ATTEMPT, JR_RESULT, JR_DROP, JR_REPORT, JR_TYPES };

struct jr_use { /* one use of a segment */
	uint8_t salt[JR_SALT];
	uint64_t size;	/* octets of the segment */
	uint64_t use;	/* grows with every use of any segment */
	uint64_t floor; /* every sequence number in this use is at least this */
	uint32_t seg;
	uint32_t copy; /* which header block it was read from: the other one may be bad */
};

struct jr {
	enum jr_type type;
	uint64_t at;	 /* position in the segment */
	uint64_t seq;	 /* grows along the segment, never used again */
	uint64_t letter; /* sequence number under which the letter was accepted */
	uint64_t mark;	 /* the segment was known to be flushed up to here */
	uint64_t time;	 /* s since 1970 as the clock had it; nothing depends on it alone */
	uint32_t len;	 /* octets of content */
	uint32_t gap; /* first of a batch: so many octets before it are a torn tail, found by recovery */
};

struct jr_letter { /* how the content of a LETTER begins */
	uint64_t text_size;
	uint32_t head_size, skip, nrcpt;
	uint32_t age;	/* s it had been tried for when it was written */
	uint32_t flags; /* enum jr_flag */
	uint32_t notes; /* octets of RESULTs that the sender was not told of: a letter that was moved */
	/* A report of ours: about the letter of this number, and its RESULTs before this sequence number. */
	uint64_t about, covers;
};

enum jr_flag {
	JR_SENDER = 1,	 /* reports about it may be sent */
	JR_SUCCESS = 2,	 /* somebody asked for NOTIFY=SUCCESS */
	JR_WARNED = 4,	 /* the sender knows that it is late */
	JR_DELAY = 8,	 /* with `about`: a warning, not the results */
	JR_HELD = 16,	 /* the operator wants it to wait; these three may change later */
	JR_REMOVED = 32, /* the operator wants it to end */
	JR_QUIET = 64,	 /* and nobody is told */
	JR_MARKS = JR_HELD | JR_REMOVED | JR_QUIET,
};

/* What became of a recipient: the content of a RESULT, and of the notes in a LETTER. */
struct jr_note {
	uint32_t no;
	uint16_t code;
	uint8_t enhanced[3];
	uint8_t flags; /* enum note_flag */
	uint64_t time; /* s since 1970 */
	struct slice host,
		text; /* who said it, empty when nobody was spoken to; <= 255 and JR_NOTE_TEXT */
};

enum note_flag {
	NOTE_FAILED = 1, /* given up */
	NOTE_DSN = 2,	 /* the destination sends reports of its own */
	NOTE_OWED = 4,	 /* the sender is to be told */
};

struct jr_report {	 /* the content of a REPORT */
	uint32_t flags;	 /* JR_WARNED: this is what the sender was told */
	uint64_t covers; /* RESULTs before this sequence number were told */
};

struct jr_sum {
	crypto_generichash_state state;
};

/* Both blocks of a header, JR_DATA octets. */
void jr_use_put(const struct jr_use *u, uint8_t out[JR_DATA]);
/* The newer of the two copies. size: of the segment file. False: neither is good. */
bool jr_use_get(const uint8_t in[JR_DATA], uint32_t seg, uint64_t size, struct jr_use *u);

void jr_put(const struct jr_use *u, const struct jr *r, uint8_t out[JR_HEAD]);
/* False: no record header of this use at this place. */
bool jr_get(const struct jr_use *u, const uint8_t in[JR_HEAD], uint64_t at, struct jr *r);
uint64_t jr_length(const struct jr *r);			 /* with header and checksum, padded */
uint64_t jr_place(uint64_t at, uint64_t n, bool letter); /* where a record of n octets goes */
uint64_t jr_round(uint64_t at);				 /* up to the next block */

void jr_sum_begin(struct jr_sum *s, const struct jr_use *u, const uint8_t head[JR_HEAD],
		  uint64_t at);
void jr_sum_add(struct jr_sum *s, struct slice content);
void jr_sum_end(struct jr_sum *s, uint8_t out[JR_SUM]);

void jr_letter_put(struct buf *b, const struct jr_letter *l); /* the recipients follow */
bool jr_letter_get(struct slice content, uint32_t len, struct jr_letter *l);
uint64_t jr_letter_len(const struct jr_letter *l);  /* the whole content */
uint64_t jr_letter_head(const struct jr_letter *l); /* where in it the head lies */

void jr_note_put(struct buf *b, const struct jr_note *n);
/* Borrows from in; octets may follow. False: not a note. */
bool jr_note_get(struct slice in, struct jr_note *n);
void jr_report_put(struct buf *b, const struct jr_report *r);
bool jr_report_get(struct slice in, struct jr_report *r);

/* Reads a record's content in pieces and checks its sum. False: the disk failed, the content is
 * damaged, or sink (NULL allowed) said stop. Octets given to sink are proven only by true. */
bool jr_walk(struct disk *d, const struct jr_use *u, const struct jr *r,
	     bool (*sink)(void *ctx, uint64_t off, struct slice piece), void *ctx);

#endif
