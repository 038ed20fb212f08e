/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_PROTO_HOST_ZONE_H
#define SMTPD_PROTO_HOST_ZONE_H

#include "smtpd/lib/bytes.h"
#include "smtpd/proto/dnsmsg.h"

/*
 * A zone file of the tests: one record a line, "name TYPE rdata" with A, AAAA, MX (10 host), TXT (strings, quoted or
 * not), PTR, CNAME, TLSA; "name TIMEOUT" and "name SERVFAIL" make every query for that name end so; '#' and ';' begin a
 * comment line. \X and \DDD stand for octets in names and strings. Names without a record do not exist.
 */

/* The records of a name, CNAMEs followed, as struct dnsmsg_answer has them. *bad: the number of the first
 * line that cannot be read, else 0; records of other names and types are not read. */
void zone_find(struct slice zone, struct slice name, uint16_t type, struct dnsmsg_answer *out,
	       unsigned *bad);

#endif
