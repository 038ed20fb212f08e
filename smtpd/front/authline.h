/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_FRONT_AUTHLINE_H
#define SMTPD_FRONT_AUTHLINE_H

#include "smtpd/lib/bytes.h"
#include "smtpd/msg/auth.h"

/*
 * The SASL exchange of AUTH (RFC 4954): PLAIN (RFC 4616) and LOGIN. A machine on lines; it holds
 * name and password, so its owner wipes it after use.
 */
enum authline_next {
	AUTHLINE_ASK,	 /* send authline_prompt(), feed the next line */
	AUTHLINE_DONE,	 /* user and password are there */
	AUTHLINE_CANCEL, /* the client said "*" */
	AUTHLINE_BAD,	 /* not base64, or not the shape of the mechanism */
	AUTHLINE_WHAT,	 /* no such mechanism */
};

struct authline { /* zeroed: idle */
	uint8_t step;
	uint16_t user_n, password_n;
	uint8_t user[AUTH_USER_MAX], password[AUTH_PASSWORD_MAX];
};

enum authline_next authline_begin(struct authline *a, struct slice arg); /* of AUTH */
enum authline_next authline_feed(struct authline *a, struct slice line);
const char *authline_prompt(const struct authline *a); /* the whole 334 line without CRLF */
void authline_wipe(struct authline *a);

#endif
