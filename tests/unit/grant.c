/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/grant.h"

#include "tests/unit/test.h"

static const uint8_t key[32] = { 1, 2, 3 }, other[32] = { 1, 2, 4 };

static const struct {
	const char *rights, *local, *domain;
	bool ok;
} cases[] = {
	{ "@a.org", "x", "a.org", true },
	{ "@a.org", "x", "A.Org", true },
	{ "@a.org", "x", "b.a.org", false },
	{ "@a.org", "x", "xa.org", false },
	{ "@a.org", "", "a.org", false },
	{ "@a.org", "x", "", false },
	{ "me@a.org", "me", "a.org", true },
	{ "me@a.org", "Me", "a.org", true },
	{ "me@a.org", "you", "a.org", false },
	{ "me@a.org", "m", "a.org", false },
	{ "me@a.org @b.org", "x", "b.org", true },
	{ "me@a.org @b.org", "x", "a.org", false },
	{ "", "x", "a.org", false },
	{ "a.org", "x", "a.org", false },
	{ "a@b@c.org", "a@b", "c.org", true },
	{ "quota=5 me@a.org", "me", "a.org", true },
	{ "quota=5 me@a.org", "quota=5", "", false },
};

static void rights(void)
{
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct grant g = { .rights = slice_of(cases[i].rights) };

		CHECK_ROW(grant_allows(&g, slice_of(cases[i].local),
				       slice_of(cases[i].domain)) == cases[i].ok,
			  cases[i].rights);
	}
}

static void sealed(void)
{
	uint8_t mem[200], longest[65] = { 0 };
	struct buf b = BUF(mem);
	struct grant g = { SLICE("app1"), SLICE("@a.org me@b.org"), 1000 }, got;

	grant_put(&g, key, &b);
	CHECK(!b.bad && b.len == 32 + 8 + 1 + 4 + 15);
	CHECK(grant_open(buf_slice(&b), key, 999, &got));
	CHECK_SLICE(got.account, "app1");
	CHECK_SLICE(got.rights, "@a.org me@b.org");
	CHECK_EQ(got.expires, 1000);
	CHECK(!grant_open(buf_slice(&b), key, 1000, &got));
	CHECK(!grant_open(buf_slice(&b), other, 999, &got));
	for (size_t n = 0; n < b.len; n++)
		CHECK(!grant_open(slice_head(buf_slice(&b), n), key, 999, &got));
	for (size_t i = 0; i < 8 * b.len; i++) {
		mem[i / 8] ^= (uint8_t)(1u << i % 8);
		CHECK(!grant_open(buf_slice(&b), key, 999, &got));
		mem[i / 8] ^= (uint8_t)(1u << i % 8);
	}
	b = (struct buf){ .p = mem, .cap = 32 + 8 + 1 + 4 + 14 };
	grant_put(&g, key, &b);
	CHECK(b.bad);
	b = BUF(mem);
	g.account = (struct slice){ longest, 65 };
	grant_put(&g, key, &b);
	CHECK(b.bad);
	b = BUF(mem);
	g.account.n = 64;
	grant_put(&g, key, &b);
	CHECK(!b.bad && grant_open(buf_slice(&b), key, 0, &got) && got.account.n == 64);
}

static void quota(void)
{
	static const struct {
		const char *rights;
		uint32_t quota;
	} rows[] = {
		{ "@a.org", 77 },
		{ "quota=5 @a.org", 5 },
		{ "@a.org quota=0", 0 },
		{ "@a.org quota=4294967295", UINT32_MAX },
		{ "@a.org quota=4294967296", 77 },
		{ "quota=@a.org", 77 },
		{ "quota=5x @a.org", 77 },
		{ "", 77 },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct grant g = { .rights = slice_of(rows[i].rights) };

		CHECK_EQ(grant_quota(&g, 77), rows[i].quota);
	}
}

int main(void)
{
	rights();
	sealed();
	quota();
	TEST_END();
}
