/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/srs.h"

#include "tests/unit/test.h"

static const struct slice secret[2] = { { (const uint8_t *)"tops3cr3t", 9 },
					{ (const uint8_t *)"older", 5 } };

static struct srs base(void)
{
	return (struct srs){ .secret = secret,
			     .nsecret = 1,
			     .hash = 4,
			     .day = 1577836860 / 86400,
			     .domain = SLICE("example.com") };
}

static const struct {
	const char *local, *domain, *want;
	enum srs_result r;
} fwd[] = {
	{ "test", "example.com", "", SRS_OWN },
	{ "test", "EXAMPLE.com", "", SRS_OWN },
	{ "test", "otherdomain.com", "SRS0=vmyz=2W=otherdomain.com=test", SRS_OK },
	{ "0123456789012345678901234567890123456789012", "b.org",
	  "SRS0=", SRS_OK }, /* 5 + 4 + 1 + 2 + 1 + 5 + 1 + 43 = 62 */
	{ "012345678901234567890123456789012345678901234", "b.org", "SRS0=", SRS_OK },
	{ "0123456789012345678901234567890123456789012345", "b.org", "", SRS_LONG },
};

static void forward(void)
{
	for (size_t i = 0; i < sizeof fwd / sizeof *fwd; i++) {
		struct srs s = base();
		uint8_t mem[64];
		struct buf out = BUF(mem);

		CHECK_EQ(srs_forward(&s, slice_of(fwd[i].local), slice_of(fwd[i].domain), &out),
			 fwd[i].r);
		CHECK_ROW(slice_iprefix(buf_slice(&out), slice_of(fwd[i].want)), fwd[i].local);
		CHECK_ROW(fwd[i].r == SRS_OK || out.len == 0, fwd[i].local);
	}
}

static const struct {
	const char *in;
	enum srs_result r;
} rev[] = {
	{ "test", SRS_NOT },
	{ "SRS0", SRS_NOT },
	{ "SRS2=vmyz=2W=otherdomain.com=test", SRS_NOT },
	{ "SRS0=vmyz=2W=otherdomain.com=test", SRS_OK },
	{ "srs0+VMYZ=2w=OtherDomain.com=Test", SRS_OK },
	{ "SRS0-vmyz=2W=otherdomain.com=test", SRS_OK },
	{ "SRS0=vmya=2W=otherdomain.com=test", SRS_BAD },
	{ "SRS0=vmy=2W=otherdomain.com=test", SRS_BAD },
	{ "SRS0=vmyz=2X=otherdomain.com=test", SRS_BAD },
	{ "SRS0=vmyz=2W=otherdomain.com=tess", SRS_BAD },
	{ "SRS0=vmyz=2W=otherdomain.com=", SRS_BAD },
	{ "SRS0=vmyz=2W=otherdomain.com", SRS_BAD },
	{ "SRS0=vmyz=2W=", SRS_BAD },
	{ "SRS0=vmyz=2=otherdomain.com=test", SRS_BAD },
	{ "SRS0=", SRS_BAD },
	{ "SRS0=AAAA=", SRS_BAD },
	{ "SRS0=AAAA=AA=", SRS_BAD },
	{ "SRS0=AAAA=AA=AA=", SRS_BAD },
	{ "SRS1=", SRS_BAD },
	{ "SRS1=AAAA=x=", SRS_BAD },
	{ "SRS1=AAAA=x==a", SRS_BAD },
};

static void reverse(void)
{
	for (size_t i = 0; i < sizeof rev / sizeof *rev; i++) {
		struct srs s = base();
		uint8_t mem[80];
		struct buf out = BUF(mem);
		struct slice domain = { NULL, 0 };

		CHECK_ROW(srs_reverse(&s, slice_of(rev[i].in), &out, &domain) == rev[i].r,
			  rev[i].in);
		if (rev[i].r == SRS_OK) {
			CHECK(slice_ieq(buf_slice(&out), SLICE("test")));
			CHECK(slice_ieq(domain, SLICE("otherdomain.com")));
		} else {
			CHECK_ROW(out.len == 0 && !domain.p, rev[i].in);
		}
		CHECK_EQ(srs_is(slice_of(rev[i].in)), rev[i].r != SRS_NOT);
	}
}

