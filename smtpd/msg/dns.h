/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_MSG_DNS_H
#define SMTPD_MSG_DNS_H

#include "smtpd/msg/servers.h"

/* out, check.mx, fetch, acme, keygen, selfcheck, clock, net -> dns. DNS_SERVERS, of net alone: struct servers, the name
 * servers. */
enum dns_type { DNS_QUERY = 1, DNS_SERVERS, DNS_TYPES };

enum dns_result {
	DNS_OK,
	DNS_NODATA,
	DNS_NXDOMAIN,
	DNS_FAILED /* SERVFAIL, timeout, nonsense: temporary */
};

/* tail: the name, ASCII, no final dot, at most 253 octets. qtype: RFC 1035 number (1 A, 12 PTR, 15 MX,
 * 16 TXT, 28 AAAA, 52 TLSA, 257 CAA). */
struct dns_query {
	struct msg h;
	uint16_t qtype;
	uint16_t zero[3];
};

/* The tail holds n records, CNAMEs already followed, one after the other, each a big-endian 16-bit length and then
 *   A 4 octets | AAAA 16 octets | MX 2 octets preference (big endian) + host as text | TXT the joined strings | PTR the
 *   name as text | TLSA and CAA as they are. */
struct dns_reply {
	struct msg h;
	uint8_t result; /* enum dns_result */
	uint8_t n;
	uint8_t secure; /* validated by DNSSEC, by a server that is trusted with it */
	uint8_t silent; /* with DNS_FAILED: no server answered at all */
	uint32_t ttl;	/* s */
};

enum { DNS_TAIL = 8 * 1024 };

_Static_assert(sizeof(struct dns_query) == 16, "no padding on the wire");
_Static_assert(sizeof(struct dns_reply) == 16, "no padding on the wire");

#endif
