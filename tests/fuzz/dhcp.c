/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "init/net/dhcp.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* What is accepted is complete: nobody looks at it again. The IP checksum and the ids are
 * made to fit, or the fuzzer would never come further. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static uint8_t copy[2048];
	static const uint8_t mac[DHCP_MAC] = { 2, 0, 0, 0, 0, 7 };
	struct dhcp_reply r;
	uint32_t sum = 0;

	if (n < 64 || n > sizeof copy)
		return 0;
	for (size_t i = 0; i < n; i++)
		copy[i] = p[i];
	copy[0] = 0x45;
	copy[10] = copy[11] = 0;
	for (int i = 0; i < 20; i += 2)
		sum += (uint32_t)copy[i] << 8 | copy[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~((sum & 0xffff) + (sum >> 16));
	copy[10] = (uint8_t)(sum >> 8);
	copy[11] = (uint8_t)sum;
	if (dhcp_parse((struct slice){ copy, n }, 0x11223344, mac, &r) != DHCP_GOOD ||
	    r.type == DHCP_NAK)
		return 0;
	if (!r.address || !r.server || r.prefix < 8 || r.prefix > 32 ||
	    r.dns.n > DHCP_LIST_MAX || r.ntp.n > DHCP_LIST_MAX ||
	    (r.mtu && r.mtu < DHCP_MTU_MIN) || !r.lease || r.t1 > r.t2 || r.t2 > r.lease)
		abort();
	return 0;
}
