/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "smtpd/proto/command.h"
#include "smtpd/proto/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* The input is one line. An accepted one is printable, and parses as a whole only if its
 * parts do. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct slice line = { p, n };
	struct command k;
	struct command_mail m;
	struct command_rcpt r;

	if (!command_parse(line, &k))
		return 0;
	for (size_t i = 0; i < k.arg.n; i++)
		if (k.arg.p[i] < ' ' || k.arg.p[i] == 0x7f)
			abort();
	if (!utf8_clean(k.arg))
		abort();
	command_helo(k.arg);
	for (int sub = 0; sub < 2; sub++)
		if (!command_mail(k.arg, sub, &m) &&
		    (!slice_iprefix(k.arg, SLICE("FROM:")) || m.ret.n > COMMAND_RET_MAX ||
		     m.envid.n > COMMAND_ENVID_MAX || (!sub && m.ret.n + m.envid.n)))
			abort();
	for (int sub = 0; sub < 2; sub++)
		if (!command_rcpt(k.arg, sub, true, &r) &&
		    (path_null(&r.to) || !slice_iprefix(k.arg, SLICE("TO:")) ||
		     r.orcpt.n > COMMAND_ORCPT_MAX || r.notify.n > COMMAND_NOTIFY_MAX ||
		     (!sub && r.orcpt.n + r.notify.n)))
			abort();
	return 0;
}
