/* SPDX-License-Identifier: ISC */
#include "keys/acme/orderfile.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* What is taken is written again octet for octet. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct orderfile o;
	uint8_t mem[4096];
	struct buf b = BUF(mem);
	struct slice in = { p, n };

	if (!orderfile_get(in, &o))
		return 0;
	orderfile_put(&o, &b);
	if (b.bad || !slice_eq(buf_slice(&b), in))
		abort();
	return 0;
}
