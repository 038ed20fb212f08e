/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "smtpd/proto/mxname.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* Host, NUL, patterns. A fixed list never matches what does not end in its name. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct slice in = { p, n }, host = slice_head(in, slice_find(in, 0));
	struct slice list = SLICE("*.in.example mx.in.example");

	mxname_match(host, slice_from(in, host.n + 1));
	if (mxname_match(host, list) && !slice_iends(host, SLICE(".in.example")) &&
	    !slice_iends(host, SLICE(".in.example.")))
		abort();
	return 0;
}