/* A day is good for SRS_AGE days, across the turn of the 1024-day counter, and not before. */
static void age(void)
{
	for (unsigned made = 1010; made < 1040; made++) {
		for (int d = -3; d < 25; d++) {
			struct srs s = base();
			uint8_t mem[64], back[64];
			struct buf out = BUF(mem), b = BUF(back);
			struct slice domain;

			s.day = made;
			CHECK(srs_forward(&s, SLICE("a"), SLICE("b.org"), &out) == SRS_OK);
			s.day = made + d;
			CHECK_EQ(srs_reverse(&s, buf_slice(&out), &b, &domain),
				 d >= 0 && d <= SRS_AGE ? SRS_OK : SRS_OLD);
		}
	}
}

/* Two forwarders: the second one wraps, the way back opens one layer at a time. */
static void chain(void)
{
	struct srs a = base(), b = base(), c = base();
	uint8_t m[4][80];
	struct buf one = BUF(m[0]), two = BUF(m[1]), three = BUF(m[2]), back = BUF(m[3]);
	struct slice domain;

	b.domain = SLICE("b.net");
	b.secret = &secret[1];
	c.domain = SLICE("c.io");
	CHECK(srs_forward(&a, SLICE("Joe"), SLICE("x.org"), &one) == SRS_OK);
	CHECK(srs_forward(&b, buf_slice(&one), a.domain, &two) == SRS_OK);
	CHECK(slice_iprefix(slice_from(buf_slice(&two), 9), SLICE("=example.com==")));
	CHECK(srs_forward(&c, buf_slice(&two), b.domain, &three) == SRS_OK);
	CHECK(slice_eq(slice_from(buf_slice(&three), 9), slice_from(buf_slice(&two), 9)));
	CHECK(srs_reverse(&c, buf_slice(&three), &back, &domain) == SRS_OK);
	CHECK(slice_eq(buf_slice(&back), buf_slice(&one)) && slice_eq(domain, a.domain));
	CHECK(srs_reverse(&a, buf_slice(&two), &back, &domain) == SRS_BAD);
	back.len = 0;
	CHECK(srs_reverse(&b, buf_slice(&two), &back, &domain) == SRS_OK);
	CHECK(slice_eq(buf_slice(&back), buf_slice(&one)) && slice_eq(domain, a.domain));
	m[1][20] ^= 1;
	CHECK(srs_reverse(&b, buf_slice(&two), &back, &domain) == SRS_BAD);
}

/* What only looks like SRS1 is an ordinary local part. */
static void odd(void)
{
	struct srs s = base();
	uint8_t mem[64], back[64];
	struct buf out = BUF(mem), b = BUF(back);
	struct slice domain;

	CHECK(srs_forward(&s, SLICE("SRS1=a=b.org=c"), SLICE("x.org"), &out) == SRS_OK);
	CHECK(slice_iprefix(buf_slice(&out), SLICE("SRS0=")));
	CHECK(srs_reverse(&s, buf_slice(&out), &b, &domain) == SRS_OK);
	CHECK_SLICE(buf_slice(&b), "SRS1=a=b.org=c");
	CHECK_SLICE(domain, "x.org");
}

/* A new secret makes hashes, the old one still checks; longer hashes than asked for pass. */
static void secrets(void)
{
	struct srs s = base();
	uint8_t mem[64], back[64];
	struct buf out = BUF(mem), b = BUF(back);
	const struct slice two[2] = { secret[1], secret[0] };
	struct slice domain;

	s.hash = 10;
	CHECK(srs_forward(&s, SLICE("a"), SLICE("b.org"), &out) == SRS_OK);
	s.secret = two;
	CHECK(srs_reverse(&s, buf_slice(&out), &b, &domain) == SRS_BAD);
	s.nsecret = 2;
	CHECK(srs_reverse(&s, buf_slice(&out), &b, &domain) == SRS_OK);
	CHECK_SLICE(buf_slice(&b), "a");
	s.hash = 4;
	CHECK(srs_reverse(&s, buf_slice(&out), &b, &domain) == SRS_OK);
	s.hash = 11;
	CHECK(srs_reverse(&s, buf_slice(&out), &b, &domain) == SRS_BAD);
	s.least = 10;
	b.len = 0;
	CHECK(srs_reverse(&s, buf_slice(&out), &b, &domain) == SRS_OK);
	s.least = 12;
	CHECK(srs_reverse(&s, buf_slice(&out), &b, &domain) == SRS_BAD);
}

int main(void)
{
	forward();
	reverse();
	age();
	chain();
	odd();
	secrets();
	TEST_END();
}
