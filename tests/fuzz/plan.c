/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "init/net/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* A line that is taken gives a plan within its bounds; any other changes nothing. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const struct plan before = { .interface = "eth0" };
	struct plan plan = before;
	bool odd;

	if (!plan_command_line((struct slice){ p, n }, &plan, &odd)) {
		if (memcmp(&plan, &before, sizeof plan) != 0)
			abort();
		return 0;
	}
	if (odd || !memchr(plan.interface, 0, PLAN_NAME) || plan.addresses > 1 ||
	    plan.gateway.n > 1 || plan.dns.n > 2 || plan.ntp.n > 1 ||
	    (plan.dhcp && plan.addresses) ||
	    (plan.addresses && (plan.address[0].bits < 96 + 8 || plan.address[0].bits > 128)))
		abort();
	return 0;
}
