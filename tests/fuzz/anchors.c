/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <sys/mman.h>

#include "smtpd/lib/tls.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* What is accepted has a name and a key for each anchor; what is not names a line of the file. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct tls_anchors a;
	size_t line, lines = 1;
	bool ok = tls_anchors_load(&a, (struct slice){ p, n }, &line);

	for (size_t i = 0; i < n; i++)
		lines += p[i] == '\n';
	if (!line || line > lines || a.n > TLS_ANCHORS_MAX)
		abort();
	for (size_t i = 0; ok && i < a.n; i++)
		if (!a.ta[i].dn.len || !a.ta[i].pkey.key_type)
			abort();
	munmap(a.mem.p, a.mem.cap);
	return 0;
}
