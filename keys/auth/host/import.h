/* SPDX-License-Identifier: ISC */
#ifndef KEYS_AUTH_HOST_IMPORT_H
#define KEYS_AUTH_HOST_IMPORT_H

#include "keys/auth/host/sourcefile.h"

/*
 * Lists of accounts that others wrote, as lines of `users`. Three forms, told apart line by line:
 *	user@realm: userPassword			sasldblistusers2; lines of other properties are nothing
 *	name:hash[:...]					passwd(5), Dovecot's passwd-file
 *	name TAB hash [TAB senders [TAB date [TAB quota]]]	psql -At -F TAB
 * hash: any of `users`; one with a scheme, as Dovecot writes {ARGON2ID}, {SCRAM-SHA-256}, {PLAIN}; empty or `x`: not
 * there.
 */
enum import_secret {
	IMPORT_TOKEN, /* none in the list: a token is made */
	IMPORT_PLAIN, /* `secret` is the password */
	IMPORT_HASH,  /* `secret` is a hash as `users` has it, or nothing that we know */
};

struct import_row { /* borrows from the line, secret from *room */
	struct slice name, secret, senders, expires, quota;
	enum import_secret kind;
};

/* False: the line is none of these, *why says what is wrong with it. A row without a name: nothing, to be left out. */
bool import_row(struct slice line, struct import_row *out, struct buf *room,
		struct complaint *why);

struct import {
	struct slice
		sender; /* for rows that have none, and whose name is no address; may be empty */
	struct slice domains;	    /* as of usersfile_parse() */
	bool scram;		    /* passwords and tokens become keys of SCRAM */
	const struct entries *have; /* accounts that are there, sorted */
};

/* Appends to *lines a line of `users` for each row, and to *shown name, TAB and token of those that got one. Both have
 * room for IMPORT_ROOM octets for each line of the list. False: nothing is to be used, *why says why. */
enum { IMPORT_ROOM = 2048 };
bool import_list(struct slice list, const struct import *how, struct buf *lines,
		 struct buf *shown, struct complaint *why);

#endif
