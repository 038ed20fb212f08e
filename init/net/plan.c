/* SPDX-License-Identifier: ISC */
#include "init/net/plan.h"

#include <string.h>

static bool list_add(struct plan_list *l, const struct ipaddr *a)
{
	if (l->n == PLAN_SERVERS)
		return false;
	l->a[l->n++] = *a;
	return true;
}

static bool gateway_add(struct plan_list *l, const struct ipaddr *a)
{
	for (unsigned i = 0; i < l->n; i++)
		if (ipaddr_v4(&l->a[i]) == ipaddr_v4(a))
			return false;
	return list_add(l, a);
}

bool plan_configured(struct plan *p, struct slice interface, bool dhcp, struct slice addresses,
		     struct slice gateways)
{
	struct slice word;
	struct ipaddr a;
	bool ok;

	*p = (struct plan){ .dhcp = dhcp };
	ok = slice_cstr(interface, p->interface, sizeof p->interface);
	while ((word = slice_word(&addresses)).n) {
		if (p->addresses < PLAN_ADDRESSES &&
		    ipaddr_net_parse(word, &p->address[p->addresses]))
			p->addresses++;
		else
			ok = false;
	}
	while ((word = slice_word(&gateways)).n)
		ok = ipaddr_parse(word, &a) && gateway_add(&p->gateway, &a) && ok;
	return ok;
}

static bool take_mask(struct slice text, unsigned *bits)
{
	struct ipaddr a;
	uint32_t mask = 0;

	if (!ipaddr_parse4(text, &a))
		return false;
	for (int i = 12; i < 16; i++)
		mask = mask << 8 | a.b[i];
	for (*bits = 0; *bits < 32 && mask & 0x80000000u >> *bits;)
		++*bits;
	return *bits >= 8 && (*bits == 32 || !(mask << *bits));
}

static bool take_how(struct slice how, bool has_client, struct plan *p)
{
	static const char *const dhcp[] = { "dhcp", "on", "any", "both" }, *const off[] = {
		"", "off", "none", "static"
	};

	for (size_t i = 0; i < sizeof dhcp / sizeof *dhcp; i++)
		if (slice_eq(how, slice_of(dhcp[i]))) {
			p->dhcp = true;
			return !has_client;
		}
	for (size_t i = 0; i < sizeof off / sizeof *off; i++)
		if (slice_eq(how, slice_of(off[i])))
			return true;
	return false;
}

enum part {
	PART_CLIENT,
	PART_SERVER,
	PART_GATEWAY,
	PART_MASK,
	PART_HOST,
	PART_DEVICE,
	PART_HOW,
	PART_DNS,
	PART_DNS2,
	PART_NTP,
	PARTS
};

static bool take_parts(const struct slice part[PARTS], struct plan *p)
{
	struct ipaddr_net *net = &p->address[0];
	struct ipaddr a;
	bool client = part[PART_CLIENT].n;

	if (client) {
		if (!ipaddr_parse4(part[PART_CLIENT], &net->addr) ||
		    !take_mask(part[PART_MASK], &net->bits))
			return false;
		net->bits += IPADDR_V4_BITS;
		p->addresses = 1;
	}
	if (part[PART_GATEWAY].n &&
	    !(ipaddr_parse4(part[PART_GATEWAY], &a) && list_add(&p->gateway, &a)))
		return false;
	if (part[PART_DEVICE].n &&
	    !slice_cstr(part[PART_DEVICE], p->interface, sizeof p->interface))
		return false;
	for (int i = PART_DNS; i <= PART_NTP; i++)
		if (part[i].n && !(ipaddr_parse4(part[i], &a) &&
				   list_add(i == PART_NTP ? &p->ntp : &p->dns, &a)))
			return false;
	return take_how(part[PART_HOW], client, p);
}

static bool take_ip(struct slice value, struct plan *p)
{
	struct slice part[PARTS] = { 0 };
	struct plan new = { 0 };
	bool more = true;
	int n;

	memcpy(new.interface, p->interface, sizeof new.interface);
	for (n = 0; more; n++) {
		size_t at = slice_find(value, ':');

		if (n == PARTS)
			return false;
		part[n] = slice_head(value, at);
		more = at < value.n;
		value = slice_from(value, at + 1);
	}
	if (n == 1) { /* a word alone says how */
		part[PART_HOW] = part[0];
		part[0].n = 0;
	}
	if (!take_parts(part, &new))
		return false;
	*p = new;
	return true;
}

bool plan_command_line(struct slice line, struct plan *p, bool *odd)
{
	struct slice value = { NULL, 0 };

	*odd = false;
	while (line.n) {
		struct slice word = slice_word(&line);

		if (word.n >= 3 && slice_eq(slice_head(word, 3), SLICE("ip=")))
			value = slice_from(word, 3);
	}
	if (!value.p)
		return false;
	*odd = !take_ip(value, p);
	return !*odd;
}
