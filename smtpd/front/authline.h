/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_FRONT_AUTHLINE_H
#define SMTPD_FRONT_AUTHLINE_H

#include "smtpd/lib/bytes.h"
#include "smtpd/msg/auth.h"

/*
 * The SASL exchange of AUTH (RFC 4954): PLAIN (RFC 4616), LOGIN, SCRAM-SHA-256 (RFC 7677), and CRAM-MD5 (RFC 2195)
 * where that is built. A machine on lines; it holds name and password, so its owner wipes it after use. The messages of
 * SCRAM are not looked at here.
 */
enum authline_next {
	AUTHLINE_ASK,  /* send authline_prompt(), feed the next line */
	AUTHLINE_DONE, /* user and password are there */
	AUTHLINE_FIRST, /* first holds client-first-message; feed the next line when it was answered */
	AUTHLINE_FINAL,	 /* *said holds client-final-message, too; the same */
	AUTHLINE_AGREED, /* the client has nothing against server-final-message */
	AUTHLINE_CANCEL, /* the client said "*" */
	AUTHLINE_BAD,	 /* not base64, or not the shape of the mechanism */
	AUTHLINE_WHAT,	 /* no such mechanism */
};

struct authline { /* zeroed: idle */
	uint8_t step;
	uint8_t mechanism; /* enum auth_mechanism, of DONE */
	uint16_t user_n, password_n;
	uint8_t user[AUTH_USER_MAX];
	union {
		uint8_t password[AUTH_PASSWORD_MAX];
		uint8_t first[AUTH_SCRAM_FIRST_MAX];
		char prompt[AUTH_PASSWORD_MAX]; /* of CRAM-MD5: its challenge */
	};
};

/* arg: of AUTH. offer: enum auth_offers, what is offered besides PLAIN and LOGIN. *said: empty, AUTHLINE_SAID octets;
 * the caller wipes it. */
enum { AUTHLINE_SAID = AUTH_SCRAM_FINAL_MAX };
enum authline_next authline_begin(struct authline *a, struct slice arg, unsigned offer,
				  struct buf *said);
enum authline_next authline_feed(struct authline *a, struct slice line, struct buf *said);
const char *authline_prompt(const struct authline *a); /* the whole 334 line without CRLF */
void authline_wipe(struct authline *a);

#endif
