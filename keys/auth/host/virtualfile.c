/* SPDX-License-Identifier: ISC */
#include "keys/auth/host/virtualfile.h"

#include "smtpd/proto/path.h"

/*
 * NOTES
 * Two passes. The first takes logical lines: after it each value is a list of canonical addresses, or a refusal.
 * Then the entries are sorted, and the second replaces addresses in our domains by what they lead to, each entry
 * once. One that is met while it is being replaced has met itself.
 */
enum {
	KEY = PATH_OCTETS,
	LINE = 16 * 1024,
	TOP = CONFIG_SMTPD_VIRTUAL_DESTINATIONS,
	LIST = TOP * (PATH_OCTETS + 1),
	WORDS = 300, /* of a refusal: they fit into one reply */
};
enum rank { EXACT, BARE, REQUIRED };
enum { NEW, OPEN, DONE }; /* entry.state */

struct reader {
	const struct virtualfile *v;
	struct entries *out;
	struct complaint *why;
	unsigned line;
};

#define SHOW(s) (int)slice_head((s), 100).n, (const char *)(s).p

static bool among(struct slice words, struct slice domain)
{
	struct slice w;

	while ((w = slice_word(&words)).n)
		if (slice_ieq(w, domain))
			return true;
	return false;
}

static bool ours(const struct virtualfile *v, struct slice domain)
{
	return among(v->domains, domain);
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

/* RFC 5321 4.5.1, RFC 2142 */
static bool required(struct slice local)
{
	return slice_ieq(local, SLICE("postmaster")) || slice_ieq(local, SLICE("abuse"));
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
		if (to.p[0] == ':' && required(buf_slice(&local)))
			return complain(r->why, r->line, "%.*s must take mail", SHOW(s));
		if (alone)
			return add_everywhere(r, buf_slice(&local), to);
	}
	if (!ours(r->v, p.domain))
		return complain(r->why, r->line, "%.*s is not one of the mail domains",
				SHOW(p.domain));
	add(r, buf_slice(&local), p.domain, to, EXACT);
	return true;
}

/* One more address of the list. */
static bool destination(struct reader *r, struct slice s, struct buf *out)
{
	struct path p;
	uint8_t mem[PATH_LOCAL];
	struct buf local = BUF(mem);

	if (!path_addr(s, 0, &p) || !decoded(&p, &local) || !path_name(p.domain))
		return complain(r->why, r->line, "'%.*s' is no address", SHOW(s));
	if (!ours(r->v, p.domain) && among(r->v->self, p.domain))
		return complain(r->why, r->line, "%.*s leads back to this machine", SHOW(s));
	if (out->len)
		buf_u8(out, ' ');
	path_print(&p, out);
	return true;
}

static bool is_digit_or_dot(uint8_t c)
{
	return byte_digit(c) || c == '.';
}

