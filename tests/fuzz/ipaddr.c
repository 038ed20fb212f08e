/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "smtpd/proto/ipaddr.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void round_trip(const struct ipaddr *a)
{
	uint8_t room[IPADDR_TEXT];
	struct buf b = BUF(room);
	struct ipaddr again;

	ipaddr_put(&b, a);
	if (b.bad || !ipaddr_parse(buf_slice(&b), &again) ||
	    memcmp(a, &again, sizeof again) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct slice in = { p, n };
	struct ipaddr_net net;
	struct ipaddr a;

	if (ipaddr_parse(in, &a))
		round_trip(&a);
	if (n == sizeof a.b) {
		memcpy(a.b, p, n);
		round_trip(&a);
	}
	if (ipaddr_net_parse(in, &net) && (net.bits > 128 || !ipaddr_in(&net.addr, &net)))
		abort();
	return 0;
}
