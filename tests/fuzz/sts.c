/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/sts.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* A policy that is accepted has hosts without an empty one among them; an id is 1 to 32 letters and digits. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct sts_policy out;
	struct slice in = { p, n }, id;

	if (sts_parse(in, &out)) {
		struct slice rest = { out.hosts, out.hosts_n };
		size_t total = 0, words = 0;

		for (struct slice w; (w = slice_word(&rest)).n; words++)
			total += w.n;
		if (out.mode > STS_ENFORCE || out.max_age > STS_AGE_MAX ||
		    out.hosts_n > STS_HOSTS || (out.mode && !words) ||
		    total + (words ? words - 1 : 0) != out.hosts_n)
			abort();
	}
	if (sts_record(in, &id) && (!id.n || id.n > STS_ID || id.p < p || id.p + id.n > p + n))
		abort();
	return 0;
}
