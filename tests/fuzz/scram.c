/* SPDX-License-Identifier: ISC */
/* Stored keys and the messages of SCRAM. Laws: what is read as keys is written as it was; nothing that a client sends
 * passes without a proof; a first message that is taken is answered with its own nonce in front. */
#include "keys/auth/scram.h"

#include <sodium.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const uint8_t peer[16];
	static const struct scram_secret secret;
	static const struct scram_keys nobody = { .iterations = 4096, .salt_n = 1 };
	uint8_t mem[AUTH_SCRAM_TEXT_MAX], end_mem[AUTH_SCRAM_SERVER];
	struct buf out = BUF(mem), end = BUF(end_mem);
	struct slice in = { p, n }, first = slice_head(in, slice_find(in, 0));
	struct scram_keys k;
	struct scram_first f;

	if (sodium_init() < 0)
		abort();
	if (scram_keys_get(in, &k)) {
		scram_keys_put(&k, &out);
		if (!slice_eq(buf_slice(&out), in))
			abort();
	}
	if (first.n > AUTH_SCRAM_FIRST_MAX || n - first.n > AUTH_SCRAM_FINAL_MAX)
		return 0;
	out.len = 0;
	if (scram_first_get(first, &f)) {
		scram_first_put(&secret, peer, first, 5, &nobody, &out);
		if (out.bad || !f.user_n || out.len < 2 + f.nonce.n ||
		    !slice_eq(slice_head(slice_from(buf_slice(&out), 2), f.nonce.n), f.nonce))
			abort();
	}
	if (scram_final(&secret, peer, first, slice_from(in, first.n + 1), 5, &nobody, &end))
		abort();
	return 0;
}
