/* SPDX-License-Identifier: ISC */
#include "smtpd/http/httpcall.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "smtpd/http/url.h"
#include "smtpd/lib/owner.h"
#include "smtpd/lib/sock.h"
#include "smtpd/msg/dns.h"
#include "smtpd/proto/dnsmsg.h"

static const struct want want_dns = { DNS_QUERY, sizeof(struct dns_reply), DNS_TAIL };

/* The connection is over; `why` NULL: with the reply. */
static void end(struct httpcall *h, const char *why)
{
	stream_close(&h->stream);
	h->why = why;
	h->next.due = h->env->loop->now;
	loop_add(h->env->loop, &h->next);
}

void httpcall_put(struct buf *b, const char *method, const char *host, uint16_t port,
		  struct slice path, const char *type, struct slice body)
{
	buf_put(b, slice_of(method));
	buf_u8(b, ' ');
	buf_put(b, path);
	buf_put(b, SLICE(" HTTP/1.1\r\nHost: "));
	buf_put(b, slice_of(host));
	if (port != URL_PORT) {
		buf_u8(b, ':');
		buf_dec(b, port);
	}
	buf_put(b, SLICE("\r\nUser-Agent: tinpost\r\n"));
	buf_put(b, body.p ? SLICE("Content-Type: ") : SLICE("Accept: "));
	buf_put(b, slice_of(type));
	if (body.p) {
		buf_put(b, SLICE("\r\nContent-Length: "));
		buf_dec(b, body.n);
	}
	buf_put(b, SLICE("\r\nConnection: close\r\n\r\n"));
	buf_put(b, body);
}

static void on_event(struct stream *s, enum stream_event e)
{
	struct httpcall *h = OWNER(struct httpcall, stream, s);

	if (e == STREAM_SECURE)
		buf_put(&s->out, h->request);
	if (s->secure && s->in.len) {
		if (!httpreply_feed(&h->reply, buf_slice(&s->in))) {
			end(h, h->reply.why);
			return;
		}
		buf_eat(&s->in, s->in.len);
		stream_kick(s); /* TLS may hold more than fitted */
		if (h->reply.done) {
			end(h, NULL);
			return;
		}
	}
	if (e == STREAM_EOF)
		end(h, "the server closed the connection");
	else if (e == STREAM_BROKEN)
		end(h, stream_why(s));
	else if (e == STREAM_LATE)
		end(h, "the server did not answer in time");
}

static void try_address(struct httpcall *h)
{
	uint8_t to[SOCK_OCTETS] = { [10] = 0xff, [11] = 0xff };
	int fd;

	memcpy(to + 12, h->addr[h->at++], 4);
	fd = sock_connect(to, h->port, SOCK_STREAM);
	if (fd < 0) {
		end(h, "cannot connect");
		return;
	}
	/* Or the request would wait for the peer's delayed acknowledgement of the handshake. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	httpreply_start(&h->reply, h->body, slice_iprefix(h->request, SLICE("HEAD ")),
			h->field);
	stream_open(&h->stream, h->env->loop, fd, BUF(h->in), h->out, on_event);
	stream_due(&h->stream, h->deadline - h->env->loop->now);
	tls_client(&h->tls, h->env->anchors, h->host);
	stream_tls(&h->stream, &h->tls);
}

static void on_addr(struct ask *a, const void *reply, struct slice records)
{
	struct httpcall *h = OWNER(struct httpcall, ask, a);
	const struct dns_reply *r = reply;
	struct cur c = CUR(records);
	struct slice one;

	while (r && r->result == DNS_OK && h->naddr < HTTPCALL_ADDRS && dnsmsg_record(&c, &one))
		if (one.n == 4)
			memcpy(h->addr[h->naddr++], one.p, 4);
	end(h,
	    r && r->result != DNS_FAILED ? "the host has no address" : "name service failed");
}

/* Something ended: the reply is there, or the next address may have it. */
static void on_next(struct watch *w, short got)
{
	struct httpcall *h = OWNER(struct httpcall, next, w);

	(void)got;
	loop_drop(h->env->loop, w);
	if (h->why && h->at < h->naddr && !h->reply.why && h->env->loop->now < h->deadline)
		try_address(h);
	else
		h->done(h);
}

void httpcall_start(struct httpcall *h, const char *host, uint16_t port, struct slice request)
{
	struct dns_query q = { .qtype = DNSMSG_A };

	h->host = host;
	h->port = port;
	h->request = request;
	h->naddr = h->at = 0;
	h->reply = (struct httpreply){ 0 };
	h->deadline = h->env->loop->now + HTTPCALL_DNS_MS + HTTPCALL_MS;
	h->stream.watch.fd = -1;
	h->next = (struct watch){ .fd = -1, .ready = on_next };
	h->ask.done = on_addr;
	if (request.n > h->out.cap)
		end(h, "the request is too long");
	else if (!chan_ask(h->env->dns, &h->ask, &q, sizeof q, slice_of(host), NULL, 0,
			   &want_dns, HTTPCALL_DNS_MS))
		end(h, "name service is not there");
}

void httpcall_drop(struct httpcall *h)
{
	ask_drop(&h->ask);
	stream_close(&h->stream);
	loop_drop(h->env->loop, &h->next);
}
