/* SPDX-License-Identifier: ISC */
#ifndef KEYS_HOLDER_TLSKEY_H
#define KEYS_HOLDER_TLSKEY_H

#include <bearssl.h>

#include "keys/holder/dkimrsa.h"
#include "keys/holder/selfsign.h"
#include "smtpd/msg/holder.h"

/* holder.tls: the server's P-256 key, and its certificate: the authority's where there is one (KEYS_ACME), else one of
 * its own. It signs ServerKeyExchange preimages, requests for certificates of the configured names, and answers to
 * their challenges. With KEYS_TLS_RSA the authority's is for the key that keygen.tls makes, and until it is there the
 * P-256 key serves. Or key and chain came with the image (KEYS_TLS_FILE): P-256 or RSA, and ServerKeyExchange is all
 * that is signed. */
enum { TLSKEY_OCTETS = 32 };

struct tlskey {
	br_ec_private_key key; /* points into secret */
	uint8_t secret[TLSKEY_OCTETS];
	struct dkimrsa rsa; /* n: 0 unless there is an RSA key */
	bool wants_rsa; /* set by the owner before tlskey_init(): certificates are for keygen.tls's key */
	bool imported;
	struct slice
		names; /* borrowed: the host name, and further ones, with one space between */
	int64_t not_before;
	uint8_t chain_mem[HOLDER_CERT_TAIL];
	struct slice chain; /* product of HOLDER_CERT */
};

/* Loads the key, or makes and saves it; one that cannot be kept is ephemeral, and the log says so. kept: a chain on
 * disk is presented. names stay where they are. */
void tlskey_init(struct tlskey *t, struct slice names, int64_t not_before, bool kept);
/* keygen.tls: makes and saves the RSA key unless there is one, or no disk; takes seconds. */
void tlskey_make_rsa(struct tlskey *t);
/* Takes key and chain of the image in place of tlskey_init(): the key behind its length (2 octets), 32 octets or as
 * dkimrsa_take() wants it, then the product of HOLDER_CERT. False: the file is empty, or not that, and the log says
 * so. */
bool tlskey_import(struct tlskey *t, int fd);
void tlskey_wipe(struct tlskey *t);
/* Has tbs the shape of its purpose? client_random, server_random, then a named curve of ours and a point on it. */
bool tlskey_shape(struct slice tbs);

extern const struct rule tlskey_rules[HOLDER_TYPES];

#endif
