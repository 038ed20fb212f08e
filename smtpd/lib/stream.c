/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "smtpd/lib/stream.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "smtpd/lib/log.h"
#include "smtpd/lib/owner.h"

/*
 * NOTES
 * The pump moves octets until nothing moves, then tells the owner, and again while the owner moved something. Reads
 * from the socket are counted for the whole turn, so a fast peer cannot keep the process in here; what is left in the
 * socket is seen by the next poll. `in` full, or the engine holding plaintext: no POLLIN.
 */
enum { TURN_READS = 16 };

static void pump(struct stream *s, unsigned reads);

static void on_ready(struct watch *w, short got)
{
	struct stream *s = OWNER(struct stream, watch, w);

	if (got)
		pump(s, TURN_READS);
	/* Also for a peer that never pauses. */
	if (w->fd < 0 || w->due > s->loop->now)
		return;
	w->due = LOOP_NEVER;
	s->event(s, STREAM_LATE);
}

void stream_open(struct stream *s, struct loop *l, int fd, struct buf in, struct buf out,
		 void (*event)(struct stream *, enum stream_event))
{
	memset(s, 0, offsetof(struct stream, ahead));
	s->watch = (struct watch){
		.fd = fd, .want = POLLIN, .due = LOOP_NEVER, .ready = on_ready
	};
	s->loop = l;
	s->in = in;
	s->out = out;
	s->event = event;
	s->why = "";
	loop_add(l, &s->watch);
}

static bool later(int error)
{
	return error == EAGAIN || error == EINTR || error == ENOTCONN || error == EINPROGRESS;
}

static const char *reason(int error)
{
	switch (error) {
	case ECONNREFUSED:
		return "connection refused";
	case ETIMEDOUT:
		return "connection timed out";
	case ENETUNREACH:
	case EHOSTUNREACH:
		return "no route";
	case EPIPE:
	case ECONNRESET:
		return "connection reset";
	default:
		return "connection failed";
	}
}

/* Octets into b, at most its room, and then into `ahead` (of TLS, and empty). Sets eof, or `why` on failure. A short
 * read has emptied the socket: no more of them in this turn. True: something arrived. */
static bool read_some(struct stream *s, struct buf *b, size_t ahead, unsigned *reads)
{
	struct iovec v[2] = { { b->p + b->len, buf_room(b) }, { s->ahead, ahead } };
	struct msghdr m = { .msg_iov = v, .msg_iovlen = ahead ? 2 : 1 };
	size_t room = buf_room(b), n;
	ssize_t got;

	if (!*reads || s->eof || *s->why || !room)
		return false;
	got = recvmsg(s->watch.fd, &m, MSG_DONTWAIT);
	*reads = got == (ssize_t)(room + ahead) ? *reads - 1 : 0;
	if (got == 0)
		s->eof = true;
	else if (got < 0 && !later(errno))
		s->why = reason(errno);
	if (got <= 0)
		return false;
	n = (size_t)got < room ? (size_t)got : room;
	b->len += n;
	s->ahead_at = 0;
	s->ahead_end = (uint16_t)((size_t)got - n);
	return true;
}

/* How many octets of p went out. */
static size_t send_some(struct stream *s, struct slice p)
{
	ssize_t n;

	if (!p.n || *s->why)
		return 0;
	n = send(s->watch.fd, p.p, p.n, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0 && !later(errno))
		s->why = reason(errno);
	return n > 0 ? (size_t)n : 0;
}

static bool move_clear(struct stream *s, unsigned *reads)
{
	size_t sent = send_some(s, buf_slice(&s->out));

	buf_eat(&s->out, sent);
	if (!s->starting)
		return read_some(s, &s->in, 0, reads) || sent;
	if (s->out.len)
		return sent;
	s->starting = false;
	s->in.len = 0;
	return true;
}

/* What TLS asks for, from what was read ahead or from the socket. */
static bool feed_tls(struct stream *s, unsigned *reads)
{
	struct buf rx = tls_rx(s->tls);
	struct slice ahead = { s->ahead + s->ahead_at, s->ahead_end - s->ahead_at };

	if (!rx.cap)
		return false;
	if (ahead.n) {
		ahead = slice_head(ahead, rx.cap);
		buf_put(&rx, ahead);
		s->ahead_at += (uint16_t)ahead.n;
	} else if (!read_some(s, &rx, STREAM_AHEAD, reads)) {
		return false;
	}
	tls_rx_done(s->tls, rx.len);
	return true;
}

