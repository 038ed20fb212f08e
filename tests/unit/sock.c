/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "smtpd/lib/sock.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <unistd.h>

#include "tests/unit/test.h"

static const uint8_t four[] = { [10] = 0xff, [11] = 0xff, [12] = 127, 0, 0, 1 },
		     six[16] = { [15] = 1 },
		     nearly[] = { [10] = 0xff, [11] = 0xfe, [12] = 127, 0, 0, 1 };

static void addresses(void)
{
	static const struct {
		const uint8_t *octets;
		int family;
		socklen_t n;
		const char *text;
	} rows[] = {
		{ four, AF_INET, sizeof(struct sockaddr_in), "127.0.0.1" },
		{ six, AF_INET6, sizeof(struct sockaddr_in6), "::1" },
		{ nearly, AF_INET6, sizeof(struct sockaddr_in6), "::fffe:7f00:1" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		union sock_address a;
		char text[INET6_ADDRSTRLEN];

		memset(&a, 0xff, sizeof a);
		CHECK_EQ(sock_address(&a, rows[i].octets, 0x1234), rows[i].n);
		CHECK_EQ(a.any.sa_family, rows[i].family);
		CHECK_EQ(ntohs(rows[i].family == AF_INET ? a.four.sin_port : a.six.sin6_port),
			 0x1234);
		inet_ntop(rows[i].family,
			  rows[i].family == AF_INET ? (void *)&a.four.sin_addr
						    : (void *)&a.six.sin6_addr,
			  text, sizeof text);
		CHECK_ROW(!strcmp(text, rows[i].text), text);
		CHECK(rows[i].family == AF_INET ||
		      (!a.six.sin6_flowinfo && !a.six.sin6_scope_id));
	}
}

/* To a listener, and to where nobody listens; the end that is ours. */
static void connections(const uint8_t *to)
{
	union sock_address a;
	uint8_t own[SOCK_OCTETS] = { 0 };
	socklen_t n = sock_address(&a, to, 0);
	int listener = socket(a.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0), fd;
	uint16_t port;

	CHECK(bind(listener, &a.any, n) == 0 && listen(listener, 1) == 0);
	CHECK(getsockname(listener, &a.any, &n) == 0);
	port = ntohs(a.any.sa_family == AF_INET ? a.four.sin_port : a.six.sin6_port);
	fd = sock_connect(to, port, SOCK_STREAM);
	CHECK(fd >= 0 && fcntl(fd, F_GETFL) & O_NONBLOCK && fcntl(fd, F_GETFD) & FD_CLOEXEC);
	CHECK(sock_own(fd, own) && !memcmp(own, to, sizeof own));
	close(fd);
	fd = sock_connect(to, port, SOCK_DGRAM);
	CHECK(fd >= 0 && sock_own(fd, own) && !memcmp(own, to, sizeof own));
	close(fd);
	close(listener);
}

int main(void)
{
	uint8_t own[SOCK_OCTETS] = { 7 };

	addresses();
	connections(four);
	connections(six);
	CHECK_EQ(sock_connect(four, 1, -1), -1);
	CHECK(!sock_own(-1, own) && own[0] == 7);
	TEST_END();
}
