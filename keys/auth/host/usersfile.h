/* SPDX-License-Identifier: ISC */
#ifndef KEYS_AUTH_HOST_USERSFILE_H
#define KEYS_AUTH_HOST_USERSFILE_H

#include "keys/auth/host/sourcefile.h"

/* The file `users` (keys/README.md): one account a line, `name hash sender[,sender] [expires=DATE] [quota=N]`. */

/* A name that may log in: 1 to 64 letters, digits and . _ + - @, a letter or digit first; not
 * AUTH_MYNETWORKS. */
bool usersfile_name_ok(struct slice name);
/* Turns `sender[,sender]` into rights, words with one space between. Each is `@domain` or `local@domain`, its domain
 * one of `domains` unless that is empty. False: *why says what is wrong. */
bool usersfile_rights(struct slice senders, struct slice domains, struct buf *out,
		      struct complaint *why);
/* Turns `expires=YYYY-MM-DD` and `quota=N`, each once at most, in any order, with blanks between, into the words that
 * stand before the rights in the map, in this order, each with a space behind: `until=SECONDS`, since 1970, the end
 * of that day in UTC, and `quota=N`, recipients in a day (0: no limit). False: *why says what is wrong. */
bool usersfile_limits(struct slice words, struct buf *out, struct complaint *why);
/* Appends name -> `hash SP limits rights` of every account, and PASSHASH_PEPPER where there is one, sorted. */
bool usersfile_parse(struct slice text, struct slice domains, struct entries *out,
		     struct complaint *why);

#endif
