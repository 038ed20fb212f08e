/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/dkim_preimage.h"

#include <stdlib.h>

#include "smtpd/proto/dkim_sign.h"
#include "smtpd/proto/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* What may be submitted and signed has a preimage that the holder accepts, if From is of the domain; and
 * the holder is asked the input itself. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const uint8_t sum[32];
	struct dkim_sign s = { SLICE("b.c"), SLICE("s"), 1, sum, n & 1 };
	struct slice in = { p, n }, name;
	struct header_field f;
	struct header_addr a;
	uint8_t mem[12 * 1024];
	struct buf out = BUF(mem);
	size_t k;

	dkim_preimage_check(in, s.ed25519, s.domain, s.selector);
	if (header_check(in, true, &name) || !header_find(in, SLICE("from"), &f) ||
	    !header_addresses(f.body, &a, 1, &k) || !slice_ieq(a.domain, s.domain))
		return 0;
	dkim_sign_preimage(&s, in, &out);
	if (!out.bad && !dkim_preimage_check(buf_slice(&out), s.ed25519, s.domain, s.selector))
		abort();
	return 0;
}
