/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "smtpd/proto/command.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* The input is one line. An accepted one is printable, and parses as a whole only if its
 * parts do. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct slice line = { p, n };
	struct command k;
	struct command_mail m;
	struct path to;

	if (!command_parse(line, &k))
		return 0;
	for (size_t i = 0; i < k.arg.n; i++)
		if (k.arg.p[i] < ' ' || k.arg.p[i] > '~')
			abort();
	command_helo(k.arg);
	for (int auth = 0; auth < 2; auth++)
		if (!command_mail(k.arg, auth, &m) && !slice_iprefix(k.arg, SLICE("FROM:")))
			abort();
	if (!command_rcpt(k.arg, &to) &&
	    (path_null(&to) || !slice_iprefix(k.arg, SLICE("TO:"))))
		abort();
	return 0;
}
