/* SPDX-License-Identifier: ISC */
#ifndef KEYS_AUTH_SCRAM_H
#define KEYS_AUTH_SCRAM_H

#include "smtpd/lib/bytes.h"
#include "smtpd/msg/auth.h"

/*
 * SCRAM-SHA-256 (RFC 5802, RFC 7677) without channel binding, the server's side. What is stored logs nobody in: the
 * salt, StoredKey and ServerKey. An exchange is kept by nobody: the server's nonce carries its time and a MAC over the
 * client's first message, and the client's last message is judged together with the first.
 */
enum {
	SCRAM_KEY = 32,
	SCRAM_SALT = 16, /* of keys that are made here */
	SCRAM_SALT_MAX = 24,
	SCRAM_ITERATIONS = 4096, /* the same, and the least that is taken: RFC 7677 4 */
	SCRAM_ITERATIONS_MAX = 65536,
	SCRAM_TEXT = 13 + 1 + 5 + 1 + 32 + 1 + 44 + 1 + 44, /* the longest stored form */
	SCRAM_NONCE = 40,				    /* the server's part */
	SCRAM_LIFE_MS = 120 * 1000,
};

struct scram_keys {
	uint32_t iterations;
	uint8_t salt_n;
	uint8_t salt[SCRAM_SALT_MAX];
	uint8_t stored[SCRAM_KEY], server[SCRAM_KEY];
};

/* The stored form, as PostgreSQL has it: `SCRAM-SHA-256$ITERATIONS:SALT$StoredKey:ServerKey`, in base64. */
bool scram_keys_get(struct slice text, struct scram_keys *out);
void scram_keys_put(const struct scram_keys *k, struct buf *out);
/* StoredKey and ServerKey of a password under salt and iterations of *k. Takes iterations * 0.5 us or so. The password
 * is used as it is: RFC 4013 changes no text in ASCII. */
void scram_keys_make(struct scram_keys *k, struct slice password);

struct scram_first {	  /* borrows from the message */
	struct slice gs2; /* the header of RFC 5801 4, both commas included */
	struct slice bare, nonce;
	uint8_t user_n;
	uint8_t user[AUTH_USER_MAX]; /* decoded */
};

/* client-first-message. False: malformed; another name to act as; or channel binding, which is not offered. */
bool scram_first_get(struct slice message, struct scram_first *out);

struct scram_secret { /* of the process */
	uint8_t key[32];
};

/* server-first-message: a fresh nonce for this client and message, now (monotonic ms); salt and iterations. */
void scram_first_put(const struct scram_secret *s, const uint8_t peer[16], struct slice first,
		     int64_t now, const struct scram_keys *k, struct buf *out);

/* Does `final`, client-final-message, prove the password behind *k, in answer to what scram_first_put() put for this
 * peer and `first`, its whole client-first-message, not SCRAM_LIFE_MS ago? If so puts server-final-message, "v=" and
 * the ServerSignature. All secrets are compared in constant time. */
bool scram_final(const struct scram_secret *s, const uint8_t peer[16], struct slice first,
		 struct slice final, int64_t now, const struct scram_keys *k, struct buf *out);

#endif
