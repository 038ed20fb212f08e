/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "smtpd/check/seen.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/unit/test.h"

enum { NOW = 1800000000 };

static struct seen a, b;

static const uint8_t *print_of(unsigned i)
{
	static uint8_t print[SEEN_PRINT];
	char sender[24];
	uint8_t sha256[32] = { 1 };

	snprintf(sender, sizeof sender, "s%u@a.example", i);
	seen_print(slice_of(sender), sha256, SLICE("box@gmail.com"), print);
	return print;
}

/* Each part of it makes another letter, and where one part ends matters. */
static void prints(void)
{
	static const struct {
		const char *sender, *to;
		uint8_t text;
	} rows[] = { { "a@b", "c@d", 0 }, { "a@c", "c@d", 0 }, { "a@b", "c@e", 0 },
		     { "a@b", "c@d", 1 }, { "a@bc", "@d", 0 }, { "", "a@bc@d", 0 } };
	uint8_t print[6][SEEN_PRINT];

	for (size_t i = 0; i < 6; i++) {
		uint8_t sha256[32] = { rows[i].text };

		seen_print(slice_of(rows[i].sender), sha256, slice_of(rows[i].to), print[i]);
		for (size_t k = 0; k < i; k++)
			CHECK(memcmp(print[i], print[k], SEEN_PRINT) != 0);
	}
}

static void lasts(void)
{
	seen_init(&a, -1, NOW);
	CHECK(!seen_find(&a, print_of(1), NOW));
	seen_add(&a, print_of(1), NOW);
	CHECK(seen_find(&a, print_of(1), NOW) && !seen_find(&a, print_of(2), NOW));
	CHECK(seen_find(&a, print_of(1), NOW + SEEN_AGE - 1));
	CHECK(!seen_find(&a, print_of(1), NOW + SEEN_AGE));
	seen_add(&a, print_of(1), NOW); /* takes no second place */
	for (unsigned i = 2; i <= SEEN_ROWS; i++)
		seen_add(&a, print_of(i), NOW);
	CHECK(seen_find(&a, print_of(1), NOW));
	seen_add(&a, print_of(SEEN_ROWS + 1), NOW);
	CHECK(!seen_find(&a, print_of(1), NOW) && seen_find(&a, print_of(2), NOW));
}

/* 250 was said; only the one that was not heard stays. */
static void heard(void)
{
	uint64_t one, two;

	memset(&a, 0, sizeof a);
	seen_init(&a, -1, NOW);
	one = seen_number(&a);
	seen_note(&a, one, print_of(1), 1000);
	seen_note(&a, one, print_of(2), 1000);
	two = seen_number(&a);
	seen_note(&a, two, print_of(3), 2000);
	seen_keep(&a, 0, NOW);
	seen_keep(&a, two + 1, NOW);
	CHECK(!seen_find(&a, print_of(1), NOW));
	seen_keep(&a, one, NOW);
	CHECK(seen_find(&a, print_of(1), NOW) && seen_find(&a, print_of(2), NOW));
	CHECK(!seen_find(&a, print_of(3), NOW));
	seen_keep_fresh(&a, 2000 + SEEN_FRESH, NOW);
	CHECK(!seen_find(&a, print_of(3), NOW));
	seen_keep_fresh(&a, 1999 + SEEN_FRESH, NOW);
	CHECK(seen_find(&a, print_of(3), NOW));
}

/* A restart; a row that was torn; a file of another size; a clock that was wrong. */
static void on_disk(void)
{
	static const uint8_t rubbish[40] = { 1, 2, 3 };
	int fd = memfd_create("seen", 0);

	memset(&a, 0, sizeof a);
	seen_init(&a, fd, NOW);
	for (unsigned i = 1; i <= SEEN_ROWS + 2; i++)
		seen_add(&a, print_of(i), NOW + i);
	seen_init(&b, fd, NOW + SEEN_ROWS);
	CHECK(!seen_find(&b, print_of(2), NOW + SEEN_ROWS));
	CHECK(seen_find(&b, print_of(3), NOW + SEEN_ROWS));
	seen_add(&b, print_of(9999), NOW + SEEN_ROWS + 3); /* goes on where the other one was */
	CHECK(!seen_find(&b, print_of(3), NOW + SEEN_ROWS));
	CHECK(seen_find(&b, print_of(4), NOW + SEEN_ROWS));
	CHECK(pwrite(fd, rubbish, sizeof rubbish, 32 * 100) == sizeof rubbish);
	seen_init(&b, fd, NOW + SEEN_ROWS);
	CHECK(!seen_find(&b, print_of(101), NOW + SEEN_ROWS));
	CHECK(seen_find(&b, print_of(103), NOW + SEEN_ROWS));
	seen_init(&b, fd, NOW - 6 * SEEN_AGE); /* the clock does not know the time yet */
	CHECK(seen_find(&b, print_of(103), NOW));
	CHECK(!ftruncate(fd, 33));
	seen_init(&b, fd, NOW);
	seen_add(&b, print_of(5), NOW);
	CHECK(seen_find(&b, print_of(5), NOW));
	close(fd);
	seen_init(&b, fd, NOW); /* the disk is gone */
	seen_add(&b, print_of(6), NOW);
	CHECK(b.broken && seen_find(&b, print_of(6), NOW));
}

int main(void)
{
	prints();
	lasts();
	heard();
	on_disk();
	TEST_END();
}
