/* SPDX-License-Identifier: ISC */
#include "smtpd/dns/dotlink.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "smtpd/lib/arena.h"
#include "smtpd/lib/log.h"
#include "smtpd/lib/owner.h"
#include "smtpd/lib/sock.h"

/* ---- the configuration ---- */

static bool read_server(struct slice word, struct endpoint *s)
{
	return endpoint_parse(word, DOTLINK_PORT, s) && (s->name[0] || s->pins.n);
}

void dotlink_init(struct dotlink *l, struct loop *loop, struct slice servers)
{
	struct slice word;

	*l = (struct dotlink){ .loop = loop, .stream.watch.fd = -1 };
	l->early = BUF(l->early_mem);
	while ((word = slice_word(&servers)).n)
		if (l->n < SERVERS_MAX && read_server(word, &l->server[l->n]))
			l->n++;
	if (l->n)
		l->in = arena_reserve(2 + DOTLINK_MSG);
}

/* ---- the connection ---- */

static void log_broken(const struct dotlink *l, const char *why)
{
	uint8_t mem[IPADDR_TEXT];
	struct buf ip = BUF(mem);
	struct logline log;

	ipaddr_put(&ip, &l->server[l->at].addr);
	log_begin(&log, "nodot");
	log_bytes(&log, "server", buf_slice(&ip));
	log_text(&log, "why", why);
	log_send(&log);
}

/* A server that closes what nobody uses has not failed. */
static void close_link(struct dotlink *l, const char *why)
{
	bool failed = l->open || !l->stream.secure;

	stream_close(&l->stream);
	l->open = 0;
	l->early.len = 0;
	if (!failed)
		return;
	log_broken(l, why);
	l->at = (l->at + 1) % l->n;
	l->lost(l->ctx);
}

static void set_due(struct dotlink *l)
{
	stream_due(&l->stream, l->open ? DOTLINK_WAIT_MS : DOTLINK_IDLE_MS);
}

static void read_messages(struct dotlink *l)
{
	struct buf *in = &l->stream.in;

	while (l->stream.watch.fd >= 0 && in->len >= 2) {
		size_t n = (size_t)in->p[0] << 8 | in->p[1];

		if (n > DOTLINK_MSG) {
			close_link(l, "an answer is too long");
			return;
		}
		if (in->len - 2 < n)
			return;
		if (l->open)
			l->open--;
		set_due(l);
		l->answer(l->ctx, (struct slice){ in->p + 2, n });
		buf_eat(in, 2 + n);
	}
}

static void on_event(struct stream *s, enum stream_event e)
{
	struct dotlink *l = OWNER(struct dotlink, stream, s);

	if (e == STREAM_SECURE) {
		buf_put(&s->out, buf_slice(&l->early));
		l->early.len = 0;
	}
	if (s->secure)
		read_messages(l);
	if (s->watch.fd < 0)
		return;
	if (e == STREAM_EOF)
		close_link(l, "the server closed the connection");
	else if (e == STREAM_BROKEN)
		close_link(l, stream_why(s));
	else if (e == STREAM_LATE)
		close_link(l, "the server is silent");
}

static bool open_link(struct dotlink *l)
{
	const struct endpoint *s = &l->server[l->at];
	int fd = sock_connect(s->addr.b, s->port, SOCK_STREAM);

	if (fd < 0) {
		log_broken(l, "cannot connect");
		l->at = (l->at + 1) % l->n;
		return false;
	}
	stream_open(&l->stream, l->loop, fd, (struct buf){ .p = l->in, .cap = 2 + DOTLINK_MSG },
		    BUF(l->out), on_event);
	if (s->pins.n)
		tls_client_pinned(&l->tls, &l->engine, &s->pins, NULL);
	else
		tls_client(&l->tls, l->anchors, s->name);
	/* The rest comes with the socket's next event: no callback from here. */
	l->stream.tls = &l->tls;
	l->stream.watch.want = POLLIN | POLLOUT;
	return true;
}

bool dotlink_send(struct dotlink *l, struct slice query)
{
	struct buf *to;

	if (l->stream.watch.fd < 0 && !open_link(l))
		return false;
	to = l->stream.secure ? &l->stream.out : &l->early;
	if (query.n > buf_room(to))
		return false;
	buf_put(to, query);
	l->open++;
	set_due(l);
	if (l->stream.secure)
		l->stream.watch.want |= POLLOUT; /* sent with the socket's next event */
	return true;
}