/* "REJECT [5.x.y] words", as in access(5). */
static bool refusal(struct reader *r, struct slice words, struct buf *out)
{
	struct cur c = CUR(words);
	struct slice code = cur_skip(&c, is_digit_or_dot);
	uint64_t v;

	if (cur_at(&c, ' ') && slice_find(code, '.') == 1 && code.n > 1) {
		struct slice subject = slice_from(code, 2), detail;

		detail = slice_from(subject, slice_find(subject, '.') + 1);
		if (code.p[0] != '5' || !slice_u64(detail, 255, &v) ||
		    !slice_u64(slice_head(subject, slice_find(subject, '.')), 255, &v))
			return complain(r->why, r->line, "REJECT takes 5.x.y, not %.*s",
					SHOW(code));
		words = slice_trim(c.s);
	} else {
		code = SLICE("5.7.1");
	}
	if (words.n > WORDS)
		return complain(r->why, r->line, "REJECT with more than %d octets", (int)WORDS);
	buf_u8(out, ':');
	buf_put(out, code);
	buf_u8(out, ' ');
	buf_put(out, words.n ? words : SLICE("This address takes no mail"));
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

static bool destinations(struct reader *r, struct slice from, struct slice rest,
			 struct buf *out)
{
	struct cur c = CUR(rest);
	struct slice word;

	for (unsigned n = 0; cur_skip(&c, is_between), (word = cur_skip(&c, is_word)).n; n++)
		if (n == TOP)
			return complain(r->why, r->line, "%.*s has more than %d destinations",
					SHOW(from), (int)TOP);
		else if (!destination(r, word, out))
			return false;
	return out->len || complain(r->why, r->line, "%.*s has no destination", SHOW(from));
}

static bool logical(struct reader *r, struct slice line)
{
	uint8_t mem[LINE];
	struct buf to = BUF(mem);
	struct cur c = CUR(line);
	struct slice from = cur_skip(&c, is_word), rest = slice_trim(c.s), word;
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
	if (ours(r->v,
		 from)) /* "domain anything" of virtual(5) declares what the configuration knows */
		return true;
	c = CUR(rest);
	word = cur_skip(&c, is_word);
	return (slice_ieq(word, SLICE("REJECT")) ? refusal(r, slice_trim(c.s), &to)
						 : destinations(r, from, rest, &to)) &&
	       pattern(r, from, buf_slice(&to));
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

static bool resolve(struct reader *r, struct entry *e, unsigned steps);

/* Adds an address that is not in the list yet. */
static bool merge(struct reader *r, const struct entry *e, struct slice address,
		  struct buf *list)
{
	struct slice have = buf_slice(list), w;
	struct path p, other;
	unsigned n = 0;

	path_addr(address, 0, &p);
	for (; (w = slice_word(&have)).n; n++)
		if (path_addr(w, 0, &other) && path_eq(&p, &other))
			return true;
	if (n == TOP)
		return complain(r->why, e->line, "%s has more than %d destinations", e->key,
				(int)TOP);
	if (n)
		buf_u8(list, ' ');
	buf_put(list, address);
	return true;
}

/* Adds where an address in our domains leads to. */
static bool follow(struct reader *r, const struct entry *e, const struct path *p,
		   unsigned steps, struct buf *list)
{
	uint8_t mem[PATH_LOCAL];
	struct buf local = BUF(mem);
	struct entry *at;
	struct slice to, w;

	path_local(p, &local);
	at = look_up(r->out, buf_slice(&local), p->domain);
	if (!at)
		return complain(r->why, e->line, "%s leads to %.*s@%.*s, and that to nothing",
				e->key, SHOW(p->local), SHOW(p->domain));
	if (!resolve(r, at, steps))
		return false;
	to = slice_of(at->value);
	if (*at->value == ':')
		return complain(r->why, e->line, "%s leads to %s, which is refused", e->key,
				at->key);
	while ((w = slice_word(&to)).n)
		if (!merge(r, e, w, list))
			return false;
	return true;
}

/* Replaces e's addresses by what they lead to in the end. */
static bool resolve(struct reader *r, struct entry *e, unsigned steps)
{
	struct slice to = slice_of(e->value), w;
	uint8_t mem[LIST];
	struct buf list = BUF(mem);
	struct path p;

	if (e->state == OPEN)
		return complain(r->why, e->line, "%s leads back to itself", e->key);
	if (steps == VIRTUALFILE_STEPS)
		return complain(r->why, e->line, "%s ends a chain of more than %d aliases",
				e->key, (int)VIRTUALFILE_STEPS);
	if (e->state == DONE || *e->value == ':')
		return true;
	e->state = OPEN;
	while ((w = slice_word(&to)).n)
		if (!path_addr(w, 0, &p) ||
		    !(ours(r->v, p.domain) ? follow(r, e, &p, steps + 1, &list)
					   : merge(r, e, w, &list)))
			return false;
	if (!slice_eq(buf_slice(&list), slice_of(e->value)))
		entry_set(e, buf_slice(&list));
	e->state = DONE;
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
	if (ours(v, p.domain) || among(v->self, p.domain))
		return complain(why, 0, "FORWARD_TO: %.*s is one of the mail domains",
				SHOW(p.domain));
	path_print(&p, &to);
	if (text.p && !read_lines(&r, text))
		return false;
	add_required(&r, buf_slice(&to), !text.p);
	if (!entries_sort(out, why))
		return false;
	for (size_t i = 0; i < out->n; i++)
		if (!resolve(&r, &out->e[i], 0))
			return false;
	return true;
}
