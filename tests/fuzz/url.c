/* SPDX-License-Identifier: ISC */
#include "smtpd/http/url.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* What is taken stands in a JSON string and in a request as it is, and its parts lie in it. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct slice in = { p, n };
	struct url u;

	if (!url_parse(in, &u))
		return 0;
	for (size_t i = 0; i < n; i++)
		if (p[i] <= ' ' || p[i] > '~' || p[i] == '"' || p[i] == '\\')
			abort();
	if (!u.port || n > URL_MAX || u.path.p + u.path.n != p + n || u.path.p[0] != '/' ||
	    !slice_eq(slice_of(u.host), slice_head(slice_from(in, 8), slice_of(u.host).n)))
		abort();
	return 0;
}
