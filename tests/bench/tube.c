/* SPDX-License-Identifier: ISC */
#include "tests/bench/tube.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

_Noreturn void tube_die(const char *why, const char *what)
{
	fprintf(stderr, "bench: %s: %s\n", why, what);
	exit(1);
}

int64_t tube_clock(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

void tube_open(struct tube *w, int epoll, int fd, void *tag)
{
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = tag };

	w->fd = fd;
	w->ssl = NULL;
	w->shaking = false;
	w->asked = EPOLLIN;
	w->nin = w->nout = w->sent = 0;
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e))
		tube_die("epoll", strerror(errno));
}

void tube_close(struct tube *w)
{
	if (w->ssl)
		SSL_free(w->ssl);
	w->ssl = NULL;
	if (w->fd >= 0)
		close(w->fd);
	w->fd = -1;
}

void tube_tls(struct tube *w, SSL_CTX *ctx, SSL_SESSION *session, bool accepts)
{
	w->ssl = SSL_new(ctx);
	if (!w->ssl || !SSL_set_fd(w->ssl, w->fd))
		tube_die("TLS", "no session");
	if (session)
		SSL_set_session(w->ssl, session);
	w->shaking = true;
	w->accepts = accepts;
	w->nin = 0;
}

static enum tube_got ssl_got(SSL *ssl, int r)
{
	switch (SSL_get_error(ssl, r)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return TUBE_NOTHING;
	default:
		return TUBE_CLOSED;
	}
}

static enum tube_got shake(struct tube *w)
{
	int r = w->accepts ? SSL_accept(w->ssl) : SSL_connect(w->ssl);

	if (r != 1)
		return ssl_got(w->ssl, r);
	w->shaking = false;
	return TUBE_OCTETS;
}

enum tube_got tube_read(struct tube *w)
{
	size_t room = TUBE_IN - w->nin;
	ssize_t n;

	if (w->shaking) {
		enum tube_got got = shake(w);

		if (got != TUBE_OCTETS)
			return got;
	}
	if (!room)
		return TUBE_NOTHING;
	if (w->ssl) {
		int r = SSL_read(w->ssl, w->in + w->nin, (int)room);

		if (r <= 0)
			return ssl_got(w->ssl, r);
		w->nin += (size_t)r;
		return TUBE_OCTETS;
	}
	n = recv(w->fd, w->in + w->nin, room, 0);
	if (n < 0 && errno == EAGAIN)
		return TUBE_NOTHING;
	if (n <= 0)
		return TUBE_CLOSED;
	w->nin += (size_t)n;
	return TUBE_OCTETS;
}

void tube_eat(struct tube *w, size_t n)
{
	memmove(w->in, w->in + n, w->nin - n);
	w->nin -= n;
}

void tube_put(struct tube *w, const void *p, size_t n)
{
	if (w->nout + n > w->cap) {
		w->cap = w->nout + n + 4096;
		w->out = realloc(w->out, w->cap);
		if (!w->out)
			tube_die("memory", "none");
	}
	memcpy(w->out + w->nout, p, n);
	w->nout += n;
}

/* One write; how much went out, 0 when it would block, -1 when it is over. */
static ssize_t push(struct tube *w)
{
	ssize_t n;

	if (w->ssl) {
		int r = SSL_write(w->ssl, w->out + w->sent, (int)(w->nout - w->sent));

		return r > 0 ? r : ssl_got(w->ssl, r) == TUBE_NOTHING ? 0 : -1;
	}
	n = send(w->fd, w->out + w->sent, w->nout - w->sent, MSG_NOSIGNAL);
	return n < 0 && errno == EAGAIN ? 0 : n;
}

bool tube_flush(struct tube *w, int epoll, void *tag)
{
	uint32_t want = EPOLLIN;

	if (w->shaking && shake(w) == TUBE_CLOSED)
		return false;
	while (!w->shaking && w->sent < w->nout) {
		ssize_t n = push(w);

		if (n < 0)
			return false;
		if (n == 0) {
			want |= EPOLLOUT;
			break;
		}
		w->sent += (size_t)n;
	}
	if (w->sent == w->nout)
		w->sent = w->nout = 0;
	if (want != w->asked) {
		struct epoll_event e = { .events = want, .data.ptr = tag };

		w->asked = want;
		epoll_ctl(epoll, EPOLL_CTL_MOD, w->fd, &e);
	}
	return true;
}
