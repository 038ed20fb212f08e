/* SPDX-License-Identifier: ISC */
#include "smtpd/fetch/httpget.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "smtpd/lib/owner.h"
#include "smtpd/msg/dns.h"
#include "smtpd/proto/dnsmsg.h"

static const struct want want_dns = { DNS_QUERY, sizeof(struct dns_reply), DNS_TAIL };

/* The connection is over; `why` NULL: with the file. */
static void end(struct httpget *g, const char *why)
{
	stream_close(&g->stream);
	g->why = why;
	g->next.due = g->env->loop->now;
	loop_add(g->env->loop, &g->next);
}

static void ask_for_it(struct httpget *g)
{
	struct buf *out = &g->stream.out;

	buf_put(out, SLICE("GET "));
	buf_put(out, slice_of(g->path));
	buf_put(out, SLICE(" HTTP/1.1\r\nHost: "));
	buf_put(out, slice_of(g->host));
	buf_put(out,
		SLICE("\r\nUser-Agent: tinpost\r\nAccept: text/plain\r\nConnection: close\r\n\r\n"));
}

static void on_event(struct stream *s, enum stream_event e)
{
	struct httpget *g = OWNER(struct httpget, stream, s);

	if (e == STREAM_SECURE)
		ask_for_it(g);
	if (s->secure && s->in.len) {
		if (!httpreply_feed(&g->reply, buf_slice(&s->in))) {
			end(g, g->reply.why);
			return;
		}
		buf_eat(&s->in, s->in.len);
		if (g->reply.done) {
			end(g, NULL);
			return;
		}
	}
	if (e == STREAM_EOF)
		end(g, "the server closed the connection");
	else if (e == STREAM_BROKEN)
		end(g, stream_why(s));
	else if (e == STREAM_LATE)
		end(g, "the server did not answer in time");
}

static void try_address(struct httpget *g)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(g->env->port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	memcpy(&to.sin_addr, g->addr[g->at++], 4);
	if (fd < 0 ||
	    (connect(fd, (struct sockaddr *)&to, sizeof to) && errno != EINPROGRESS)) {
		if (fd >= 0)
			close(fd);
		end(g, "cannot connect");
		return;
	}
	httpreply_start(&g->reply, (struct buf){ .p = g->body, .cap = HTTPGET_BODY });
	stream_open(&g->stream, g->env->loop, fd, BUF(g->in), BUF(g->out), on_event);
	stream_due(&g->stream, g->deadline - g->env->loop->now);
	tls_client(&g->tls, g->env->anchors, g->host);
	stream_tls(&g->stream, &g->tls);
}

static void on_addr(struct ask *a, const void *reply, struct slice records)
{
	struct httpget *g = OWNER(struct httpget, ask, a);
	const struct dns_reply *r = reply;
	struct cur c = CUR(records);
	struct slice one;

	while (r && r->result == DNS_OK && g->naddr < HTTPGET_ADDRS && dnsmsg_record(&c, &one))
		if (one.n == 4)
			memcpy(g->addr[g->naddr++], one.p, 4);
	end(g,
	    r && r->result != DNS_FAILED ? "the host has no address" : "name service failed");
}

/* Something ended: the file is there, or the next address may have it. */
static void on_next(struct watch *w, short got)
{
	struct httpget *g = OWNER(struct httpget, next, w);

	(void)got;
	loop_drop(g->env->loop, w);
	if (g->why && g->at < g->naddr && !g->reply.why && g->env->loop->now < g->deadline)
		try_address(g);
	else
		g->done(g);
}

void httpget_start(struct httpget *g, const char *host, const char *path)
{
	struct dns_query q = { .qtype = DNSMSG_A };

	g->host = host;
	g->path = path;
	g->naddr = g->at = 0;
	g->reply.why = NULL;
	g->deadline = g->env->loop->now + HTTPGET_DNS_MS + HTTPGET_MS;
	g->stream.watch.fd = -1;
	g->next = (struct watch){ .fd = -1, .ready = on_next };
	g->ask.done = on_addr;
	if (!chan_ask(g->env->dns, &g->ask, &q, sizeof q, slice_of(host), NULL, 0, &want_dns,
		      HTTPGET_DNS_MS))
		end(g, "name service is not there");
}
