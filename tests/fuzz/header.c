/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/header.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* Fields and the empty line together are the letter; addresses lie in the body they came from. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct slice text = { p, n }, header, body, rest, name;
	struct header_addr a[4];
	struct header_field f;
	bool blank = header_split(text, &header, &body);
	size_t sum = 0, k;

	if (header.n + (blank ? 2 : 0) + body.n != n)
		abort();
	for (rest = header; header_next(&rest, &f); sum += f.raw.n) {
		if (f.name.n + f.body.n + 2 > f.raw.n && f.name.n)
			abort();
		if (!header_addresses(f.body, a, 4, &k))
			continue;
		while (k--) {
			struct header_addr again[1];
			uint8_t mem[400];
			struct buf out = BUF(mem);

			buf_put(&out, a[k].local);
			buf_u8(&out, '@');
			buf_put(&out, a[k].domain);
			if (out.bad ||
			    !header_addresses(buf_slice(&out), again, 1, &(size_t){ 0 }) ||
			    !slice_eq(again[0].domain, a[k].domain))
				abort();
		}
	}
	if (sum != header.n)
		abort();
	for (int utf8 = 0; utf8 < 2; utf8++)
		if (header_check(header, utf8, &name) == HEADER_OK &&
		    header_check_stranger(header, utf8, &name) != HEADER_OK)
			abort();
	return 0;
}
