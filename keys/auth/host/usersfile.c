/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "keys/auth/host/usersfile.h"

#include <sodium.h>
#include <time.h>

#include "keys/auth/passhash.h"
#include "smtpd/msg/auth.h"
#include "smtpd/proto/base64.h"
#include "smtpd/proto/path.h"

/* What a grant has room for beside account, MAC and time. */
enum { RIGHTS = AUTH_GRANT_MAX - 32 - 8 - 1 - AUTH_USER_MAX - 20, LIMITS = 60 };

static bool is_name(uint8_t c)
{
	return byte_alpha(c) || byte_digit(c) || c == '.' || c == '_' || c == '+' || c == '-' ||
	       c == '@';
}

static bool is_visible(uint8_t c)
{
	return c > ' ' && c < 127;
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

bool usersfile_name_ok(struct slice name)
{
	struct cur c = CUR(name);

	cur_span(&c, is_name, AUTH_USER_MAX);
	return cur_done(&c) && (byte_alpha(name.p[0]) || byte_digit(name.p[0])) &&
	       !slice_eq(name, SLICE(AUTH_MYNETWORKS));
}

static bool listed(struct slice words, struct slice domain)
{
	struct slice w;

	if (!words.n)
		return true;
	while ((w = slice_word(&words)).n)
		if (slice_ieq(w, domain))
			return true;
	return false;
}

static bool sender_ok(struct slice s)
{
	struct path p;

	if (s.n && s.p[0] == '@')
		return path_name(slice_from(s, 1));
	return path_addr(s, 0, &p) && p.local.p[0] != '"' && path_name(p.domain);
}

bool usersfile_rights(struct slice senders, struct slice domains, struct buf *out,
		      struct complaint *why)
{
	size_t start = out->len;

	for (struct slice rest = senders;;) {
		size_t n = slice_find(rest, ',');
		struct slice s = slice_head(rest, n);

		if (!sender_ok(s))
			return complain(why, 0, "'%.*s' is no sender: @domain or local@domain",
					(int)slice_head(s, 100).n, (const char *)s.p);
		if (!listed(domains, slice_from(s, slice_rfind(s, '@') + 1)))
			return complain(why, 0, "%.*s is not in one of the mail domains",
					(int)slice_head(s, 100).n, (const char *)s.p);
		if (out->len > start)
			buf_u8(out, ' ');
		buf_put(out, s);
		if (n == rest.n)
			break;
		rest = slice_from(rest, n + 1);
	}
	if (out->bad || out->len - start > RIGHTS)
		return complain(why, 0, "too many senders: at most %d octets", (int)RIGHTS);
	return true;
}

static unsigned number(struct cur *c, size_t digits)
{
	uint64_t n = 0;

	c->bad |= !slice_u64(cur_take(c, digits), UINT32_MAX, &n);
	return (unsigned)n;
}

/* A day that the calendar has; *until is its end. */
static bool day(struct slice text, int64_t *until)
{
	struct cur c = CUR(text);
	unsigned y = number(&c, 4), m, d;
	struct tm t;

	cur_lit(&c, '-');
	m = number(&c, 2);
	cur_lit(&c, '-');
	d = number(&c, 2);
	t = (struct tm){ .tm_year = (int)y - 1900, .tm_mon = (int)m - 1, .tm_mday = (int)d };
	*until = timegm(&t) + 24 * 3600;
	return cur_done(&c) && y >= 1970 && t.tm_mon == (int)m - 1 && t.tm_mday == (int)d;
}

static void put_limit(struct buf *out, const char *key, bool given, uint64_t value)
{
	if (!given)
		return;
	buf_put(out, slice_of(key));
	buf_dec(out, value);
	buf_u8(out, ' ');
}

bool usersfile_limits(struct slice words, struct buf *out, struct complaint *why)
{
	static const struct slice expires = SLICE("expires="), count = SLICE("quota=");
	struct cur c = CUR(words);
	int64_t until = -1;
	uint64_t quota = UINT64_MAX;
	struct slice w;

	for (; cur_skip(&c, is_blank), (w = cur_skip(&c, is_visible)).n;) {
		if (slice_iprefix(w, expires) && until < 0) {
			if (!day(slice_from(w, expires.n), &until))
				return complain(why, 0, "expires= needs a day as 2027-12-31");
		} else if (slice_iprefix(w, count) && quota == UINT64_MAX) {
			if (!slice_u64(slice_from(w, count.n), UINT32_MAX, &quota))
				return complain(why, 0, "quota= needs a number");
		} else {
			break;
		}
	}
	if (w.n || !cur_done(&c))
		return complain(why, 0,
				"'%.*s' is not expires=YYYY-MM-DD or quota=N, once each",
				(int)slice_head(w, 100).n, (const char *)w.p);
	put_limit(out, "until=", until >= 0, (uint64_t)until);
	put_limit(out, "quota=", quota != UINT64_MAX, quota);
	return true;
}

/* Of the first account's salted hash: it stays when accounts are appended. */
static void add_pepper(struct slice hash, struct entries *out)
{
	uint8_t sum[32], mem[64];
	struct buf text = BUF(mem);

	crypto_generichash(sum, sizeof sum, hash.p, hash.n, NULL, 0);
	base64_put(&text, (struct slice){ sum, sizeof sum });
	entries_add(out, SLICE(PASSHASH_PEPPER), buf_slice(&text), 0, 0);
}

static bool account(struct slice line, unsigned number, struct slice domains,
		    struct entries *out, struct complaint *why)
{
	uint8_t mem[PASSHASH_MAX + 1 + LIMITS + RIGHTS + 300];
	struct buf value = BUF(mem);
	struct complaint inner = { 0 };
	struct cur c = CUR(line);
	struct slice name = cur_skip(&c, is_visible), hash, senders;

	cur_skip(&c, is_blank);
	hash = cur_skip(&c, is_visible);
	cur_skip(&c, is_blank);
	senders = cur_skip(&c, is_visible);
	if (c.bad || !senders.n)
		return complain(why, number, "not 'name hash sender[,sender]'");
	if (slice_eq(name, SLICE(AUTH_MYNETWORKS)))
		return complain(why, number, "bad name: %s are the clients of SMTPD_MYNETWORKS",
				AUTH_MYNETWORKS);
	if (!usersfile_name_ok(name))
		return complain(why, number,
				"bad name: 1 to %d letters, digits and . _ + - @, a letter or "
				"digit first",
				(int)AUTH_USER_MAX);
	if (passhash_kind(hash) == PASSHASH_BAD)
		return complain(why, number,
				"bad hash: none of a token, of argon2id within %d MiB, or of "
				"SCRAM-SHA-256",
				CONFIG_KEYS_ARGON2_MEMORY);
	buf_put(&value, hash);
	buf_u8(&value, ' ');
	if (!usersfile_limits(c.s, &value, &inner) ||
	    !usersfile_rights(senders, domains, &value, &inner))
		return complain(why, number, "%s", inner.text);
	if (!out->n)
		add_pepper(hash, out);
	entries_add(out, name, buf_slice(&value), number, 0);
	return true;
}

bool usersfile_parse(struct slice text, struct slice domains, struct entries *out,
		     struct complaint *why)
{
	struct lines l = { .rest = text };
	struct slice line;

	while (lines_next(&l, &line)) {
		line = slice_trim(line);
		if (line.n && line.p[0] != '#' && !account(line, l.number, domains, out, why))
			return false;
	}
	return entries_sort(out, why);
}
