/* SPDX-License-Identifier: ISC */
#ifndef KEYS_AUTH_HOST_SOURCEFILE_H
#define KEYS_AUTH_HOST_SOURCEFILE_H

#include "smtpd/lib/bytes.h"

/*
 * Host tools: files that a person edits (`virtual`, `users`), read whole; what is wrong with them; and the sorted list
 * of keys and values that becomes a CDB.
 */
struct complaint {
	unsigned line; /* 0: not about one line */
	char text[300];
};

/* Fills *c; always false, so that a parser can return it. Only the first complaint is kept. */
bool complain(struct complaint *c, unsigned line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* "file:line: reason" on standard error. */
void complaint_print(const char *file, const struct complaint *c);

struct lines { /* cursor over physical lines; CR before LF is dropped */
	struct slice rest;
	unsigned number; /* of the line that was cut last, from 1 */
};

bool lines_next(struct lines *l, struct slice *line);

struct entry {		   /* NUL-terminated strings */
	char *key, *value; /* owned; in one piece */
	unsigned line;
	unsigned rank;	/* of entries with one key the lowest stays */
	unsigned state; /* the owner's; 0 at first */
};

struct entries { /* owned, grows */
	struct entry *e;
	size_t n, cap;
};

void entries_add(struct entries *a, struct slice key, struct slice value, unsigned line,
		 unsigned rank);
void entry_set(struct entry *e, struct slice value);
/* Sorts by key, drops what gives way. One key twice in one rank is a complaint with both lines. */
bool entries_sort(struct entries *a, struct complaint *c);
/* In a sorted list; NULL = not there. */
struct entry *entries_find(const struct entries *a, struct slice key);
void entries_free(struct entries *a);

/* Whole file in memory of its own, at most 256 MiB. False with errno; EFBIG. */
bool source_read(const char *path, struct slice *out);
/* The sorted entries as CDB, written aside and renamed. False with errno, and nothing is written. */
bool source_cdb(const char *path, const struct entries *a);
/* Both ends of a tool: prints what failed, and returns the exit code. */
int source_failed(const char *path);

#endif
