/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "smtpd/proto/gmail.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void check(const struct reply *r)
{
	uint8_t room[16];
	struct buf b = BUF(room);

	for (size_t i = 0; i < r->text_n; i++)
		if (r->text[i] < ' ' || r->text[i] > '~')
			abort();
	reply_put_enhanced(r, &b);
	if (b.bad || r->text_n > REPLY_TEXT || r->lines > REPLY_LINES)
		abort();
	if (r->step == REPLY_DONE && (r->code < 200 || r->code > 599))
		abort();
	if (reply_verdict(r) != V_TEMP && r->step != REPLY_DONE)
		abort();
	if ((gmail_read(r).class == GMAIL_OK) != (reply_verdict(r) == V_OK) ||
	    !gmail_name(gmail_read(r).class))
		abort();
}

/* All at once, and octet by octet with the rest kept: the same. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct reply r, s;
	struct slice in = { p, n }, part;
	size_t from = 0;

	memset(&r, 0, sizeof r);
	memset(&s, 0, sizeof s);
	reply_feed(&r, &in);
	check(&r);
	for (size_t to = 0; to <= n && s.step == REPLY_MORE; to++) {
		part = (struct slice){ p + from, to - from };
		reply_feed(&s, &part);
		from = to - part.n;
	}
	if (memcmp(&r, &s, sizeof r) != 0)
		abort();
	return 0;
}
