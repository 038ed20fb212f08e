/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/certinfo.h"

#include "smtpd/proto/der.h"
#include "tests/unit/test.h"

/* A certificate as an authority would make it; what stands where a signature would does not matter here. */
static const char *times[2];
static uint8_t mem[2048];
static bool extended;

static void put_name(struct buf *b, const char *organisation, const char *common)
{
	size_t name = der_open(b, DER_SEQUENCE);

	for (int i = 0; i < 2; i++) {
		size_t set = der_open(b, DER_SET), pair = der_open(b, DER_SEQUENCE);

		der_put(b, DER_OID, i ? SLICE("\x55\x04\x03") : SLICE("\x55\x04\x0a"));
		der_put(b, DER_UTF8, slice_of(i ? common : organisation));
		der_close(b, pair);
		der_close(b, set);
	}
	der_close(b, name);
}

static void put_extension(struct buf *b, struct slice oid, bool critical, struct slice value)
{
	size_t e = der_open(b, DER_SEQUENCE);

	der_put(b, DER_OID, oid);
	if (critical)
		der_put(b, 1, SLICE("\xff"));
	der_put(b, DER_OCTETS, value);
	der_close(b, e);
}

static struct slice make(void)
{
	struct buf b = BUF(mem);
	size_t cert = der_open(&b, DER_SEQUENCE), tbs = der_open(&b, DER_SEQUENCE), part, list;

	der_put(&b, DER_CONTEXT, SLICE("\2\1\2"));
	der_put(&b, DER_INTEGER, SLICE("\0\x87\x65\x43\x21"));
	der_put(&b, DER_SEQUENCE, SLICE("\6\1\1"));
	put_name(&b, "An Authority", "E1");
	part = der_open(&b, DER_SEQUENCE);
	for (int i = 0; i < 2; i++)
		der_put(&b, strlen(times[i]) == 13 ? DER_UTCTIME : DER_TIME,
			slice_of(times[i]));
	der_close(&b, part);
	put_name(&b, "x", "");
	der_put(&b, DER_SEQUENCE, SLICE("key"));
	if (extended) {
		part = der_open(&b, DER_CONTEXT + 3);
		list = der_open(&b, DER_SEQUENCE);
		put_extension(&b, SLICE("\x55\x1d\x13"), true, SLICE("\x30\0"));
		put_extension(&b, SLICE("\x55\x1d\x23"), false, SLICE("\x30\4\x80\2\1\2"));
		put_extension(&b, SLICE("\x55\x1d\x11"), false,
			      SLICE("\x30\x13\x87\4\1\2\3\4\x82\3"
				    "a.b\x82\6"
				    "*.c.de"));
		der_close(&b, list);
		der_close(&b, part);
	}
	der_close(&b, tbs);
	der_put(&b, DER_SEQUENCE, SLICE("\6\1\1"));
	der_put(&b, DER_BITS, SLICE("\0sig"));
	der_close(&b, cert);
	CHECK(!b.bad);
	return buf_slice(&b);
}

static const struct {
	const char *text;
	int64_t at; /* -1: refused */
} moments[] = {
	{ "700101000000Z", 0 },
	{ "491231235959Z", 2524607999 },
	{ "991231235959Z", 946684799 },
	{ "20500101000000Z", 2524608000 },
	{ "690101000000Z", -1 }, /* before 1970 */
	{ "260229000000Z", -1 },
	{ "261301000000Z", -1 },
	{ "2611270000000", -1 },
	{ "26112700000xZ", -1 },
	{ "20261127000000Z", 1795737600 },
};

int main(void)
{
	struct certinfo c;
	struct slice der;

	times[0] = "261127000000Z";
	times[1] = "270127000000Z";
	extended = true;
	der = make();
	for (size_t n = 0; n < der.n; n++)
		CHECK(!certinfo_parse(slice_head(der, n), &c));
	mem[der.n] = 0;
	CHECK(!certinfo_parse((struct slice){ mem, der.n + 1 }, &c));
	CHECK(certinfo_parse(der, &c));
	CHECK(slice_eq(c.serial, SLICE("\0\x87\x65\x43\x21")) &&
	      slice_eq(c.authority, SLICE("\1\2")) && slice_eq(c.key, SLICE("\x30\3key")));
	CHECK(c.not_before == 1795737600 && c.not_after == 1795737600 + 61 * 86400);
	CHECK_SLICE(certinfo_common_name(c.issuer), "E1");
	CHECK(!certinfo_common_name(c.subject).n && !slice_eq(c.issuer, c.subject));
	CHECK(certinfo_names(&c, SLICE("a.b")) && certinfo_names(&c, SLICE("A.B")));
	CHECK(!certinfo_names(&c, SLICE("x.c.de")) && !certinfo_names(&c, SLICE("a")) &&
	      !certinfo_names(&c, SLICE("\1\2\3\4")) && !certinfo_names(&c, SLICE("")));
	extended = false;
	CHECK(certinfo_parse(make(), &c) && !c.names.n && !c.authority.n &&
	      !certinfo_names(&c, SLICE("a.b")));
	for (size_t i = 0; i < sizeof moments / sizeof *moments; i++) {
		times[1] = moments[i].text;
		CHECK_ROW(certinfo_parse(make(), &c) == (moments[i].at >= 0), moments[i].text);
		if (moments[i].at >= 0)
			CHECK_ROW(c.not_after == moments[i].at, moments[i].text);
	}
	TEST_END();
}
