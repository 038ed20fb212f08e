/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "init/clock/sntp.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* An accepted time is one that an answer can mean: from 1968 to 2104, sent not before it was
 * received. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const int64_t year = INT64_C(31556952) * 1000000000;
	struct sntp_answer a;

	if (sntp_parse((struct slice){ p, n }, UINT64_C(0x3132333435363738), &a) != SNTP_TIME)
		return 0;
	if (a.sent < a.received || a.received < -2 * year || a.sent > 135 * year ||
	    !a.stratum || a.stratum > 15)
		abort();
	sntp_offset(&a, 0, 0);
	return 0;
}
