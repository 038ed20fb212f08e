/* SPDX-License-Identifier: ISC */
#include "init/net/rdnss.h"

#include <string.h>

#include "tests/unit/test.h"

#define DB8(x) "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0" x
#define LOCAL  "\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\1"
#define MANY   "\xff\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\1"
#define LOOP   "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1"
#define MAPPED "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\1"
#define HOUR   "\0\0\0\0\x0e\x10"
#define ONE    "\x19\3" HOUR DB8("\1")
#define MTU    "\5\1\0\0\0\0\5\xdc"
#define ROW(s) s, sizeof(s) - 1

static const struct {
	const char *name, *p;
	size_t len;
	unsigned n; /* 0: refused */
} rows[] = {
	{ "one", ROW(ONE), 1 },
	{ "behind another option", ROW(MTU ONE), 1 },
	{ "the first of two", ROW("\x19\5" HOUR DB8("\1") DB8("\2") ONE), 2 },
	{ "more than are kept",
	  ROW("\x19\x0b" HOUR DB8("\1") DB8("\2") DB8("\3") DB8("\4") DB8("\5")), RDNSS_MAX },
	{ "link-local is left out", ROW("\x19\5" HOUR LOCAL DB8("\2")), 1 },
	{ "nothing but link-local", ROW("\x19\3" HOUR LOCAL), 0 },
	{ "multicast", ROW("\x19\3" HOUR MANY), 0 },
	{ "loopback", ROW("\x19\3" HOUR LOOP), 0 },
	{ "IPv4 in disguise", ROW("\x19\3" HOUR MAPPED), 0 },
	{ "no address", ROW("\x19\1" HOUR), 0 },
	{ "half an address", ROW("\x19\2" HOUR "\x20\x01\x0d\xb8\0\0\0\0"), 0 },
	{ "one and a half", ROW("\x19\4" HOUR DB8("\1") "\x20\x01\x0d\xb8\0\0\0\0"), 0 },
	{ "length 0", ROW("\x19\0" HOUR DB8("\1")), 0 },
	{ "another of length 0 first", ROW("\5\0\0\0\0\0\5\xdc" ONE), 0 },
	{ "longer than there is", ROW("\x19\5" HOUR DB8("\1")), 0 },
	{ "others alone", ROW(MTU MTU), 0 },
	{ "nothing", ROW(""), 0 },
};

int main(void)
{
	struct rdnss r;
	struct slice one = { (const uint8_t *)ONE, sizeof ONE - 1 };

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		r = (struct rdnss){ .n = 99 };
		CHECK_ROW(rdnss_parse((struct slice){ (const uint8_t *)rows[i].p, rows[i].len },
				      &r) == (rows[i].n > 0),
			  rows[i].name);
		CHECK_ROW(r.n == (rows[i].n ? rows[i].n : 99), rows[i].name);
	}
	for (size_t n = 0; n < one.n; n++)
		CHECK(!rdnss_parse(slice_head(one, n), &r));
	CHECK(rdnss_parse(one, &r) && r.seconds == 3600 && !memcmp(r.a[0].b, DB8("\1"), 16));
	TEST_END();
}
