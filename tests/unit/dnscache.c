/* SPDX-License-Identifier: ISC */
#include "smtpd/dns/dnscache.h"

#include "tests/unit/test.h"

static struct dnsmsg_answer got;

static struct dnsmsg_answer answer(enum dnsmsg_kind kind, uint32_t ttl, size_t len)
{
	struct dnsmsg_answer a = {
		.kind = kind, .ttl = ttl, .n = 1, .secure = kind == DNSMSG_OK, .len = len
	};

	memset(a.records, 'r', len);
	return a;
}

static bool find(const struct dnscache *c, int64_t now, const char *name)
{
	return dnscache_find(c, now, slice_of(name), DNSMSG_A, &got);
}

static void keep(struct dnscache *c, int64_t now, const char *name, struct dnsmsg_answer a)
{
	dnscache_keep(c, now, slice_of(name), DNSMSG_A, &a);
}

static void one(struct dnscache *c)
{
	CHECK(!find(c, 1, "a.example"));
	keep(c, 1000, "a.example", answer(DNSMSG_OK, 10, 6));
	CHECK(find(c, 1000, "A.Example"));
	CHECK_EQ(got.kind, DNSMSG_OK);
	CHECK_EQ(got.ttl, 10);
	CHECK_EQ(got.n, 1);
	CHECK_EQ(got.len, 6);
	CHECK(got.secure);
	CHECK(find(c, 10999, "a.example"));
	CHECK_EQ(got.ttl, 0);
	CHECK(!find(c, 11000, "a.example"));
	CHECK(!dnscache_find(c, 1000, SLICE("a.example"), DNSMSG_MX, &got));
	CHECK(!find(c, 1000, "a.exampl"));
	keep(c, 2000, "a.example", answer(DNSMSG_NODATA, 5, 0));
	CHECK(find(c, 2000, "a.example"));
	CHECK_EQ(got.kind, DNSMSG_NODATA);
	CHECK(!got.secure);
}

static void limits(struct dnscache *c)
{
	keep(c, 0, "long.example", answer(DNSMSG_OK, UINT32_MAX, 1));
	CHECK(find(c, DNSCACHE_TTL_MAX * 1000LL - 1, "long.example"));
	CHECK(!find(c, DNSCACHE_TTL_MAX * 1000LL, "long.example"));
	keep(c, 0, "no.example", answer(DNSMSG_NXDOMAIN, 3600, 0));
	CHECK(find(c, DNSCACHE_NEGATIVE_MAX * 1000 - 1, "no.example"));
	CHECK(!find(c, DNSCACHE_NEGATIVE_MAX * 1000, "no.example"));
	keep(c, 0, "zero.example", answer(DNSMSG_OK, 0, 1));
	CHECK(!find(c, 0, "zero.example"));
	keep(c, 0, "fail.example", answer(DNSMSG_SERVFAIL, 60, 0));
	CHECK(!find(c, 0, "fail.example"));
	keep(c, 0, "fits.example", answer(DNSMSG_OK, 60, DNSCACHE_RECORDS));
	CHECK(find(c, 0, "fits.example"));
	keep(c, 0, "big.example", answer(DNSMSG_OK, 60, DNSCACHE_RECORDS + 1));
	CHECK(!find(c, 0, "big.example"));
}

/* More names than entries: what ends soonest went, what ends last stays. */
static void full(struct dnscache *c)
{
	char name[] = "n000.example";

	keep(c, 5000, "stays.example", answer(DNSMSG_OK, 9000, 1));
	for (int i = 0; i < DNSCACHE_ENTRIES + 50; i++) {
		name[1] = (char)('0' + i / 100);
		name[2] = (char)('0' + i / 10 % 10);
		name[3] = (char)('0' + i % 10);
		keep(c, 5000 + i, name, answer(DNSMSG_OK, 600, 1));
		CHECK(find(c, 5000 + i, name));
	}
	CHECK(find(c, 6000, "stays.example"));
	CHECK(!find(c, 6000, "n000.example"));
}

int main(void)
{
	struct dnscache c;

	dnscache_init(&c);
	one(&c);
	limits(&c);
	full(&c);
	TEST_END();
}
