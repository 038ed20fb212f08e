/* SPDX-License-Identifier: ISC */
#include "smtpd/fetch/httpreply.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* Whole, and in two pieces cut where the first octet says: the same verdict, the same body. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static uint8_t mem[2][64];
	static struct httpreply r[2];
	struct slice in = { p + 1, n - 1 };

	if (!n)
		return 0;
	httpreply_start(&r[0], BUF(mem[0]));
	httpreply_start(&r[1], BUF(mem[1]));
	httpreply_feed(&r[0], in);
	httpreply_feed(&r[1], slice_head(in, p[0]));
	httpreply_feed(&r[1], slice_from(in, p[0]));
	for (int i = 0; i < 2; i++)
		if ((r[i].done && r[i].why) || r[i].body.len > r[i].body.cap)
			abort();
	if (r[0].done != r[1].done || (r[0].why != NULL) != (r[1].why != NULL))
		abort();
	if (r[0].done && !slice_eq(buf_slice(&r[0].body), buf_slice(&r[1].body)))
		abort();
	return 0;
}
