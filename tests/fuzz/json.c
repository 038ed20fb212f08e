/* SPDX-License-Identifier: ISC */
#include "keys/acme/json.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* Every token lies in the text and in its parent; every string has a value or none, and leaves the buffer sound. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct json j;
	uint8_t mem[64];

	if (!json_parse(&j, (struct slice){ p, n }))
		return 0;
	for (int i = 0; i < j.n; i++) {
		const jsmntok_t *t = &j.token[i];
		struct buf b = BUF(mem);

		if (t->start < 0 || t->end < t->start || (size_t)t->end > n || t->parent >= i)
			abort();
		if (!json_string(&j, i, &b) && (b.len || b.bad))
			abort();
		if (json_member(&j, i, "url") >= j.n || json_element(&j, i, 1) >= j.n)
			abort();
	}
	return 0;
}
