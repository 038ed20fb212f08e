/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "smtpd/proto/endpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* What is refused changes nothing; what is taken has a port, and a name or a pin exactly where there is a #. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct endpoint e = { .port = 7 };
	struct slice in = { p, n };

	if (!endpoint_parse(in, 53, &e)) {
		if (e.port != 7 || e.name[0] || e.pins.n)
			abort();
		return 0;
	}
	if (!e.port || e.pins.n > 1 || (e.pins.n && e.name[0]) ||
	    (e.pins.n || e.name[0]) != (slice_find(in, '#') < n))
		abort();
	return 0;
}
