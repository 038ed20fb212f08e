/* SPDX-License-Identifier: ISC */
/* The messages that dns receives, with arbitrary bodies, and what a name server might send into the cache. */
#include "smtpd/dns/resolver.h"

#include <stdlib.h>
#include <string.h>

#include "smtpd/lib/proc.h"

static struct loop loop;
static struct chan chan;
static struct resolver resolver;
static uint8_t rx[MSG_MAX];

static void start(void)
{
	loop_init(&loop, RESOLVER_OPEN + 1);
	chan_init(&chan, &loop, P_NET, 1, rx);
	resolver_init(&resolver, &loop, (struct slice){ NULL, 0 }, (struct slice){ NULL, 0 });
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	union {
		struct msg h;
		struct dns_query query;
		struct servers servers;
	} m;
	struct call c = {
		.token = { .chan = &chan }, .from = P_NET, .msg = &m, .fd = { -1, -1 }
	};
	const struct rule *r;

	if (!loop.cap)
		start();
	memset(&m, 0, sizeof m);
	memcpy(&m, p, n < sizeof m ? n : sizeof m);
	r = m.h.type < DNS_TYPES ? &resolver_rules[m.h.type] : NULL;
	if (!r || !r->run || n < r->size || n - r->size > r->tail_max)
		return 0;
	c.tail = (struct slice){ p + r->size, n - r->size };
	r->run(&resolver, &c);
	resolver.servers.n = 0; /* nothing leaves this machine */
	for (size_t i = 0; i < RESOLVER_OPEN; i++)
		while (resolver.query[i].busy)
			loop_round(&loop);
	return 0;
}
