/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "smtpd/lib/arena.h"

#include <sys/mman.h>

#include "tests/unit/test.h"

enum { PAGE = 4096, PAGES = 4 };

/* All is zero, what is not asked for stays, and only the page in the middle is gone. */
static void wiped(void)
{
	static const uint8_t zero[PAGES * PAGE];
	uint8_t *p = arena_reserve(PAGES * PAGE), *from = p + PAGE - 1;
	unsigned char here[PAGES];
	size_t n = PAGE + 2;

	memset(p, 7, PAGES * PAGE);
	arena_wipe(from, n);
	CHECK(mincore(p, PAGES * PAGE, here) == 0);
	CHECK((here[0] & 1) && !(here[1] & 1) && (here[2] & 1) && (here[3] & 1));
	CHECK(from[-1] == 7 && from[n] == 7 && memcmp(from, zero, n) == 0);
	memset(p, 7, PAGES * PAGE);
	arena_wipe(p + 1, PAGE - 2); /* no whole page */
	CHECK(p[0] == 7 && p[PAGE - 1] == 7 && memcmp(p + 1, zero, PAGE - 2) == 0);
}

int main(void)
{
	uint8_t *block = arena_reserve(64);
	struct arena a = { .p = block, .cap = 64 };
	struct slice copy;
	uint8_t *first = arena_get(&a, 1), *second = arena_get(&a, 16);

	CHECK(first == block && second == block + 16);
	second[0] = 7;
	CHECK(arena_get(&a, 33) == NULL); /* one octet over the budget */
	CHECK_EQ(a.used, 32);
	CHECK(arena_get(&a, 32) != NULL); /* exactly the rest */
	CHECK(arena_get(&a, 1) == NULL);
	CHECK(arena_get(&a, SIZE_MAX) == NULL);
	a.used = 0;					     /* the lifetime ended */
	CHECK(arena_get(&a, 32) == block && second[0] == 0); /* zeroed again */
	CHECK(arena_copy(&a, SLICE("hello"), &copy));
	CHECK_SLICE(copy, "hello");
	CHECK(!arena_copy(&a, (struct slice){ block, 64 }, &copy));
	CHECK_SLICE(copy, "hello");
	wiped();
	TEST_END();
}
