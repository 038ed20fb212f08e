/* SPDX-License-Identifier: ISC */
#include "keys/acme/acmedoc.h"

#include <bearssl.h>
#include <string.h>

#include "smtpd/proto/date.h"

enum { DAY = 86400 };

/* ---- members ---- */

/* Empty when it is not there, or does not fit. */
static bool get_text(const struct json *j, int at, char *out, size_t cap)
{
	struct buf b = { .p = (uint8_t *)out, .cap = cap - 1 };
	bool got = json_string(j, at, &b);

	if (got && memchr(out, 0, b.len))
		got = false;
	out[got ? b.len : 0] = 0;
	return got;
}

/* The same, but as much as fits. */
static void get_cut(const struct json *j, int at, char *out)
{
	uint8_t mem[2048];
	struct buf b = BUF(mem);

	if (!json_string(j, at, &b))
		b.len = 0;
	slice_cstr(slice_head(buf_slice(&b), ACMEDOC_TEXT), out, ACMEDOC_TEXT + 1);
}

static bool get_url(const struct json *j, int at, acmedoc_url out)
{
	struct url u;
	bool got = get_text(j, at, out, sizeof(acmedoc_url)) && url_parse(slice_of(out), &u);

	if (!got)
		out[0] = 0;
	return got;
}

static enum acmedoc_status get_status(const struct json *j, int object)
{
	static const char *const words[] = {
		[ACMEDOC_PENDING] = "pending",	     [ACMEDOC_READY] = "ready",
		[ACMEDOC_PROCESSING] = "processing", [ACMEDOC_VALID] = "valid",
		[ACMEDOC_INVALID] = "invalid",
	};
	int at = json_member(j, object, "status");

	for (unsigned i = ACMEDOC_PENDING; i < sizeof words / sizeof *words; i++)
		if (json_is(j, at, words[i]))
			return (enum acmedoc_status)i;
	return ACMEDOC_OTHER;
}

/* ---- documents ---- */

bool acmedoc_directory(struct json *j, struct slice text, const char *profile,
		       struct acmedoc_directory *out)
{
	int meta;

	memset(out, 0, sizeof *out);
	if (!json_parse(j, text))
		return false;
	meta = json_member(j, JSON_TOP, "meta");
	get_url(j, json_member(j, JSON_TOP, "renewalInfo"), out->renewal);
	get_url(j, json_member(j, meta, "termsOfService"), out->terms);
	out->profile = *profile &&
		       json_member(j, json_member(j, meta, "profiles"), profile) != JSON_NONE;
	return get_url(j, json_member(j, JSON_TOP, "newNonce"), out->nonce) &&
	       get_url(j, json_member(j, JSON_TOP, "newAccount"), out->account) &&
	       get_url(j, json_member(j, JSON_TOP, "newOrder"), out->order);
}

bool acmedoc_order(struct json *j, struct slice text, struct acmedoc_order *out)
{
	int list, at;

	memset(out, 0, sizeof *out);
	if (!json_parse(j, text))
		return false;
	out->status = get_status(j, JSON_TOP);
	list = json_member(j, JSON_TOP, "authorizations");
	while ((at = json_element(j, list, (int)out->nauth)) != JSON_NONE) {
		if (out->nauth == ACMEDOC_NAMES || !get_url(j, at, out->auth[out->nauth]))
			return false;
		out->nauth++;
	}
	get_url(j, json_member(j, JSON_TOP, "certificate"), out->certificate);
	get_cut(j, json_member(j, json_member(j, JSON_TOP, "error"), "detail"), out->problem);
	return get_url(j, json_member(j, JSON_TOP, "finalize"), out->finalize) && out->nauth &&
	       (out->status != ACMEDOC_VALID || out->certificate[0]);
}

static bool is_token(const char *z)
{
	for (; *z; z++)
		if (!byte_alpha((uint8_t)*z) && !byte_digit((uint8_t)*z) && *z != '-' &&
		    *z != '_')
			return false;
	return true;
}

