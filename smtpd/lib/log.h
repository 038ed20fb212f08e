/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_LIB_LOG_H
#define SMTPD_LIB_LOG_H

#include "smtpd/lib/bytes.h"

/*
 * Log lines are `ev=word key=value ...` on descriptor 2, one message each; the log process puts the
 * sender's name before them. Values are made printable: anything but visible ASCII becomes ?XX, and
 * a value with spaces or quotes is quoted. A line that does not fit LOG_LINE is cut at a field.
 * No secret and no letter content goes here.
 */
enum { LOG_LINE = 1024 };

struct logline {
	struct buf b;
	uint8_t line[LOG_LINE];
};

void log_begin(struct logline *l, const char *event);
void log_bytes(struct logline *l, const char *key, struct slice value);
void log_text(struct logline *l, const char *key, const char *value);
void log_num(struct logline *l, const char *key, int64_t value);
void log_send(struct logline *l);

/* One line with one optional field, for the many short ones. key NULL = none. */
void log_event(const char *event, const char *key, const char *value);

/* A broken invariant of our own: log the place, _exit(70); init restarts the process. */
_Noreturn void bug(const char *what);

#endif
