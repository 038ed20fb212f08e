/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_QUEUE_ACCOUNT_H
#define SMTPD_QUEUE_ACCOUNT_H

#include "smtpd/lib/link.h"
#include "smtpd/queue/ledger.h"

/*
 * Who has what in the queue. An entry lives while it has letters or deliveries; when the table is
 * full, further accounts share its first entry.
 */
enum {
	ACCOUNTS = 1024,
	ACCOUNT_BUCKETS = 256,
	/* A part of the queue is left for the others. */
	ACCOUNT_LETTERS = (int64_t)LEDGER_LETTERS * CONFIG_SMTPD_QUEUE_ACCOUNT / 100,
};

struct account {
	uint64_t key;
	struct account *chain; /* same bucket, or free */
	uint32_t letters;
	uint32_t active;  /* deliveries */
	uint64_t octets;  /* in the journal */
	struct link turn; /* the scheduler's: in its ring while a lane of it can run */
	struct link lanes;
	uint32_t woken; /* the scheduler's: lanes that are */
};

struct accounts {
	struct account *all; /* owned: ACCOUNTS, the first one shared */
	unsigned used;
	struct account *free, *bucket[ACCOUNT_BUCKETS];
};

void accounts_init(struct accounts *t);
struct account *account_find(struct accounts *t, uint64_t key); /* NULL: it has nothing here */
struct account *account_get(struct accounts *t, uint64_t key);
/* A letter of it came or went; a delivery of it began (+1) or ended (-1). */
void account_letter(struct accounts *t, struct account *a, int sign, uint64_t octets);
void account_active(struct accounts *t, struct account *a, int sign);

#endif
