/* SPDX-License-Identifier: ISC */
#include "keys/auth/host/virtualfile.h"

#include <stdio.h>

#include "tests/unit/test.h"

static const struct virtualfile ours = { SLICE("example.org two.example"),
					 SLICE("Me@gmail.com"),
					 SLICE("mx.example.org srs.example.org") };

struct found {
	const char *key, *value; /* value NULL: not there */
};

static const struct {
	const char *text;
	struct found is[4];
} good[] = {
	{ "",
	  { { "postmaster@example.org", "Me@gmail.com" },
	    { "abuse@two.example", "Me@gmail.com" },
	    { "@example.org", NULL } } },
	{ "# note\n\nHello@Example.org x@GMAIL.com\n",
	  { { "hello@example.org", "x@GMAIL.com" }, { "hello@two.example", NULL } } },
	{ "a@example.org\tx@gmail.com", { { "a@example.org", "x@gmail.com" } } },
	{ "a@example.org x@gmail.com\r\nb@example.org y@gmail.com\r\n",
	  { { "b@example.org", "y@gmail.com" } } },
	{ "a@example.org\n  # between\n\n  x@gmail.com\n",
	  { { "a@example.org", "x@gmail.com" } } },
	{ "a@example.org x@gmail.com,\n", { { "a@example.org", "x@gmail.com" } } },
	{ "@example.org x@gmail.com\n",
	  { { "@example.org", "x@gmail.com" },
	    { "@two.example", NULL },
	    { "postmaster@example.org", "Me@gmail.com" } } },
	{ "a+tag@example.org x@gmail.com\n",
	  { { "a+tag@example.org", "x@gmail.com" }, { "a@example.org", NULL } } },
	{ "a x@gmail.com\na@two.example y@gmail.com\n",
	  { { "a@example.org", "x@gmail.com" }, { "a@two.example", "y@gmail.com" } } },
	{ "postmaster x@gmail.com\n",
	  { { "postmaster@example.org", "x@gmail.com" },
	    { "abuse@example.org", "Me@gmail.com" } } },
	{ "a@example.org b@two.example\nb@two.example c+x@example.org\nc@example.org x@gmail.com\n",
	  { { "a@example.org", "x@gmail.com" }, { "b@two.example", "x@gmail.com" } } },
	{ "a@example.org b@two.example\n@two.example x@gmail.com\n",
	  { { "a@example.org", "x@gmail.com" } } },
	{ "a@example.org abuse@two.example\n", { { "a@example.org", "Me@gmail.com" } } },
	{ "a@example.org \"x\"@gmail.com\n", { { "a@example.org", "x@gmail.com" } } },
	{ "\"a\"@example.org x@gmail.com\n", { { "a@example.org", "x@gmail.com" } } },
	{ "\"/a\"@example.org x@gmail.com\n", { { "/a@example.org", "x@gmail.com" } } },
	{ "a@example.org x@Other.example\n", { { "a@example.org", "x@Other.example" } } },
	{ "a@example.org x@gmail.com, y@other.example\n\tz@gmail.com\n",
	  { { "a@example.org", "x@gmail.com y@other.example z@gmail.com" } } },
	{ "a@example.org x@gmail.com,x@GMAIL.com X@gmail.com\n",
	  { { "a@example.org", "x@gmail.com X@gmail.com" } } },
	{ "a@example.org b@example.org,c@two.example\nb x@gmail.com,y@gmail.com\n"
	  "@two.example y@gmail.com z@gmail.com\n",
	  { { "a@example.org", "x@gmail.com y@gmail.com z@gmail.com" },
	    { "b@two.example", "x@gmail.com y@gmail.com" } } },
	{ "a@example.org b@example.org, c@example.org\nb@example.org d@example.org\n"
	  "c@example.org d@example.org\nd@example.org x@gmail.com\n",
	  { { "a@example.org", "x@gmail.com" } } },
	{ "a@example.org 1@x.org 2@x.org 3@x.org 4@x.org 5@x.org 6@x.org 7@x.org 8@x.org\n",
	  { { "a@example.org",
	      "1@x.org 2@x.org 3@x.org 4@x.org 5@x.org 6@x.org 7@x.org 8@x.org" } } },
	{ "a@example.org REJECT\nb@example.org reject  Go away,  please\n"
	  "c REJECT 5.1.6 Has moved\n@two.example REJECT\t5.1.1 No such user\n",
	  { { "a@example.org", ":5.7.1 This address takes no mail" },
	    { "b@example.org", ":5.7.1 Go away,  please" },
	    { "c@two.example", ":5.1.6 Has moved" },
	    { "@two.example", ":5.1.1 No such user" } } },
	{ "Example.org anything\ntwo.example\tx y @z\na@example.org x@gmail.com\n",
	  { { "a@example.org", "x@gmail.com" },
	    { "example.org@example.org", NULL },
	    { "@example.org", NULL },
	    { "two.example@two.example", NULL } } },
	{ "first.last x@gmail.com\n", { { "first.last@two.example", "x@gmail.com" } } },
	{ "a@example.org REJECT 5 of us are gone\n",
	  { { "a@example.org", ":5.7.1 5 of us are gone" } } },
};

