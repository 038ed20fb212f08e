/* SPDX-License-Identifier: ISC */
/* The alias file: what is accepted holds lower-case keys, each once, and addresses outside or a refusal. */
#include "keys/auth/host/virtualfile.h"

#include <stdlib.h>
#include <string.h>

#include "smtpd/proto/path.h"

static void value_holds(struct slice value)
{
	struct slice w;
	struct path p;

	if (value.n && value.p[0] == ':') { /* 5.x.y and words */
		if (slice_find(value, ' ') < 6 || value.p[1] != '5')
			abort();
		return;
	}
	if (!value.n)
		abort();
	while ((w = slice_word(&value)).n)
		if (!path_addr(w, 0, &p) || slice_ieq(p.domain, SLICE("a.org")) ||
		    slice_ieq(p.domain, SLICE("b.org")) || slice_ieq(p.domain, SLICE("c.org")))
			abort();
}

static void entry_holds(const struct entries *all, size_t i)
{
	struct slice key = slice_of(all->e[i].key);

	if (i && strcmp(all->e[i - 1].key, all->e[i].key) >= 0)
		abort();
	for (size_t k = 0; k < key.n; k++)
		if (key.p[k] != byte_lower(key.p[k]))
			abort();
	if (entries_find(all, key) != &all->e[i])
		abort();
	value_holds(slice_of(all->e[i].value));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const struct virtualfile v = { SLICE("a.org b.org"), SLICE("x@gmail.com"),
					      SLICE("c.org") };
	struct entries all = { 0 };
	struct complaint why = { 0 };
	bool ok = virtualfile_parse(&v, (struct slice){ p, n }, &all, &why);

	if (ok == !!why.text[0])
		abort();
	for (size_t i = 0; ok && i < all.n; i++)
		entry_holds(&all, i);
	entries_free(&all);
	return 0;
}
