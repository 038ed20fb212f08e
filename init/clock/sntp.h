/* SPDX-License-Identifier: ISC */
#ifndef INIT_CLOCK_SNTP_H
#define INIT_CLOCK_SNTP_H

#include "smtpd/lib/bytes.h"

/*
 * One question and its answer (RFC 4330, RFC 5905 client mode). The question carries nothing of
 * us but 64 random bits in place of our time; the answer must repeat them, which a stranger
 * cannot guess.
 */
enum { SNTP_PORT = 123, SNTP_SIZE = 48 };

enum sntp_kind {
	SNTP_BAD, /* not an answer to this question, or from a server that does not know the time */
	SNTP_KISS, /* the server does not want to be asked (RFC 5905 7.4) */
	SNTP_TIME,
};

struct sntp_answer {
	int64_t received, sent; /* the server's clock, ns since 1970 */
	uint8_t stratum;
	char kiss[5]; /* SNTP_KISS: its code */
};

void sntp_put(struct buf *b, uint64_t cookie);
enum sntp_kind sntp_parse(struct slice packet, uint64_t cookie, struct sntp_answer *out);
/* How much our clock is behind (ns), from our times of sending and receiving. */
int64_t sntp_offset(const struct sntp_answer *a, int64_t asked, int64_t answered);

#endif
