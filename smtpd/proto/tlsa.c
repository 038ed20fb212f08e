/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/tlsa.h"

#include <string.h>

#include "smtpd/proto/dnsmsg.h"

enum { USAGE_TA = 2, USAGE_EE = 3, SELECTOR_MAX = 1 };
enum { MATCH_WHOLE, MATCH_SHA256, MATCH_SHA512 };

static bool read_pin(struct slice record, struct tls_pin *p)
{
	struct cur c = CUR(record);
	uint8_t usage = cur_u8(&c), selector = cur_u8(&c), match = cur_u8(&c);
	size_t n = match == MATCH_SHA512 ? br_sha512_SIZE : br_sha256_SIZE;
	br_sha256_context h;

	if (c.bad || (usage != USAGE_TA && usage != USAGE_EE) || selector > SELECTOR_MAX ||
	    match > MATCH_SHA512 || (match != MATCH_WHOLE && c.s.n != n))
		return false;
	*p = (struct tls_pin){
		.use = usage == USAGE_EE ? TLS_PIN_EE : TLS_PIN_TA,
		.key = selector,
		.sha512 = match == MATCH_SHA512,
		.exact = match == MATCH_WHOLE,
	};
	if (match != MATCH_WHOLE) {
		memcpy(p->sum, c.s.p, n);
		return true;
	}
	br_sha256_init(&h);
	br_sha256_update(&h, c.s.p, c.s.n);
	br_sha256_out(&h, p->sum);
	return true;
}

/* Is there a SHA-512 of the same kind? */
static bool outdone(const struct tls_pins *all, const struct tls_pin *p)
{
	if (p->sha512 || p->exact)
		return false;
	for (size_t i = 0; i < all->n; i++)
		if (all->pin[i].sha512 && all->pin[i].use == p->use &&
		    all->pin[i].key == p->key)
			return true;
	return false;
}

void tlsa_pins(struct slice records, struct tls_pins *out)
{
	struct cur c = CUR(records);
	struct tls_pins all = { .n = 0 };
	struct slice r;

	while (dnsmsg_record(&c, &r) && all.n < TLS_PINS_MAX)
		if (read_pin(r, &all.pin[all.n]))
			all.n++;
	out->n = 0;
	for (size_t i = 0; i < all.n; i++)
		if (!outdone(&all, &all.pin[i]))
			out->pin[out->n++] = all.pin[i];
}

void tlsa_name(struct buf *out, struct slice host)
{
	buf_put(out, SLICE("_25._tcp."));
	buf_put(out, host);
}