static const struct {
	const char *text;
	unsigned line;
	const char *why; /* a part of it */
} bad[] = {
	{ "a@example.org\n", 1, "not 'pattern address'" },
	{ "\n  a@example.org x@gmail.com\n", 2, "goes on nothing" },
	{ "a@example.org ,\n", 1, "no destination" },
	{ "a@example.org x\n", 1, "'x' is no address" },
	{ "a@example.org @gmail.com\n", 1, "is no address" },
	{ "a@example.org <x@gmail.com>\n", 1, "is no address" },
	{ "@example.org @two.example\n", 1, "'@two.example' is no address" },
	{ "other.example anything\n", 1, "'anything' is no address" },
	{ "example.org\n", 1, "not 'pattern address'" },
	{ "a@example.org x@[192.0.2.1]\n", 1, "is no address" },
	{ "a@example.org \"\"@gmail.com\n", 1, "is no address" },
	{ "a@else.example x@gmail.com\n", 1, "not one of the mail domains" },
	{ "@else.example x@gmail.com\n", 1, "not one of the mail domains" },
	{ "@ x@gmail.com\n", 1, "no pattern" },
	{ "a@@example.org x@gmail.com\n", 1, "no pattern" },
	{ "\"\"@example.org x@gmail.com\n", 1, "no pattern" },
	{ "a..b x@gmail.com\n", 1, "no pattern" },
	{ "a x@gmail.com\n/^re/ x@gmail.com\n", 2, "'/^re/' is a regular expression" },
	{ "/^a (b)@example\\.org$/i $1@gmail.com\n", 1, "regular expression" },
	{ "!/^a/ x@gmail.com\n", 1, "'!/^a/' is a regular expression" },
	{ "/a@example.org x@gmail.com\n", 1, "regular expression" },
	{ "if /^a/\nendif\n", 1, "'/^a/' is no address" },
	{ "a@example.org x@gmail.com\nA@EXAMPLE.ORG y@gmail.com\n", 2, "line 1 already" },
	{ "\"a\"@example.org x@gmail.com\na@example.org y@gmail.com\n", 2, "line 1 already" },
	{ "a x@gmail.com\na y@gmail.com\n", 2, "line 1 already" },
	{ "a@example.org a@example.org\n", 1, "back to itself" },
	{ "x@example.org a@example.org\na@example.org b@example.org\nb@example.org a@example.org\n",
	  2, "back to itself" },
	{ "@example.org a@example.org\n", 1, "back to itself" },
	{ "a@example.org b@two.example\n", 1, "to nothing" },
	{ "a@example.org x\xc3\xa4@gmail.com\n", 1, "octet 195" },
	{ "a@example.org x@gmail.com, b@two.example\nb@two.example y@gmail.com a@example.org\n",
	  1, "back to itself" },
	{ "a@example.org x@gmail.com a@example.org\n", 1, "back to itself" },
	{ "a@example.org x@gmail.com y\n", 1, "'y' is no address" },
	{ "#\na@example.org x@srs.example.org\n", 2, "back to this machine" },
	{ "a@example.org 1@x.org 2@x.org 3@x.org 4@x.org 5@x.org 6@x.org 7@x.org 8@x.org 9@x.org\n",
	  1, "more than 8 destinations" },
	{ "a@example.org b@example.org 7@x.org 8@x.org 9@x.org\n"
	  "b@example.org 1@x.org 2@x.org 3@x.org 4@x.org 5@x.org 6@x.org\n",
	  1, "more than 8 destinations" },
	{ "a@example.org x@gmail.com b@example.org\nb@example.org REJECT\n", 1,
	  "which is refused" },
	{ "a@example.org REJECT 4.7.1 Later\n", 1, "takes 5.x.y" },
	{ "a@example.org REJECT 5.7 Never\n", 1, "takes 5.x.y" },
	{ "a@example.org REJECT 5.7.256 Never\n", 1, "takes 5.x.y" },
	{ "Postmaster@example.org REJECT\n", 1, "must take mail" },
	{ "abuse REJECT\n", 1, "must take mail" },
};

