/* SPDX-License-Identifier: ISC */
/* The account file: what is accepted is what auth can read. */
#include "keys/auth/host/usersfile.h"

#include <stdlib.h>
#include <string.h>

#include "keys/auth/passhash.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct entries all = { 0 };
	struct complaint why = { 0 };
	bool ok = usersfile_parse((struct slice){ p, n }, SLICE("a.org"), &all, &why);

	if (ok == !!why.text[0])
		abort();
	for (size_t i = 0; ok && i < all.n; i++) {
		struct slice value = slice_of(all.e[i].value);
		struct slice hash = slice_word(&value);

		if (!strcmp(all.e[i].key, PASSHASH_PEPPER))
			continue;
		if (!usersfile_name_ok(slice_of(all.e[i].key)) || !value.n ||
		    passhash_kind(hash) == PASSHASH_BAD)
			abort();
	}
	entries_free(&all);
	return 0;
}
