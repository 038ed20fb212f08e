/* SPDX-License-Identifier: ISC */
#include "keys/auth/host/virtualfile.h"

#include <stdlib.h>
#include <string.h>

#include "smtpd/proto/path.h"

/*
 * NOTES
 * Two passes. The first takes logical lines: after it each value is a canonical address, in our domains or in the
 * destination's. Then the entries are sorted, and the second replaces values in our domains by what they lead to.
 * A chain longer than the list has met itself.
 */
enum { KEY = PATH_OCTETS, LINE = 4096 };
enum rank { EXACT, BARE, REQUIRED };

struct reader {
	const struct virtualfile *v;
	struct slice far; /* the destination's domain */
	struct entries *out;
	struct complaint *why;
	unsigned line;
};

#define SHOW(s) (int)slice_head((s), 100).n, (const char *)(s).p

static bool ours(const struct virtualfile *v, struct slice domain)
{
	struct slice words = v->domains, w;

	while ((w = slice_word(&words)).n)
		if (slice_ieq(w, domain))
			return true;
	return false;
}

static void put_key(struct slice local, struct slice domain, struct buf *key)
{
	buf_lower(key, local);
	buf_u8(key, '@');
	buf_lower(key, domain);
}

static void add(struct reader *r, struct slice local, struct slice domain, struct slice to,
		enum rank rank)
{
	uint8_t mem[KEY];
	struct buf key = BUF(mem);

	put_key(local, domain, &key);
	entries_add(r->out, buf_slice(&key), to, r->line, rank);
}

static bool add_everywhere(struct reader *r, struct slice local, struct slice to)
{
	struct slice words = r->v->domains, w;

	while ((w = slice_word(&words)).n)
		add(r, local, w, to, BARE);
	return true;
}

/* Decodes the local part of p. False: empty. */
static bool decoded(const struct path *p, struct buf *out)
{
	path_local(p, out);
	return !out->bad && out->len > 0;
}

static bool pattern(struct reader *r, struct slice s, struct slice to)
{
	uint8_t mem[PATH_LOCAL], bare[KEY + 2];
	struct buf local = BUF(mem), whole = BUF(bare);
	struct path p;

	if (s.n && s.p[0] == '@' && path_name(slice_from(s, 1))) {
		p = (struct path){ { s.p, 0 }, slice_from(s, 1) };
	} else {
		/* `user` alone: in every domain where no line of its own says otherwise. */
		bool alone = slice_find(s, '@') == s.n;

		buf_put(&whole, slice_head(s, PATH_LOCAL + 1));
		buf_put(&whole, SLICE("@x"));
		if (!path_addr(alone ? buf_slice(&whole) : s, 0, &p) || !decoded(&p, &local))
			return complain(r->why, r->line,
					"'%.*s' is no pattern: user@domain, @domain or user",
					SHOW(s));
		if (alone)
			return add_everywhere(r, buf_slice(&local), to);
	}
	if (!ours(r->v, p.domain))
		return complain(r->why, r->line, "%.*s is not one of the mail domains",
				SHOW(p.domain));
	add(r, buf_slice(&local), p.domain, to, EXACT);
	return true;
}

static bool destination(struct reader *r, struct slice s, struct buf *out)
{
	struct path p;
	uint8_t mem[PATH_LOCAL];
	struct buf local = BUF(mem);

	if (!path_addr(s, 0, &p) || !decoded(&p, &local) || !path_name(p.domain))
		return complain(r->why, r->line, "'%.*s' is no address", SHOW(s));
	if (!ours(r->v, p.domain) && !slice_ieq(p.domain, r->far))
		return complain(r->why, r->line,
				"%.*s is not at %.*s: another provider is not supported yet by "
				"this route",
				SHOW(s), SHOW(r->far));
	path_print(&p, out);
	return true;
}

static bool is_word(uint8_t c)
{
	return c > ' ' && c < 127 && c != ',';
}

static bool is_between(uint8_t c)
{
	return c == ' ' || c == '\t' || c == ',';
}

static bool logical(struct reader *r, struct slice line)
{
	uint8_t mem[PATH_OCTETS];
	struct buf to = BUF(mem);
	struct cur c = CUR(line);
	struct slice from = cur_skip(&c, is_word), first;
	bool blank = cur_at(&c, ' ') || cur_at(&c, '\t');

	for (size_t i = 0; i < line.n; i++)
		if (line.p[i] != '\t' && (line.p[i] < ' ' || line.p[i] > 126))
			return complain(r->why, r->line, "octet %u is not printable ASCII",
					line.p[i]);
	/* regexp_table(5); a local part that begins so is written in quotes */
	if (slice_iprefix(from, SLICE("/")) || slice_iprefix(from, SLICE("!/")))
		return complain(r->why, r->line,
				"'%.*s' is a regular expression: a pattern is user@domain, "
				"@domain or user",
				SHOW(from));
	if (!from.n || !blank)
		return complain(r->why, r->line, "not 'pattern address'");
	cur_skip(&c, is_between);
	first = cur_skip(&c, is_word);
	cur_skip(&c, is_between);
	if (!first.n)
		return complain(r->why, r->line, "%.*s has no destination", SHOW(from));
	if (!cur_done(&c))
		return complain(
			r->why, r->line,
			"%.*s has several destinations: not supported yet by this route",
			SHOW(from));
	return destination(r, first, &to) && pattern(r, from, buf_slice(&to));
}

