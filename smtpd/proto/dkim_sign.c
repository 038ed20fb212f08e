/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/dkim_sign.h"

#include "smtpd/proto/base64.h"
#include "smtpd/proto/dkim_canon.h"
#include "smtpd/proto/header.h"

enum { COLUMN = 70, B64_LINE = 72, FIELD_MAX = 4096, SIGNATURE_B64 = 4 * ((512 + 2) / 3) };

/* In h= order. `more`: how often a name stands there beyond the fields that the letter has. */
static const struct {
	struct slice name;
	unsigned more;
} names[] = {
	{ SLICE("From"), 1 },
	{ SLICE("To"), 1 },
	{ SLICE("Cc"), 1 },
	{ SLICE("Subject"), 1 },
	{ SLICE("Date"), 1 },
	{ SLICE("Message-ID"), 1 },
	{ SLICE("Reply-To"), 1 },
	{ SLICE("MIME-Version"), 1 },
	{ SLICE("Content-Type"), 1 },
	{ SLICE("Content-Transfer-Encoding"), 1 },
	{ SLICE("List-Unsubscribe"), 1 },
	{ SLICE("List-Unsubscribe-Post"), 1 },
	{ SLICE("Sender"), 0 },
	{ SLICE("In-Reply-To"), 0 },
	{ SLICE("References"), 0 },
	{ SLICE("List-Id"), 0 },
	{ SLICE("List-Help"), 0 },
	{ SLICE("List-Post"), 0 },
	{ SLICE("List-Subscribe"), 0 },
	{ SLICE("List-Owner"), 0 },
	{ SLICE("List-Archive"), 0 },
};

enum {
	NAMES = sizeof names / sizeof *names,
	FIELDS = 200, /* with the names beyond them within dkim_preimage.c's bound */
};

/* The fields of a letter that are signed, as they stand in it. */
struct signed_fields {
	struct slice raw[FIELDS];
	uint8_t which[FIELDS]; /* index in names[] */
	size_t n;
};

/* One pass over a header that may be long. False: more of them than a signature lists. */
static bool look_through(struct slice header, struct signed_fields *s)
{
	struct header_field f;

	s->n = 0;
	while (header_next(&header, &f)) {
		uint8_t i = 0;

		while (i < NAMES && !slice_ieq(f.name, names[i].name))
			i++;
		if (i == NAMES)
			continue;
		if (s->n == FIELDS)
			return false;
		s->which[s->n] = i;
		s->raw[s->n++] = f.raw;
	}
	return true;
}

/* h= with a fold behind a colon where the line grows long; *line counts columns. */
static void names_put(const struct signed_fields *s, struct buf *out)
{
	size_t line = 3;
	bool first = true;

	for (size_t i = 0; i < NAMES; i++) {
		size_t n = names[i].more;

		for (size_t k = 0; k < s->n; k++)
			n += s->which[k] == i;
		for (; n && !out->bad; n--) {
			if (!first)
				buf_u8(out, ':');
			if (line + names[i].name.n > COLUMN) {
				buf_put(out, SLICE("\r\n\t "));
				line = 2;
			}
			buf_put(out, names[i].name);
			line += names[i].name.n + 1;
			first = false;
		}
	}
}

/* The field up to "b=". White space stands only where RFC 6376 3.2 allows it, and the same octets serve the
 * preimage and the letter: the relaxed form of both is equal by construction. */
static void field_head(const struct dkim_sign *s, const struct signed_fields *fields,
		       struct buf *out)
{
	buf_put(out, SLICE("DKIM-Signature: v=1; a="));
	buf_put(out, s->ed25519 ? SLICE("ed25519-sha256") : SLICE("rsa-sha256"));
	buf_put(out, SLICE("; c=relaxed/relaxed;\r\n\td="));
	buf_put(out, s->domain);
	buf_put(out, SLICE("; s="));
	buf_put(out, s->selector);
	buf_put(out, SLICE(";\r\n\tt="));
	buf_dec(out, s->time);
	buf_put(out, SLICE(";\r\n\th="));
	names_put(fields, out);
	buf_put(out, SLICE(";\r\n\tbh="));
	base64_put(out, (struct slice){ s->body_sha256, 32 });
	buf_put(out, SLICE(";\r\n\tb="));
}

void dkim_sign_preimage(const struct dkim_sign *s, struct slice header, struct buf *out)
{
	struct signed_fields fields;
	uint8_t mem[FIELD_MAX];
	struct buf head = BUF(mem);
	struct dkim_sink to = { .buf = out };

	if (!look_through(header, &fields)) {
		out->bad = true;
		return;
	}
	/* RFC 6376 5.4.2: fields of one name are signed from the last one up. */
	for (size_t i = 0; i < NAMES; i++)
		for (size_t k = fields.n; k--;)
			if (fields.which[k] == i)
				dkim_canon_header(DKIM_RELAXED, fields.raw[k], &to);
	field_head(s, &fields, &head);
	dkim_canon_open(DKIM_RELAXED, buf_slice(&head), (struct slice){ NULL, 0 }, &to);
	out->bad |= head.bad;
}

void dkim_sign_field(const struct dkim_sign *s, struct slice header, struct slice signature,
		     struct buf *out)
{
	struct signed_fields fields;
	uint8_t mem[SIGNATURE_B64];
	struct buf b64 = BUF(mem);
	struct slice rest;

	base64_put(&b64, signature);
	out->bad |= b64.bad || !look_through(header, &fields);
	if (out->bad)
		return;
	field_head(s, &fields, out);
	for (rest = buf_slice(&b64); rest.n; rest = slice_from(rest, B64_LINE)) {
		buf_put(out, slice_head(rest, B64_LINE));
		buf_put(out, rest.n > B64_LINE ? SLICE("\r\n\t ") : SLICE("\r\n"));
	}
}
