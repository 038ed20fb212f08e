/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/dkim_canon.h"

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

static void put(struct dkim_sink *to, struct slice s)
{
	if (to->buf)
		buf_put(to->buf, s);
	if (to->hash && s.n)
		br_sha256_update(to->hash, s.p, s.n);
}

struct relax {
	struct dkim_sink *to;
	bool value; /* behind the colon */
	bool text;  /* the value has begun */
	bool blank; /* white space waits for text */
};

/* The octets of a value up to the next white space or line end, or one octet of the name. */
static void relax_run(struct relax *r, struct slice run)
{
	if (r->blank && r->text)
		put(r->to, SLICE(" "));
	r->blank = false;
	r->text = true;
	put(r->to, run);
}

static void relax_name(struct relax *r, uint8_t c)
{
	uint8_t low = byte_lower(c);

	if (is_blank(c) || c == '\r' || c == '\n')
		return;
	put(r->to, (struct slice){ &low, 1 });
	r->value = c == ':';
}

/* RFC 6376 3.4.2 */
static void relax_feed(struct relax *r, struct slice s)
{
	size_t n;

	for (; s.n; s = slice_from(s, n)) {
		n = 1;
		if (!r->value) {
			relax_name(r, s.p[0]);
		} else if (is_blank(s.p[0])) {
			r->blank = true;
		} else if (s.p[0] != '\r' && s.p[0] != '\n') {
			while (n < s.n && s.p[n] > ' ')
				n++;
			relax_run(r, slice_head(s, n));
		}
	}
}

void dkim_canon_open(enum dkim_canon canon, struct slice a, struct slice b,
		     struct dkim_sink *to)
{
	struct relax r = { .to = to };

	if (canon == DKIM_SIMPLE) {
		put(to, a);
		put(to, b);
		return;
	}
	relax_feed(&r, a);
	relax_feed(&r, b);
}

void dkim_canon_header(enum dkim_canon canon, struct slice raw, struct dkim_sink *to)
{
	dkim_canon_open(canon, raw, (struct slice){ NULL, 0 }, to);
	if (canon == DKIM_RELAXED)
		put(to, SLICE("\r\n"));
}

void dkim_body_init(struct dkim_body *d, enum dkim_canon canon, uint64_t limit,
		    struct dkim_sink to)
{
	*d = (struct dkim_body){ .to = to, .canon = canon, .limit = limit };
}

static void body_put(struct dkim_body *d, struct slice s)
{
	uint64_t left = d->size < d->limit ? d->limit - d->size : 0;

	put(&d->to, slice_head(s, s.n < left ? s.n : (size_t)left));
	d->size += s.n;
}

/* Text follows: what waited for it belongs to the body. */
static void body_text(struct dkim_body *d, struct slice s)
{
	for (; d->lines; d->lines--)
		body_put(d, SLICE("\r\n"));
	if (d->blank)
		body_put(d, SLICE(" "));
	d->blank = false;
	body_put(d, s);
}

/* How many octets of s, which begins with text, are the same in canonical form and end with text: a line and the next,
 * with what stands between them, go to the hash in one piece. */
static size_t run_length(const struct dkim_body *d, struct slice s)
{
	bool relaxed = d->canon == DKIM_RELAXED;
	size_t n = 1, gap;

	while (n < s.n) {
		uint8_t c = s.p[n];

		if (c > ' ' || (c != '\r' && !(relaxed && is_blank(c)))) {
			n++;
			continue;
		}
		gap = c == '\r' ? 2 : 1;
		if (c == '\t' || n + gap >= s.n || (gap == 2 && s.p[n + 1] != '\n') ||
		    s.p[n + gap] == '\r' || (relaxed && is_blank(s.p[n + gap])))
			break;
		n += gap + 1;
	}
	return n;
}

/* NOTES: between calls the canonical body is what was put, then `lines` CRLFs, then one space if `blank`,
 * then a CR if `cr`. A CR that no LF follows is text. */
void dkim_body_feed(struct dkim_body *d, struct slice s)
{
	while (s.n) {
		size_t n = 1;

		if (d->cr) {
			d->cr = false;
			if (s.p[0] == '\n') {
				d->lines++;
				d->blank = false;
				s = slice_from(s, 1);
				continue;
			}
			body_text(d, SLICE("\r"));
		}
		if (s.p[0] == '\r') {
			d->cr = true;
		} else if (d->canon == DKIM_RELAXED && is_blank(s.p[0])) {
			d->blank = true;
		} else {
			n = run_length(d, s);
			body_text(d, slice_head(s, n));
		}
		s = slice_from(s, n);
	}
}

/* RFC 6376 3.4.3 and 3.4.4: one CRLF ends a body that has text; without text the simple form is one CRLF
 * and the relaxed form is empty. */
void dkim_body_end(struct dkim_body *d)
{
	if (d->cr)
		body_text(d, SLICE("\r"));
	if (d->size || d->canon == DKIM_SIMPLE)
		body_put(d, SLICE("\r\n"));
	d->lines = 0;
	d->blank = d->cr = false;
}
