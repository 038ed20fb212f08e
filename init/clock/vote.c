/* SPDX-License-Identifier: ISC */
#include "init/clock/vote.h"

bool vote_count(const struct vote *v, unsigned n, int64_t *offset)
{
	unsigned most = 0;
	int64_t from = 0, to = 0;

	/* The best point is the lower end of some interval. */
	for (unsigned i = 0; i < n; i++) {
		int64_t point = v[i].offset - v[i].error, end = INT64_MAX;
		unsigned agree = 0;

		for (unsigned k = 0; k < n; k++) {
			if (v[k].offset - v[k].error > point ||
			    v[k].offset + v[k].error < point)
				continue;
			agree++;
			if (v[k].offset + v[k].error < end)
				end = v[k].offset + v[k].error;
		}
		if (agree > most) {
			most = agree;
			from = point;
			to = end;
		}
	}
	if (2 * most <= n)
		return false;
	*offset = from + (to - from) / 2;
	return true;
}
