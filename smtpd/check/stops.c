/* SPDX-License-Identifier: ISC */
#include "smtpd/check/stops.h"

/* Never 0. */
static uint64_t key_of(struct slice domain)
{
	return slice_hash(SLICE_HASH, domain) | 1;
}

void stops_learn(struct stops *s, struct slice domain, uint64_t op, uint32_t ms, int64_t now)
{
	uint64_t key = key_of(domain);
	size_t at = 0;

	if (!op)
		return;
	for (size_t i = 0; i < STOPS_DOMAINS; i++) {
		int64_t keep = s->row[i].until > now ? s->row[i].until : s->row[i].used,
			best = s->row[at].until > now ? s->row[at].until : s->row[at].used;

		if (s->row[i].domain == key) {
			at = i;
			break;
		}
		if (keep < best)
			at = i;
	}
	s->row[at].domain = key;
	s->row[at].op = op;
	s->row[at].used = now;
	for (size_t i = 0; i < STOPS_DOMAINS; i++)
		if (s->row[i].op == op)
			s->row[i].until = now + ms;
}

int64_t stops_left(const struct stops *s, struct slice domain, int64_t now)
{
	uint64_t key = key_of(domain);

	for (size_t i = 0; i < STOPS_DOMAINS; i++)
		if (s->row[i].domain == key)
			return s->row[i].until > now ? s->row[i].until - now : 0;
	return 0;
}

void stops_put(const struct stops *s, int64_t now, struct buf *out)
{
	for (size_t i = 0; i < STOPS_DOMAINS; i++) {
		struct out_stop_row r = { .op = s->row[i].op };
		bool again = false;

		for (size_t k = 0; k < i; k++)
			again |= s->row[k].op == r.op;
		if (again || s->row[i].until <= now || buf_room(out) < sizeof r)
			continue;
		r.ms = (uint32_t)(s->row[i].until - now);
		buf_put(out, (struct slice){ (const uint8_t *)&r, sizeof r });
	}
}
