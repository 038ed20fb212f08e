/* SPDX-License-Identifier: ISC */
/* The messages that auth receives, with arbitrary bodies, through its rules. */
#include "keys/auth/login.h"

#include <stdlib.h>
#include <string.h>

static struct loop loop;
static struct chan chan;
static struct login login;
static uint8_t rx[MSG_MAX];

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const uint8_t key[CTL_GRANT_KEY] = { 1 };
	union {
		struct msg h;
		struct auth_login login;
		struct auth_network network;
		struct auth_scram scram;
	} m;
	struct call c = {
		.token = { .chan = &chan }, .from = P_FRONT_SUB, .msg = &m, .fd = { -1, -1 }
	};
	const struct rule *r;

	if (!loop.cap) {
		loop_init(&loop, 2 + LOGIN_WATCHES);
		chan_init(&chan, &loop, P_FRONT_SUB, 1, rx);
		login_init(&login, &loop, -1, key);
		mynetworks_init(&login.networks, SLICE("10.0.0.0/8 fd00::/8"), SLICE("@a.org"),
				false, -1, -1);
	}
	memset(&m, 0, sizeof m);
	memcpy(&m, p, n < sizeof m ? n : sizeof m);
	r = m.h.type < AUTH_TYPES ? &login_rules[m.h.type] : NULL;
	if (!r || !r->run || n < r->size || n - r->size > r->tail_max)
		return 0;
	memcpy(rx, p + r->size, n - r->size); /* the handler wipes it */
	c.tail = (struct slice){ rx, n - r->size };
	r->run(&login, &c);
	for (size_t i = 0; m.h.type == AUTH_LOGIN && i < n - r->size; i++)
		if (rx[i])
			abort();
	login.n = login.firsts_n = 0; /* nobody waits */
	return 0;
}
