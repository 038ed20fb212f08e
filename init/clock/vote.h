/* SPDX-License-Identifier: ISC */
#ifndef INIT_CLOCK_VOTE_H
#define INIT_CLOCK_VOTE_H

#include <stdbool.h>
#include <stdint.h>

/* What one server said: our clock is behind by `offset`, give or take `error` (ns, error >= 0). */
struct vote {
	int64_t offset, error;
};

/* The middle of what more than half of the n servers agree on, as RFC 5905 11.2.1 means it: a point inside of most of
 * their intervals. False: there is no such point, or n is 0; *offset untouched. */
bool vote_count(const struct vote *v, unsigned n, int64_t *offset);

#endif
