/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_PROTO_DATE_H
#define SMTPD_PROTO_DATE_H

#include "smtpd/lib/bytes.h"

enum { DATE_TEXT = 31 }; /* the length of what date_put() puts */

struct date { /* UTC, proleptic Gregorian */
	int year;
	unsigned month, day, hour, minute, second; /* month and day from 1 */
	unsigned weekday;			   /* 0 is Sunday */
};

/* Seconds since 1970; years 1970 to 9999. False outside, *out untouched. */
bool date_split(int64_t unix_seconds, struct date *out);
/* The other way; the weekday is not looked at. False: no such moment, *out untouched. */
bool date_join(const struct date *d, int64_t *out);
/* RFC 5322 3.3 date-time, always +0000: "Thu, 01 Jan 1970 00:00:00 +0000". Outside the range of
 * date_split() *b becomes bad. */
void date_put(struct buf *b, int64_t unix_seconds);
/* Days since 1970, rounded down. */
int64_t date_day(int64_t unix_seconds);

#endif
