/* SPDX-License-Identifier: ISC */
/* Certificates by OpenSSL; tests that use it are linked with it. */
#ifndef TESTS_UNIT_X509_H
#define TESTS_UNIT_X509_H

#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "tests/unit/test.h"

struct x509_made { /* a certificate and its key */
	X509 *x;
	EVP_PKEY *key;
};

struct x509_wish { /* what it is to be; zero: as usual */
	const char *name, *san, *constraints, *usage;
	EVP_PKEY *key;	/* of its own otherwise; owned by the caller */
	const char *of; /* kind of a key of its own: curve, or RSA bits */
	const EVP_MD *hash;
	int from, to; /* days from now; 0, 0: from yesterday to tomorrow */
	bool ca, pss;
	const char *basic; /* other than what ca says */
};

static inline EVP_PKEY *x509_key(const char *of)
{
	return of[0] == 'P' ? EVP_EC_gen(of) : EVP_RSA_gen((unsigned)atoi(of));
}

static inline void x509_extend(X509 *x, int nid, const char *value)
{
	X509_EXTENSION *e = value ? X509V3_EXT_conf_nid(NULL, NULL, nid, value) : NULL;

	CHECK_ROW(!value || (e && X509_add_ext(x, e, -1)), value);
	X509_EXTENSION_free(e);
}

static inline void x509_sign(X509 *x, EVP_PKEY *key, const EVP_MD *hash, bool pss)
{
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	EVP_PKEY_CTX *how;

	CHECK(EVP_DigestSignInit(c, &how, hash ? hash : EVP_sha256(), NULL, key) == 1);
	CHECK(!pss || EVP_PKEY_CTX_set_rsa_padding(how, RSA_PKCS1_PSS_PADDING) == 1);
	CHECK(X509_sign_ctx(x, c) > 0);
	EVP_MD_CTX_free(c);
}

/* by: NULL for one that signs itself. */
static inline struct x509_made x509_make(const struct x509_made *by, struct x509_wish a)
{
	struct x509_made m = { X509_new(), a.key ? a.key : x509_key(a.of ? a.of : "P-256") };
	X509_NAME *name = X509_get_subject_name(m.x);
	static long serial;

	X509_set_version(m.x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(m.x), ++serial);
	X509_gmtime_adj(X509_getm_notBefore(m.x), 86400 * (long)(a.from || a.to ? a.from : -1));
	X509_gmtime_adj(X509_getm_notAfter(m.x), 86400 * (long)(a.from || a.to ? a.to : 1));
	X509_set_pubkey(m.x, m.key);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)a.name, -1, -1,
				   0);
	X509_set_issuer_name(m.x, by ? X509_get_subject_name(by->x) : name);
	x509_extend(m.x, NID_basic_constraints,
		    a.basic ? a.basic
		    : a.ca  ? "critical,CA:TRUE"
			    : "critical,CA:FALSE");
	x509_extend(m.x, NID_subject_alt_name, a.san);
	x509_extend(m.x, NID_name_constraints, a.constraints);
	x509_extend(m.x, NID_ext_key_usage, a.usage);
	x509_sign(m.x, by ? by->key : m.key, a.hash, a.pss);
	return m;
}

static inline void x509_drop(struct x509_made *m)
{
	X509_free(m->x);
	EVP_PKEY_free(m->key);
}

#endif
