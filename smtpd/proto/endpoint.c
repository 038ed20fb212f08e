/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/endpoint.h"

#include "smtpd/proto/base64.h"

static bool read_pin(struct slice text, struct tls_pins *out)
{
	struct tls_pin *p = &out->pin[0];
	struct buf sum = { .p = p->sum, .cap = br_sha256_SIZE };

	*p = (struct tls_pin){ .use = TLS_PIN_EE, .key = true };
	out->n = base64_get(text, &sum) && sum.len == br_sha256_SIZE;
	return out->n;
}

bool endpoint_parse(struct slice word, uint16_t port, struct endpoint *out)
{
	size_t hash = slice_find(word, '#');
	struct slice where = slice_head(word, hash), who = slice_from(word, hash + 1);
	size_t sign = slice_find(where, '@');
	struct endpoint e = { .port = 0 };
	uint64_t n = port;
	bool ok = ipaddr_parse(slice_head(where, sign), &e.addr) &&
		  (sign == where.n ||
		   (slice_u64(slice_from(where, sign + 1), UINT16_MAX, &n) && n));

	e.port = (uint16_t)n;
	if (slice_iprefix(who, SLICE("pin-sha256:")))
		ok = ok && read_pin(slice_from(who, 11), &e.pins);
	else if (hash < word.n)
		ok = ok && who.n && slice_cstr(who, e.name, sizeof e.name);
	if (ok)
		*out = e;
	return ok;
}
