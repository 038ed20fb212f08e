/* SPDX-License-Identifier: ISC */
#include "keys/auth/host/usersfile.h"

#include <stdlib.h>

#include "keys/auth/passhash.h"
#include "tests/unit/test.h"

#define TOKEN "$b2$AAAAAAAAAAAAAAAAAAAAAA==$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

static const struct {
	const char *text;
	unsigned line; /* 0: accepted */
	const char *why;
} cases[] = {
	{ "", 0, "" },
	{ "# none\n\n", 0, "" },
	{ "app1 " TOKEN " @a.org\n", 0, "" },
	{ "app1\t" TOKEN "  @a.org,me@b.org  \r\nb " TOKEN " @a.org", 0, "" },
	{ "app1 " TOKEN " @a.org expires=2028-02-29\tquota=0\n", 0, "" },
	{ "app1 " TOKEN " @a.org quota=4294967295  expires=1970-01-01 \n", 0, "" },
	{ "app1 " TOKEN " @a.org quota=4294967296\n", 1, "quota= needs" },
	{ "app1 " TOKEN " @a.org quota=\n", 1, "quota= needs" },
	{ "app1 " TOKEN " @a.org expires=2027-02-29\n", 1, "needs a day" },
	{ "app1 " TOKEN " @a.org expires=2027-13-01\n", 1, "needs a day" },
	{ "app1 " TOKEN " @a.org expires=2027-00-10\n", 1, "needs a day" },
	{ "app1 " TOKEN " @a.org expires=2027-1-31\n", 1, "needs a day" },
	{ "app1 " TOKEN " @a.org expires=2027-12-311\n", 1, "needs a day" },
	{ "app1 " TOKEN " @a.org expires=1969-12-31\n", 1, "needs a day" },
	{ "app1 " TOKEN " @a.org quota=1 quota=1\n", 1, "once each" },
	{ "app1 " TOKEN " @a.org expires=2027-12-31 expires=2027-12-31\n", 1, "once each" },
	{ "app1 " TOKEN "\n", 1, "not 'name hash" },
	{ "\napp1 " TOKEN " @a.org x\n", 2, "'x' is not expires=" },
	{ "app1 " TOKEN " @a.org, @b.org\n", 1, "'@b.org' is not expires=" },
	{ ".app " TOKEN " @a.org\n", 1, "bad name" },
	{ "a/b " TOKEN " @a.org\n", 1, "bad name" },
	{ "mynetworks " TOKEN " @a.org\n", 1, "clients of SMTPD_MYNETWORKS" },
	{ "app1 hunter2 @a.org\n", 1, "bad hash" },
	{ "app1 $b2$AAAA$AAAA @a.org\n", 1, "bad hash" },
	{ "app1 $argon2id$v=19$m=99999999,t=3,p=1$AAAA$AAAA @a.org\n", 1, "bad hash" },
	{ "app1 " TOKEN " a.org\n", 1, "no sender" },
	{ "app1 " TOKEN " @a..org\n", 1, "no sender" },
	{ "app1 " TOKEN " @a.org,\n", 1, "no sender" },
	{ "app1 " TOKEN " \"a\"@a.org\n", 1, "no sender" },
	{ "app1 " TOKEN " x@[192.0.2.1]\n", 1, "no sender" },
	{ "app1 " TOKEN " @c.org\n", 1, "mail domains" },
	{ "app1 " TOKEN " @a.org\napp2 " TOKEN " @a.org\napp1 " TOKEN " @b.org\n", 3,
	  "line 1 already" },
};

static void files(void)
{
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct entries all = { 0 };
		struct complaint why = { 0 };

		CHECK_ROW(usersfile_parse(slice_of(cases[i].text), SLICE("a.org b.org"), &all,
					  &why) == !cases[i].line,
			  cases[i].text);
		CHECK_EQ(why.line, cases[i].line);
		CHECK_ROW(strstr(why.text, cases[i].why), why.text);
		if (i == 3)
			CHECK(all.n == 3 && !strcmp(all.e[0].key, PASSHASH_PEPPER) &&
			      !strcmp(all.e[1].key, "app1") &&
			      !strcmp(all.e[1].value, TOKEN " @a.org me@b.org"));
		entries_free(&all);
	}
}

static void limits(void)
{
	uint8_t mem[60];
	struct buf b = BUF(mem);
	struct complaint why = { 0 };

	CHECK(usersfile_limits(SLICE(" quota=7 expires=2026-11-30"), &b, &why));
	CHECK_SLICE(buf_slice(&b), "until=1796083200 quota=7 "); /* 2026-12-01 00:00 UTC */
	b.len = 0;
	CHECK(usersfile_limits(SLICE("expires=9999-12-31 quota=4294967295"), &b, &why) &&
	      !b.bad);
	b.len = 0;
	CHECK(usersfile_limits(SLICE(""), &b, &why) && !b.len);
}

static void long_name(void)
{
	uint8_t name[65];

	memset(name, 'a', sizeof name);
	CHECK(usersfile_name_ok((struct slice){ name, 64 }));
	CHECK(!usersfile_name_ok((struct slice){ name, 65 }));
	CHECK(!usersfile_name_ok((struct slice){ name, 0 }));
}

static void hashes(void)
{
	static const enum passhash_kind kinds[] = { PASSHASH_TOKEN, PASSHASH_CHOSEN,
						    PASSHASH_SCRAM };
	uint8_t a[32], b[32];
	struct buf token = BUF(a), second = BUF(b);

	passhash_token(&token);
	passhash_token(&second);
	CHECK(!token.bad && token.len == PASSHASH_TOKEN_TEXT);
	CHECK(!slice_eq(buf_slice(&token), buf_slice(&second)));
	for (size_t i = 0; i < 3; i++) {
		uint8_t mem[PASSHASH_MAX + 1], mem2[PASSHASH_MAX + 1];
		struct buf hash = BUF(mem), again = BUF(mem2);

		CHECK(passhash_make(kinds[i], buf_slice(&token), &hash));
		CHECK(passhash_make(kinds[i], buf_slice(&token), &again));
		CHECK(!slice_eq(buf_slice(&hash), buf_slice(&again)));
		CHECK_EQ(passhash_kind(buf_slice(&hash)), kinds[i]);
		CHECK(passhash_check(buf_slice(&hash), buf_slice(&token)));
		CHECK(!passhash_check(buf_slice(&hash), buf_slice(&second)));
		CHECK(!passhash_check(buf_slice(&hash), slice_head(buf_slice(&token), 25)));
		CHECK(!passhash_check(buf_slice(&hash), SLICE("")));
		CHECK(!passhash_check(slice_head(buf_slice(&hash), hash.len - 1),
				      buf_slice(&token)));
	}
}

static void maps(void)
{
	struct entries all = { 0 };
	struct complaint why = { 0 };
	struct slice text;

	entries_add(&all, SLICE("k"), SLICE("v"), 1, 0);
	CHECK(entries_sort(&all, &why) && source_cdb("x.cdb", &all));
	CHECK(source_read("x.cdb", &text) && text.n > 2048);
	free((void *)(uintptr_t)text.p);
	CHECK(!source_cdb("missing/x.cdb", &all));
	CHECK(!source_read("missing", &text));
	entries_free(&all);
}

int main(void)
{
	files();
	limits();
	long_name();
	hashes();
	maps();
	TEST_END();
}
