/* SPDX-License-Identifier: ISC */
#ifndef KEYS_ACME_ACMEDOC_H
#define KEYS_ACME_ACMEDOC_H

#include "keys/acme/json.h"
#include "smtpd/http/url.h"

/*
 * What a certificate authority says: RFC 8555 7.1, RFC 9773 4.1. Every text is 0-terminated, empty where there is none;
 * a URL is one that url_parse() takes. False: not that document, *out is not to be looked at.
 */
enum {
	ACMEDOC_NAMES = 8,   /* of one certificate */
	ACMEDOC_TOKEN = 128, /* octets */
	ACMEDOC_TEXT = 160,
};

enum acmedoc_status {
	ACMEDOC_OTHER, /* expired, revoked, deactivated, or a word that is not known */
	ACMEDOC_PENDING,
	ACMEDOC_READY,
	ACMEDOC_PROCESSING,
	ACMEDOC_VALID,
	ACMEDOC_INVALID,
};

typedef char acmedoc_url[URL_MAX + 1];

struct acmedoc_directory {
	acmedoc_url nonce, account, order;
	acmedoc_url renewal; /* may be empty */
	acmedoc_url terms;
	bool profile; /* the one that was asked for is offered */
};

struct acmedoc_order {
	enum acmedoc_status status;
	unsigned nauth;
	acmedoc_url auth[ACMEDOC_NAMES], finalize;
	acmedoc_url certificate;	/* with ACMEDOC_VALID */
	char problem[ACMEDOC_TEXT + 1]; /* cut */
};

struct acmedoc_auth {
	enum acmedoc_status status;
	char name[URL_HOST + 1];
	/* The challenge of the kind that was asked for; url empty: it is not offered. */
	enum acmedoc_status challenge;
	acmedoc_url url;
	char token[ACMEDOC_TOKEN + 1];
	char problem[ACMEDOC_TEXT + 1];
};

struct acmedoc_problem {
	char type[32]; /* without urn:ietf:params:acme:error: */
	char detail[ACMEDOC_TEXT + 1];
};

struct acmedoc_window { /* unix s */
	int64_t start, end;
};

/* profile: a name, or empty. */
bool acmedoc_directory(struct json *j, struct slice text, const char *profile,
		       struct acmedoc_directory *out);
bool acmedoc_order(struct json *j, struct slice text, struct acmedoc_order *out);
/* kind: http-01, tls-alpn-01. */
bool acmedoc_auth(struct json *j, struct slice text, const char *kind,
		  struct acmedoc_auth *out);
/* Whatever it is: texts stay empty when it is no problem document. */
void acmedoc_problem(struct json *j, struct slice text, struct acmedoc_problem *out);
bool acmedoc_window(struct json *j, struct slice text, struct acmedoc_window *out);

/* Seconds that Retry-After asks for (RFC 9110 10.2.3), at most a day; 0: it says nothing. now: unix s. */
unsigned acmedoc_retry(struct slice value, int64_t now);
/* The target of a Link field (RFC 8288) with this relation; empty otherwise. */
struct slice acmedoc_link(struct slice value, struct slice rel);
/* A chain of certificates in PEM as DER, each behind a big-endian 16-bit length. False: anything else is in it, or no
 * room. */
bool acmedoc_chain(struct slice pem, struct buf *out);

#endif
