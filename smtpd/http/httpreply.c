/* SPDX-License-Identifier: ISC */
#include "smtpd/http/httpreply.h"

#include <string.h>

enum { NO_CONTENT = 204, NOT_MODIFIED = 304 };

static int fail(struct httpreply *r, const char *why)
{
	r->why = why;
	return -1;
}

/* A header field is complete. */
static void field_ended(struct httpreply *r)
{
	if (r->name_n && !r->cut)
		r->field(r, (struct slice){ r->name, r->name_n },
			 slice_trim((struct slice){ r->value, r->value_n }));
	r->name_n = r->value_n = 0;
	r->in_value = r->cut = false;
}

static void keep(struct httpreply *r, uint8_t *to, size_t cap, size_t *n, const char *p,
		 size_t len)
{
	if (len > cap - *n) {
		r->cut = true;
		len = cap - *n;
	}
	memcpy(to + *n, p, len);
	*n += len;
}

static int on_field(http_parser *p, const char *at, size_t n)
{
	struct httpreply *r = p->data;

	if (r->in_value)
		field_ended(r);
	keep(r, r->name, sizeof r->name, &r->name_n, at, n);
	return 0;
}

static int on_value(http_parser *p, const char *at, size_t n)
{
	struct httpreply *r = p->data;

	r->in_value = true;
	keep(r, r->value, sizeof r->value, &r->value_n, at, n);
	return 0;
}

/* 1: no body follows, whatever the header says. */
static int on_headers(http_parser *p)
{
	struct httpreply *r = p->data;

	field_ended(r);
	r->status = p->status_code;
	if (r->bodiless)
		return 1;
	if (!(p->flags & (F_CHUNKED | F_CONTENTLENGTH)) && r->status != NO_CONTENT &&
	    r->status != NOT_MODIFIED)
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

void httpreply_start(struct httpreply *r, struct buf body, bool bodiless,
		     void (*field)(struct httpreply *r, struct slice name, struct slice value))
{
	*r = (struct httpreply){ .body = body, .bodiless = bodiless, .field = field };
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
