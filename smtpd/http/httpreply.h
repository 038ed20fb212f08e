/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_HTTP_HTTPREPLY_H
#define SMTPD_HTTP_HTTPREPLY_H

#include <http_parser.h>

#include "smtpd/lib/bytes.h"

/*
 * The reply to one request, as it arrives (RFC 9112): any status, and a body whose length the server states (so that a
 * cut connection is no shorter body), at most as long as the buffer. Anything else is refused. Over http-parser.
 */
enum { HTTPREPLY_NAME = 32, HTTPREPLY_VALUE = 512 };

struct httpreply {
	http_parser parser;
	bool done;
	bool bodiless;	 /* the reply to HEAD */
	unsigned status; /* known once the header is complete */
	const char *why; /* static text; NULL: nothing is wrong */
	struct buf body; /* memory is the owner's */
	/* Told of each whole header field, those excepted that are longer than what is kept. */
	void (*field)(struct httpreply *r, struct slice name, struct slice value);
	uint8_t name[HTTPREPLY_NAME], value[HTTPREPLY_VALUE];
	size_t name_n, value_n;
	bool in_value, cut;
};

void httpreply_start(struct httpreply *r, struct buf body, bool bodiless,
		     void (*field)(struct httpreply *r, struct slice name, struct slice value));
/* Octets from the server. False: r->why says what is wrong. */
bool httpreply_feed(struct httpreply *r, struct slice in);

#endif