/* A line that begins with blank goes on the one before; empty lines and comments are nothing (postmap(1)). */
static bool read_lines(struct reader *r, struct slice text)
{
	struct lines l = { .rest = text };
	uint8_t mem[LINE];
	struct buf whole = BUF(mem);
	struct slice line;

	while (lines_next(&l, &line)) {
		struct slice body = slice_trim(line);

		if (!body.n || body.p[0] == '#')
			continue;
		if (body.p == line.p) {
			if (whole.len && !logical(r, buf_slice(&whole)))
				return false;
			whole.len = 0;
			r->line = l.number;
		} else if (!whole.len) {
			return complain(r->why, l.number,
					"begins with blank, but goes on nothing");
		}
		if (whole.len)
			buf_u8(&whole, ' ');
		buf_put(&whole, body);
		if (whole.bad)
			return complain(r->why, r->line, "longer than %d octets", (int)LINE);
	}
	return !whole.len || logical(r, buf_slice(&whole));
}

/* As check looks it up: exact, without +tag, the whole domain. */
static struct entry *look_up(const struct entries *a, struct slice local, struct slice domain)
{
	struct slice tries[] = { local,
				 slice_head(local, slice_find(local, '+')),
				 { local.p, 0 } };
	struct entry *e = NULL;

	for (size_t i = 0; !e && i < sizeof tries / sizeof *tries; i++) {
		uint8_t mem[KEY];
		struct buf key = BUF(mem);

		put_key(tries[i], domain, &key);
		e = entries_find(a, buf_slice(&key));
	}
	return e;
}

/* Where e leads in the end; NULL: complained. */
static const char *follow(struct reader *r, const struct entry *e)
{
	const struct entry *at = e;

	for (size_t steps = 0; steps <= r->out->n; steps++) {
		uint8_t mem[PATH_LOCAL];
		struct buf local = BUF(mem);
		struct path p;

		if (!path_addr(slice_of(at->value), 0, &p) || !ours(r->v, p.domain))
			return at->value;
		path_local(&p, &local);
		at = look_up(r->out, buf_slice(&local), p.domain);
		if (!at) {
			complain(r->why, e->line, "%s leads to %.*s@%.*s, and that to nothing",
				 e->key, SHOW(p.local), SHOW(p.domain));
			return NULL;
		}
	}
	complain(r->why, e->line, "%s leads back to itself", e->key);
	return NULL;
}

static bool resolve(struct reader *r)
{
	for (size_t i = 0; i < r->out->n; i++) {
		struct entry *e = &r->out->e[i];
		const char *to = follow(r, e);
		char *copy = to && to != e->value ? strdup(to) : NULL;

		if (!to)
			return false;
		if (!copy)
			continue;
		free(e->value);
		e->value = copy;
	}
	return true;
}

/* postmaster and abuse are there in every domain (RFC 5321 4.5.1, RFC 2142), whatever the file leaves out. */
static void add_required(struct reader *r, struct slice to, bool all)
{
	struct slice words = r->v->domains, w;

	r->line = 0;
	while ((w = slice_word(&words)).n) {
		add(r, SLICE("postmaster"), w, to, REQUIRED);
		add(r, SLICE("abuse"), w, to, REQUIRED);
		if (all)
			add(r, SLICE(""), w, to, REQUIRED);
	}
}

bool virtualfile_parse(const struct virtualfile *v, struct slice text, struct entries *out,
		       struct complaint *why)
{
	struct reader r = { .v = v, .out = out, .why = why };
	uint8_t mem[PATH_OCTETS];
	struct buf to = BUF(mem);
	struct slice words = v->domains, w;
	struct path p;

	if (!slice_trim(words).n)
		return complain(why, 0, "SMTPD_DOMAINS is empty: there is no mail domain");
	while ((w = slice_word(&words)).n)
		if (!path_name(w))
			return complain(why, 0, "SMTPD_DOMAINS: '%.*s' is no domain", SHOW(w));
	if (!path_addr(v->forward_to, 0, &p) || !path_name(p.domain))
		return complain(why, 0, "FORWARD_TO: '%.*s' is no address",
				SHOW(v->forward_to));
	if (ours(v, p.domain))
		return complain(why, 0, "FORWARD_TO: %.*s is one of the mail domains",
				SHOW(p.domain));
	path_print(&p, &to);
	r.far = p.domain;
	if (text.p && !read_lines(&r, text))
		return false;
	add_required(&r, buf_slice(&to), !text.p);
	return entries_sort(out, why) && resolve(&r);
}
