/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/taglist.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* A tag printed plainly is read as the same tag. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static uint8_t mem[8192];
	struct cur c = CUR(((struct slice){ p, n }));
	struct tag t, again;

	while (taglist_next(&c, &t)) {
		struct buf out = BUF(mem);

		buf_put(&out, t.name);
		buf_u8(&out, '=');
		buf_put(&out, t.value);
		struct cur back = CUR(buf_slice(&out));

		if (!out.bad &&
		    (!taglist_next(&back, &again) || !slice_eq(t.name, again.name) ||
		     !slice_eq(t.value, again.value) || !cur_done(&back)))
			abort();
	}
	return 0;
}
