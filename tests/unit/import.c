/* SPDX-License-Identifier: ISC */
#include "keys/auth/host/import.h"

#include <sodium.h>
#include <stdlib.h>

#include "keys/auth/host/usersfile.h"
#include "keys/auth/passhash.h"
#include "tests/unit/test.h"

#define B32 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define PG  "SCRAM-SHA-256$4096:AAAA$" B32 ":" B32
#define B43 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define ARGON \
	"$argon2id$v=19$m=8192,t=3,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static void rows(void)
{
	static const struct {
		const char *line;
		const char *name; /* "": nothing; NULL: refused */
		enum import_secret kind;
		const char *secret, *senders, *why;
	} cases[] = {
		{ "app1@a.org: userPassword", "app1@a.org", IMPORT_TOKEN, "", "", "" },
		{ "app1@a.org: cmusaslsecretPLAIN", "", IMPORT_TOKEN, "", "", "" },
		{ "app1@a.org: password", NULL, 0, "", "", "userPassword" },
		{ "ann:x:1000:1000:Ann:/home/ann:/bin/sh", "ann", IMPORT_TOKEN, "", "", "" },
		{ "ann:", "ann", IMPORT_TOKEN, "", "", "" },
		{ "ann:" ARGON, "ann", IMPORT_HASH, ARGON, "", "" },
		{ "ann:" ARGON ":1:1::/:", "ann", IMPORT_HASH, ARGON, "", "" },
		{ "ann:{ARGON2ID}" ARGON ":1", "ann", IMPORT_HASH, ARGON, "", "" },
		{ "ann:" PG, "ann", IMPORT_HASH, PG, "", "" },
		{ "ann:" PG ":1:1", "ann", IMPORT_HASH, PG, "", "" },
		{ "ann:" PG ":", "ann", IMPORT_HASH, PG, "", "" },
		{ "ann:{SCRAM-SHA-256}4096,AAAA," B32 "," B32 ":1:1", "ann", IMPORT_HASH, PG,
		  "", "" },
		{ "ann:{PLAIN}open sesame now", "ann", IMPORT_PLAIN, "open sesame now", "",
		  "" },
		{ "ann\t" PG "\tme@a.org,@b.org", "ann", IMPORT_HASH, PG, "me@a.org,@b.org",
		  "" },
		{ "ann\t\t@a.org", "ann", IMPORT_TOKEN, "", "@a.org", "" },
		{ "ann\t{PLAIN}with: a colon", "ann", IMPORT_PLAIN, "with: a colon", "", "" },
		{ "", "", IMPORT_TOKEN, "", "", "" },
		{ "  ", "", IMPORT_TOKEN, "", "", "" },
		{ "# ann:x", "", IMPORT_TOKEN, "", "", "" },
		{ "ann", NULL, 0, "", "", "not 'name:hash'" },
		{ ":x", NULL, 0, "", "", "no name" },
		{ "\tx", NULL, 0, "", "", "no name" },
		{ "ann:$6$salt$abc:1", NULL, 0, "", "", "unknown hash" },
		{ "ann:hunter2", NULL, 0, "", "", "unknown hash" },
		{ "ann:{SHA512-CRYPT}$6$a$b", NULL, 0, "", "", "unknown hash {SHA512-CRYPT}" },
		{ "ann:{SCRAM-SHA-256}4096,AAAA," B32, NULL, 0, "", "", "unknown hash" },
		{ "ann:{PLAIN}", NULL, 0, "", "", "less than 12 octets" },
		{ "ann:{PLAIN}open sesame:1", NULL, 0, "", "", "less than 12 octets" },
		{ "ann:$argon2id$v=16$m=8192,t=3,p=1$AAAAAAAAAAAAAAAAAAAAAA$" B43, NULL, 0, "",
		  "", "unknown hash" },
		{ "ann:$argon2id$v=19$m=7,t=3,p=1$AAAAAAAAAAAAAAAAAAAAAA$" B43, NULL, 0, "", "",
		  "unknown hash" },
		{ "ann:$argon2id$v=19$m=8192,t=3,p=1$AAAAAAAAAA$" B43, NULL, 0, "", "",
		  "unknown hash" },
		{ "ann:$argon2id$v=19$m=8192,t=3,p=1$AAAAAAAAAAB$" B43, NULL, 0, "", "",
		  "unknown hash" },
		{ "ann:$argon2id$v=19$m=8192,t=3,p=1$AAAAAAAAAAAAAAAAAAAAAA$AA", NULL, 0, "",
		  "", "unknown hash" },
		{ "ann:$argon2id$v=19$m=8192,t=3,p=1$$$$", NULL, 0, "", "", "unknown hash" },
		{ "ann:{", NULL, 0, "", "", "unknown hash" },
		{ "ann:*:1", NULL, 0, "", "", "locked" },
		{ "ann:!" ARGON, NULL, 0, "", "", "locked" },
		{ "ann\tx\t@a.org\t2027-01-01\t5\tmore", NULL, 0, "", "", "five columns" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint8_t mem[400];
		struct buf room = BUF(mem);
		struct complaint why = { 0 };
		struct import_row r;
		bool ok = import_row(slice_of(cases[i].line), &r, &room, &why);

		CHECK_ROW(ok == !!cases[i].name, cases[i].line);
		CHECK_ROW(strstr(why.text, cases[i].why) && ok == !why.text[0], why.text);
		if (!ok)
			continue;
		CHECK_ROW(slice_eq(r.name, slice_of(cases[i].name)), cases[i].line);
		CHECK_ROW(r.kind == cases[i].kind, cases[i].line);
		if (r.kind != IMPORT_TOKEN)
			CHECK_ROW(slice_eq(r.secret, slice_of(cases[i].secret)), cases[i].line);
		CHECK_ROW(slice_eq(r.senders, slice_of(cases[i].senders)), cases[i].line);
	}
}

static uint8_t lines_mem[8 * IMPORT_ROOM], shown_mem[8 * IMPORT_ROOM];
static struct buf lines, shown;

static bool list(const char *text, const char *sender, bool scram, struct complaint *why)
{
	struct entries have = { 0 };
	struct import how = { slice_of(sender), SLICE("a.org b.org"), scram, &have };
	bool ok;

	entries_add(&have, SLICE("old"), SLICE(""), 1, 0);
	lines = BUF(lines_mem);
	shown = BUF(shown_mem);
	*why = (struct complaint){ 0 };
	ok = import_list(slice_of(text), &how, &lines, &shown, why);
	entries_free(&have);
	return ok;
}

static void lists(void)
{
	static const struct {
		const char *text, *sender;
		unsigned line;
		const char *why;
	} bad[] = {
		{ "a@a.org:x\n\na@a.org:x\n", "", 3, "a@a.org stands in line 1 already" },
		{ "b@a.org: userPassword\nold:x\n", "@a.org", 2, "an account old already" },
		{ "b@a.org:x\nb@c.org:x\n", "", 2, "mail domains" },
		{ "#\nb:x\n", "", 2, "b has no sender" },
		{ "b c:x\n", "@a.org", 1, "no name of an account" },
		{ "b:hunter2\n", "@a.org", 1, "unknown hash" },
		{ "b:x\n", "@evil.org", 1, "mail domains" },
		{ "b\tx\t@a.org\t2027-02-30\n", "", 1, "needs a day" },
		{ "b\tx\t@a.org\t\tmany\n", "", 1, "needs a number" },
	};
	struct complaint why;
	struct entries all = { 0 };
	struct slice value, token;
	struct entry *e;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		CHECK_ROW(!list(bad[i].text, bad[i].sender, true, &why), bad[i].text);
		CHECK_EQ(why.line, bad[i].line);
		CHECK_ROW(strstr(why.text, bad[i].why), why.text);
	}
	CHECK(list("# mine\na@a.org: userPassword\nb:" PG ":1:1::/:\n\n"
		   "c\t{PLAIN}open sesame 1\tme@b.org\t2027-12-31\t7\n",
		   "@a.org", false, &why));
	why = (struct complaint){ 0 };
	CHECK(usersfile_parse(buf_slice(&lines), SLICE("a.org b.org"), &all, &why));
	CHECK(all.n == 4);
	e = entries_find(&all, SLICE("a@a.org"));
	CHECK(e && slice_iprefix(buf_slice(&shown), SLICE("a@a.org\t")));
	CHECK_EQ(shown.len, 8 + PASSHASH_TOKEN_TEXT + 1);
	token = slice_head(slice_from(buf_slice(&shown), 8), PASSHASH_TOKEN_TEXT);
	value = slice_of(e->value);
	CHECK(passhash_check(slice_word(&value), token));
	e = entries_find(&all, SLICE("b"));
	CHECK(e && !strcmp(e->value, PG " @a.org"));
	e = entries_find(&all, SLICE("c"));
	CHECK(e && strstr(e->value, " until=1830297600 quota=7 me@b.org"));
	value = e ? slice_of(e->value) : SLICE("");
	CHECK(passhash_check(slice_word(&value), SLICE("open sesame 1")));
	entries_free(&all);
	CHECK(list("c:{PLAIN}open sesame 1\nd:x", "@a.org", true, &why));
	CHECK(usersfile_parse(buf_slice(&lines), SLICE("a.org"), &all, &why));
	for (size_t i = 1; i < all.n; i++) {
		value = slice_of(all.e[i].value);
		CHECK_EQ(passhash_kind(slice_word(&value)), PASSHASH_SCRAM);
	}
	entries_free(&all);
}

int main(void)
{
	CHECK(sodium_init() >= 0);
	rows();
	lists();
	TEST_END();
}
