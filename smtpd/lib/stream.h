/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_LIB_STREAM_H
#define SMTPD_LIB_STREAM_H

#include "smtpd/lib/bytes.h"
#include "smtpd/lib/loop.h"
#include "smtpd/lib/tls.h"

/*
 * One TCP connection with two plaintext buffers, in clear or through TLS: what front and out
 * have in common. The owner provides the buffers' memory and the tls object; nothing is allocated.
 * Backpressure: while `in` is full nothing is read from the peer.
 */
enum stream_event {
	STREAM_DATA,   /* octets arrived in `in`, or room came free in `out` */
	STREAM_SECURE, /* the TLS handshake is complete */
	STREAM_EOF,    /* the peer ended; `in` may still hold octets, `out` is still sent */
	STREAM_BROKEN, /* connection or TLS failed; stream_why() says it */
	STREAM_LATE,   /* the deadline passed */
};

/* What is read from the socket before TLS asks for it: a record is taken with one call, not header and rest apart. */
enum { STREAM_AHEAD = 1024 };

struct stream {
	struct watch watch; /* watch.fd -1 = closed */
	struct loop *loop;
	struct tls *tls; /* borrowed; NULL = clear text */
	struct buf in;	 /* the owner eats from it (buf_eat) */
	struct buf out;	 /* the owner puts into it */
	bool secure;	 /* handshake complete */
	bool starting;	 /* TLS begins when `out` is empty */
	bool eof;	 /* the peer's direction is over */
	bool ended;	 /* STREAM_EOF was told */
	bool broken;	 /* STREAM_BROKEN was told */
	bool ending;	 /* our direction ends when `out` is empty */
	bool notified;	 /* close_notify is on its way */
	bool shut;	 /* it has ended */
	bool busy;	 /* inside the pump: a kick asks for one more turn */
	bool again;
	/* Told after a round of pumping; may call any stream function, also stream_close. */
	void (*event)(struct stream *s, enum stream_event e);
	const char *why; /* static text of the last failure */
	uint16_t ahead_at, ahead_end;
	uint8_t ahead[STREAM_AHEAD];
};

/* Takes over fd (non-blocking; may still be connecting). */
void stream_open(struct stream *s, struct loop *l, int fd, struct buf in, struct buf out,
		 void (*event)(struct stream *, enum stream_event));
/* From here TLS: what is left in `in` and was not encrypted is forgotten (RFC 3207 4.2). t was prepared by
 * tls_server() or tls_client(); it stays the owner's. What is in `out` goes out in clear first. */
void stream_tls(struct stream *s, struct tls *t);
/* After eating from `in` or putting into `out` outside of event(): moves what can be moved. */
void stream_kick(struct stream *s);
void stream_due(struct stream *s, int64_t ms_from_now);
bool stream_sent(const struct stream *s); /* nothing is left to send, not even in TLS */
/* Ends our direction after what is in `out`: close_notify, then FIN. What still comes is discarded, so that the peer
 * gets to read our last words. STREAM_EOF (once both directions are over, even if it was told before), STREAM_BROKEN
 * or STREAM_LATE follows. */
void stream_end(struct stream *s);
const char *stream_why(const struct stream *s);
/* close_notify if it fits, then closes the descriptor at once. No event follows. */
void stream_close(struct stream *s);

#endif
