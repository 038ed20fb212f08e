/* SPDX-License-Identifier: ISC */
#ifndef KEYS_ACME_ORDERFILE_H
#define KEYS_ACME_ORDERFILE_H

#include "keys/acme/acmedoc.h"

/*
 * What outlives a restart, so that none repeats what the authority counts: the account, an order that was begun, and
 * when the next one may be (RULES A7). On the key disk, in two copies (keys/holder/keyfile.h).
 */
struct orderfile {
	int64_t next_try; /* unix s: not before */
	int64_t renew_at; /* unix s, drawn from the authority's window; 0: none */
	struct acmedoc_window window;
	uint64_t failures;	    /* tries since the last success */
	acmedoc_url directory;	    /* the account belongs to it */
	acmedoc_url account, order; /* empty: none */
};

/* False: there is no key disk. What cannot be read, or belongs to another directory, is nothing: *o is fresh then. */
bool orderfile_load(struct orderfile *o, const char *directory);
/* False: it is not on disk. */
bool orderfile_save(const struct orderfile *o);
/* The content of the file, and back. False: not that, *out untouched. */
void orderfile_put(const struct orderfile *o, struct buf *b);
bool orderfile_get(struct slice text, struct orderfile *out);
/* A failure at this time says when the next try may be; counted: it is one of `failures` already. */
void orderfile_failed(struct orderfile *o, int64_t now, bool counted);

#endif
