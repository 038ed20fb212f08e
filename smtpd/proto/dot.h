/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_PROTO_DOT_H
#define SMTPD_PROTO_DOT_H

#include "smtpd/lib/bytes.h"

/*
 * The text of a letter on the wire (RFC 5321 4.5.2), in and out. Only CRLF ends a line and only
 * CRLF.CRLF ends the letter. Lines of any length pass: nothing here holds a line.
 */
struct dot { /* zeroed: at the start of DATA */
	uint8_t state;
	bool bad; /* sticky: a bare CR, a bare LF or a NUL came by; refuse at the end */
};

/* Takes octets off *in and appends the letter, dots removed, to *out. True: the end was
 * read; what follows in *in are commands. False: *in is used up, or *out is full (then empty
 * it and call again). Once `bad`, nothing more is appended. The last CRLF before the dot
 * belongs to the letter. A caller that has no use for the octets any more sets out->len to 0
 * after each call. */
bool dot_feed(struct dot *d, struct slice *in, struct buf *out);

struct dot_out { /* zeroed: at the start of the letter */
	uint8_t state;
	bool bad; /* sticky: not CRLF text; send no more of it, break the connection */
};

/* Takes octets of the letter off *in and appends them to *out with dots doubled at line
 * starts, as far as both reach. The letter was proven to have CRLF line ends alone when it
 * came in; this is asked here again, because a far server may read anything else as its end. */
void dot_stuff(struct dot_out *d, struct slice *in, struct buf *out);
/* After the last octet: ends an unfinished line, and puts the final dot. False: `bad`, or no
 * room for five octets (nothing put). */
bool dot_stuff_end(struct dot_out *d, struct buf *out);

#endif
