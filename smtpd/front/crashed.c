/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "smtpd/front/crashed.h"

#include <bearssl.h>
#include <string.h>
#include <sys/random.h>

#include "smtpd/lib/log.h"
#include "smtpd/lib/memfd.h"

void crashed_init(struct crashed *c)
{
	memset(c, 0, sizeof *c);
	if (getrandom(c->key, sizeof c->key, 0) != (ssize_t)sizeof c->key)
		bug("getrandom");
}

bool crashed_print(const struct crashed *c, struct slice sender, int text, uint64_t size,
		   uint8_t print[CRASHED_PRINT])
{
	uint8_t part[4096];
	br_sha256_context h;

	br_sha256_init(&h);
	br_sha256_update(&h, c->key, sizeof c->key);
	br_sha256_update(&h, sender.p, sender.n);
	br_sha256_update(&h, "", 1); /* no sender has a NUL: the border is clear */
	for (uint64_t at = 0; at < size;) {
		size_t n = size - at < sizeof part ? (size_t)(size - at) : sizeof part;

		if (!memfd_read(text, at, part, n))
			return false;
		br_sha256_update(&h, part, n);
		at += n;
	}
	br_sha256_out(&h, print);
	return true;
}

/* The letter's row, or CRASHED_MAX. */
static unsigned find(const struct crashed *c, const uint8_t print[CRASHED_PRINT])
{
	unsigned i = 0;

	while (i < CRASHED_MAX && (c->row[i].state == CRASHED_NOT ||
				   memcmp(c->row[i].print, print, CRASHED_PRINT) != 0))
		i++;
	return i;
}

enum crashed_state crashed_find(const struct crashed *c, const uint8_t print[CRASHED_PRINT])
{
	unsigned i = c->used ? find(c, print) : CRASHED_MAX;

	return i < CRASHED_MAX ? (enum crashed_state)c->row[i].state : CRASHED_NOT;
}

enum crashed_state crashed_note(struct crashed *c, const uint8_t print[CRASHED_PRINT])
{
	unsigned i = find(c, print);

	if (i < CRASHED_MAX) {
		c->row[i].state = CRASHED_POISON;
		return CRASHED_POISON;
	}
	i = print[0]; /* keyed: nobody can aim at the row of another letter */
	for (unsigned k = 0; k < CRASHED_MAX && c->used < CRASHED_MAX; k++)
		if (c->row[(print[0] + k) % CRASHED_MAX].state == CRASHED_NOT) {
			i = (print[0] + k) % CRASHED_MAX;
			c->used++;
			break;
		}
	memcpy(c->row[i].print, print, CRASHED_PRINT);
	c->row[i].state = CRASHED_ONCE;
	return CRASHED_ONCE;
}

void crashed_forget(struct crashed *c, const uint8_t print[CRASHED_PRINT])
{
	unsigned i = find(c, print);

	if (i == CRASHED_MAX)
		return;
	c->row[i].state = CRASHED_NOT;
	c->used--;
}
