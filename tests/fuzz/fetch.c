/* SPDX-License-Identifier: ISC */
/* The messages that fetch receives, with arbitrary bodies; nobody answers its own questions. */
#include "smtpd/fetch/fetch.h"

#include <string.h>

#include "smtpd/lib/proc.h"

static struct loop loop;
static struct chan chan, dns;
static struct fetch fetch;
static uint8_t rx[2][MSG_MAX];

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct fetch_sts m;
	struct call c = {
		.token = { .chan = &chan }, .from = P_OUT_SUB, .msg = &m, .fd = { -1, -1 }
	};
	const struct rule *r = &fetch_rules[FETCH_STS];

	if (!loop.cap) {
		loop_init(&loop, FETCH_WATCHES);
		chan_init(&chan, &loop, P_OUT_SUB, 1, rx[0]);
		chan_init(&dns, &loop, P_DNS, 4, rx[1]);
		fetch_init(&fetch, &loop, &dns, -1);
	}
	memset(&m, 0, sizeof m);
	if (n > r->tail_max)
		return 0;
	c.tail = (struct slice){ p, n };
	r->run(&fetch, &c);
	loop.now = loop_clock();
	fetch.tick.ready(&fetch.tick, 0);
	return 0;
}
