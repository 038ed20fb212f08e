/* SPDX-License-Identifier: ISC */
#include "tests/unit/test.h"

#include "smtpd/proto/base64.h"

static const struct {
	const char *text;
	const char *octets; /* NULL: refused */
} cases[] = {
	{ "", "" },
	{ "Zg==", "f" },
	{ "Zm8=", "fo" },
	{ "Zm9v", "foo" },
	{ "Zm9vYg==", "foob" },
	{ "Zm9vYmE=", "fooba" },
	{ "Zm9vYmFy", "foobar" },
	{ "+/+/", "\xfb\xff\xbf" },
	{ "Z", NULL },
	{ "Zg", NULL },
	{ "Zg=", NULL },
	{ "Zg===", NULL },
	{ "Zh==", NULL },
	{ "Zm9=", NULL },
	{ "=", NULL },
	{ "====", NULL },
	{ "Z===", NULL },
	{ "Zg==Zg==", NULL },
	{ "Zm8=Zm9v", NULL },
	{ "Z=g=", NULL },
	{ " Zg==", NULL },
	{ "Zg==\r\n", NULL },
	{ "Zm 9v", NULL },
	{ "Zm9v\n", NULL },
	{ "Zm9-", NULL },
	{ "Zm9_", NULL },
	{ "Zm9\xe4", NULL },
	{ "*", NULL },
};

int main(void)
{
	uint8_t room[8], all[256], text[345], back[256];
	struct buf b = BUF(room), t = BUF(text), r = BUF(back);

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		b.len = 0;
		CHECK_ROW(base64_get(slice_of(cases[i].text), &b) == !!cases[i].octets,
			  cases[i].text);
		CHECK_ROW(!b.bad && slice_eq(buf_slice(&b), slice_of(cases[i].octets)),
			  cases[i].text);
		if (!cases[i].octets)
			continue;
		b.len = 0;
		base64_put(&b, slice_of(cases[i].octets));
		CHECK_ROW(slice_eq(buf_slice(&b), slice_of(cases[i].text)), cases[i].text);
	}
	CHECK(!base64_get(SLICE("AA\0A"), &b));
	b = (struct buf){ .p = room, .cap = 3 };
	CHECK(base64_get(SLICE("Zm9v"), &b) && b.len == 3);
	CHECK(!base64_get(SLICE("Zg=="), &b) && b.len == 3 && !b.bad);
	b = (struct buf){ .p = room, .cap = 2 };
	CHECK(!base64_get(SLICE("Zm9v"), &b) && b.len == 0 && !b.bad);
	b = (struct buf){ .p = room, .cap = 3 };
	base64_put(&b, SLICE("f"));
	CHECK(b.bad);
	for (size_t n = 0; n <= 256; n++) {
		if (n)
			all[n - 1] = (uint8_t)(n - 1);
		t.len = r.len = 0;
		base64_put(&t, (struct slice){ all, n });
		CHECK_EQ(t.len, (n + 2) / 3 * 4);
		CHECK(base64_get(buf_slice(&t), &r) &&
		      slice_eq(buf_slice(&r), (struct slice){ all, n }));
	}
	TEST_END();
}
