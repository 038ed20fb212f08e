/* SPDX-License-Identifier: ISC */
#include "keys/holder/host/restore.h"

#include <sodium.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void fault(void *arg, const char *what, const char *why)
{
	(void)what;
	if (!*why)
		abort();
	++*(unsigned *)arg;
}

/* What is restored is a whole file with a name that leads nowhere else; a backup is whole or has a fault. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const uint8_t seed[crypto_box_SEEDBYTES];
	static struct restored r;
	struct restore_key k;
	struct slice rest = { p, n };
	enum keyfile_kind kind;
	uint32_t serial;
	unsigned faults = 0, found, again = 0;

	crypto_box_seed_keypair(k.public, k.secret, seed);
	if (restore_check(rest, &k, &r, fault, &faults, &found) != !faults)
		abort();
	while (restore_next(&rest, &k, &r)) {
		again += !r.why && !r.none;
		if (!r.why && !r.none &&
		    (!keyfile_parse(r.file, &kind, &serial) || kind != r.kind ||
		     r.name[0] == '.' ||
		     slice_find(slice_of(r.name), '/') != slice_of(r.name).n))
			abort();
	}
	if (again < found)
		abort();
	return 0;
}
