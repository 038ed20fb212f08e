/* SPDX-License-Identifier: ISC */
/* What a module under test writes to the log. Failures of the test are told beside it. */
#ifndef TESTS_UNIT_CONSOLE_H
#define TESTS_UNIT_CONSOLE_H

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "smtpd/lib/memfd.h"
#include "tests/unit/test.h"

static int console = -1;

/* From now on the log goes there. */
static inline void console_begin(void)
{
	console = memfd_make("log");
	stderr = fdopen(dup(2), "w");
	CHECK(console >= 0 && dup2(console, 2) == 2);
}

static inline bool logged(const char *part)
{
	static char mem[65536];
	ssize_t n = pread(console, mem, sizeof mem - 1, 0);

	mem[n > 0 ? n : 0] = 0;
	return strstr(mem, part) != NULL;
}

static inline void forget_log(void)
{
	CHECK(ftruncate(console, 0) == 0 && lseek(console, 0, SEEK_SET) == 0);
}

#endif
