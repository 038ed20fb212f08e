/* SPDX-License-Identifier: ISC */
#include "smtpd/http/httpreply.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static unsigned fields[2];
static struct httpreply r[2];

static void on_field(struct httpreply *reply, struct slice name, struct slice value)
{
	if (!name.n || value.n > HTTPREPLY_VALUE)
		abort();
	fields[reply == &r[1]]++;
}

/* Whole, and in two pieces cut where the first octet says: the same verdict, the same body. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static uint8_t mem[2][64];
	struct slice in = { p + 1, n - 1 };

	if (!n)
		return 0;
	fields[0] = fields[1] = 0;
	httpreply_start(&r[0], BUF(mem[0]), p[0] & 1, on_field);
	httpreply_start(&r[1], BUF(mem[1]), p[0] & 1, on_field);
	httpreply_feed(&r[0], in);
	httpreply_feed(&r[1], slice_head(in, p[0]));
	httpreply_feed(&r[1], slice_from(in, p[0]));
	for (int i = 0; i < 2; i++)
		if ((r[i].done && r[i].why) || r[i].body.len > r[i].body.cap)
			abort();
	if (r[0].done != r[1].done || (r[0].why != NULL) != (r[1].why != NULL))
		abort();
	if (r[0].done && fields[0] != fields[1])
		abort();
	if (r[0].done && !slice_eq(buf_slice(&r[0].body), buf_slice(&r[1].body)))
		abort();
	return 0;
}
