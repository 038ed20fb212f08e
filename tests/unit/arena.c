/* SPDX-License-Identifier: ISC */
#include "smtpd/lib/arena.h"

#include "tests/unit/test.h"

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
	TEST_END();
}
