/* SPDX-License-Identifier: ISC */
#ifndef KEYS_AUTH_HOST_VIRTUALFILE_H
#define KEYS_AUTH_HOST_VIRTUALFILE_H

#include "keys/auth/host/sourcefile.h"

/*
 * The alias file in the syntax of virtual(5), compiled to what smtpd/check/alias.c looks up: lower-case `local@domain`
 * (local part decoded) and `@domain`, each with the address outside that it finally leads to. Chains inside our own
 * domains are followed here.
 */
struct virtualfile {
	struct slice domains;	 /* mail domains, words */
	struct slice forward_to; /* the destination outside */
};

/* Text that is not there (text.p NULL): every address of every domain goes to forward_to. The entries come sorted. */
bool virtualfile_parse(const struct virtualfile *v, struct slice text, struct entries *out,
		       struct complaint *why);

#endif
