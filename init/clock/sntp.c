/* SPDX-License-Identifier: ISC */
#include "init/clock/sntp.h"

#include <string.h>

enum { VERSION = 4, MODE_CLIENT = 3, MODE_SERVER = 4, LEAP_UNKNOWN = 3, STRATUM_MAX = 15 };

#define EPOCH_1970 INT64_C(2208988800) /* seconds from 1900 */
#define ERA	   (INT64_C(1) << 32)  /* seconds until the counter starts again, in 2036 */
#define SECOND	   INT64_C(1000000000) /* ns */

void sntp_put(struct buf *b, uint64_t cookie)
{
	static const uint8_t zero[SNTP_SIZE - 9];

	buf_u8(b, VERSION << 3 | MODE_CLIENT);
	buf_put(b, (struct slice){ zero, sizeof zero });
	buf_be64(b, cookie);
}

/* RFC 4330 3: without the top bit it is a time after 2036. */
static int64_t take_time(struct cur *c)
{
	int64_t s = cur_be32(c);
	int64_t fraction = cur_be32(c);

	s += s & (ERA >> 1) ? 0 : ERA;
	return (s - EPOCH_1970) * SECOND + (fraction * SECOND >> 32);
}

static bool take_kiss(struct slice code, struct sntp_answer *a)
{
	for (size_t i = 0; i < code.n; i++)
		if (code.p[i] < 'A' || code.p[i] > 'Z')
			return false;
	memcpy(a->kiss, code.p, code.n);
	return true;
}

enum sntp_kind sntp_parse(struct slice packet, uint64_t cookie, struct sntp_answer *out)
{
	struct cur c = CUR(packet);
	struct sntp_answer a = { 0 };
	uint8_t first = cur_u8(&c);
	uint64_t origin;
	struct slice id;
	bool stamped;

	a.stratum = cur_u8(&c);
	cur_take(&c, 10); /* poll, precision, root delay and dispersion */
	id = cur_take(&c, 4);
	cur_take(&c, 8); /* reference time */
	origin = cur_be64(&c);
	a.received = take_time(&c);
	stamped = cur_be32(&CUR(c.s)) != 0;
	a.sent = take_time(&c);
	if (c.bad || (first & 7) != MODE_SERVER || (first >> 3 & 7) > VERSION ||
	    (first >> 3 & 7) < 3 || origin != cookie)
		return SNTP_BAD;
	if (!a.stratum && !take_kiss(id, &a))
		return SNTP_BAD;
	if (a.stratum && (first >> 6 == LEAP_UNKNOWN || a.stratum > STRATUM_MAX || !stamped ||
			  a.sent < a.received))
		return SNTP_BAD;
	*out = a;
	return a.stratum ? SNTP_TIME : SNTP_KISS;
}

int64_t sntp_offset(const struct sntp_answer *a, int64_t asked, int64_t answered)
{
	/* Each difference is halved by itself: the sum of two centuries does not fit. */
	return (a->received - asked) / 2 + (a->sent - answered) / 2;
}
