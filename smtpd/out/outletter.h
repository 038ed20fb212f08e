/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_OUT_OUTLETTER_H
#define SMTPD_OUT_OUTLETTER_H

#include "smtpd/lib/bytes.h"
#include "smtpd/msg/out.h"
#include "smtpd/proto/path.h"

/* A letter as out got it: two sealed memfds, the envelope, and which octets are to be sent: the header in `head`, then
 * `text` without what that header replaces. */
struct outletter {
	int text, head; /* owned; -1 = given back */
	uint64_t header_at, header_n, text_at, text_n;
	bool eight; /* BODY=8BITMIME was declared */
	uint8_t sender_n;
	uint8_t sender[PATH_OCTETS];
	unsigned nrcpt;
	struct {
		uint8_t n, path[PATH_OCTETS];
	} rcpt[OUT_RCPTS];   /* all in one domain */
	struct slice domain; /* borrowed from the first rcpt */
};

/* Checks descriptors and envelope, which must have nrcpt recipients; scratch holds ENV_HEAD_MAX octets. True: takes
 * both over, fd becomes -1. */
bool outletter_open(struct outletter *l, const struct out_deliver *m, int fd[2], size_t nrcpt,
		    uint8_t *scratch);
struct slice outletter_rcpt(const struct outletter *l, unsigned i);
void outletter_close(struct outletter *l);
uint64_t outletter_size(const struct outletter *l); /* octets to be sent */
/* The octets from `at` on, at most *n of them; *n becomes how many. False: they cannot be read. */
bool outletter_read(const struct outletter *l, uint64_t at, uint8_t *out, size_t *n);
/* Is there an octet above 127, or one that cannot be read? Reads all of it. */
bool outletter_eight(const struct outletter *l);

#endif
