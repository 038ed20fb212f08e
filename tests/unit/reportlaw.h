/* SPDX-License-Identifier: ISC */
/* What holds of every report, whatever was put into it. */
#ifndef TESTS_UNIT_REPORTLAW_H
#define TESTS_UNIT_REPORTLAW_H

#include <string.h>

#include "smtpd/proto/report.h"

/* NULL: it is one. */
static inline const char *report_law(const struct report *r, struct slice out, bool eight)
{
	static const char hex[] = "0123456789abcdef";
	uint8_t line[4 + 2 * sizeof r->id] = "--=_";
	size_t start = 0, delimiters = 0;
	bool in_header = true;

	for (size_t i = 0; i < sizeof r->id; i++) {
		line[4 + 2 * i] = (uint8_t)hex[r->id[i] >> 4];
		line[5 + 2 * i] = (uint8_t)hex[r->id[i] & 15];
	}
	for (size_t i = 0; i < out.n; i++) {
		if (out.p[i] & 0x80 && !eight)
			return "8-bit octets";
		if (out.p[i] & 0x80 && in_header)
			return "8-bit octets in the header";
		if (out.p[i] != '\n')
			continue;
		if (i - start > 999)
			return "a long line";
		if (i - start >= sizeof line && !memcmp(out.p + start, line, sizeof line))
			delimiters++;
		in_header = in_header && i != start && i != start + 1;
		start = i + 1;
	}
	return start != out.n ? "no last line" : delimiters != 4 ? "delimiters" : NULL;
}

#endif
