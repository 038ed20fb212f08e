/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/certinfo.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void inside(struct slice s, const uint8_t *p, size_t n)
{
	if (s.n && (s.p < p || s.n > n || (size_t)(s.p - p) > n - s.n))
		abort();
}

/* What is said of a certificate lies in it. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct certinfo c;

	if (!certinfo_parse((struct slice){ p, n }, &c))
		return 0;
	inside(c.serial, p, n);
	inside(c.issuer, p, n);
	inside(c.subject, p, n);
	inside(c.key, p, n);
	inside(c.names, p, n);
	inside(c.authority, p, n);
	inside(certinfo_common_name(c.issuer), p, n);
	if (!c.serial.n != !c.serial.p || c.not_before < 0 || c.not_after < 0 ||
	    (certinfo_names(&c, SLICE("a.example")) && !c.names.n))
		abort();
	return 0;
}
