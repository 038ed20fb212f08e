/* SPDX-License-Identifier: ISC */
#ifndef KEYS_HOLDER_HOST_PAIRFILE_H
#define KEYS_HOLDER_HOST_PAIRFILE_H

#include <sys/types.h>

#include "smtpd/lib/bytes.h"

/* Host tools: an operator's pair of keys in two files, each one line: a word for what it is, and the key in BASE64. */
enum { PAIRFILE_KEY = 32 };

struct pairfile {		      /* one kind of pair */
	const char *private, *public; /* the words, with the space behind them */
	const char *goal;	      /* of make */
};

/* New files, the private one for its owner alone. False: told on standard error, and neither is there that was not. */
bool pairfile_make(const struct pairfile *kind, const char *private, const char *public,
		   const uint8_t secret[PAIRFILE_KEY], const uint8_t open_key[PAIRFILE_KEY]);
/* The private one. False: told on standard error. */
bool pairfile_read(const struct pairfile *kind, const char *path, uint8_t out[PAIRFILE_KEY]);
/* A whole file, flushed. flags: of open(), O_EXCL or O_TRUNC. False with errno. */
bool pairfile_write(const char *path, int flags, mode_t mode, struct slice text);

#endif
