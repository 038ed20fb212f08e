/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "smtpd/lib/arena.h"

#include <string.h>
#include <sys/mman.h>

#include "smtpd/lib/log.h"

enum { PAGE = 4096 };

void *arena_get(struct arena *a, size_t n)
{
	size_t at = (a->used + 15) & ~(size_t)15;

	if (at > a->cap || n > a->cap - at)
		return NULL;
	a->used = at + n;
	return memset(a->p + at, 0, n);
}

bool arena_copy(struct arena *a, struct slice s, struct slice *out)
{
	uint8_t *p = arena_get(a, s.n);

	if (!p)
		return false;
	if (s.n)
		memcpy(p, s.p, s.n);
	*out = (struct slice){ p, s.n };
	return true;
}

void *arena_reserve(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		bug("no memory at start");
	return p;
}

void arena_wipe(void *p, size_t n)
{
	uintptr_t from = ((uintptr_t)p + PAGE - 1) & ~(uintptr_t)(PAGE - 1);
	uintptr_t to = ((uintptr_t)p + n) & ~(uintptr_t)(PAGE - 1);

	explicit_bzero(p, n);
	if (from < to) /* a failure costs memory, nothing else */
		madvise((void *)from, to - from, MADV_DONTNEED);
}
