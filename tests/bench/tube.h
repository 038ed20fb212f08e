/* SPDX-License-Identifier: ISC */
#ifndef TESTS_BENCH_TUBE_H
#define TESTS_BENCH_TUBE_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One connection of the generator or the sink: a socket, perhaps TLS over it, and two buffers. */
enum { TUBE_IN = 32 * 1024 };

struct tube {
	int fd;		/* -1: closed */
	SSL *ssl;	/* owned; NULL: clear text */
	bool shaking;	/* the TLS handshake is not over */
	bool accepts;	/* we are the server of it */
	uint32_t asked; /* what epoll was told */
	size_t nin, nout,
		sent; /* octets in `in`; in `out`, and how many of those are written */
	size_t cap;
	uint8_t *out; /* owned; grows, kept between connections */
	uint8_t in[TUBE_IN];
};

enum tube_got { TUBE_CLOSED, TUBE_NOTHING, TUBE_OCTETS };

/* Takes over a non-blocking socket and puts it into the epoll set with `tag`. */
void tube_open(struct tube *w, int epoll, int fd, void *tag);
void tube_close(struct tube *w);
/* TLS from now on; what is left in the clear is dropped. */
void tube_tls(struct tube *w, SSL_CTX *ctx, SSL_SESSION *session, bool accepts);
/* Reads what fits. */
enum tube_got tube_read(struct tube *w);
/* The first n octets of `in` were used. */
void tube_eat(struct tube *w, size_t n);
/* To be written; tube_flush() does it. */
void tube_put(struct tube *w, const void *p, size_t n);
/* Writes, drives the handshake, and tells epoll what to wait for. False: the connection is broken. */
bool tube_flush(struct tube *w, int epoll, void *tag);
/* Monotonic nanoseconds. */
int64_t tube_clock(void);
/* Ends the program with a sentence. */
_Noreturn void tube_die(const char *why, const char *what);

#endif
