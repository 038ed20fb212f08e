/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_PROTO_ENDPOINT_H
#define SMTPD_PROTO_ENDPOINT_H

#include "smtpd/lib/tlspin.h"
#include "smtpd/proto/ipaddr.h"

/* A server of the configuration: where it is, and, for TLS, who it is. */
enum { ENDPOINT_NAME = 253 };

struct endpoint {
	struct ipaddr addr;
	uint16_t port;
	char name[ENDPOINT_NAME + 1]; /* empty: the pin says who it is, or nobody asks */
	struct tls_pins pins;	      /* one, or none */
};

/* ADDRESS[@PORT], and behind it nothing, #NAME, or #pin-sha256:BASE64 (of the key, RFC 7858 4.2). port: where none is
 * named. */
bool endpoint_parse(struct slice word, uint16_t port, struct endpoint *out);

#endif
