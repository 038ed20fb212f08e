/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "keys/acme/door.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "smtpd/lib/log.h"
#include "smtpd/lib/owner.h"

enum { BACKLOG = 16, SIGN_MS = 200 };

static const struct want want_sign = { HOLDER_TLS_SIGN, sizeof(struct holder_reply),
				       HOLDER_SIG_MAX };

/* ---- port 80 ---- */

static bool asked_for(const struct door_client *c)
{
	struct slice path = buf_slice(&c->path), place = SLICE("/.well-known/acme-challenge/");

	return c->get && !c->path.bad && slice_eq(slice_head(path, place.n), place) &&
	       slice_eq(slice_from(path, place.n), slice_of(c->door->token));
}

static void answer(struct door_client *c)
{
	bool found = asked_for(c);
	struct slice text = slice_of(found ? c->door->text : "");
	struct buf *out = &c->s.out;

	c->answered = true;
	buf_put(out, found ? SLICE("HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream")
			   : SLICE("HTTP/1.1 404 Not Found"));
	buf_put(out, SLICE("\r\nConnection: close\r\nContent-Length: "));
	buf_dec(out, text.n);
	buf_put(out, SLICE("\r\n\r\n"));
	buf_put(out, text);
	stream_end(&c->s);
}

static int on_url(http_parser *p, const char *at, size_t n)
{
	struct door_client *c = p->data;

	buf_put(&c->path, (struct slice){ (const uint8_t *)at, n });
	return 0;
}

static int on_headers(http_parser *p)
{
	struct door_client *c = p->data;

	c->get = p->method == HTTP_GET;
	answer(c);
	return -1; /* nothing more is read */
}

static const http_parser_settings settings = {
	.on_url = on_url,
	.on_headers_complete = on_headers,
};

/* False: it is no request. */
static bool feed(struct door_client *c)
{
	struct slice in = buf_slice(&c->s.in);

	if (!c->answered)
		http_parser_execute(&c->parser, &settings, (const char *)in.p, in.n);
	buf_eat(&c->s.in, in.n);
	return c->answered || HTTP_PARSER_ERRNO(&c->parser) == HPE_OK;
}

static void on_event(struct stream *s, enum stream_event e)
{
	struct door_client *c = OWNER(struct door_client, s, s);

	if (e == STREAM_DATA && !c->door->tls && s->in.len && !feed(c))
		stream_close(s);
	else if (e == STREAM_DATA && c->door->tls)
		s->in.len = 0; /* RFC 8737 3: the handshake is all */
	else if (e == STREAM_EOF || e == STREAM_BROKEN || e == STREAM_LATE)
		stream_close(s);
}

/* ---- port 443 ---- */

static bool sign(void *ctx, unsigned algorithm, struct slice tbs, struct buf *sig)
{
	struct door *d = ctx;
	struct holder_tls_sign m = { .algorithm = (uint16_t)algorithm };
	struct holder_reply r;

	return tbs.n <= HOLDER_TBS_MAX &&
	       chan_ask_wait(d->holder, &m, sizeof m, tbs, &want_sign, &r, sig, SIGN_MS) &&
	       r.result == HOLDER_DONE && sig->len;
}

/* ---- clients ---- */

static void admit(struct door *d, struct door_client *c, int fd)
{
	c->number = d->admitted++;
	c->answered = c->get = false;
	c->path = BUF(c->path_mem);
	http_parser_init(&c->parser, HTTP_REQUEST);
	c->parser.data = c;
	stream_open(&c->s, d->loop, fd, BUF(c->in), BUF(c->out), on_event);
	stream_due(&c->s, DOOR_MS);
	if (!d->tls)
		return;
	tls_server(c->tls, &d->identity);
	tls_alpn(c->tls, "acme-tls/1");
	stream_tls(&c->s, c->tls);
}

/* One for who comes: who has been here longest was answered, or says nothing. */
static struct door_client *place(struct door *d)
{
	struct door_client *oldest = d->client;

	for (unsigned i = 0; i < DOOR_CLIENTS; i++) {
		if (d->client[i].s.watch.fd < 0)
			return &d->client[i];
		if (d->client[i].number < oldest->number)
			oldest = &d->client[i];
	}
	stream_close(&oldest->s);
	return oldest;
}

static void on_listen(struct watch *w, short got)
{
	struct door *d = OWNER(struct door, listen, w);
	int fd = got ? accept4(w->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC) : -1;

	if (fd >= 0)
		admit(d, place(d), fd);
}

/* ---- open and shut ---- */

void door_close(struct door *d)
{
	loop_drop(d->loop, &d->listen);
	for (unsigned i = 0; i < DOOR_CLIENTS; i++)
		stream_close(&d->client[i].s);
	if (!d->open)
		return;
	/* A listening socket so becomes one that is only bound. One that does not listen must not see this: those that
	 * it accepts later would be born with an end of file. */
	shutdown(d->listen.fd, SHUT_RD);
	log_event("door", "open", "no");
	d->open = false;
}

void door_init(struct door *d, struct loop *l, int fd, bool tls, struct chan *holder)
{
	int listens = 0;
	socklen_t n = sizeof listens;

	d->loop = l;
	d->tls = tls;
	d->holder = holder;
	d->listen = (struct watch){
		.fd = fd, .want = POLLIN, .due = LOOP_NEVER, .ready = on_listen
	};
	for (unsigned i = 0; i < DOOR_CLIENTS; i++) {
		d->client[i].door = d;
		d->client[i].s.watch.fd = -1;
		d->client[i].tls = tls ? arena_reserve(sizeof(struct tls)) : NULL;
	}
	/* Left open by the process before? */
	d->open = fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &n) == 0 &&
		  listens;
	door_close(d);
}

static bool open_door(struct door *d)
{
	if (d->listen.fd < 0 || listen(d->listen.fd, BACKLOG) != 0)
		return false;
	loop_add(d->loop, &d->listen);
	d->open = true;
	log_event("door", "open", d->tls ? "443" : "80");
	return true;
}

bool door_open_file(struct door *d, const char *token, const char *text)
{
	door_close(d);
	return slice_cstr(slice_of(token), d->token, sizeof d->token) &&
	       slice_cstr(slice_of(text), d->text, sizeof d->text) && open_door(d);
}

bool door_open_cert(struct door *d, struct slice cert)
{
	door_close(d);
	if (cert.n > sizeof d->cert)
		return false;
	memcpy(d->cert, cert.p, cert.n);
	d->identity = (struct tls_identity){ .sign = sign, .ctx = d };
	return tls_identity_chain(&d->identity, (struct slice){ d->cert, cert.n }) &&
	       open_door(d);
}
