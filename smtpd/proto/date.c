/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/date.h"

enum { DAY = 86400 };
static const int64_t last = 253402300799; /* the end of year 9999 */

int64_t date_day(int64_t unix_seconds)
{
	return unix_seconds / DAY - (unix_seconds % DAY < 0);
}

/* Counted in years that begin on the 1st of March, so that a leap day comes last; 719468
 * days lie between the 1st of March of year 0 and 1970. */
bool date_split(int64_t unix_seconds, struct date *out)
{
	unsigned sec = (unsigned)(unix_seconds % DAY);
	unsigned days, era, doe, yoe, doy, mp;

	if (unix_seconds < 0 || unix_seconds > last)
		return false;
	days = (unsigned)date_day(unix_seconds) + 719468;
	era = days / 146097; /* 400 years */
	doe = days % 146097;
	yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	mp = (5 * doy + 2) / 153; /* 0 is March */
	*out = (struct date){
		.year = (int)(era * 400 + yoe + (mp >= 10)),
		.month = mp < 10 ? mp + 3 : mp - 9,
		.day = doy - (153 * mp + 2) / 5 + 1,
		.hour = sec / 3600,
		.minute = sec / 60 % 60,
		.second = sec % 60,
		.weekday = (days + 3) % 7,
	};
	return true;
}

bool date_join(const struct date *d, int64_t *out)
{
	int64_t year = d->month > 2 ? d->year : d->year - 1, mp = (d->month + 9) % 12, days, t;
	struct date again;

	if (d->year < 1970 || d->year > 9999 || d->month < 1 || d->month > 12)
		return false;
	days = year * 365 + year / 4 - year / 100 + year / 400 + (153 * mp + 2) / 5 + d->day -
	       1 - 719468;
	t = days * DAY + d->hour * 3600 + d->minute * 60 + d->second;
	if (!date_split(t, &again) || again.year != d->year || again.month != d->month ||
	    again.day != d->day || again.hour != d->hour || again.minute != d->minute ||
	    again.second != d->second)
		return false;
	*out = t;
	return true;
}

void date_put(struct buf *b, int64_t unix_seconds)
{
	static const char day[] = "SunMonTueWedThuFriSat";
	static const char month[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct date d;

	if (!date_split(unix_seconds, &d)) {
		b->bad = true;
		return;
	}
	buf_put(b, slice_head(slice_of(day + 3 * d.weekday), 3));
	buf_put(b, SLICE(", "));
	buf_dec_pad(b, d.day, 2);
	buf_u8(b, ' ');
	buf_put(b, slice_head(slice_of(month + 3 * (d.month - 1)), 3));
	buf_u8(b, ' ');
	buf_dec_pad(b, (unsigned)d.year, 4);
	buf_u8(b, ' ');
	buf_dec_pad(b, d.hour, 2);
	buf_u8(b, ':');
	buf_dec_pad(b, d.minute, 2);
	buf_u8(b, ':');
	buf_dec_pad(b, d.second, 2);
	buf_put(b, SLICE(" +0000"));
}
