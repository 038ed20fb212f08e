/* SPDX-License-Identifier: ISC */
/* tinpost-users [--domains "a b"] IN OUT: the account file as CDB. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "keys/auth/host/usersfile.h"
#include "keys/auth/passhash.h"

static int usage(void)
{
	fputs("usage: tinpost-users [--domains WORDS] IN OUT\n", stderr);
	return 2;
}

/* SCRAM is offered when one account has its keys, and some clients prefer it. */
static void note_mixture(const struct entries *all)
{
	const char *without = NULL;
	size_t with = 0;

	for (size_t i = 0; i < all->n; i++) {
		struct slice value = slice_of(all->e[i].value);

		if (passhash_kind(slice_word(&value)) == PASSHASH_SCRAM)
			with++;
		else if (all->e[i].line)
			without = all->e[i].key;
	}
	if (with && without)
		fprintf(stderr,
			"note: %zu accounts have keys of SCRAM and %s has not: clients that prefer "
			"SCRAM cannot log in to it\n",
			with, without);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "domains", required_argument, NULL, 'd' },
		{ NULL, 0, NULL, 0 },
	};
	struct slice domains = { NULL, 0 }, text = { NULL, 0 };
	struct entries all = { 0 };
	struct complaint why = { 0 };
	int o;

	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (o != 'd')
			return usage();
		domains = slice_of(optarg);
	}
	if (argc - optind != 2)
		return usage();
	if (!source_read(argv[optind], &text)) {
		if (errno != ENOENT)
			return source_failed(argv[optind]);
		fprintf(stderr, "note: no file %s: there are no accounts\n", argv[optind]);
	}
	if (!usersfile_parse(text, domains, &all, &why)) {
		complaint_print(argv[optind], &why);
		return 1;
	}
	note_mixture(&all);
	if (!source_cdb(argv[optind + 1], &all))
		return source_failed(argv[optind + 1]);
	entries_free(&all);
	free((void *)(uintptr_t)text.p);
	return 0;
}
