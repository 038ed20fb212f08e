/* SPDX-License-Identifier: ISC */
/* tinpost-virtual --domains "a b" --forward-to ADDRESS [--self "c d"] IN OUT: the alias file as CDB. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "keys/auth/host/virtualfile.h"

static int usage(void)
{
	fputs("usage: tinpost-virtual --domains WORDS --forward-to ADDRESS [--self WORDS] IN OUT\n",
	      stderr);
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "domains", required_argument, NULL, 'd' },
		{ "forward-to", required_argument, NULL, 't' },
		{ "self", required_argument, NULL, 's' },
		{ NULL, 0, NULL, 0 },
	};
	struct virtualfile v = { .domains = { NULL, 0 } };
	struct slice text = { NULL, 0 };
	struct entries all = { 0 };
	struct complaint why = { 0 };
	int o;

	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (o == 'd')
			v.domains = slice_of(optarg);
		else if (o == 't')
			v.forward_to = slice_of(optarg);
		else if (o == 's')
			v.self = slice_of(optarg);
		else
			return usage();
	}
	if (argc - optind != 2 || !v.domains.p || !v.forward_to.p)
		return usage();
	if (!source_read(argv[optind], &text)) {
		if (errno != ENOENT)
			return source_failed(argv[optind]);
		fprintf(stderr, "note: no file %s: every address of %s goes to %s\n",
			argv[optind], (const char *)v.domains.p, (const char *)v.forward_to.p);
	}
	if (!virtualfile_parse(&v, text, &all, &why)) {
		complaint_print(argv[optind], &why);
		return 1;
	}
	if (!source_cdb(argv[optind + 1], &all))
		return source_failed(argv[optind + 1]);
	entries_free(&all);
	free((void *)(uintptr_t)text.p);
	return 0;
}
