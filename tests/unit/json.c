/* SPDX-License-Identifier: ISC */
#include "keys/acme/json.h"

#include "tests/unit/test.h"

static struct json j;

static const struct {
	const char *text;
	bool good;
} texts[] = {
	{ "{}", true },
	{ " {\"a\" : [1, true, null, {}]}\n", true },
	{ "", false },
	{ "[]", false },
	{ "\"a\"", false },
	{ "{", false },
	{ "{\"a\":\"b}", false },
	{ "{\"a\":\"\\x\"}", false },
	{ "{\"a\":\"\\u00\"}", false },
	{ "{\"a\":'b'}", false },
	{ "{a:1}", false },
	{ "}", false },
	{ "<html>", false },
};

static bool parse(const char *text)
{
	return json_parse(&j, slice_of(text));
}

/* The string there as text; "-": it is none. */
static const char *at(int i)
{
	static char text[64];
	struct buf b = { .p = (uint8_t *)text, .cap = sizeof text - 1 };

	if (!json_string(&j, i, &b))
		return "-";
	text[b.len] = 0;
	return text;
}

static void members(void)
{
	int o, list;

	CHECK(parse("{\"a\":\"one\",\"b\":{\"a\":\"two\",\"c\":[\"x\",[\"y\"],\"z\"]},"
		    "\"\":\"d\",\"e\":true,\"f\":\"true\",\"a\":\"again\",\"g\":false}"));
	CHECK(!strcmp(at(json_member(&j, JSON_TOP, "a")), "one"));
	CHECK(json_member(&j, JSON_TOP, "c") == JSON_NONE); /* not of this object */
	CHECK(json_member(&j, JSON_TOP, "one") == JSON_NONE);
	CHECK(json_member(&j, JSON_TOP, "d") == JSON_NONE);
	o = json_member(&j, JSON_TOP, "b");
	CHECK(!strcmp(at(json_member(&j, o, "a")), "two"));
	list = json_member(&j, o, "c");
	CHECK(!strcmp(at(json_element(&j, list, 0)), "x"));
	CHECK(!strcmp(at(json_element(&j, list, 1)), "-"));
	CHECK(!strcmp(at(json_element(&j, list, 2)), "z"));
	CHECK(json_element(&j, list, 3) == JSON_NONE && json_element(&j, o, 0) == JSON_NONE);
	CHECK(json_element(&j, JSON_NONE, 0) == JSON_NONE);
	CHECK(json_member(&j, list, "x") == JSON_NONE);
	CHECK(json_member(&j, JSON_NONE, "a") == JSON_NONE);
	CHECK(json_is(&j, json_member(&j, JSON_TOP, "f"), "true"));
	CHECK(!json_is(&j, json_member(&j, JSON_TOP, "e"), "true"));
}

static void strings(void)
{
	uint8_t mem[3];
	struct buf b = BUF(mem);

	CHECK(parse("{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0026\\u007F\"}"));
	CHECK(!strcmp(at(json_member(&j, 0, "a")), "\"\\/\b\f\n\r\t&\x7f"));
	CHECK(parse("{\"a\":\"\\u0080\",\"c\":\"four\",\"d\":\"too\"}"));
	CHECK(!strcmp(at(json_member(&j, 0, "a")), "-"));
	CHECK(!json_string(&j, json_member(&j, 0, "c"), &b) && !b.len && !b.bad);
	CHECK(json_string(&j, json_member(&j, 0, "d"), &b) && b.len == 3);
}

/* As many tokens as there are, and one more. */
static void large(void)
{
	static uint8_t mem[2 * JSON_TOKENS + 16];

	for (int over = 0; over < 2; over++) {
		struct buf b = BUF(mem);

		buf_put(&b, SLICE("{\"a\":[0"));
		for (int i = 0; i < JSON_TOKENS - 4 + over; i++)
			buf_put(&b, SLICE(",0"));
		buf_put(&b, SLICE("]}"));
		CHECK(!b.bad && json_parse(&j, buf_slice(&b)) == !over);
	}
	CHECK(!json_parse(&j, SLICE("{}\0{}")) && json_member(&j, JSON_TOP, "a") == JSON_NONE);
}

int main(void)
{
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		CHECK_ROW(parse(texts[i].text) == texts[i].good, texts[i].text);
	members();
	strings();
	large();
	TEST_END();
}
