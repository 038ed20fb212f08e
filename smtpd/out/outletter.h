/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_OUT_OUTLETTER_H
#define SMTPD_OUT_OUTLETTER_H

#include "smtpd/lib/bytes.h"
#include "smtpd/msg/out.h"
#include "smtpd/proto/path.h"

enum {
	OUTLETTER_NOTIFY = 28, /* "SUCCESS,FAILURE,DELAY" and room */
	OUTLETTER_ORCPT = 500, /* RFC 3461 4.2 */
	OUTLETTER_ENVID = 100, /* RFC 3461 4.4 */
	OUTLETTER_RCPT =
		PATH_OCTETS + OUTLETTER_NOTIFY + OUTLETTER_ORCPT + 32, /* RCPT in all */
	OUTLETTER_WORDS = PATH_OCTETS + OUTLETTER_ENVID + 32 + OUT_RCPTS * OUTLETTER_RCPT,
	OUTLETTER_CACHE = 8 * 1024,
};

struct outrcpt {
	struct slice path, notify, orcpt; /* empty: was not said */
};

/* A letter as out got it: two sealed memfds, the envelope, and which octets are to be sent: the header in `head`, then
 * `text` without what that header replaces. A short letter is in `cache` from the beginning. */
struct outletter {
	int text, head; /* owned; -1 = given back */
	uint64_t header_at, header_n, text_at, text_n;
	bool eight;   /* BODY=8BITMIME was declared */
	bool utf8;    /* needs SMTPUTF8 */
	bool aliased; /* the envelope names addresses of ours that led here */
	unsigned nrcpt;
	struct slice sender, ret, envid;
	struct outrcpt rcpt[OUT_RCPTS]; /* all in one domain */
	struct slice domain;		/* of the recipients */
	size_t nwords, ncache;
	uint8_t words[OUTLETTER_WORDS]; /* what the slices borrow from */
	uint8_t cache[OUTLETTER_CACHE]; /* the first octets to be sent */
};

/* Checks descriptors and envelope, which must have nrcpt recipients; scratch holds ENV_HEAD_MAX octets. True: takes
 * both over, fd becomes -1. */
bool outletter_open(struct outletter *l, const struct out_deliver *m, int fd[2], size_t nrcpt,
		    uint8_t *scratch);
void outletter_close(struct outletter *l);
uint64_t outletter_size(const struct outletter *l); /* octets to be sent */
/* Some octets from `at` on, which is before the end; borrowed from the letter or from scratch. False: they cannot be
 * read. */
bool outletter_get(const struct outletter *l, uint64_t at, uint8_t *scratch, size_t cap,
		   struct slice *out);
/* Is there an octet above 127, or one that cannot be read? Reads all of it. */
bool outletter_eight(const struct outletter *l);

#endif
