/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_MSG_AUTH_H
#define SMTPD_MSG_AUTH_H

#include "smtpd/lib/chan.h"

/* front.sub -> auth */
enum auth_type { AUTH_LOGIN = 1, AUTH_TYPES };

enum auth_result {
	AUTH_NO,  /* wrong name or password: 535, without a hint which */
	AUTH_YES, /* the tail is the grant */
	AUTH_LATER, /* too many failures from this address or for this account, or too busy: 454 */
};

/* tail: user name (user_len octets), then the password. */
struct auth_login {
	struct msg h;
	uint8_t peer[16]; /* the client, IPv4 as ::ffff:a.b.c.d */
	uint16_t user_len;
	uint16_t zero[3];
};

/* tail: the grant, opaque to front; smtpd/proto/grant.h makes and opens it. */
struct auth_reply {
	struct msg h;
	uint8_t result; /* enum auth_result */
	uint8_t zero[7];
};

enum { AUTH_USER_MAX = 64, AUTH_PASSWORD_MAX = 256, AUTH_GRANT_MAX = 1024 };

_Static_assert(sizeof(struct auth_login) == 32, "no padding on the wire");

#endif
