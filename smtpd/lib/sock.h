/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_LIB_SOCK_H
#define SMTPD_LIB_SOCK_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* Addresses of sockets as 16 octets, IPv4 in ::ffff:0:0/96, as struct ipaddr has them. */
enum { SOCK_OCTETS = 16 };

union sock_address {
	struct sockaddr any;
	struct sockaddr_in four;
	struct sockaddr_in6 six;
};

/* *out is that address and port, for bind() and connect(); its length. */
socklen_t sock_address(union sock_address *out, const uint8_t addr[SOCK_OCTETS], uint16_t port);
/* A socket that does not block, connected to there or on its way. type: SOCK_STREAM or SOCK_DGRAM. -1: there is none,
 * or no way to that address. */
int sock_connect(const uint8_t addr[SOCK_OCTETS], uint16_t port, int type);
/* The address at this end. False: *out untouched. */
bool sock_own(int fd, uint8_t out[SOCK_OCTETS]);

#endif
