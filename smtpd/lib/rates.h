/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_LIB_RATES_H
#define SMTPD_LIB_RATES_H

#include "smtpd/lib/bytes.h"

/*
 * How many letters, or errors, each of those who are counted (a client, an address) may still have. A row holds the
 * time at which its owner would owe nothing: each one moves it on by one share of an hour, and whose time is an hour
 * ahead has to wait. Rows of those who owe nothing are free; a full table forgets the one that owes least.
 */
enum { RATES_MAX = 1024, RATES_KEY = 16 };

struct rates { /* zeroed: nobody owes */
	struct {
		uint8_t key[RATES_KEY];
		int64_t free_at; /* monotonic ms */
	} row[RATES_MAX];
};

/* May it have one more of `hourly` now? 0: no limit. */
bool rates_may(const struct rates *r, const uint8_t key[RATES_KEY], int64_t now,
	       unsigned hourly);
void rates_count(struct rates *r, const uint8_t key[RATES_KEY], int64_t now, unsigned hourly);

#endif
