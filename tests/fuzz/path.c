/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "smtpd/proto/path.h"
#include "smtpd/proto/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void round_trip(const struct path *a, unsigned allow)
{
	uint8_t room[PATH_OCTETS];
	struct buf b = BUF(room);
	struct path again;

	path_print(a, &b);
	if (b.bad && utf8_needed(a->domain)) /* it has no form in DNS */
		return;
	if (b.bad || !path_addr(buf_slice(&b), allow, &again) || !path_eq(a, &again))
		abort();
	for (size_t i = 0; i < b.len; i++)
		if (room[i] < ' ' || room[i] == 0x7f ||
		    (room[i] > 0x7f && !(allow & PATH_UTF8)))
			abort();
	if (!utf8_clean(buf_slice(&b)))
		abort();
}

/* What was accepted survives print and parse, and prints nothing that could break a line. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct slice in = { p, n };
	struct path a;

	for (unsigned allow = 0; allow < 8; allow++) {
		if (path_parse(in, allow, &a))
			round_trip(&a, allow);
		if (path_addr(in, allow, &a))
			round_trip(&a, allow);
	}
	path_name(in);
	return 0;
}
