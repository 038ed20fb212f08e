/* SPDX-License-Identifier: ISC */
#include "keys/acme/persist.h"

#include "smtpd/lib/log.h"
#include "smtpd/proto/dnsmsg.h"

void persist_name(struct slice host, struct buf *out)
{
	buf_put(out, SLICE("_validation-persist."));
	buf_put(out, host);
}

void persist_text(const char *issuer, const char *account, struct buf *out)
{
	buf_put(out, slice_of(issuer));
	buf_put(out, SLICE("; accounturi="));
	buf_put(out, slice_of(account));
}

bool persist_found(struct slice records, struct slice text)
{
	struct cur c = CUR(records);
	struct slice one;

	while (dnsmsg_record(&c, &one))
		if (slice_eq(slice_head(one, text.n), text) &&
		    (one.n == text.n || one.p[text.n] == ';'))
			return true;
	return false;
}

void persist_tell(struct slice name, struct slice text)
{
	struct logline l;

	log_begin(&l, "publish");
	log_bytes(&l, "name", name);
	log_text(&l, "type", "TXT");
	log_bytes(&l, "value", text);
	log_send(&l);
}
