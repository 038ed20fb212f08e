/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_PROTO_CERTINFO_H
#define SMTPD_PROTO_CERTINFO_H

#include "smtpd/lib/bytes.h"

/* What a server's certificate says of itself (RFC 5280 4.1), unverified. Slices borrow from it. */
struct certinfo {
	struct slice serial;		   /* the content octets, a leading zero included */
	struct slice issuer, subject, key; /* whole elements: two names, SubjectPublicKeyInfo */
	bool rsa;			   /* the key; else of another algorithm */
	int64_t not_before, not_after;	   /* unix s */
	struct slice names;	/* content of GeneralNames of subjectAltName; empty: none */
	struct slice authority; /* keyIdentifier of authorityKeyIdentifier; empty: none */
};

/* False: not one certificate and nothing behind it, *out untouched. */
bool certinfo_parse(struct slice der, struct certinfo *out);
/* Is the host one of the names? Octet for octet but for ASCII case: no wildcards. */
bool certinfo_names(const struct certinfo *c, struct slice host);
/* The last common name (2.5.4.3) of an issuer or subject; empty: none. */
struct slice certinfo_common_name(struct slice name);

#endif
