/* SPDX-License-Identifier: ISC */
#include "smtpd/check/check.h"

#include "smtpd/proto/date.h"

static void put_record(struct buf *b, const struct letter *l, enum env_tag tag,
		       const char *before, const char *after)
{
	struct slice v;

	if (!envelope_get(l->head, tag, &v))
		return;
	buf_put(b, slice_of(before));
	/* front is not our validator: no new lines, no parentheses, a space only inside the comment */
	for (size_t i = 0; i < v.n; i++)
		buf_u8(b, v.p[i] >= ' ' + (tag != ENV_TLS) && v.p[i] < 127 && v.p[i] != '(' &&
					  v.p[i] != ')'
				  ? v.p[i]
				  : '?');
	buf_put(b, slice_of(after));
}

void trace_received(struct buf *b, const struct job *j, const struct letter *l,
		    struct slice rcpt)
{
	buf_put(b, SLICE("Received:"));
	put_record(b, l, ENV_HELO, " from ", "");
	put_record(b, l, ENV_PEER, " ([", "])");
	buf_put(b, SLICE("\r\n\tby " CONFIG_SMTPD_HOSTNAME));
	put_record(b, l, ENV_WITH, " with ", "");
	put_record(b, l, ENV_TLS, " (", ")");
	buf_put(b, SLICE("\r\n\tid "));
	buf_hex(b, (struct slice){ j->id, sizeof j->id });
	if (rcpt.n) {
		buf_put(b, SLICE(" for <"));
		buf_put(b, rcpt);
		buf_u8(b, '>');
	}
	buf_put(b, SLICE(";\r\n\t"));
	date_put(b, j->time);
	buf_put(b, SLICE("\r\n"));
}
