/* SPDX-License-Identifier: ISC */
#ifndef KEYS_ACME_JSON_H
#define KEYS_ACME_JSON_H

#include <jsmn.h>

#include "smtpd/lib/bytes.h"

/* JSON (RFC 8259) as tokens over borrowed text; over jsmn. Values are found, not judged: who asks for one
 * of a type gets it or nothing. */
enum { JSON_TOKENS = 1024 };

struct json {
	struct slice text; /* borrowed */
	int n;
	jsmntok_t token[JSON_TOKENS];
};

enum { JSON_NONE = -1, JSON_TOP = 0 };

/* False: no object, or too large a one. */
bool json_parse(struct json *j, struct slice text);
/* The value of the first member with this name, which is plain ASCII; JSON_NONE: there is none, or `object` is none. */
int json_member(const struct json *j, int object, const char *name);
/* The i-th element of an array; JSON_NONE: there is none. */
int json_element(const struct json *j, int array, int i);
/* Appends the string, its escapes taken away (those of ASCII alone). False: no string, or one that does not fit;
 * *out is as it was. */
bool json_string(const struct json *j, int at, struct buf *out);
/* Is it this string? */
bool json_is(const struct json *j, int at, const char *text);

#endif
