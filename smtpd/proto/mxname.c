/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/mxname.h"

static struct slice without_dot(struct slice s)
{
	return slice_head(s, s.n && s.p[s.n - 1] == '.' ? s.n - 1 : s.n);
}

static bool has_empty_label(struct slice s)
{
	size_t label = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '.' && !label)
			return true;
		label = s.p[i] == '.' ? 0 : label + 1;
	}
	return !label;
}

bool mxname_match(struct slice host, struct slice patterns)
{
	struct slice above, pattern;

	host = without_dot(host);
	if (has_empty_label(host))
		return false;
	above = slice_from(host, slice_find(host, '.'));
	while ((pattern = without_dot(slice_word(&patterns))).n) {
		struct slice tail = slice_from(pattern, 1);

		if (pattern.p[0] != '*'
			    ? slice_ieq(host, pattern)
			    : tail.n > 1 && tail.p[0] == '.' && slice_ieq(above, tail))
			return true;
	}
	return false;
}

/* The last two labels; three below the likes of co.uk and com.au. */
static struct slice registered(struct slice host)
{
	size_t top = slice_rfind(host, '.'), second, third;

	if (top == host.n)
		return host;
	second = slice_rfind(slice_head(host, top), '.');
	if (second == top)
		return host;
	if (host.n - top - 1 > 2 || top - second - 1 > 3)
		return slice_from(host, second + 1);
	third = slice_rfind(slice_head(host, second), '.');
	return third == second ? host : slice_from(host, third + 1);
}

uint64_t mxname_operator(struct slice host)
{
	struct slice s = registered(without_dot(host));

	if (!s.n)
		return 0;
	if (slice_ieq(s, SLICE("googlemail.com")))
		s = SLICE("google.com");
	return slice_hash(SLICE_HASH, s);
}
