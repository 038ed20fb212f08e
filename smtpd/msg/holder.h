/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_MSG_HOLDER_H
#define SMTPD_MSG_HOLDER_H

#include "smtpd/lib/chan.h"

/* front, check, acme, selfcheck -> holder. A request names a purpose and carries the preimage; its shape is checked
 * here. */
enum holder_type {
	HOLDER_CERT = 1,    /* holder.tls: the certificate chain to present */
	HOLDER_TLS_SIGN,    /* holder.tls: this ServerKeyExchange; the one blocking request */
	HOLDER_DKIM_SIGN,   /* holder.dkim: these canonical header fields for domain slot n */
	HOLDER_SRS_FORWARD, /* holder.srs: rewrite this envelope sender */
	HOLDER_SRS_REVERSE, /* holder.srs: whose address is behind this SRS local part? */
	HOLDER_DKIM_LONG,   /* holder.dkim: the same for a preimage that no message holds */
	HOLDER_CSR,	    /* holder.tls: a certificate request for the configured names */
	HOLDER_CHAIN_SET,   /* holder.tls: keep and present this chain from now on */
	HOLDER_ALPN_CERT,   /* holder.tls: the certificate of a TLS-ALPN-01 challenge */
	HOLDER_ACME_REQUEST, /* holder.acme: a request to the authority under the account's key */
	HOLDER_ACME_PRINT,   /* holder.acme: the thumbprint of that key */
	HOLDER_DKIM_RECORD, /* holder.dkim: the record of the key in use of domain slot n */
	HOLDER_TYPES
};

enum holder_result {
	HOLDER_DONE,
	HOLDER_NOT_YET,	  /* the key does not exist yet: temporary */
	HOLDER_OTHER_KEY, /* dkim: another key signs now, `number` of the reply */
	HOLDER_REFUSED, /* the request has not the shape of its purpose, or an SRS address is forged or too old */
};

struct holder_reply { /* tail: the product, when result is HOLDER_DONE */
	struct msg h;
	uint8_t result; /* enum holder_result */
	uint8_t zero[3];
	uint32_t number; /* HOLDER_OTHER_KEY, and of HOLDER_DKIM_RECORD's key */
};

/* Product: certificates in DER, the end entity first, each after a big-endian 16-bit length. */
struct holder_cert {
	struct msg h;
};

/* tail: client_random[32] server_random[32] and ServerECDHParams (RFC 8422 5.4): 03, curve, length, point.
 * Product: the signature: of ECDSA in DER, of RSA (PKCS #1 v1.5) as long as the modulus. */
struct holder_tls_sign {
	struct msg h;
	uint16_t algorithm; /* HOLDER_SIGN_*, of the key of the certificate that is shown, below the TLS HashAlgorithm:
			     * 4 SHA-256, 5 SHA-384, 6 SHA-512 (RFC 5246 7.4.1.4.1) */
	uint16_t zero[3];
};

/* Product: a PKCS#10 request in DER (RFC 2986) for SMTPD_HOSTNAME and KEYS_TLS_NAMES under the key that KEYS_TLS_RSA
 * chooses. HOLDER_NOT_YET: keygen.tls has not made it. */
struct holder_csr {
	struct msg h;
};

/* tail: a chain in the form of HOLDER_CERT's product. HOLDER_REFUSED unless its end entity has our key and all of the
 * configured names; HOLDER_NOT_YET: it could not be written to disk, the chain of before stays. Product: empty. */
struct holder_chain_set {
	struct msg h;
};

/* tail: the SHA-256 of a key authorization (RFC 8737 3), then the name. Product: one self-signed certificate in
 * the form of HOLDER_CERT's. HOLDER_REFUSED unless the name is configured. */
struct holder_alpn_cert {
	struct msg h;
};

/* tail: URL, nonce, account URL, payload. Product: the request as flattened JSON (RFC 7515 7.2.2), ES256. Without an
 * account URL it is newAccount (RFC 8555 7.3): its payload is made here, with the external account binding where
 * there is one; the one that comes along must be empty. The shapes of all four are checked. */
struct holder_acme_request {
	struct msg h;
	uint16_t url_len;
	uint16_t nonce_len;
	uint16_t account_len;
	uint16_t zero;
};

/* Product: base64url of the thumbprint (RFC 7638), 43 octets. */
struct holder_acme_print {
	struct msg h;
};

/* tail: the preimage of RFC 6376 3.7: canonical header fields ending with the dkim-signature field, b= empty.
 * slot: index of the domain in SMTPD_DOMAINS. number: of the key whose selector the preimage names
 * (dkim_key_selector()). Product: the signature octets. */
struct holder_dkim_sign {
	struct msg h;
	uint8_t slot;
	uint8_t ed25519; /* else RSA */
	uint8_t zero[2];
	uint32_t number;
};

/* The same question. The preimage is a sealed memfd (smtpd/lib/memfd.h) of `size` octets, at most HOLDER_LONG_MAX; all
 * of it is read and judged before a signature is made. */
struct holder_dkim_long {
	struct msg h;
	uint8_t slot;
	uint8_t ed25519;
	uint8_t zero[2];
	uint32_t number;
	uint32_t size;
	uint32_t zero2;
};

/* tail: local part (local_len octets, decoded form), then domain. Product: the new local part (at the SRS domain),
 * or for REVERSE, where domain is empty, the original address in the form of path_print(). */
struct holder_srs {
	struct msg h;
	uint16_t local_len;
	uint16_t zero[3];
};

/* slot: as above. Product: the text of the TXT record; number in the reply: of the key, which gives its selector. */
struct holder_dkim_record {
	struct msg h;
	uint8_t slot;
	uint8_t ed25519; /* else RSA */
	uint8_t zero[6];
};

enum { HOLDER_SIGN_RSA = 1, HOLDER_SIGN_ECDSA = 3 };

enum {
	HOLDER_CERT_TAIL = 8 * 1024,
	HOLDER_CERTS = 6, /* of a chain */
	HOLDER_TBS_MAX = 32 + 32 + 4 + 133,
	HOLDER_SIG_MAX = 512,
	HOLDER_PREIMAGE_MAX = 12 * 1024,
	HOLDER_LONG_MAX =
		520 * 1024, /* the longest header that is taken (RULES S6), and our field */
	HOLDER_SRS_TAIL = 64 + 255,
	HOLDER_CSR_MAX = 2048,
	HOLDER_URL_MAX = 512,
	HOLDER_NONCE_MAX = 256,
	HOLDER_PAYLOAD_MAX = 4096,
	HOLDER_ACME_TAIL = 2 * HOLDER_URL_MAX + HOLDER_NONCE_MAX + HOLDER_PAYLOAD_MAX,
	HOLDER_JWS_MAX = 8 * 1024,
	HOLDER_RECORD_MAX = 1024,
};

_Static_assert(sizeof(struct holder_reply) == 16, "no padding on the wire");
_Static_assert(sizeof(struct holder_tls_sign) == 16, "no padding on the wire");
_Static_assert(sizeof(struct holder_acme_request) == 16, "no padding on the wire");
_Static_assert(sizeof(struct holder_dkim_long) == 24, "no padding on the wire");
_Static_assert(sizeof(struct holder_dkim_record) == 16, "no padding on the wire");

#endif
