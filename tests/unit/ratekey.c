/* SPDX-License-Identifier: ISC */
/* Who is one sender or recipient for the rates. */
#include "smtpd/check/check.h"
#include "tests/unit/test.h"

static void key_of(const char *address, enum check_rate kind, uint8_t key[RATES_KEY])
{
	struct path p;

	CHECK(path_addr(slice_of(address), 0, &p));
	CHECK(rate_key(kind, &p, key));
}

int main(void)
{
	static const struct {
		const char *address;
		bool same;
	} rows[] = {
		{ "ann@example.org", true },	   { "\"ann\"@example.org", true },
		{ "\"a\\nn\"@example.org", true }, { "ANN@Example.Org", true },
		{ "ann+tag@example.org", true },   { "\"ann+tag\"@example.org", true },
		{ "bob@example.org", false },	   { "ann@example.com", false },
		{ "\"ann \"@example.org", false },
	};
	uint8_t first[RATES_KEY], key[RATES_KEY];
	struct path null = { { NULL, 0 }, { NULL, 0 } };

	key_of("ann@example.org", RATE_RCPT, first);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		key_of(rows[i].address, RATE_RCPT, key);
		CHECK_ROW((memcmp(key, first, sizeof key) == 0) == rows[i].same,
			  rows[i].address);
	}
	key_of("ann@example.org", RATE_SENDER, key);
	CHECK(memcmp(key, first, sizeof key) != 0);
	CHECK(!rate_key(RATE_SENDER, &null, key));
	TEST_END();
}
