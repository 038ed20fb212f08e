/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_CHECK_SEEN_H
#define SMTPD_CHECK_SEEN_H

#include "smtpd/lib/bytes.h"

/*
 * Deliveries that a sender may not know of, by fingerprint, so that a letter which comes again is not delivered
 * again: to those of several destinations that took it while others put it off, and where the 250 may not have
 * reached the client (RFC 1047). Each lasts SEEN_AGE; a full table gives up the one that was kept first. They are
 * on disk where there is one, in a ring of rows without a checksum: a torn row is the fingerprint of no letter.
 * Nothing is flushed: what was kept in the last seconds before a power cut is forgotten.
 *
 * Whether a 250 was heard turns out only after it was said: so each is in `recent` first, under a number.
 */
enum {
	SEEN_ROWS = 4096,
	SEEN_AGE = 5 * 86400, /* s */
	SEEN_PRINT = 24,      /* octets */
	SEEN_RECENT = 1024,
	SEEN_FRESH = 10 * 1000, /* ms: then front has heard from the client */
};

struct seen {
	struct seen_row { /* as on disk */
		uint8_t print[SEEN_PRINT];
		int64_t when; /* unix s; 0: free */
	} row[SEEN_ROWS];
	struct {
		uint8_t print[SEEN_PRINT];
		uint64_t number; /* 0: free */
		int64_t at;	 /* monotonic ms */
	} recent[SEEN_RECENT];
	uint32_t next, next_recent;
	uint64_t last; /* number given */
	int fd;	       /* borrowed; -1: not kept */
	bool broken;   /* the log said that it is not kept */
};

/* Reads what is on disk. now: unix s, here and below. */
void seen_init(struct seen *s, int fd, int64_t now);
/* The fingerprint of a letter (sender, SHA-256 of its text) at a destination. */
void seen_print(struct slice sender, const uint8_t sha256[32], struct slice to,
		uint8_t print[SEEN_PRINT]);
bool seen_find(const struct seen *s, const uint8_t print[SEEN_PRINT], int64_t now);
void seen_add(struct seen *s, const uint8_t print[SEEN_PRINT], int64_t now);

/* A new number for the deliveries of one letter; then each of them. */
uint64_t seen_number(struct seen *s);
void seen_note(struct seen *s, uint64_t number, const uint8_t print[SEEN_PRINT], int64_t ms);
/* That letter's 250 may not have been heard. */
void seen_keep(struct seen *s, uint64_t number, int64_t now);
/* The same of all whose 250 was said less than SEEN_FRESH ago: front died. */
void seen_keep_fresh(struct seen *s, int64_t ms, int64_t now);

#endif
