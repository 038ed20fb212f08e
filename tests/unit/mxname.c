/* SPDX-License-Identifier: ISC */
#include "tests/unit/test.h"

#include "smtpd/proto/mxname.h"

#define GMAIL "gmail-smtp-in.l.google.com *.gmail-smtp-in.l.google.com"

static const struct {
	const char *host, *patterns;
	bool ok;
} cases[] = {
	{ "gmail-smtp-in.l.google.com", GMAIL, true },
	{ "alt1.gmail-smtp-in.l.google.com", GMAIL, true },
	{ "ALT4.Gmail-SMTP-in.l.google.com.", GMAIL, true },
	{ "a.b.gmail-smtp-in.l.google.com", GMAIL, false },
	{ ".gmail-smtp-in.l.google.com", GMAIL, false },
	{ "alt1-gmail-smtp-in.l.google.com", GMAIL, false },
	{ "evilgmail-smtp-in.l.google.com", GMAIL, false },
	{ "gmail-smtp-in.l.google.com.evil.example", GMAIL, false },
	{ "l.google.com", GMAIL, false },
	{ "a.b", "a.b.", true },
	{ "a.b.", "a.b", true },
	{ "a.b..", "a.b", false },
	{ "a.b", "  x.y   a.b  ", true },
	{ "a.b", "*.b", true },
	{ "b", "*.b", false },
	{ "a.b", "*", false },
	{ "a", "*", false },
	{ "a", "*.", false },
	{ "a.b", "*b", false },
	{ "a.b", "**.b", false },
	{ "a.b", "a.*", false },
	{ "a.b.c", "a.*.c", false },
	{ "*.b", "*.b", true }, /* a star in a host is a label like others */
	{ "a..b", "*..b", false },
	{ "a.b", "", false },
	{ "", "a.b", false },
	{ "", "", false },
	{ ".", ".", false },
	{ ".", "*.", false },
};

static const struct {
	const char *a, *b;
	bool same;
} operators[] = {
	{ "alt1.gmail-smtp-in.l.google.com", "aspmx2.GOOGLEMAIL.com.", true },
	{ "mx1.example.org", "example.org", true },
	{ "mx.a.example.org", "b.example.org", true },
	{ "mx.one.example", "mx.two.example", false },
	{ "mx.one.co.uk", "mx.two.co.uk", false },
	{ "mx1.one.com.au", "mx2.one.com.au", true },
	{ "example.de", "mx.other.de", false },
	{ "localhost", "localhost.", true },
	{ "co.uk", "x.co.uk", false },
};

int main(void)
{
	for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
		uint64_t a = mxname_operator(slice_of(operators[i].a));

		CHECK_ROW((a == mxname_operator(slice_of(operators[i].b))) == operators[i].same,
			  operators[i].a);
		CHECK_ROW(a != 0, operators[i].a);
	}
	CHECK_EQ(mxname_operator(SLICE("")), 0);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		CHECK_ROW(mxname_match(slice_of(cases[i].host), slice_of(cases[i].patterns)) ==
				  cases[i].ok,
			  cases[i].host);
	CHECK(!mxname_match(SLICE("a\0.b"), SLICE("a.b")));
	TEST_END();
}
