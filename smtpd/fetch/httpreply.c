/* SPDX-License-Identifier: ISC */
#include "smtpd/fetch/httpreply.h"

#include <string.h>

enum { STATUS_OK = 200 };

static int fail(struct httpreply *r, const char *why)
{
	r->why = why;
	return -1;
}

/* A header field is complete. */
static void field_ended(struct httpreply *r)
{
	struct slice name = { r->field, r->field_n }, v = { r->value, r->value_n };

	if (slice_ieq(name, SLICE("content-type")))
		r->text = slice_ieq(slice_trim(slice_head(v, slice_find(v, ';'))),
				    SLICE("text/plain"));
	r->field_n = r->value_n = 0;
	r->in_value = false;
}

static void keep(uint8_t *to, size_t cap, size_t *n, const char *p, size_t len)
{
	if (len > cap - *n)
		len = cap - *n;
	memcpy(to + *n, p, len);
	*n += len;
}

static int on_field(http_parser *p, const char *at, size_t n)
{
	struct httpreply *r = p->data;

	if (r->in_value)
		field_ended(r);
	keep(r->field, sizeof r->field, &r->field_n, at, n);
	return 0;
}

static int on_value(http_parser *p, const char *at, size_t n)
{
	struct httpreply *r = p->data;

	r->in_value = true;
	keep(r->value, sizeof r->value, &r->value_n, at, n);
	return 0;
}

static int on_headers(http_parser *p)
{
	struct httpreply *r = p->data;

	field_ended(r);
	if (p->status_code != STATUS_OK) /* redirects too: RFC 8461 3.3 */
		return fail(r, "the status is not 200");
	if (!r->text)
		return fail(r, "not text/plain");
	if (!(p->flags & (F_CHUNKED | F_CONTENTLENGTH)))
		return fail(r, "the length of the body is not stated");
	return 0;
}

static int on_body(http_parser *p, const char *at, size_t n)
{
	struct httpreply *r = p->data;

	buf_put(&r->body, (struct slice){ (const uint8_t *)at, n });
	return r->body.bad ? fail(r, "the body is too long") : 0;
}

static int on_complete(http_parser *p)
{
	struct httpreply *r = p->data;

	r->done = true;
	http_parser_pause(p, 1);
	return 0;
}

static const http_parser_settings settings = {
	.on_header_field = on_field,
	.on_header_value = on_value,
	.on_headers_complete = on_headers,
	.on_body = on_body,
	.on_message_complete = on_complete,
};

void httpreply_start(struct httpreply *r, struct buf body)
{
	*r = (struct httpreply){ .body = body };
	http_parser_init(&r->parser, HTTP_RESPONSE);
	r->parser.data = r;
}

bool httpreply_feed(struct httpreply *r, struct slice in)
{
	if (r->why || r->done || !in.n)
		return !r->why;
	http_parser_execute(&r->parser, &settings, (const char *)in.p, in.n);
	if (!r->why && !r->done && (HTTP_PARSER_ERRNO(&r->parser) || r->parser.upgrade))
		fail(r, "the reply is not HTTP");
	return !r->why;
}
