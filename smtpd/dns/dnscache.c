/* SPDX-License-Identifier: ISC */
#include "smtpd/dns/dnscache.h"

#include <string.h>

#include "smtpd/lib/arena.h"

void dnscache_init(struct dnscache *c)
{
	c->entry = arena_reserve(DNSCACHE_ENTRIES * sizeof *c->entry);
}

static bool is(const struct dnscache_entry *e, struct slice name, uint16_t type)
{
	return e->until && e->type == type &&
	       slice_ieq((struct slice){ e->name, e->name_n }, name);
}

bool dnscache_find(const struct dnscache *c, int64_t now, struct slice name, uint16_t type,
		   struct dnsmsg_answer *out)
{
	for (size_t i = 0; i < DNSCACHE_ENTRIES; i++) {
		const struct dnscache_entry *e = &c->entry[i];

		if (!is(e, name, type))
			continue;
		if (e->until <= now)
			return false;
		out->kind = e->kind;
		out->ttl = (uint32_t)((e->until - now) / 1000);
		out->n = e->n;
		out->secure = e->secure;
		out->len = e->len;
		memcpy(out->records, e->records, e->len);
		return true;
	}
	return false;
}

static struct dnscache_entry *place(struct dnscache *c, struct slice name, uint16_t type)
{
	struct dnscache_entry *best = &c->entry[0];

	for (size_t i = 0; i < DNSCACHE_ENTRIES; i++) {
		if (is(&c->entry[i], name, type))
			return &c->entry[i];
		if (c->entry[i].until < best->until)
			best = &c->entry[i];
	}
	return best;
}

void dnscache_keep(struct dnscache *c, int64_t now, struct slice name, uint16_t type,
		   const struct dnsmsg_answer *a)
{
	uint32_t max = a->kind == DNSMSG_OK ? DNSCACHE_TTL_MAX : DNSCACHE_NEGATIVE_MAX;
	uint32_t ttl = a->ttl < max ? a->ttl : max;
	struct dnscache_entry *e;

	if (a->kind < DNSMSG_NXDOMAIN || !ttl || a->len > DNSCACHE_RECORDS ||
	    name.n > DNSMSG_NAME)
		return;
	e = place(c, name, type);
	e->until = now + (int64_t)ttl * 1000;
	e->type = type;
	e->kind = a->kind;
	e->n = a->n;
	e->secure = a->secure;
	e->len = (uint16_t)a->len;
	e->name_n = (uint8_t)name.n;
	memcpy(e->name, name.p, name.n);
	memcpy(e->records, a->records, a->len);
}
