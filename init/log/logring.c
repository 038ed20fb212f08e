/* SPDX-License-Identifier: ISC */
#include "init/log/logring.h"

#include <string.h>

enum { LENGTH = 2 }; /* octets of a line's length, before it */

static uint8_t *octet(const struct logring *r, uint64_t at)
{
	return r->p + at % r->cap;
}

static size_t length_at(const struct logring *r, uint64_t at)
{
	return (size_t)*octet(r, at) << 8 | *octet(r, at + 1);
}

void logring_init(struct logring *r, uint8_t *p, size_t cap)
{
	*r = (struct logring){ .p = p, .cap = cap };
}

static void drop_first(struct logring *r)
{
	uint64_t next = r->first + LENGTH + length_at(r, r->first);

	if (r->keep <= r->first) {
		r->keep = next;
		r->lost++;
	}
	r->first = next;
}

void logring_put(struct logring *r, struct slice line)
{
	if (line.n > LOGRING_LINE || LENGTH + line.n > r->cap) {
		r->lost++;
		return;
	}
	while (r->cap - (size_t)(r->end - r->first) < LENGTH + line.n)
		drop_first(r);
	*octet(r, r->end++) = (uint8_t)(line.n >> 8);
	*octet(r, r->end++) = (uint8_t)line.n;
	for (size_t i = 0; i < line.n; i++)
		*octet(r, r->end++) = line.p[i];
}

bool logring_get(const struct logring *r, uint64_t *at, struct buf *out)
{
	uint64_t from = *at < r->first ? r->first : *at;
	size_t n = from < r->end ? length_at(r, from) : 0;

	if (from >= r->end || n > buf_room(out))
		return false;
	for (size_t i = 0; i < n; i++)
		buf_u8(out, *octet(r, from + LENGTH + i));
	*at = from + LENGTH + n;
	return true;
}

void logring_release(struct logring *r, uint64_t at)
{
	if (at > r->keep)
		r->keep = at;
}
