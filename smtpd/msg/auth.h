/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_MSG_AUTH_H
#define SMTPD_MSG_AUTH_H

#include "smtpd/lib/chan.h"

/* front.sub -> auth; AUTH_SMARTHOST: out.sub -> auth. Each is answered with struct auth_reply. */
enum auth_type {
	AUTH_LOGIN = 1,
	AUTH_NETWORK,
	AUTH_SMARTHOST,
	AUTH_OFFER,
	AUTH_SCRAM_FIRST,
	AUTH_SCRAM_FINAL,
	AUTH_TYPES
};

enum auth_result {
	AUTH_NO, /* wrong name or password: 535, without a hint which; NETWORK, SMARTHOST: there is none */
	AUTH_YES, /* the tail is what was asked for */
	AUTH_LATER, /* too many failures from this address or for this account, or too busy: 454 */
};

/* tail: user name (user_len octets), then the password. Answered with a grant, opaque to front;
 * smtpd/proto/grant.h makes and opens it. */
struct auth_login {
	struct msg h;
	uint8_t peer[16]; /* the client, IPv4 as ::ffff:a.b.c.d */
	uint16_t user_len;
	uint16_t mechanism; /* enum auth_mechanism */
	uint16_t zero[2];
};

enum auth_mechanism {
	AUTH_PASSWORD, /* as it is: PLAIN, LOGIN */
	AUTH_CRAM_MD5, /* AUTH_CRAM_DIGEST octets of HMAC-MD5, then the challenge */
};

/* May this client submit without AUTH (SMTPD_MYNETWORKS)? Answered with a grant for the account AUTH_MYNETWORKS, or
 * AUTH_NO at once. Never AUTH_LATER; no answer means no. */
struct auth_network {
	struct msg h;
	uint8_t peer[16];
};

/* The password for the smarthost. Answered with NUL, user, NUL, password: the message of SASL PLAIN (RFC 4616 2), not
 * yet in base64, at most AUTH_PLAIN_MAX octets; AUTH_NO: log in nowhere. The asker wipes it where it received it. */
struct auth_smarthost {
	struct msg h;
};

/* With which mechanisms besides PLAIN and LOGIN can accounts log in? Answered with AUTH_YES and `offer`; no tail. */
struct auth_offer {
	struct msg h;
};

enum auth_offers { AUTH_OFFER_SCRAM = 1, AUTH_OFFER_CRAM = 2 };

/* SCRAM-SHA-256 (RFC 5802), messages as the client sent them, not in base64.
 * FIRST, tail: client-first-message. Answered at once with AUTH_YES and server-first-message, whether there is such an
 * account or not; AUTH_NO: malformed.
 * FINAL, tail: client-first-message (first_len octets), client-final-message. Answered like AUTH_LOGIN; the tail of
 * AUTH_YES is server-final-message (server_len octets), the account's name (account_len), the grant. */
struct auth_scram {
	struct msg h;
	uint8_t peer[16];
	uint16_t first_len; /* of FINAL */
	uint16_t zero[3];
};

struct auth_reply {
	struct msg h;
	uint8_t result; /* enum auth_result */
	uint8_t offer;
	uint8_t server_len, account_len;
	uint8_t zero[4];
};

enum {
	AUTH_USER_MAX = 64,
	AUTH_PASSWORD_MAX = 256,
	AUTH_CRAM_DIGEST = 16,
	AUTH_SCRAM_FIRST_MAX = 256,
	AUTH_SCRAM_FINAL_MAX = 512,
	AUTH_SCRAM_TEXT_MAX = 384,  /* server-first-message */
	AUTH_SCRAM_SERVER = 2 + 44, /* server-final-message */
	AUTH_GRANT_MAX = 1024,
	AUTH_GRANT_MS = 3600 * 1000, /* so long check.sub takes a grant */
	AUTH_PLAIN_MAX = 2 + 255 + 255,
};

#define AUTH_MYNETWORKS "mynetworks" /* no account of `users` has this name */

_Static_assert(sizeof(struct auth_login) == 32, "no padding on the wire");
_Static_assert(sizeof(struct auth_network) == 24, "no padding on the wire");
_Static_assert(sizeof(struct auth_scram) == 32, "no padding on the wire");
_Static_assert(sizeof(struct auth_reply) == 16, "no padding on the wire");

#endif
