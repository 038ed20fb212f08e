/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/dnsmsg.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* The first octet chooses the type. Records of an answer are whole and as many as stated. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const uint16_t type[] = { DNSMSG_A,   DNSMSG_AAAA, DNSMSG_MX, DNSMSG_TXT,
					 DNSMSG_PTR, DNSMSG_TLSA, DNSMSG_CAA };
	static struct dnsmsg_answer a;
	struct slice record;
	unsigned count = 0;

	if (!n)
		return 0;
	dnsmsg_parse((struct slice){ p + 1, n - 1 }, 0x1234, SLICE("a.b"), type[p[0] % 7], &a);
	struct cur c = CUR(((struct slice){ a.records, a.len }));

	while (dnsmsg_record(&c, &record))
		count++;
	if (!cur_done(&c) || count != a.n || (a.kind == DNSMSG_OK) != (a.n > 0))
		abort();
	return 0;
}
