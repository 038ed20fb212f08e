/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/tlsa.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* No pin of a use that is not known, and no digest beside a stronger one of its kind. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct tls_pins out;

	tlsa_pins((struct slice){ p, n }, &out);
	if (out.n > TLS_PINS_MAX)
		abort();
	for (size_t i = 0; i < out.n; i++) {
		const struct tls_pin *a = &out.pin[i];

		if (a->use > TLS_PIN_TA)
			abort();
		for (size_t j = 0; j < out.n; j++)
			if (out.pin[j].sha512 && out.pin[j].use == a->use &&
			    out.pin[j].key == a->key && !a->sha512 && !a->exact)
				abort();
	}
	return 0;
}
