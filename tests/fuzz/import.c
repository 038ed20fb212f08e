/* SPDX-License-Identifier: ISC */
/* Rows of lists of accounts. Laws: what is taken as a hash is one, a row has a name or is nothing, and a refusal has a
 * reason. */
#include "keys/auth/host/import.h"

#include <stdlib.h>

#include "keys/auth/passhash.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct lines l = { .rest = { p, n } };
	struct slice line;

	while (lines_next(&l, &line)) {
		uint8_t mem[IMPORT_ROOM];
		struct buf room = BUF(mem);
		struct complaint why = { 0 };
		struct import_row row;
		bool ok = import_row(line, &row, &room, &why);

		if (ok == !!why.text[0])
			abort();
		if (ok && row.kind == IMPORT_HASH &&
		    (!row.name.n || passhash_kind(row.secret) == PASSHASH_BAD))
			abort();
		if (ok && !row.name.n && (row.senders.n || row.secret.n))
			abort();
	}
	return 0;
}
