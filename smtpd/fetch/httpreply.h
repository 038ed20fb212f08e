/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_FETCH_HTTPREPLY_H
#define SMTPD_FETCH_HTTPREPLY_H

#include <http_parser.h>

#include "smtpd/lib/bytes.h"

/*
 * The reply to one GET, as it arrives: status 200, text/plain, a body whose length the server states (so that a cut
 * connection is no shorter body), at most as long as the buffer. Anything else is refused. Over http-parser.
 */
struct httpreply {
	http_parser parser;
	bool done, text;
	const char *why;	      /* static text; NULL: nothing is wrong */
	struct buf body;	      /* memory is the owner's */
	uint8_t field[16], value[32]; /* of the header field at hand, as far as they fit */
	size_t field_n, value_n;
	bool in_value;
};

void httpreply_start(struct httpreply *r, struct buf body);
/* Octets from the server. False: r->why says what is wrong. */
bool httpreply_feed(struct httpreply *r, struct slice in);

#endif