static void accepts(void)
{
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		struct entries all = { 0 };
		struct complaint why = { 0 };

		CHECK_ROW(virtualfile_parse(&ours, slice_of(good[i].text), &all, &why),
			  good[i].text);
		CHECK_ROW(!why.text[0], why.text);
		for (const struct found *f = good[i].is; f < good[i].is + 4 && f->key; f++) {
			struct entry *e = entries_find(&all, slice_of(f->key));

			CHECK_ROW(!e == !f->value && (!e || !strcmp(e->value, f->value)),
				  f->key);
		}
		entries_free(&all);
	}
}

static void refuses(void)
{
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct entries all = { 0 };
		struct complaint why = { 0 };

		CHECK_ROW(!virtualfile_parse(&ours, slice_of(bad[i].text), &all, &why),
			  bad[i].text);
		CHECK_EQ(why.line, bad[i].line);
		CHECK_ROW(strstr(why.text, bad[i].why), why.text);
		entries_free(&all);
	}
}

static void without_file(void)
{
	static const struct virtualfile wrong[] = {
		{ SLICE(""), SLICE("me@gmail.com"), SLICE("") },
		{ SLICE("example.org"), SLICE("me"), SLICE("") },
		{ SLICE("example.org"), SLICE("me@example.org"), SLICE("") },
		{ SLICE("example.org"), SLICE("me@mx.example.org"), SLICE("mx.example.org") },
		{ SLICE("example..org"), SLICE("me@gmail.com"), SLICE("") },
	};
	struct entries all = { 0 };
	struct complaint why = { 0 };

	CHECK(virtualfile_parse(&ours, (struct slice){ NULL, 0 }, &all, &why));
	CHECK_EQ(all.n, 6);
	CHECK(entries_find(&all, SLICE("@two.example")));
	entries_free(&all);
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		why = (struct complaint){ 0 };
		CHECK(!virtualfile_parse(&wrong[i], SLICE(""), &all, &why) && !why.line);
		entries_free(&all);
	}
}

/* A chain has an end, whatever the file holds. */
static void long_chain(void)
{
	char text[64 * (VIRTUALFILE_STEPS + 2)];

	for (unsigned n = VIRTUALFILE_STEPS - 1; n <= VIRTUALFILE_STEPS; n++) {
		struct entries all = { 0 };
		struct complaint why = { 0 };
		size_t at = 0;

		for (unsigned i = 0; i < n; i++)
			at += (size_t)sprintf(
				text + at, "a%04u@example.org a%04u@example.org\n", i, i + 1);
		sprintf(text + at, "a%04u@example.org x@gmail.com\n", n);
		CHECK_EQ(virtualfile_parse(&ours, slice_of(text), &all, &why),
			 n < VIRTUALFILE_STEPS);
		entries_free(&all);
	}
}

int main(void)
{
	accepts();
	refuses();
	without_file();
	long_chain();
	TEST_END();
}