static bool move_tls(struct stream *s, unsigned *reads)
{
	size_t had_in = s->in.len, had_out = s->out.len, sent;
	enum tls_state st = tls_step(s->tls, &s->in, &s->out);
	bool moved;

	sent = send_some(s, tls_tx(s->tls));
	if (sent)
		tls_tx_done(s->tls, sent);
	moved = sent || s->in.len != had_in || s->out.len != had_out;
	if (st == TLS_CLOSED) { /* after its close_notify the peer reads nothing more */
		s->eof = true;
		s->out.len = 0;
	} else if (st == TLS_FAILED) {
		if (!*s->why)
			s->why = tls_why(s->tls);
	} else {
		moved |= feed_tls(s, reads);
	}
	return moved;
}

static bool in_tls(const struct stream *s)
{
	return s->tls && !s->starting;
}

bool stream_sent(const struct stream *s)
{
	return !s->out.len && !(in_tls(s) && tls_tx(s->tls).n);
}

static void set_want(struct stream *s)
{
	bool wants = in_tls(s) ? tls_rx(s->tls).cap > 0 : !s->starting && buf_room(&s->in);

	s->watch.want = 0;
	if (*s->why)
		return;
	if (wants && !s->eof)
		s->watch.want |= POLLIN;
	if (!stream_sent(s))
		s->watch.want |= POLLOUT;
}

/* One event; false when the owner closed the stream. */
static bool tell(struct stream *s, enum stream_event e)
{
	s->event(s, e);
	return s->watch.fd >= 0;
}

static bool tell_end(struct stream *s)
{
	if (s->eof && in_tls(s) && !s->secure && !*s->why)
		s->why = "connection closed during the handshake";
	if (*s->why && !s->broken) {
		s->broken = true;
		return tell(s, STREAM_BROKEN);
	}
	if (s->eof && !s->ended && !s->broken && (!s->ending || s->shut)) {
		s->ended = true;
		return tell(s, STREAM_EOF);
	}
	return true;
}

/* Our direction ends: first close_notify, then FIN. True: there is more to move. */
static bool move_end(struct stream *s)
{
	if (!s->ending || s->shut || !stream_sent(s))
		return false;
	if (in_tls(s) && s->tls->up && !s->notified) {
		s->notified = true;
		tls_end(s->tls);
		return true;
	}
	shutdown(s->watch.fd, SHUT_WR);
	s->shut = true;
	return false;
}

static bool move(struct stream *s, unsigned *reads)
{
	if (s->ending)
		s->in.len = 0;
	if (in_tls(s) ? move_tls(s, reads) : move_clear(s, reads))
		return true;
	return move_end(s);
}

static bool turn(struct stream *s, unsigned *reads)
{
	size_t in = s->in.len, out = s->out.len;
	bool moved = false;

	s->again = false;
	while (move(s, reads))
		moved = true;
	if (in_tls(s) && s->tls->up && !s->secure) {
		s->secure = true;
		if (!tell(s, STREAM_SECURE))
			return false;
	}
	if (moved && (s->in.len != in || s->out.len != out) && !tell(s, STREAM_DATA))
		return false;
	return tell_end(s);
}

static void pump(struct stream *s, unsigned reads)
{
	s->busy = true;
	do {
		if (!turn(s, &reads))
			return;
	} while (s->again);
	s->busy = false;
	set_want(s);
}

void stream_tls(struct stream *s, struct tls *t)
{
	s->tls = t;
	s->starting = true;
	s->in.len = 0;
	stream_kick(s);
}

void stream_kick(struct stream *s)
{
	if (s->watch.fd < 0)
		return;
	if (s->busy)
		s->again = true;
	else
		pump(s, 0);
}

void stream_due(struct stream *s, int64_t ms_from_now)
{
	s->watch.due = s->loop->now + ms_from_now;
}

void stream_end(struct stream *s)
{
	s->ending = true;
	s->ended = false;
	stream_kick(s);
}

const char *stream_why(const struct stream *s)
{
	return s->why;
}

void stream_close(struct stream *s)
{
	struct slice tx;

	if (s->watch.fd < 0)
		return;
	if (in_tls(s) && s->tls->up && !*s->why) {
		tls_end(s->tls);
		tx = tls_tx(s->tls);
		send_some(s, tx);
	}
	loop_drop(s->loop, &s->watch);
	close(s->watch.fd);
	s->watch.fd = -1;
	s->busy = false;
}
