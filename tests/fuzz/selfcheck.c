/* SPDX-License-Identifier: ISC */
/* The messages that selfcheck receives, of the type that the first octet says, with arbitrary bodies; nobody answers its
 * own questions. What acme says of an account cannot break out of the line or the record that it is put into. */
#include "smtpd/selfcheck/selfcheck.h"

#include <stdlib.h>
#include <string.h>

#include "init/topology.h"

static struct loop loop;
static struct chan chan;
static struct selfcheck s;
static uint8_t rx[MSG_MAX];

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void begin(void)
{
	static const struct publish_site site = { .host = SLICE("mail.a.example"),
						  .domains = SLICE("a.example"),
						  .selector = SLICE("s1"),
						  .ca = SLICE("ca.example") };

	loop_init(&loop, SELFCHECK_WATCHES + 1);
	chan_init(&chan, &loop, P_ACME, 1, rx);
	selfcheck_init(&s, &loop, &site, SLICE("r.example"));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	union {
		struct msg h;
		struct selfcheck_run run;
		struct selfcheck_account account;
		struct selfcheck_gate gate;
	} m;
	struct call c = { .token = { .chan = &chan }, .msg = &m, .fd = { -1, -1 } };
	const struct rule *r;
	struct slice url;
	size_t head;

	if (!loop.cap)
		begin();
	if (!n)
		return 0;
	r = &selfcheck_rules[1 + *p % (SELFCHECK_TYPES - 1)];
	head = 1u + r->size;
	if (n < head || n - head > r->tail_max)
		return 0;
	c.from = r->from & 1u << P_FRONT_SUB ? P_FRONT_SUB : P_ACME;
	memcpy(&m, p + 1, r->size);
	c.tail = (struct slice){ p + head, n - head };
	r->run(&s, &c);
	url = s.given.ca_account;
	for (size_t i = 0; i < url.n; i++)
		if (url.p[i] <= ' ' || url.p[i] > '~' || memchr("\";\\", url.p[i], 3))
			abort();
	return 0;
}
