/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_ADMIN_WORD_H
#define SMTPD_ADMIN_WORD_H

#include "smtpd/lib/bytes.h"

/* What an operator types: octets become lines, lines become commands. */
enum { WORD_LINE = 255 };

struct wordline { /* empty when zeroed */
	uint8_t p[WORD_LINE];
	size_t n;
	bool bad; /* too long, or an octet that is no text: the whole line is refused at its end */
	bool cr; /* the last octet ended a line: a line feed after it belongs to it */
};

/* Takes octets off *in up to the end of a line. True: one is complete; call wordline_next() before feeding on.
 * Backspace and DEL take back an octet, Ctrl-U all of them. */
bool wordline_feed(struct wordline *l, struct slice *in);
void wordline_next(struct wordline *l);

enum word_verb {
	WORD_NONE, /* an empty line */
	WORD_HELP,
	WORD_LIST,
	WORD_MORE,
	WORD_SHOW,
	WORD_HOLD,
	WORD_RELEASE,
	WORD_RETRY,
	WORD_REMOVE,
	WORD_DISCARD,
	WORD_FLUSH,
	WORD_CHECK,
	WORD_OTHER,
	WORD_YES,
	WORD_VERBS
};

struct word {
	enum word_verb verb;
	uint64_t letter;     /* of those that take one; never 0 */
	struct slice filter; /* WORD_LIST: borrowed; empty = all */
};

/* NULL: *w is what the line says. Else a sentence that says what to type instead; *w is untouched. */
const char *word_parse(struct slice line, struct word *w);
/* All commands, one line each. */
void word_help(struct buf *out);

#endif
