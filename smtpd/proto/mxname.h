/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_PROTO_MXNAME_H
#define SMTPD_PROTO_MXNAME_H

#include "smtpd/lib/bytes.h"

/* Is the host of an MX record one of these? `patterns` are separated by spaces; each is a
 * name, or "*." and a name, where the star stands for exactly one whole label. Case and one
 * trailing dot are ignored on both sides. An empty host, or one with an empty label, matches
 * nothing. */
bool mxname_match(struct slice host, struct slice patterns);

/* Whose host is it? A number for the part of the name that is registered (RULES S13: Google's two names are one);
 * 0 for no name. A guess by the labels' lengths, made to count together rather too little. */
uint64_t mxname_operator(struct slice host);

#endif
