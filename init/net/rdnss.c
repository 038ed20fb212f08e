/* SPDX-License-Identifier: ISC */
#include "init/net/rdnss.h"

#include <string.h>

enum { OPT_RDNSS = 25, UNIT = 8, ADDRESS = 16 };

/* Could somebody with a route be there? */
static bool is_server(const struct ipaddr *a)
{
	static const char *const no[] = { "fe80::/10", "ff00::/8", "::/8" };
	struct ipaddr_net net;

	for (size_t i = 0; i < sizeof no / sizeof *no; i++)
		if (ipaddr_net_parse(slice_of(no[i]), &net) && ipaddr_in(a, &net))
			return false;
	return true;
}

static bool take_servers(struct cur *c, struct rdnss *r)
{
	cur_be16(c);
	r->seconds = cur_be32(c);
	if (c->bad || !c->s.n || c->s.n % ADDRESS)
		return false;
	while (c->s.n) {
		struct ipaddr a;

		memcpy(a.b, cur_take(c, ADDRESS).p, ADDRESS);
		if (r->n < RDNSS_MAX && is_server(&a))
			r->a[r->n++] = a;
	}
	return r->n;
}

bool rdnss_parse(struct slice options, struct rdnss *out)
{
	struct cur c = CUR(options);

	while (!cur_end(&c)) {
		uint8_t type = cur_u8(&c);
		size_t units = cur_u8(&c);
		struct rdnss r = { 0 };
		struct cur value;

		if (!units) /* RFC 4861 4.6: the whole message is void */
			return false;
		value = CUR(cur_take(&c, units * UNIT - 2));
		if (c.bad)
			return false;
		if (type != OPT_RDNSS)
			continue;
		if (!take_servers(&value, &r))
			return false;
		*out = r;
		return true;
	}
	return false;
}
