/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_HTTP_URL_H
#define SMTPD_HTTP_URL_H

#include "smtpd/lib/bytes.h"

enum { URL_HOST = 253, URL_MAX = 512, URL_PORT = 443 };

struct url {
	char host[URL_HOST + 1];
	uint16_t port;
	struct slice path; /* borrowed, with the query; begins with / */
};

/* https://HOST[:PORT]/..., at most URL_MAX octets (RFC 3986). Stricter than RFC 3986: the host is a DNS name, nothing
 * but visible ASCII that stands in a JSON string as it is, no user and no fragment. */
bool url_parse(struct slice in, struct url *out);

#endif
