/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/utf8.h"

#include "tests/unit/test.h"

static const struct {
	const char *in;
	bool clean;
} texts[] = {
	{ "", true },
	{ "plain\r\n\t\x01", true },
	{ "\xc3\xa4", true },
	{ "\xe2\x82\xac", true },
	{ "\xf0\x9f\x93\xa7", true },
	{ "\xf4\x8f\xbf\xbf", true },
	{ "\xc2\xa0", true },
	/* controls */
	{ "\xc2\x80", false },
	{ "\xc2\x9f", false },
	/* not UTF-8 */
	{ "\x80", false },
	{ "\xe4", false },
	{ "\xc3", false },
	{ "\xc3(", false },
	{ "\xe2\x82", false },
	{ "\xe2(\xac", false },
	{ "\xc0\xaf", false },
	{ "\xc1\xbf", false },
	{ "\xe0\x9f\xbf", false },
	{ "\xf0\x8f\xbf\xbf", false },
	{ "\xed\xa0\x80", false },
	{ "\xed\xbf\xbf", false },
	{ "\xf4\x90\x80\x80", false },
	{ "\xf8\x88\x80\x80\x80", false },
	{ "\xff", false },
	{ "ok \xc3\xa4 \xfe", false },
};

/* 62 octets of UTF-8, and too long in DNS. */
#define LONG \
	"\xd9\x8d\xd9\xb5\xd9\xbd\xd0\x96\xd2\xb4\xda\x82\xc9\xb8\xd2\xa8\xc5\x9e\xca\x8d\xd3\xaf\xcd\x82\xc2\xa8\xdf\xb1\xd5\xbc\xc2\xa5\xc7\xa7\xcb\xb5\xcc\x88\xca\x93\xda\xa2\xd4\xa0\xde\x9b\xcf\x89\xc9\xb3\xc4\xb3\xd1\x91\xdb\x86\xcb\x9a\xdd\x93\xd8\xb0"

static const struct {
	const char *in, *out; /* NULL: refused */
} labels[] = {
	{ "example", "example" },
	{ "b\xc3\xbc"
	  "cher",
	  "xn--bcher-kva" },
	{ "B\xc3\xbc"
	  "cher",
	  "xn--bcher-kva" },
	{ "m\xc3\xbcnchen", "xn--mnchen-3ya" },
	{ "\xe4\xbe\x8b\xe3\x81\x88", "xn--r8jz45g" },
	{ "\xe4\xbb\x96\xe4\xbb\xac\xe4\xb8\xba\xe4\xbb\x80\xe4\xb9\x88\xe4\xb8\x8d\xe8\xaf\xb4"
	  "\xe4\xb8\xad\xe6\x96\x87",
	  "xn--ihqwcrb4cv8a8dqg056pqjye" }, /* RFC 3492 7.1 (B) */
	{ "3\xe5\xb9\xb4"
	  "b\xe7\xb5\x84\xe9\x87\x91\xe5\x85\xab\xe5\x85\x88\xe7\x94\x9f",
	  "xn--3b-ww4c5e180e575a65lsy2b" }, /* (L) */
	{ "\xf0\x9f\x93\xa7", "xn--du8h" },
	{ LONG, NULL },
	{ "\xc3", NULL },
	{ "\xed\xa0\x80", NULL },
};

int main(void)
{
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		CHECK_ROW(utf8_clean(slice_of(texts[i].in)) == texts[i].clean, texts[i].in);
	CHECK(!utf8_needed(SLICE("a\x7f")) && utf8_needed(SLICE("a\x80")));
	for (size_t i = 0; i < sizeof labels / sizeof *labels; i++) {
		uint8_t mem[80];
		struct buf b = BUF(mem);

		utf8_label(&b, slice_of(labels[i].in));
		CHECK_ROW(b.bad == !labels[i].out, labels[i].in);
		CHECK_ROW(b.bad || slice_eq(buf_slice(&b), slice_of(labels[i].out)),
			  labels[i].in);
	}
	TEST_END();
}
