/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_LIB_TLS_H
#define SMTPD_LIB_TLS_H

#include <bearssl.h>

#include "smtpd/lib/bytes.h"

/*
 * TLS 1.2 (RFC 5246, RFC 9325) over BearSSL as a pure pump without a socket: ECDHE with AES-GCM or
 * ChaCha20-Poly1305, X25519 and P-256, no renegotiation, no SHA-1.
 */
enum { TLS_CHAIN_MAX = 4, TLS_ANCHORS_MAX = 32 };

/* The server's private key is in another process. Signs the ServerKeyExchange preimage `tbs` with ECDSA and the
 * given TLS hash number; returns false to end the handshake. */
typedef bool (*tls_sign_fn)(void *ctx, unsigned hash, struct slice tbs, struct buf *sig);

struct tls_identity { /* shared by all server connections; lives as long as they do */
	br_x509_certificate chain[TLS_CHAIN_MAX]; /* borrowed DER, end entity first */
	size_t n;
	tls_sign_fn sign;
	void *ctx;
};

struct tls_anchors { /* shared, read-only after start */
	br_x509_trust_anchor ta[TLS_ANCHORS_MAX]; /* owned: memory reserved at start */
	size_t n;
};

struct tls {
	union {
		br_ssl_server_context server;
		br_ssl_client_context client;
	} u;
	br_ssl_engine_context *eng; /* borrowed: points into u */
	union {
		struct {
			const br_ssl_server_policy_class *vtable;
			const struct tls_identity *identity;
		} policy;
		struct {
			br_x509_minimal_context minimal;
			const br_x509_class *vtable; /* accept-any, for opportunistic TLS */
			br_x509_decoder_context *leaf;
		} x509;
	} v;
	uint8_t io[BR_SSL_BUFSIZE_BIDI];
};

enum tls_state { TLS_BUSY, TLS_UP, TLS_CLOSED, TLS_FAILED };

void tls_server(struct tls *t, const struct tls_identity *id);
/* Verified against anchors, certificate name = host (DNS name; 0-terminated). anchors NULL: encrypted but
 * unverified (opportunistic, RFC 7435). */
void tls_client(struct tls *t, const struct tls_anchors *anchors, const char *host);
/* Parses PEM certificates into anchors, before the sandbox closes. False: *line tells where. */
bool tls_anchors_load(struct tls_anchors *a, struct slice pem, size_t *line);

/* Moves octets between the four ends as far as they go: network octets taken from *net_in (only as many as fit),
 * network octets for the peer appended to net_out, plaintext appended to app_in, plaintext taken from app_out. */
enum tls_state tls_step(struct tls *t, struct slice *net_in, struct buf *net_out, struct buf *app_in,
			struct buf *app_out);
size_t tls_room(struct tls *t); /* how many network octets tls_step would take now */
void tls_end(struct tls *t);	/* begin close_notify */
const char *tls_why(const struct tls *t);   /* static text of the failure */
const char *tls_suite(const struct tls *t); /* e.g. "ECDHE-ECDSA-AES128-GCM-SHA256" */

#endif
