/* SPDX-License-Identifier: ISC */
#include "smtpd/lib/tlscurve.h"

#include <sodium/crypto_scalarmult_curve25519.h>
#include <string.h>

enum { OCTETS = crypto_scalarmult_curve25519_BYTES };

/* For this curve BearSSL's scalars are little-endian, as X25519 has them. */
static uint32_t x25519(uint8_t *point, const uint8_t *scalar, size_t n)
{
	uint8_t k[OCTETS] = { 0 }, out[OCTETS];
	uint32_t right;

	if (n > OCTETS)
		return 0;
	memcpy(k, scalar, n);
	right = crypto_scalarmult_curve25519(out, k, point) == 0;
	memcpy(point, out, OCTETS);
	explicit_bzero(k, sizeof k);
	explicit_bzero(out, sizeof out);
	return right;
}

static uint32_t mul(unsigned char *g, size_t glen, const unsigned char *x, size_t xlen,
		    int curve)
{
	if (curve != BR_EC_curve25519)
		return br_ec_get_default()->mul(g, glen, x, xlen, curve);
	return glen == OCTETS && x25519(g, x, xlen);
}

static size_t mulgen(unsigned char *r, const unsigned char *x, size_t xlen, int curve)
{
	static const uint8_t base[OCTETS] = { 9 };

	if (curve != BR_EC_curve25519)
		return br_ec_get_default()->mulgen(r, x, xlen, curve);
	memcpy(r, base, OCTETS);
	return x25519(r, x, xlen) ? OCTETS : 0;
}

void tlscurve_init(br_ec_impl *out, unsigned curves)
{
	*out = *br_ec_get_default();
	out->supported_curves &= curves;
	out->mul = mul;
	out->mulgen = mulgen;
}
