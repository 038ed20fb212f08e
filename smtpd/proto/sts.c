/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/sts.h"

#include "smtpd/proto/dnsmsg.h"

static bool is_alnum(uint8_t c)
{
	return byte_alpha(c) || byte_digit(c);
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

static bool is_value(uint8_t c)
{
	return c != ';';
}

static const struct slice version = { (const uint8_t *)"v=STSv1", 7 };

/* What follows the version: fields behind semicolons. */
static bool fields(struct cur c, struct slice *id)
{
	bool found = false;

	for (;;) {
		cur_skip(&c, is_blank);
		if (cur_end(&c))
			return found && !c.bad;
		cur_lit(&c, ';');
		cur_skip(&c, is_blank);
		if (cur_end(&c))
			return found && !c.bad;
		struct slice field = slice_trim(cur_skip(&c, is_value));
		struct cur f = CUR(slice_from(field, 3));

		if (!slice_eq(slice_head(field, 3), SLICE("id=")))
			continue;
		*id = cur_span(&f, is_alnum, STS_ID);
		if (found || !cur_done(&f))
			return false;
		found = true;
	}
}

static bool is_sts(struct slice r)
{
	struct slice rest = slice_from(r, version.n);

	return slice_eq(slice_head(r, version.n), version) && rest.n &&
	       (*rest.p == ';' || is_blank(*rest.p));
}

bool sts_record(struct slice records, struct slice *id)
{
	struct cur c = CUR(records);
	struct slice r, one = { NULL, 0 }, got;
	unsigned n = 0;

	while (dnsmsg_record(&c, &r))
		if (is_sts(r)) {
			one = r;
			n++;
		}
	if (n != 1 || !fields(CUR(slice_from(one, version.n)), &got))
		return false;
	*id = got;
	return true;
}

/* ---- the policy ---- */

struct reading {
	struct sts_policy p;
	struct buf hosts;
	bool version, mode, age;
};

static bool put_host(struct reading *r, struct slice pattern)
{
	struct slice name = pattern;

	if (slice_eq(slice_head(name, 2), SLICE("*.")))
		name = slice_from(name, 2);
	if (!dnsmsg_name_ok(name))
		return false;
	if (r->hosts.len)
		buf_u8(&r->hosts, ' ');
	buf_lower(&r->hosts, pattern);
	return !r->hosts.bad;
}

static bool put_mode(struct reading *r, struct slice v)
{
	static const char *const names[] = { "none", "testing", "enforce" };

	for (uint8_t i = 0; i < sizeof names / sizeof *names; i++)
		if (slice_eq(v, slice_of(names[i]))) {
			r->p.mode = i;
			return true;
		}
	return false;
}

/* Of what may stand once the first counts (RFC 8461 3.2); unknown names are for later versions. */
static bool put_field(struct reading *r, struct slice name, struct slice v)
{
	uint64_t n;

	if (slice_eq(name, SLICE("mx")))
		return put_host(r, v);
	if (slice_eq(name, SLICE("version")) && !r->version) {
		r->version = true;
		return slice_eq(v, SLICE("STSv1"));
	}
	if (slice_eq(name, SLICE("mode")) && !r->mode) {
		r->mode = true;
		return put_mode(r, v);
	}
	if (slice_eq(name, SLICE("max_age")) && !r->age) {
		r->age = true;
		if (!slice_u64(v, STS_AGE_MAX, &n))
			return false;
		r->p.max_age = (uint32_t)n;
	}
	return true;
}

static bool put_line(struct reading *r, struct slice line)
{
	size_t colon = slice_find(line, ':');

	if (line.n && line.p[line.n - 1] == '\r')
		line.n--;
	if (!slice_trim(line).n)
		return true;
	return colon < line.n &&
	       put_field(r, slice_head(line, colon), slice_trim(slice_from(line, colon + 1)));
}

bool sts_parse(struct slice text, struct sts_policy *out)
{
	struct reading r = { .p = { 0 } };

	r.hosts = BUF(r.p.hosts);
	while (text.n) {
		size_t n = slice_find(text, '\n');

		if (!put_line(&r, slice_head(text, n)))
			return false;
		text = slice_from(text, n + 1);
	}
	if (!r.version || !r.mode || !r.age || (r.p.mode != STS_NONE && !r.hosts.len))
		return false;
	r.p.hosts_n = r.hosts.len;
	*out = r.p;
	return true;
}
