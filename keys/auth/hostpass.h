/* SPDX-License-Identifier: ISC */
#ifndef KEYS_AUTH_HOSTPASS_H
#define KEYS_AUTH_HOSTPASS_H

#include "smtpd/msg/auth.h"

/* The password for the smarthost: the message of SASL PLAIN as rootfs/smarthost wrote it. */
struct hostpass {
	uint8_t plain[AUTH_PLAIN_MAX];
	size_t n; /* 0: there is none */
};

/* Reads and closes fd (-1: none). False: it is not NUL, user, NUL, password; then there is none. */
bool hostpass_load(struct hostpass *h, int fd);
void hostpass_wipe(struct hostpass *h);

#endif
