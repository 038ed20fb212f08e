/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_PROTO_HOST_ZONE_H
#define SMTPD_PROTO_HOST_ZONE_H

#include "smtpd/lib/bytes.h"
#include "smtpd/proto/dnsmsg.h"

/* A zone file of the tests: one record a line, "name TYPE rdata"; "name TIMEOUT" and "name SERVFAIL" make every
 * query for that name end so; '#' and ';' begin a comment line. Names without a record do not exist. */

/* The TXT records of a name, CNAMEs followed, as struct dnsmsg_answer has them. *bad: the number of the first
 * line that cannot be read, else 0. */
void zone_txt(struct slice zone, struct slice name, struct dnsmsg_answer *out, unsigned *bad);

#endif
