/* SPDX-License-Identifier: ISC */
#include "smtpd/lib/rates.h"

#include <string.h>

enum { HOUR_MS = 3600 * 1000 };

/* Its row, or RATES_MAX. */
static unsigned find(const struct rates *r, const uint8_t key[RATES_KEY])
{
	unsigned i = 0;

	while (i < RATES_MAX && memcmp(r->row[i].key, key, RATES_KEY) != 0)
		i++;
	return i;
}

bool rates_may(const struct rates *r, const uint8_t key[RATES_KEY], int64_t now,
	       unsigned hourly)
{
	unsigned i = find(r, key);

	return !hourly || i == RATES_MAX ||
	       r->row[i].free_at - now <= HOUR_MS - HOUR_MS / (int64_t)hourly;
}

void rates_count(struct rates *r, const uint8_t key[RATES_KEY], int64_t now, unsigned hourly)
{
	unsigned i = find(r, key), least = 0;

	if (!hourly)
		return;
	for (unsigned k = 1; i == RATES_MAX && k < RATES_MAX; k++)
		if (r->row[k].free_at < r->row[least].free_at)
			least = k;
	if (i == RATES_MAX) {
		i = least;
		memcpy(r->row[i].key, key, RATES_KEY);
		r->row[i].free_at = now;
	}
	if (r->row[i].free_at < now)
		r->row[i].free_at = now;
	r->row[i].free_at += HOUR_MS / (int64_t)hourly;
}
