/* SPDX-License-Identifier: ISC */
#include "tests/unit/test.h"

#include <time.h>

#include "smtpd/proto/date.h"

static const struct {
	int64_t at;
	const char *text;
} cases[] = {
	{ 0, "Thu, 01 Jan 1970 00:00:00 +0000" },
	{ 86399, "Thu, 01 Jan 1970 23:59:59 +0000" },
	{ 86400, "Fri, 02 Jan 1970 00:00:00 +0000" },
	{ 951782399, "Mon, 28 Feb 2000 23:59:59 +0000" },
	{ 951782400, "Tue, 29 Feb 2000 00:00:00 +0000" },
	{ 951868800, "Wed, 01 Mar 2000 00:00:00 +0000" },
	{ 1577836860, "Wed, 01 Jan 2020 00:01:00 +0000" },
	{ 2147483648, "Tue, 19 Jan 2038 03:14:08 +0000" },
	{ 4107542400, "Mon, 01 Mar 2100 00:00:00 +0000" },
	{ 253402300799, "Fri, 31 Dec 9999 23:59:59 +0000" },
};

/* Every day up to 2400 against the C library, at an uneven second. */
static void test_days(void)
{
	unsigned wrong = 0;

	for (int64_t t = 12345; t < 13569465600; t += 86400) {
		struct tm tm;
		time_t c = (time_t)t;
		struct date d;

		gmtime_r(&c, &tm);
		if (!date_split(t, &d) || d.year != tm.tm_year + 1900 ||
		    (int)d.month != tm.tm_mon + 1 || (int)d.day != tm.tm_mday ||
		    (int)d.hour != tm.tm_hour || (int)d.minute != tm.tm_min ||
		    (int)d.second != tm.tm_sec || (int)d.weekday != tm.tm_wday)
			wrong++;
	}
	CHECK_EQ(wrong, 0);
}

int main(void)
{
	uint8_t room[DATE_TEXT];
	struct buf b = BUF(room);
	struct date d = { .year = 7 };

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		b.len = 0;
		date_put(&b, cases[i].at);
		CHECK_ROW(!b.bad && slice_eq(buf_slice(&b), slice_of(cases[i].text)),
			  cases[i].text);
	}
	b.len = 0;
	date_put(&b, -1);
	CHECK(b.bad && !b.len);
	CHECK(!date_split(-1, &d) && !date_split(253402300800, &d) && d.year == 7);
	CHECK(!date_split(INT64_MAX, &d) && !date_split(INT64_MIN, &d));
	CHECK_EQ(date_day(-86401), -2);
	CHECK_EQ(date_day(-86400), -1);
	CHECK_EQ(date_day(-1), -1);
	CHECK_EQ(date_day(0), 0);
	CHECK_EQ(date_day(86399), 0);
	CHECK_EQ(date_day(86400), 1);
	test_days();
	TEST_END();
}
