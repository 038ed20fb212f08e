/* SPDX-License-Identifier: ISC */
#include "keys/holder/dkimring.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* What is taken has a key that signs, and is written again octet for octet. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct dkimring r;
	uint8_t mem[KEYFILE_MAX];
	struct buf b = BUF(mem);
	struct slice in = { p, n };

	if (!dkimring_parse(in, &r))
		return 0;
	dkimring_put(&r, &b);
	if (b.bad || !slice_eq(buf_slice(&b), in) || !r.key[DKIMRING_NOW].number)
		abort();
	return 0;
}
