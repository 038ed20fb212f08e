/* SPDX-License-Identifier: ISC */
#include "smtpd/http/url.h"

#include "tests/unit/test.h"

static const struct {
	const char *in, *host; /* host NULL: refused */
	unsigned port;
	const char *path;
} rows[] = {
	{ "https://a.example/", "a.example", 443, "/" },
	{ "HTTPS://A.Example:14000/dir?x=1&y=[]", "A.Example", 14000, "/dir?x=1&y=[]" },
	{ "https://a.example:65535/~", "a.example", 65535, "/~" },
	{ "https://a.example", NULL, 0, "" },
	{ "https://a.example:/", NULL, 0, "" },
	{ "https://a.example:0/", NULL, 0, "" },
	{ "https://a.example:65536/", NULL, 0, "" },
	{ "https:///", NULL, 0, "" },
	{ "http://a.example/", NULL, 0, "" },
	{ "https://u@a.example/", NULL, 0, "" },
	{ "https://192.0.2.1/", NULL, 0, "" },
	{ "https://[2001:db8::1]/", NULL, 0, "" },
	{ "https://a.example/#x", NULL, 0, "" },
	{ "https://a.example/a b", NULL, 0, "" },
	{ "https://a.example/\"", NULL, 0, "" },
	{ "https://a.example/\\", NULL, 0, "" },
	{ "https://a.example/\n", NULL, 0, "" },
	{ "https://a.example/\x80", NULL, 0, "" },
	{ " https://a.example/", NULL, 0, "" },
	{ "", NULL, 0, "" },
};

int main(void)
{
	static char text[URL_MAX + 2];
	struct url u;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		u.port = 7;
		CHECK_ROW(url_parse(slice_of(rows[i].in), &u) == (rows[i].host != NULL),
			  rows[i].in);
		CHECK_ROW(u.port == (rows[i].host ? rows[i].port : 7), rows[i].in);
		if (rows[i].host)
			CHECK_ROW(!strcmp(u.host, rows[i].host) &&
					  slice_eq(u.path, slice_of(rows[i].path)),
				  rows[i].in);
	}
	memset(text, 'x', URL_MAX + 1);
	memcpy(text, "https://a.example/", 18);
	CHECK(!url_parse(slice_of(text), &u));
	text[URL_MAX] = 0;
	CHECK(url_parse(slice_of(text), &u));
	TEST_END();
}
