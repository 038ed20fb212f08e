/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <string.h>

#include "smtpd/proto/host/probe.h"

static const struct {
	const char *name;
	int (*run)(struct probe_args a);
	const char *usage;
} verbs[] = {
	{ "path", probe_path, "path '<local@domain>'" },
	{ "reply", probe_reply, "reply [LINE...]   (lines on standard input otherwise)" },
	{ "srs", probe_srs,
	  "srs forward|reverse --secret S [--secret OLD...] --time T [--domain D] [--hash N] ADDRESS" },
	{ "dkim-sign", probe_dkim_sign,
	  "dkim-sign --key FILE --domain D --selector S [--time T] [LETTER]" },
	{ "dkim-verify", probe_dkim_verify, "dkim-verify --zone FILE [--time T] [LETTER]" },
	{ "cdb", probe_cdb, "cdb FILE KEY" },
};

int main(int argc, char **argv)
{
	size_t n = sizeof verbs / sizeof *verbs;

	for (size_t i = 0; argc > 1 && i < n; i++)
		if (!strcmp(argv[1], verbs[i].name))
			return verbs[i].run((struct probe_args){ argc - 2, argv + 2 });
	for (size_t i = 0; i < n; i++)
		fprintf(stderr, "probe %s\n", verbs[i].usage);
	return PROBE_USAGE;
}
