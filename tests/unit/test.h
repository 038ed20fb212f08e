/* SPDX-License-Identifier: ISC */
/* Macros of the unit tests. A test is one program: CHECK what must hold, end main with TEST_END. */
#ifndef TESTS_UNIT_TEST_H
#define TESTS_UNIT_TEST_H

#include <stdio.h>
#include <string.h>

static int test_failed, test_done;

static inline void test_note(int ok, const char *what, const char *file, int line)
{
	test_done++;
	if (ok)
		return;
	test_failed++;
	fprintf(stderr, "%s:%d: %s\n", file, line, what);
}

/* The expression holds. */
#define CHECK(x) test_note(!!(x), #x, __FILE__, __LINE__)

/* The same inside a table: `row` (a C string) says which row. */
#define CHECK_ROW(x, row)                                      \
	do {                                                   \
		int test_ok_ = !!(x);                          \
		test_note(test_ok_, #x, __FILE__, __LINE__);   \
		if (!test_ok_)                                 \
			fprintf(stderr, "\trow: %s\n", (row)); \
	} while (0)

/* Two integers are equal; both are printed where they are not. */
#define CHECK_EQ(a, b)                                                           \
	do {                                                                     \
		long long test_a_ = (long long)(a), test_b_ = (long long)(b);    \
		test_note(test_a_ == test_b_, #a " == " #b, __FILE__, __LINE__); \
		if (test_a_ != test_b_)                                          \
			fprintf(stderr, "\t%lld, not %lld\n", test_a_, test_b_); \
	} while (0)

/* A struct slice holds exactly the octets of the C string literal `lit`. */
#define CHECK_SLICE(s, lit)                                                        \
	do {                                                                       \
		struct slice test_s_ = (s);                                        \
		int test_ok_ = test_s_.n == sizeof(lit) - 1 &&                     \
			       (!test_s_.n || !memcmp(test_s_.p, lit, test_s_.n)); \
		test_note(test_ok_, #s " is " #lit, __FILE__, __LINE__);           \
		if (!test_ok_)                                                     \
			fprintf(stderr, "\tgot: %.*s\n", (int)test_s_.n,           \
				(const char *)test_s_.p);                          \
	} while (0)

#define TEST_END()                                                \
	do {                                                      \
		if (!test_done)                                   \
			fprintf(stderr, "nothing was checked\n"); \
		return test_failed || !test_done;                 \
	} while (0)

#endif
