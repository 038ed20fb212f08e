/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_FETCH_STSCACHE_H
#define SMTPD_FETCH_STSCACHE_H

#include "smtpd/proto/sts.h"

/*
 * MTA-STS policies by domain, and domains that have none: a fixed number of rows in memory. Policies are in a file too,
 * each in a place of its own with a checksum: a row that was not written whole is no row. Without a file, or when it
 * cannot be written, memory alone serves.
 */
enum {
	STSCACHE_ROWS = CONFIG_OUT_STS_DOMAINS,
	STSCACHE_DOMAIN = 253,
	STSCACHE_SLOT = 2048, /* octets of a row in the file */
};

struct stsrow {
	int64_t until;	 /* unix s: the policy holds so long; 0: there is none */
	int64_t fetched; /* unix s */
	uint8_t mode;	 /* enum sts_mode */
	uint8_t domain_n, id_n;
	uint16_t hosts_n;
	uint8_t domain[STSCACHE_DOMAIN], id[STS_ID], hosts[STS_HOSTS];
};

struct stsplace {
	struct stsrow row; /* domain_n 0: free */
	int64_t checked;   /* monotonic ms: until then nobody need be asked about the domain */
	bool on_disk;
};

struct stscache {
	struct stsplace *place; /* owned, STSCACHE_ROWS */
	int fd;			/* -1: no file */
	bool broken;		/* it could not be written: said once */
};

/* Reads the file. */
void stscache_init(struct stscache *c, int fd);
/* NULL: nothing is known of the domain. */
struct stsplace *stscache_find(const struct stscache *c, struct slice domain);
/* The same, or a place for it: a free one, else that of a domain without a policy, else the one whose policy ends
 * first. */
struct stsplace *stscache_place(struct stscache *c, struct slice domain);
/* What is in the place now is what the file shall hold. */
void stscache_save(struct stscache *c, struct stsplace *p);
/* Does a policy hold at this time? */
bool stscache_valid(const struct stsplace *p, int64_t unix_now);

#endif
