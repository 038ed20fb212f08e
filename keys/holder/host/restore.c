/* SPDX-License-Identifier: ISC */
#include "keys/holder/host/restore.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "smtpd/proto/base64.h"

/* What a line says; all zero where that is nothing. */
struct piece {
	struct slice to, name, text;
	uint64_t version, number, secrets, at, of;
};

static bool next_line(struct slice *rest, struct slice *line)
{
	*line = slice_head(*rest, slice_find(*rest, '\n'));
	*rest = slice_from(*rest, line->n + 1);
	if (line->n && line->p[line->n - 1] == '\r')
		line->n--;
	return line->n || rest->n;
}

/* "key=value" or "key="value"" */
static struct slice value(struct slice *line, struct slice key)
{
	struct slice w = slice_word(line), v = slice_from(w, key.n);

	if (!slice_iprefix(w, key))
		return (struct slice){ NULL, 0 };
	return v.n > 1 && v.p[0] == '"' && v.p[v.n - 1] == '"'
		       ? slice_head(slice_from(v, 1), v.n - 2)
		       : v;
}

/* False: not a line of a backup. *p stays zero behind the version where the rest is no such line. */
static bool piece_of(struct slice line, struct piece *p)
{
	struct piece q = { 0 };

	*p = q;
	while (line.n && !slice_iprefix(line, SLICE("ev=backup v=")))
		line = slice_from(line, 1);
	if (!line.n)
		return false;
	slice_word(&line);
	if (!slice_u64(value(&line, SLICE("v=")), UINT32_MAX, &q.version))
		return true;
	p->version = q.version;
	q.to = value(&line, SLICE("to="));
	if (q.version == BACKUP_VERSION &&
	    slice_u64(value(&line, SLICE("secret=")), BACKUP_SECRETS, &q.number) &&
	    slice_u64(value(&line, SLICE("secrets=")), BACKUP_SECRETS, &q.secrets) &&
	    (q.name = value(&line, SLICE("name="))).n &&
	    slice_u64(value(&line, SLICE("at=")), BACKUP_TEXT, &q.at) &&
	    slice_u64(value(&line, SLICE("of=")), BACKUP_TEXT, &q.of) && q.number &&
	    q.number <= q.secrets) {
		q.text = value(&line, SLICE("text="));
		*p = q;
	}
	return true;
}

/* The text whose first piece this is; others' lines may stand between. */
static bool gather(struct piece p, struct slice rest, struct restored *r, struct buf *out)
{
	const struct piece first = p;
	struct slice line;

	buf_put(out, p.text);
	for (r->used++; out->len < first.of && next_line(&rest, &line);) {
		if (!piece_of(line, &p) || p.number != first.number)
			continue;
		if (p.at != out->len || p.of != first.of || p.secrets != first.secrets ||
		    !slice_eq(p.name, first.name) || !slice_eq(p.to, first.to))
			return false;
		buf_put(out, p.text);
		r->used++;
	}
	return !out->bad && out->len == first.of;
}

static bool name_octet(uint8_t c)
{
	return byte_digit(c) || (byte_alpha(c) && byte_lower(c) == c) || c == '-' || c == '.' ||
	       c == '_';
}

/* label: what the line says that it is. */
static bool is_file(struct restored *r, struct slice plain, struct slice label)
{
	struct slice name = slice_head(plain, slice_find(plain, 0)), folder;

	for (size_t i = 0; i < name.n; i++)
		if (!name_octet(name.p[i]))
			return false;
	r->file = slice_from(plain, name.n + 1);
	if (!name.n || name.p[0] == '.' || !slice_cstr(name, r->name, sizeof r->name) ||
	    !keyfile_parse(r->file, &r->kind, &r->serial))
		return false;
	folder = slice_of(keyfile_folder(r->kind));
	return label.n == folder.n + 1 + name.n &&
	       slice_eq(slice_head(label, folder.n), folder) && label.p[folder.n] == '/' &&
	       slice_eq(slice_from(label, folder.n + 1), name);
}

/* NULL: *r holds it. */
static const char *open_it(const struct piece *p, struct slice rest,
			   const struct restore_key *k, struct restored *r)
{
	struct buf text = BUF(r->text), sealed = BUF(r->sealed);
	uint8_t mem[BACKUP_TO * 2];
	struct buf to = BUF(mem);

	base64_put(&to, (struct slice){ k->public, BACKUP_TO });
	if (!gather(*p, rest, r, &text))
		return "is cut or altered";
	if (!slice_eq(p->to, buf_slice(&to)))
		return "is sealed to another key";
	r->none = !p->of;
	if (r->none)
		return NULL;
	if (!base64_get(buf_slice(&text), &sealed) || sealed.len <= crypto_box_SEALBYTES ||
	    crypto_box_seal_open(r->plain, sealed.p, sealed.len, k->public, k->secret) != 0)
		return "is altered";
	return is_file(r, (struct slice){ r->plain, sealed.len - crypto_box_SEALBYTES },
		       p->name)
		       ? NULL
		       : "is no secret of this name";
}

bool restore_next(struct slice *rest, const struct restore_key *k, struct restored *r)
{
	struct slice line;
	struct piece p;

	while (next_line(rest, &line)) {
		struct buf label = { (uint8_t *)r->label, sizeof r->label - 1, 0, false };

		if (!piece_of(line, &p))
			continue;
		r->lines++;
		if (p.at)
			continue; /* of one whose first line was met before */
		buf_visible(&label, slice_head(p.name, sizeof r->label - 1));
		r->label[label.len] = 0;
		r->number = (unsigned)p.number;
		r->secrets = (unsigned)p.secrets;
		r->why = p.number ? open_it(&p, *rest, k, r)
			 : p.version && p.version != BACKUP_VERSION
				 ? "a backup of another version"
				 : "a line that is cut or altered";
		return true;
	}
	return false;
}

bool restore_check(struct slice text, const struct restore_key *k, struct restored *r,
		   void (*fault)(void *arg, const char *what, const char *why), void *arg,
		   unsigned *found)
{
	bool there[BACKUP_SECRETS + 1] = { false }, whole = true;
	unsigned secrets = 0;
	char what[32];

	*found = 0;
	r->lines = r->used = 0;
	while (restore_next(&text, k, r)) {
		if (!r->why && secrets && r->secrets != secrets)
			r->why = "is of another backup than those before it";
		there[r->number] = true;
		if (r->why) {
			whole = false;
			fault(arg, r->label, r->why);
			continue;
		}
		secrets = r->secrets;
		*found += !r->none;
	}
	if (!r->lines || (whole && r->lines != r->used)) {
		whole = false;
		fault(arg, "",
		      r->lines ? "lines without those before them" : "no backup in it");
	}
	for (unsigned i = 1; i <= secrets; i++)
		if (!there[i]) {
			whole = false;
			snprintf(what, sizeof what, "secret %u of %u", i, secrets);
			fault(arg, what, "is missing");
		}
	return whole;
}
