/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_LIB_TLS_H
#define SMTPD_LIB_TLS_H

#include <bearssl.h>

#include "smtpd/lib/arena.h"
#include "smtpd/lib/bytes.h"
#include "smtpd/lib/tlspin.h"

/*
 * TLS 1.2 (RFC 5246, RFC 9325) over BearSSL as a pure pump without a socket: ECDHE with AES-GCM or
 * ChaCha20-Poly1305, X25519 and P-256, no renegotiation, no SHA-1. Extended master secret (RFC 7627) with every
 * peer that has it; sessions without it are not resumed.
 */
enum { TLS_CHAIN_MAX = 6, TLS_ANCHORS_MAX = 96 };

/* The server's private key is in another process. Signs the ServerKeyExchange preimage `tbs` with the key of the chain
 * by this SignatureAndHashAlgorithm (RFC 5246 7.4.1.4.1; the hash is the upper octet); false ends the handshake. */
typedef bool (*tls_sign_fn)(void *ctx, unsigned algorithm, struct slice tbs, struct buf *sig);

/* Sessions that clients may resume by their id (RFC 5246 7.3): the key exchange and its signature are saved. */
struct tls_cache {
	const br_ssl_session_cache_class *vtable;
	br_ssl_session_cache_lru
		lru; /* in memory that the owner reserved, TLS_SESSION octets each */
};

enum { TLS_SESSION = 100 };

struct tls_identity { /* shared by all server connections; lives as long as they do */
	br_x509_certificate chain[TLS_CHAIN_MAX]; /* borrowed DER, end entity first */
	size_t n;
	bool rsa; /* the key; else ECDSA */
	tls_sign_fn sign;
	void *ctx;
	struct tls_cache *cache; /* borrowed; NULL: no session is resumed */
};

struct tls_anchors {				  /* shared, read-only after start */
	br_x509_trust_anchor ta[TLS_ANCHORS_MAX]; /* names and keys in mem */
	size_t n;
	struct arena mem; /* owned: reserved at start */
};

struct tls_policy { /* what the engine calls back on the server side */
	const br_ssl_server_policy_class *vtable;
	const struct tls_identity *identity;
};

struct tls_leaf { /* accepts any chain, for opportunistic TLS: only the end entity's key is read */
	const br_x509_class *vtable;
	bool seen;
	br_x509_decoder_context decoder;
};

/* Records of the peer may be of full length; our own are at most 4 KiB. */
enum { TLS_IN = 16384 + 325, TLS_OUT = 4096 + 85 };

struct tls {
	union {
		struct {
			br_ssl_server_context ctx;
			struct tls_policy policy;
		} server;
		struct {
			br_ssl_client_context ctx;
			union {
				br_x509_minimal_context minimal;
				struct tls_leaf leaf;
			} x509;
		} client;
	} u;
	br_ssl_engine_context *eng; /* borrowed: points into u */
	br_ec_impl curves;	    /* what is offered for the key exchange */
	bool up;		    /* handshake complete */
	bool resumed;		    /* server: by a session of before */
	const char *protocol;	    /* the one that tls_alpn() asks for */
	uint8_t in[TLS_IN], out[TLS_OUT];
};

enum tls_state { TLS_BUSY, TLS_UP, TLS_CLOSED, TLS_FAILED };

/* Takes the chain: certificates in DER, end entity first, each behind its length (2 octets, big-endian); borrowed. The
 * rest of *id stays. False: not that, or more than TLS_CHAIN_MAX. */
bool tls_identity_chain(struct tls_identity *id, struct slice chain);
void tls_server(struct tls *t, const struct tls_identity *id);
/* After tls_server(): whoever asks for protocols (RFC 7301), and not for this one, gets no further. Static text. */
void tls_alpn(struct tls *t, const char *protocol);
/* An empty cache in this memory; also forgets all that was in it. */
void tls_cache_init(struct tls_cache *c, uint8_t *mem, size_t n);
/* Verified against anchors, certificate name = host (DNS name; 0-terminated). anchors NULL: encrypted but
 * unverified (opportunistic, RFC 7435). */
void tls_client(struct tls *t, const struct tls_anchors *anchors, const char *host);
/* Verified against pins alone; engine and pins stay where they are until the handshake is over. host is sent as the
 * server's name, and is the name that a chain to a TLS_PIN_TA must be for. */
void tls_client_pinned(struct tls *t, struct tls_pinned *engine, const struct tls_pins *pins,
		       const char *host);
/* What a later handshake with the same peer can begin from; holds the master secret. */
struct tls_session {
	br_ssl_session_parameters p;
};

/* False: the peer gave no session, or one without extended master secret (RFC 7627 5.3). Only when the handshake
 * is over. */
bool tls_session_get(const struct tls *t, struct tls_session *s);
bool tls_session_same(const struct tls_session *a, const struct tls_session *b);
/* After tls_client() with the same host: offers s. The peer is not verified again when it takes it. */
void tls_resume(struct tls *t, const char *host, const struct tls_session *s);
/* Parses PEM certificates into anchors, before the sandbox closes. False: *line tells where. */
bool tls_anchors_load(struct tls_anchors *a, struct slice pem, size_t *line);
/* The same from a file, with a line in the log. Where it cannot be read, or holds anything else, there are none: then
 * nobody is trusted. */
void tls_anchors_read(struct tls_anchors *a, int fd, const char *what);

/* The network side. tls_rx: the place for the next octets from the peer, empty while the engine waits for tls_step;
 * tls_rx_done: that many are there. tls_tx: octets for the peer; tls_tx_done: that many were sent. */
struct buf tls_rx(struct tls *t);
void tls_rx_done(struct tls *t, size_t n);
struct slice tls_tx(struct tls *t);
void tls_tx_done(struct tls *t, size_t n);

/* The plaintext side, as far as it goes: what arrived is appended to app_in, what app_out holds is taken. */
enum tls_state tls_step(struct tls *t, struct buf *app_in, struct buf *app_out);
void tls_end(struct tls *t);		    /* begin close_notify */
const char *tls_why(const struct tls *t);   /* static text of the failure */
const char *tls_suite(const struct tls *t); /* e.g. "ECDHE-ECDSA-AES128-GCM-SHA256" */

#endif
