/* SPDX-License-Identifier: ISC */
#include "keys/auth/host/import.h"

#include <sodium.h>

#include "keys/auth/host/usersfile.h"
#include "keys/auth/passhash.h"

static struct slice cut(struct slice *rest, uint8_t at)
{
	size_t n = slice_find(*rest, at);
	struct slice s = slice_head(*rest, n);

	*rest = slice_from(*rest, n + 1);
	return s;
}

/* Dovecot's ITERATIONS,SALT,StoredKey,ServerKey. */
static struct slice scram_of(struct slice text, struct buf *room)
{
	size_t start = room->len;
	const char *before[] = { "SCRAM-SHA-256$", ":", "$", ":" };

	for (size_t i = 0; i < sizeof before / sizeof *before; i++) {
		buf_put(room, slice_of(before[i]));
		buf_put(room, i < 3 ? cut(&text, ',') : text);
	}
	return slice_from(buf_slice(room), start);
}

static bool secret_of(struct slice text, struct import_row *out, struct buf *room,
		      struct complaint *why)
{
	size_t end = slice_find(text, '}');
	struct slice scheme = slice_head(slice_from(text, 1), end - 1);
	struct slice rest = slice_from(text, end + 1);

	out->secret = text;
	out->kind = IMPORT_HASH;
	if (!text.n || slice_eq(text, SLICE("x"))) {
		out->kind = IMPORT_TOKEN;
	} else if (text.p[0] == '*' || text.p[0] == '!') {
		return complain(why, 0, "the account is locked: take it out of the list");
	} else if (text.p[0] == '{' && end < text.n) {
		out->secret = rest;
		if (slice_ieq(scheme, SLICE("PLAIN")) || slice_ieq(scheme, SLICE("CLEARTEXT")))
			out->kind = IMPORT_PLAIN;
		else if (slice_ieq(scheme, SLICE("SCRAM-SHA-256")))
			out->secret = scram_of(rest, room);
		else if (slice_eq(scheme, SLICE("CRAM-MD5")))
			out->secret = text;
		else if (!slice_ieq(scheme, SLICE("ARGON2ID")))
			return complain(why, 0, "unknown hash {%.*s}",
					(int)slice_head(scheme, 40).n, (const char *)scheme.p);
	}
	if (out->kind == IMPORT_PLAIN && out->secret.n < PASSHASH_CHOSEN_MIN)
		return complain(why, 0, "a password with less than %d octets",
				(int)PASSHASH_CHOSEN_MIN);
	if (out->kind == IMPORT_HASH && passhash_kind(out->secret) == PASSHASH_BAD)
		return complain(
			why, 0,
			"unknown hash: neither argon2id within %d MiB nor SCRAM-SHA-256",
			CONFIG_KEYS_ARGON2_MEMORY);
	return true;
}

/* A hash of PostgreSQL has two colons in it. */
static struct slice cut_hash(struct slice *rest)
{
	struct slice all = *rest;
	int more = slice_iprefix(all, SLICE("SCRAM-SHA-256$")) ? 2 : 0;

	cut(rest, ':');
	while (more--)
		cut(rest, ':');
	return slice_head(all, all.n - rest->n - (rest->n || all.p[all.n - 1] == ':'));
}

bool import_row(struct slice line, struct import_row *out, struct buf *room,
		struct complaint *why)
{
	struct import_row row = { .kind = IMPORT_TOKEN };
	struct slice rest = line, secret;
	bool tabs = slice_find(line, '\t') < line.n;

	*out = row;
	if (!slice_trim(line).n || line.p[0] == '#')
		return true;
	row.name = cut(&rest, tabs ? '\t' : ':');
	if (!tabs && row.name.n == line.n)
		return complain(why, 0,
				"not 'name:hash', 'user@realm: userPassword' or columns");
	if (!row.name.n)
		return complain(why, 0, "there is no name");
	if (!tabs && rest.n && rest.p[0] == ' ') {
		if (!slice_eq(rest, SLICE(" userPassword")))
			return slice_iprefix(rest, SLICE(" cmusaslsecret")) ||
			       complain(why, 0, "not 'user@realm: userPassword'");
		*out = row;
		return true;
	}
	secret = tabs ? cut(&rest, '\t') : rest.n ? cut_hash(&rest) : rest;
	if (tabs) {
		row.senders = cut(&rest, '\t');
		row.expires = cut(&rest, '\t');
		row.quota = cut(&rest, '\t');
		if (rest.n)
			return complain(why, 0, "more than five columns");
	}
	if (!secret_of(secret, &row, room, why))
		return false;
	*out = row;
	return true;
}

