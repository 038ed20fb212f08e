/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_PROTO_TAGLIST_H
#define SMTPD_PROTO_TAGLIST_H

#include "smtpd/lib/bytes.h"

/* RFC 6376 3.2: "name = value; name = value", with folding white space around each and one ';' allowed
 * at the end. Slices borrow from the input. */
struct tag {
	struct slice name;
	/* White space at both ends is taken away; inside there may be folds, and octets above 127. */
	struct slice value;
	struct slice raw; /* all between '=' and ';' or the end */
};

/* Takes the next tag off *c. False: the end, or *c is bad. That a name comes once is the caller's to see. */
bool taglist_next(struct cur *c, struct tag *t);

/* Base64 as RFC 6376 2.10 has it: white space anywhere in it, and the padding may be left out. Up to TAGLIST_BASE64
 * octets of text. False: it is something else, or too long; *out is as it was. */
enum { TAGLIST_BASE64 = 800 };
bool taglist_base64(struct slice value, struct buf *out);

/* Cuts the next element of a list off *rest (at `sep`), trimmed. False: the end. */
bool taglist_word(struct slice *rest, uint8_t sep, struct slice *word);
/* Is `word` (any case) an element? */
bool taglist_has(struct slice list, uint8_t sep, struct slice word);

#endif
