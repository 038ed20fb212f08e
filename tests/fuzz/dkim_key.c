/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/dkim_key.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* A key that was read can be published and is read as the same again. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	uint8_t der[640], text[1000];
	struct buf key = BUF(der), out = BUF(text);
	struct dkim_key a, b;

	if (dkim_key_parse((struct slice){ p, n }, &a) != DKIM_KEY_OK)
		return 0;
	if (a.ed25519)
		buf_put(&key, (struct slice){ a.modulus, a.modulus_n });
	else
		dkim_key_spki((struct slice){ a.modulus, a.modulus_n },
			      (struct slice){ a.exponent, a.exponent_n }, &key);
	dkim_key_text(a.ed25519, buf_slice(&key), &out);
	if (out.bad || dkim_key_parse(buf_slice(&out), &b) != DKIM_KEY_OK ||
	    a.ed25519 != b.ed25519 ||
	    !slice_eq((struct slice){ a.modulus, a.modulus_n },
		      (struct slice){ b.modulus, b.modulus_n }) ||
	    !slice_eq((struct slice){ a.exponent, a.exponent_n },
		      (struct slice){ b.exponent, b.exponent_n }))
		abort();
	return 0;
}
