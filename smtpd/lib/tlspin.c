/* SPDX-License-Identifier: ISC */
#include "smtpd/lib/tlspin.h"

#include <string.h>

/*
 * NOTES
 * Every certificate is hashed as it passes, whole and its key. The first one is read by `leaf` for TLS_PIN_EE, all of
 * them go through `chain` too for TLS_PIN_TA. The chain engine knows no anchor: as long as it has no error after a
 * certificate that is not the first, that one is an authority whose key signed the one before, down to the server's,
 * whose name fits. If its digest is a pin, the chain is trusted, and what follows it is not read.
 */
static struct tls_pinned *of(const br_x509_class **ctx)
{
	return (struct tls_pinned *)(void *)ctx;
}

static const br_x509_class **chain_of(struct tls_pinned *p)
{
	return &p->chain->vtable;
}

static void start_chain(const br_x509_class **ctx, const char *name)
{
	struct tls_pinned *p = of(ctx);

	p->certs = 0;
	p->ee = p->ta = false;
	p->chain->vtable->start_chain(chain_of(p), name);
}

static void start_cert(const br_x509_class **ctx, uint32_t length)
{
	struct tls_pinned *p = of(ctx);

	memset(&p->walk, 0, sizeof p->walk);
	for (int key = 0; key < 2; key++) {
		br_sha256_init(&p->sha256[key]);
		br_sha512_init(&p->sha512[key]);
	}
	if (!p->certs)
		br_x509_decoder_init(&p->leaf, NULL, NULL);
	if (!p->ta)
		p->chain->vtable->start_cert(chain_of(p), length);
}

static void hash(struct tls_pinned *p, bool key, struct slice s)
{
	if (!s.n)
		return;
	br_sha256_update(&p->sha256[key], s.p, s.n);
	br_sha512_update(&p->sha512[key], s.p, s.n);
}

static void append(const br_x509_class **ctx, const unsigned char *b, size_t n)
{
	struct tls_pinned *p = of(ctx);
	struct slice s = { b, n };

	hash(p, false, s);
	hash(p, true, certspki_feed(&p->walk, s));
	if (!p->certs)
		br_x509_decoder_push(&p->leaf, b, n);
	if (!p->ta)
		p->chain->vtable->append(chain_of(p), b, n);
}

static bool fits(struct tls_pinned *p, const struct tls_pin *pin)
{
	uint8_t sum[64];
	size_t n = pin->sha512 ? br_sha512_SIZE : br_sha256_SIZE;

	if (pin->key && !certspki_done(&p->walk))
		return false;
	if (pin->sha512)
		br_sha512_out(&p->sha512[pin->key], sum);
	else
		br_sha256_out(&p->sha256[pin->key], sum);
	return memcmp(sum, pin->sum, n) == 0;
}

static void end_cert(const br_x509_class **ctx)
{
	struct tls_pinned *p = of(ctx);

	if (!p->ta)
		p->chain->vtable->end_cert(chain_of(p));
	for (size_t i = 0; i < p->pins->n; i++) {
		const struct tls_pin *pin = &p->pins->pin[i];

		if (pin->use == TLS_PIN_EE && !p->certs)
			p->ee |= fits(p, pin);
		else if (pin->use == TLS_PIN_TA && p->certs && !p->chain->err)
			p->ta |= fits(p, pin);
	}
	p->certs++;
}

static unsigned end_chain(const br_x509_class **ctx)
{
	struct tls_pinned *p = of(ctx);
	unsigned error = p->chain->vtable->end_chain(chain_of(p));

	if (p->ee)
		error = (unsigned)br_x509_decoder_last_error(&p->leaf);
	else if (p->ta)
		error = 0;
	return error;
}

static const br_x509_pkey *get_pkey(const br_x509_class *const *ctx, unsigned *usages)
{
	struct tls_pinned *p = (struct tls_pinned *)(uintptr_t)ctx;

	if (!p->ee)
		return p->chain->vtable->get_pkey(chain_of(p), usages);
	if (usages)
		*usages = BR_KEYTYPE_SIGN;
	return br_x509_decoder_get_pkey(&p->leaf);
}

static const br_x509_class pinned_class = {
	.context_size = sizeof(struct tls_pinned),
	.start_chain = start_chain,
	.start_cert = start_cert,
	.append = append,
	.end_cert = end_cert,
	.end_chain = end_chain,
	.get_pkey = get_pkey,
};

void tls_pinned_init(struct tls_pinned *p, const struct tls_pins *pins,
		     br_x509_minimal_context *chain)
{
	*p = (struct tls_pinned){ .vtable = &pinned_class, .pins = pins, .chain = chain };
}
