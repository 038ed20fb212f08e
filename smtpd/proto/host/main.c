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
	{ "gmail", probe_gmail,
	  "gmail [LINE...]   (what such a reply means for the letters after it)" },
	{ "srs", probe_srs,
	  "srs forward|reverse --secret S [--secret OLD...] --time T [--domain D] [--hash N] [--least N] ADDRESS" },
	{ "dkim-sign", probe_dkim_sign,
	  "dkim-sign --key FILE --domain D --selector S [--time T] [LETTER]" },
	{ "dkim-verify", probe_dkim_verify, "dkim-verify --zone FILE [--time T] [LETTER]" },
	{ "spf", probe_spf, "spf --ip A --helo NAME --from ADDRESS --zone FILE" },
	{ "dmarc", probe_dmarc,
	  "dmarc --zone FILE [--spf RESULT:DOMAIN] [--time T] [LETTER]\n"
	  "probe dmarc --zone FILE --from DOMAIN [--spf RESULT:DOMAIN] [--dkim [RESULT:]DOMAIN ...]" },
	{ "records", probe_records,
	  "records [--address A ...] [--account URI] [--key FILE] [--dkim FILE]   (what .config asks a zone to hold)" },
	{ "cdb", probe_cdb, "cdb FILE KEY" },
};

static int usage(FILE *out, int code)
{
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		fprintf(out, "probe %s\n", verbs[i].usage);
	return code;
}

static int run(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[argc - 1], "--help"))
		return usage(stdout, 0);
	for (size_t i = 0; argc > 1 && i < sizeof verbs / sizeof *verbs; i++)
		if (!strcmp(argv[1], verbs[i].name))
			return verbs[i].run((struct probe_args){ argc - 2, argv + 2 });
	return usage(stderr, PROBE_USAGE);
}

/* A verdict that could not be written is none. */
int main(int argc, char **argv)
{
	int code = run(argc, argv);

	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	perror("probe: standard output");
	return PROBE_USAGE;
}
