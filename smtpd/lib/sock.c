/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "smtpd/lib/sock.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

socklen_t sock_address(union sock_address *out, const uint8_t addr[SOCK_OCTETS], uint16_t port)
{
	memset(out, 0, sizeof *out);
	if (memcmp(addr, mapped, sizeof mapped) == 0) {
		out->four.sin_family = AF_INET;
		out->four.sin_port = htons(port);
		memcpy(&out->four.sin_addr, addr + sizeof mapped, 4);
		return sizeof out->four;
	}
	out->six.sin6_family = AF_INET6;
	out->six.sin6_port = htons(port);
	memcpy(&out->six.sin6_addr, addr, SOCK_OCTETS);
	return sizeof out->six;
}

int sock_connect(const uint8_t addr[SOCK_OCTETS], uint16_t port, int type)
{
	union sock_address to;
	socklen_t n = sock_address(&to, addr, port);
	int fd = socket(to.any.sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, &to.any, n) == 0 || errno == EINPROGRESS)
		return fd;
	close(fd);
	return -1;
}

bool sock_own(int fd, uint8_t out[SOCK_OCTETS])
{
	union sock_address a;
	socklen_t n = sizeof a;

	if (getsockname(fd, &a.any, &n) != 0)
		return false;
	if (a.any.sa_family == AF_INET) {
		memcpy(out, mapped, sizeof mapped);
		memcpy(out + sizeof mapped, &a.four.sin_addr, 4);
	} else {
		memcpy(out, &a.six.sin6_addr, SOCK_OCTETS);
	}
	return true;
}