static void put_word(struct buf *line, const char *key, struct slice value)
{
	if (!value.n)
		return;
	buf_u8(line, ' ');
	buf_put(line, slice_of(key));
	buf_put(line, value);
}

static bool put_hash(const struct import *how, const struct import_row *row, struct buf *line,
		     struct buf *shown)
{
	enum passhash_kind kind = how->scram		      ? PASSHASH_SCRAM
				  : row->kind == IMPORT_PLAIN ? PASSHASH_CHOSEN
							      : PASSHASH_TOKEN;
	struct slice secret = row->secret;

	if (row->kind == IMPORT_HASH) {
		buf_put(line, secret);
		return true;
	}
	if (row->kind == IMPORT_TOKEN) {
		buf_put(shown, row->name);
		buf_u8(shown, '\t');
		passhash_token(shown);
		secret = slice_from(buf_slice(shown), shown->len - PASSHASH_TOKEN_TEXT);
		buf_u8(shown, '\n');
	}
	return passhash_make(kind, secret, line);
}

static bool put_row(const struct import *how, const struct import_row *row, struct buf *line,
		    struct buf *shown, struct complaint *why)
{
	struct slice senders = row->senders.n ? row->senders : how->sender;
	struct entry *e;

	if (!senders.n && slice_find(row->name, '@') < row->name.n)
		senders = row->name;
	if (!usersfile_name_ok(row->name))
		return complain(why, 0, "'%.*s' is no name of an account",
				(int)slice_head(row->name, 100).n, (const char *)row->name.p);
	if (!senders.n)
		return complain(why, 0,
				"%.*s has no sender: give one with SENDER=", (int)row->name.n,
				(const char *)row->name.p);
	e = entries_find(how->have, row->name);
	if (e)
		return complain(why, 0, "there is an account %s already", e->key);
	buf_put(line, row->name);
	buf_u8(line, ' ');
	if (!put_hash(how, row, line, shown))
		return complain(why, 0, "the password cannot be hashed");
	put_word(line, "", senders);
	put_word(line, "expires=", row->expires);
	put_word(line, "quota=", row->quota);
	return true;
}

/* One row, judged as `users` will be. */
static bool take(struct slice text, const struct import *how, struct buf *lines,
		 struct buf *shown, struct complaint *why)
{
	uint8_t mem[IMPORT_ROOM];
	struct buf room = BUF(mem);
	size_t start = lines->len;
	struct entries one = { 0 };
	struct import_row row;
	bool ok = import_row(text, &row, &room, why);

	if (!ok || !row.name.n)
		return ok;
	ok = put_row(how, &row, lines, shown, why) &&
	     usersfile_parse(slice_from(buf_slice(lines), start), how->domains, &one, why);
	entries_free(&one);
	buf_u8(lines, '\n');
	return ok;
}

bool import_list(struct slice list, const struct import *how, struct buf *lines,
		 struct buf *shown, struct complaint *why)
{
	struct entries names = { 0 };
	struct lines l = { .rest = list };
	struct complaint inner = { 0 };
	struct slice text;
	bool ok = true;

	while (ok && lines_next(&l, &text)) {
		size_t start = lines->len;

		ok = take(text, how, lines, shown, &inner) && !lines->bad && !shown->bad;
		if (!ok)
			complain(why, l.number, "%s",
				 inner.text[0] ? inner.text : "the line is too long");
		else if (lines->len > start)
			entries_add(&names,
				    slice_head(slice_from(buf_slice(lines), start),
					       slice_find(slice_from(buf_slice(lines), start),
							  ' ')),
				    SLICE(""), l.number, 0);
	}
	ok = ok && entries_sort(&names, why);
	entries_free(&names);
	return ok;
}
