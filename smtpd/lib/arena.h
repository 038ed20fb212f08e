/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_LIB_ARENA_H
#define SMTPD_LIB_ARENA_H

#include <stddef.h>
#include <stdint.h>

#include "smtpd/lib/bytes.h"

/* Memory for one lifetime (a session, a transaction) out of a block that the owner reserved. */
struct arena { /* a new lifetime begins with used = 0 */
	uint8_t *p;
	size_t cap, used;
};

void *arena_get(struct arena *a,
		size_t n); /* zeroed, 16-byte aligned; NULL = over this budget */
bool arena_copy(struct arena *a, struct slice s,
		struct slice *out); /* false = over this budget */

/* Reserves zeroed memory for the life of the process, before the sandbox closes; pages cost nothing
 * until they are touched. Exits the process when there is none. */
void *arena_reserve(size_t n);
/* Of reserved memory: wipes it, and gives its whole pages back until they are touched again. */
void arena_wipe(void *p, size_t n);

#endif
