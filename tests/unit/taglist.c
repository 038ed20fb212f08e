/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/taglist.h"

#include "tests/unit/test.h"

static const struct {
	const char *in;
	const char *want; /* name|value of each tag; NULL: refused */
} rows[] = {
	{ "", "" },
	{ " \r\n ", "" },
	{ "a=1", "a|1," },
	{ "a=1;", "a|1," },
	{ " a = 1 ;\r\n\tb_2 =x=y ; ", "a|1,b_2|x=y," },
	{ "a=", "a|," },
	{ "a=;b=1", "a|,b|1," },
	{ "a=x y\r\n z", "a|x y\r\n z," },
	{ "a", NULL },
	{ "a;", NULL },
	{ "=1", NULL },
	{ "1=a", NULL },
	{ "a=1;;", NULL },
	{ ";a=1", NULL },
	{ "a b=1", NULL },
	{ "a=\xc3\xa4", "a|\xc3\xa4," },
	{ "\xc3\xa4=a", NULL },
	{ "a=\x7f", NULL },
	{ "a=\x01", NULL },
};

int main(void)
{
	struct slice list = SLICE("a : B:\r\n c:"), word;
	uint8_t sq[16];
	struct buf out = BUF(sq);

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct cur c = CUR(slice_of(rows[i].in));
		uint8_t mem[64];
		struct buf got = BUF(mem);
		struct tag t;

		while (taglist_next(&c, &t)) {
			buf_put(&got, t.name);
			buf_u8(&got, '|');
			buf_put(&got, t.value);
			buf_u8(&got, ',');
			CHECK(t.raw.n >= t.value.n);
		}
		CHECK_ROW(c.bad == !rows[i].want, rows[i].in);
		if (rows[i].want)
			CHECK_ROW(slice_eq(buf_slice(&got), slice_of(rows[i].want)),
				  rows[i].in);
	}
	CHECK(taglist_has(list, ':', SLICE("b")) && taglist_has(list, ':', SLICE("C")));
	CHECK(!taglist_has(list, ':', SLICE("d")) && taglist_has(list, ':', SLICE("")));
	CHECK(taglist_word(&list, ':', &word) && slice_eq(word, SLICE("a")));
	CHECK(taglist_word(&list, ':', &word) && slice_eq(word, SLICE("B")));
	CHECK(taglist_word(&list, ':', &word) && slice_eq(word, SLICE("c")));
	CHECK(taglist_word(&list, ':', &word) && !word.n);
	CHECK(!taglist_word(&list, ':', &word));
	CHECK(taglist_base64(SLICE(" Y\r\n\tW I"),
			     &out)); /* RFC 6376 2.10: [ "=" ] may be missing */
	CHECK(taglist_base64(SLICE("Yw = ="), &out) && taglist_base64(SLICE("ZA"), &out));
	CHECK_SLICE(buf_slice(&out), "abcd");
	CHECK(!taglist_base64(SLICE("Y"), &out) && !taglist_base64(SLICE("Y==="), &out));
	CHECK(!taglist_base64(SLICE("YW.J"), &out) && out.len == 4);
	TEST_END();
}