static void get_challenge(const struct json *j, int at, struct acmedoc_auth *out)
{
	out->challenge = get_status(j, at);
	get_url(j, json_member(j, at, "url"), out->url);
	get_text(j, json_member(j, at, "token"), out->token, sizeof out->token);
	get_cut(j, json_member(j, json_member(j, at, "error"), "detail"), out->problem);
	if (!is_token(out->token))
		out->url[0] = 0;
}

bool acmedoc_auth(struct json *j, struct slice text, const char *kind, struct acmedoc_auth *out)
{
	int list, at, identifier;

	memset(out, 0, sizeof *out);
	if (!json_parse(j, text))
		return false;
	out->status = get_status(j, JSON_TOP);
	identifier = json_member(j, JSON_TOP, "identifier");
	list = json_member(j, JSON_TOP, "challenges");
	for (int i = 0; (at = json_element(j, list, i)) != JSON_NONE; i++)
		if (json_is(j, json_member(j, at, "type"), kind) && !out->url[0])
			get_challenge(j, at, out);
	return json_is(j, json_member(j, identifier, "type"), "dns") &&
	       get_text(j, json_member(j, identifier, "value"), out->name, sizeof out->name);
}

void acmedoc_problem(struct json *j, struct slice text, struct acmedoc_problem *out)
{
	static const struct slice urn = { (const uint8_t *)"urn:ietf:params:acme:error:", 27 };
	uint8_t mem[128];
	struct buf b = BUF(mem);

	memset(out, 0, sizeof *out);
	if (!json_parse(j, text))
		return;
	if (json_string(j, json_member(j, JSON_TOP, "type"), &b) &&
	    slice_iprefix(buf_slice(&b), urn))
		slice_cstr(slice_from(buf_slice(&b), urn.n), out->type, sizeof out->type);
	get_cut(j, json_member(j, JSON_TOP, "detail"), out->detail);
}

/* ---- times ---- */

static unsigned number(struct cur *c, size_t n)
{
	uint64_t v = 0;

	c->bad |= !slice_u64(cur_take(c, n), 9999, &v);
	return (unsigned)v;
}

static void clock_time(struct cur *c, struct date *d)
{
	d->hour = number(c, 2);
	cur_lit(c, ':');
	d->minute = number(c, 2);
	cur_lit(c, ':');
	d->second = number(c, 2);
}

/* RFC 3339 5.6 */
static bool get_time(const struct json *j, int at, int64_t *out)
{
	char text[40];
	struct date d = { 0 };
	struct cur c;
	int64_t t, away;
	bool minus;

	if (!get_text(j, at, text, sizeof text))
		return false;
	c = CUR(slice_of(text));
	d.year = (int)number(&c, 4);
	cur_lit(&c, '-');
	d.month = number(&c, 2);
	cur_lit(&c, '-');
	d.day = number(&c, 2);
	cur_word(&c, SLICE("t"));
	clock_time(&c, &d);
	if (cur_try(&c, '.'))
		cur_span(&c, byte_digit, 12);
	if (c.bad || !date_join(&d, &t))
		return false;
	if (!cur_try(&c, 'Z') && !cur_try(&c, 'z')) {
		minus = cur_try(&c, '-');
		if (!minus)
			cur_lit(&c, '+');
		away = number(&c, 2) * 3600;
		cur_lit(&c, ':');
		away += number(&c, 2) * 60;
		t += minus ? away : -away;
	}
	*out = t;
	return cur_done(&c);
}

bool acmedoc_window(struct json *j, struct slice text, struct acmedoc_window *out)
{
	int window;

	if (!json_parse(j, text))
		return false;
	window = json_member(j, JSON_TOP, "suggestedWindow");
	return get_time(j, json_member(j, window, "start"), &out->start) &&
	       get_time(j, json_member(j, window, "end"), &out->end) && out->start < out->end;
}

