/* SPDX-License-Identifier: ISC */
#ifndef INIT_LOG_SYSLOGMSG_H
#define INIT_LOG_SYSLOGMSG_H

#include "smtpd/lib/bytes.h"

/* One line of the log as a message of RFC 5424: facility mail; severity and MSGID by its event; no structured data.
 * What is not printable ASCII is written as '?', so that no line can end a message or forge another. */
enum { SYSLOGMSG_MAX = 1024 + 512 }; /* octets: a line of LOG_LINE, and what goes before it */

struct syslogmsg {
	int64_t s;   /* since 1970, UTC */
	unsigned ms; /* below 1000 */
	struct slice host, name, line;
};

/* out has room for SYSLOGMSG_MAX. host, name: longer ones, and the line, are cut. */
void syslogmsg_put(const struct syslogmsg *m, struct buf *out);

#endif
