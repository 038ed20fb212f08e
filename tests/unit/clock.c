/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "init/clock/saved.h"

#include <sys/mman.h>
#include <unistd.h>

#include "init/clock/vote.h"
#include "tests/unit/test.h"

static const struct {
	const char *name;
	struct vote v[5];
	unsigned n;
	bool ok;
	int64_t offset;
} rows[] = {
	{ "nobody", { { 0, 0 } }, 0, false, 0 },
	{ "one", { { 100, 5 } }, 1, true, 100 },
	{ "one without error", { { 100, 0 } }, 1, true, 100 },
	{ "two that agree", { { 100, 10 }, { 112, 10 } }, 2, true, 106 },
	{ "two that touch", { { 100, 10 }, { 120, 10 } }, 2, true, 110 },
	{ "two that do not", { { 100, 10 }, { 121, 10 } }, 2, false, 0 },
	{ "one of three lies", { { 100, 10 }, { 5000, 10 }, { 104, 10 } }, 3, true, 102 },
	{ "the liar is the first", { { -5000, 1 }, { 100, 10 }, { 104, 10 } }, 3, true, 102 },
	{ "three that are different", { { 1, 1 }, { 100, 1 }, { 200, 1 } }, 3, false, 0 },
	{ "two against two", { { 1, 1 }, { 1, 1 }, { 200, 1 }, { 200, 1 } }, 4, false, 0 },
	{ "three against two",
	  { { 1, 1 }, { 1, 1 }, { 200, 1 }, { 200, 1 }, { 200, 1 } },
	  5,
	  true,
	  200 },
	{ "a chain is no majority", { { 0, 6 }, { 10, 6 }, { 20, 6 }, { 30, 6 } }, 4, false, 0 },
	{ "a vague one does not move the others",
	  { { 100, 2 }, { 101, 2 }, { 0, 1000 } },
	  3,
	  true,
	  100 },
};

static void test_vote(void)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		int64_t got = 77;

		CHECK_ROW(vote_count(rows[i].v, rows[i].n, &got) == rows[i].ok, rows[i].name);
		CHECK_ROW(got == (rows[i].ok ? rows[i].offset : 77), rows[i].name);
	}
}

static void test_saved(void)
{
	int fd = memfd_create("saved", 0);
	int64_t t = 5;
	uint8_t octet;

	CHECK(!saved_read(fd, &t)); /* empty */
	CHECK(saved_write(fd, 1795305600));
	CHECK(saved_read(fd, &t));
	CHECK_EQ(t, 1795305600);
	for (off_t at = 0; at < 16; at++) { /* damage anywhere is seen */
		CHECK(pread(fd, &octet, 1, at) == 1);
		octet ^= 4;
		CHECK(pwrite(fd, &octet, 1, at) == 1);
		t = 5;
		CHECK(!saved_read(fd, &t) && t == 5);
		octet ^= 4;
		CHECK(pwrite(fd, &octet, 1, at) == 1);
	}
	CHECK(ftruncate(fd, 15) == 0 && !saved_read(fd, &t));
	CHECK(ftruncate(fd, 0) == 0 && ftruncate(fd, 16) == 0 &&
	      !saved_read(fd, &t)); /* zeros are no time */
	CHECK(saved_write(fd, 7) && saved_read(fd, &t) && t == 7);
	close(fd);
}

int main(void)
{
	test_vote();
	test_saved();
	TEST_END();
}
