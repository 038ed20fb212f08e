/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "keys/auth/hostpass.h"

#include <stdlib.h>
#include <unistd.h>

#include "tests/unit/test.h"

static struct hostpass h;

static bool load(struct slice text)
{
	char name[] = "hostpassXXXXXX";
	int fd = mkstemp(name);

	CHECK(fd >= 0 && unlink(name) == 0 && write(fd, text.p, text.n) == (ssize_t)text.n);
	CHECK(lseek(fd, 0, SEEK_SET) == 0);
	memset(&h, 'x', sizeof h);
	return hostpass_load(&h, fd);
}

int main(void)
{
	static const struct {
		struct slice text;
		bool ok;
	} cases[] = {
		{ { (const uint8_t *)"\0u\0p", 4 }, true },
		{ { (const uint8_t *)"\0u@a\0pass word", 14 }, true },
		{ { (const uint8_t *)"", 0 }, true },
		{ { (const uint8_t *)"\0u\0", 3 }, false },
		{ { (const uint8_t *)"\0\0p", 3 }, false },
		{ { (const uint8_t *)"\0u", 2 }, false },
		{ { (const uint8_t *)"\0", 1 }, false },
		{ { (const uint8_t *)"x\0u\0p", 5 }, false },
		{ { (const uint8_t *)"\0u\0p\0", 5 }, false },
		{ { (const uint8_t *)"u:p\n", 4 }, false },
	};
	static uint8_t big[AUTH_PLAIN_MAX + 1];

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		CHECK_EQ(load(cases[i].text), cases[i].ok);
		CHECK_EQ(h.n, cases[i].ok ? cases[i].text.n : 0);
		CHECK(slice_eq((struct slice){ h.plain, h.n }, slice_head(cases[i].text, h.n)));
	}
	memset(big + 1, 'p', sizeof big - 1);
	big[2] = 0;
	CHECK(load((struct slice){ big, AUTH_PLAIN_MAX }) && h.n == AUTH_PLAIN_MAX);
	CHECK(!load((struct slice){ big, AUTH_PLAIN_MAX + 1 }) && !h.n);
	CHECK(!memmem(h.plain, sizeof h.plain, "ppp", 3));
	CHECK(hostpass_load(&h, -1) && !h.n);
	TEST_END();
}
