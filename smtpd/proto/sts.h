/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_PROTO_STS_H
#define SMTPD_PROTO_STS_H

#include "smtpd/lib/bytes.h"

/* MTA-STS (RFC 8461): the record that announces a policy, and the policy. */
enum { STS_ID = 32, STS_HOSTS = 1024, STS_AGE_MAX = 31557600 };

enum sts_mode { STS_NONE, STS_TESTING, STS_ENFORCE };

struct sts_policy {
	uint8_t mode;	  /* enum sts_mode */
	uint32_t max_age; /* s */
	size_t hosts_n;
	uint8_t hosts[STS_HOSTS]; /* as mxname_match() takes them */
};

/* records: those of a DNS_QUERY for TXT (smtpd/msg/dns.h). True: exactly one is such a record (RFC 8461 3.1), and *id,
 * borrowed from it, is the policy's. */
bool sts_record(struct slice records, struct slice *id);

/* RFC 8461 3.2. Lines may end in LF alone. False: not a policy that can be applied; *out untouched. One with more hosts
 * than fit is none. */
bool sts_parse(struct slice text, struct sts_policy *out);

#endif