/* RFC 9110 5.6.7, the form that is sent today: Sun, 06 Nov 1994 08:49:37 GMT */
static bool http_date(struct slice value, int64_t *out)
{
	static const struct slice months = {
		(const uint8_t *)"JanFebMarAprMayJunJulAugSepOctNovDec", 36
	};
	struct cur c = CUR(value);
	struct date d = { 0 };
	struct slice month;

	cur_take(&c, 5);
	d.day = number(&c, 2);
	cur_lit(&c, ' ');
	month = cur_take(&c, 3);
	for (unsigned i = 0; i < 12; i++)
		if (slice_ieq(slice_head(slice_from(months, i * 3), 3), month))
			d.month = i + 1;
	cur_lit(&c, ' ');
	d.year = (int)number(&c, 4);
	cur_lit(&c, ' ');
	clock_time(&c, &d);
	cur_word(&c, SLICE(" GMT"));
	return cur_done(&c) && date_join(&d, out);
}

unsigned acmedoc_retry(struct slice value, int64_t now)
{
	uint64_t s;
	int64_t at;

	if (slice_u64(value, UINT32_MAX, &s))
		at = now + (int64_t)s;
	else if (!http_date(value, &at))
		return 0;
	if (at <= now)
		return 0;
	return at - now < DAY ? (unsigned)(at - now) : DAY;
}

/* ---- other forms ---- */

struct slice acmedoc_link(struct slice value, struct slice rel)
{
	const struct slice none = { NULL, 0 };
	struct cur c = CUR(value);
	struct slice target, rest;
	size_t n;

	cur_lit(&c, '<');
	n = slice_find(c.s, '>');
	target = cur_take(&c, n);
	cur_lit(&c, '>');
	while (!cur_end(&c)) {
		cur_lit(&c, ';');
		n = slice_find(c.s, ';');
		rest = slice_trim(cur_take(&c, n));
		if (c.bad || !slice_iprefix(rest, SLICE("rel=")))
			continue;
		rest = slice_from(rest, 4);
		if (rest.n > 1 && rest.p[0] == '"' && rest.p[rest.n - 1] == '"')
			rest = slice_head(slice_from(rest, 1), rest.n - 2);
		if (slice_ieq(rest, rel))
			return target;
	}
	return none;
}

struct collecting {
	struct buf *out;
	size_t begin; /* of the certificate at hand: its length goes before it */
	bool inside;
};

static void collect(void *ctx, const void *p, size_t n)
{
	buf_put(((struct collecting *)ctx)->out, (struct slice){ p, n });
}

static bool on_pem(struct collecting *c, br_pem_decoder_context *pem, int event)
{
	struct buf *out = c->out;
	size_t n;

	switch (event) {
	case BR_PEM_BEGIN_OBJ:
		c->inside = strcmp(br_pem_decoder_name(pem), "CERTIFICATE") == 0;
		c->begin = out->len;
		buf_be16(out, 0);
		br_pem_decoder_setdest(pem, collect, c);
		return c->inside && !out->bad;
	case BR_PEM_END_OBJ:
		c->inside = false;
		n = out->len - c->begin - 2;
		if (out->bad || !n || n > UINT16_MAX)
			return false;
		out->p[c->begin] = (uint8_t)(n >> 8);
		out->p[c->begin + 1] = (uint8_t)n;
		return true;
	default:
		return event == 0;
	}
}

bool acmedoc_chain(struct slice pem, struct buf *out)
{
	br_pem_decoder_context decoder;
	struct collecting c = { .out = out };

	br_pem_decoder_init(&decoder);
	while (pem.n) {
		pem = slice_from(pem, br_pem_decoder_push(&decoder, pem.p, pem.n));
		if (!on_pem(&c, &decoder, br_pem_decoder_event(&decoder)))
			return false;
	}
	return out->len && !out->bad && !c.inside;
}
