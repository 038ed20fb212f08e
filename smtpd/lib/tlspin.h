/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_LIB_TLSPIN_H
#define SMTPD_LIB_TLSPIN_H

#include <bearssl.h>

#include "smtpd/lib/bytes.h"
#include "smtpd/lib/certspki.h"

/*
 * A server that is known by digests of its certificate or key instead of by a public authority: what TLSA records
 * (RFC 7671) and pinned resolvers (RFC 7858 4.2) have in common. BearSSL's chain engine behind its own interface.
 */
enum { TLS_PINS_MAX = 16 };

enum tls_pin_use {
	TLS_PIN_EE, /* the server's own certificate; its name and dates do not matter */
	TLS_PIN_TA, /* an authority that the server sends along: a valid chain to it, and the host's name */
};

struct tls_pin {
	uint8_t use; /* enum tls_pin_use */
	bool key;    /* of the SubjectPublicKeyInfo; else of the whole certificate */
	bool sha512; /* else SHA-256 */
	bool exact;  /* made here from an object given whole: no choice of digest to weigh */
	uint8_t sum[64];
};

struct tls_pins {
	size_t n;
	struct tls_pin pin[TLS_PINS_MAX];
};

struct tls_pinned { /* an X.509 engine, begun by tls_pinned_init() */
	const br_x509_class *vtable;
	const struct tls_pins *pins;	/* borrowed: may end with the handshake */
	br_x509_minimal_context *chain; /* borrowed: set up without anchors */
	br_x509_decoder_context leaf;
	struct certspki walk;
	br_sha256_context sha256[2]; /* of the certificate at hand, and of its key */
	br_sha512_context sha512[2];
	size_t certs;
	bool ee, ta; /* a pin of that kind was met */
};

void tls_pinned_init(struct tls_pinned *p, const struct tls_pins *pins,
		     br_x509_minimal_context *chain);

#endif
