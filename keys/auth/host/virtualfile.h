/* SPDX-License-Identifier: ISC */
#ifndef KEYS_AUTH_HOST_VIRTUALFILE_H
#define KEYS_AUTH_HOST_VIRTUALFILE_H

#include "keys/auth/host/sourcefile.h"

/*
 * The alias file in the syntax of virtual(5), compiled to what smtpd/check/alias.c looks up: lower-case `local@domain`
 * (local part decoded) and `@domain`, each with the addresses outside that it finally leads to, separated by one space,
 * or with ':', an enhanced status code, a space and the words it is refused with. Chains inside our own domains are
 * followed here.
 */
enum { VIRTUALFILE_STEPS = 100 /* of one chain */ };

struct virtualfile {
	struct slice domains;	 /* mail domains, words */
	struct slice forward_to; /* the destination outside */
	struct slice self; /* words: further domains that are this machine; may be empty */
};

/* Text that is not there (text.p NULL): every address of every domain goes to forward_to. The entries come sorted. */
bool virtualfile_parse(const struct virtualfile *v, struct slice text, struct entries *out,
		       struct complaint *why);

#endif
