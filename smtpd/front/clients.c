/* SPDX-License-Identifier: ISC */
#include "smtpd/front/clients.h"

#include <string.h>

enum { HOUR_MS = 3600 * 1000 };

struct ipaddr clients_who(const struct ipaddr *peer)
{
	struct ipaddr who = *peer;

	if (!ipaddr_v4(peer))
		memset(who.b + 8, 0, 8);
	return who;
}

/* The client's row, or CLIENTS_MAX. */
static unsigned find(const struct clients *c, const struct ipaddr *who)
{
	unsigned i = 0;

	while (i < CLIENTS_MAX && memcmp(&c->row[i].who, who, sizeof *who) != 0)
		i++;
	return i;
}

bool clients_may(const struct clients *c, const struct ipaddr *who, int64_t now,
		 unsigned hourly)
{
	unsigned i = find(c, who);

	return !hourly || i == CLIENTS_MAX ||
	       c->row[i].free_at - now <= HOUR_MS - HOUR_MS / (int64_t)hourly;
}

void clients_count(struct clients *c, const struct ipaddr *who, int64_t now, unsigned hourly)
{
	unsigned i = find(c, who), least = 0;

	if (!hourly)
		return;
	for (unsigned k = 1; i == CLIENTS_MAX && k < CLIENTS_MAX; k++)
		if (c->row[k].free_at < c->row[least].free_at)
			least = k;
	if (i == CLIENTS_MAX) {
		i = least;
		c->row[i].who = *who;
		c->row[i].free_at = now;
	}
	if (c->row[i].free_at < now)
		c->row[i].free_at = now;
	c->row[i].free_at += HOUR_MS / (int64_t)hourly;
}
