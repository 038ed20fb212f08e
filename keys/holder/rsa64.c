/* SPDX-License-Identifier: ISC */
#include "keys/holder/rsa64.h"

#include <string.h>

enum { OCTETS_MIN = 128, OCTETS_MAX = 512, SUM = 32 };

static size_t words_for(size_t octets)
{
	return (octets + 63) / 64 * MONT64_BLOCK;
}

/* The product of p and q is n, compared without telling where they differ. */
static bool product_right(struct rsa64 *r)
{
	size_t n = r->p.n;
	uint64_t differ = 0;

	mont64_product(r->p.k, r->work.product, r->p.m, r->q.m, n);
	for (size_t i = 0; i < 2 * n; i++)
		differ |= r->work.product[i] ^ (i < r->n.n ? r->n.m[i] : 0);
	return !differ;
}

static bool take_exponent(struct slice in, uint8_t *out, size_t *octets)
{
	if (!in.n || in.n > MONT64_EXP_MAX * 8)
		return false;
	memcpy(out, in.p, in.n);
	*octets = in.n;
	return true;
}

bool rsa64_init(struct rsa64 *r, const struct mont64_kernel *k, const struct rsa64_key *key)
{
	size_t half = words_for(key->p.n > key->q.n ? key->p.n : key->q.n);

	memset(r, 0, sizeof *r);
	r->octets = key->n.n;
	if (!k || key->n.n < OCTETS_MIN || key->n.n > OCTETS_MAX || half > MONT64_EXP_MAX ||
	    !mont64_init(&r->p, k, half, key->p.p, key->p.n) ||
	    !mont64_init(&r->q, k, half, key->q.p, key->q.n) ||
	    !mont64_init(&r->n, k, words_for(key->n.n), key->n.p, key->n.n) ||
	    r->n.n > 2 * half || !product_right(r) ||
	    !mont64_get(r->iq, half, key->iq.p, key->iq.n) ||
	    !take_exponent(key->dp, r->dp, &r->dp_octets) ||
	    !take_exponent(key->dq, r->dq, &r->dq_octets))
		return false;
	mont64_mul(&r->p, &r->work, r->iq_r, r->iq, r->p.r2);
	mont64_whole(&r->p, r->iq_r);
	mont64_mul(&r->p, &r->work, r->p_r3, r->p.r2, r->p.r2);
	mont64_mul(&r->q, &r->work, r->q_r3, r->q.r2, r->q.r2);
	return true;
}

/* out = R x^e modulo m, one factor. */
static void half(struct rsa64 *r, const struct mont64 *m, const uint64_t *r3, const uint8_t *e,
		 size_t octets, uint64_t *out)
{
	memset(r->work.product, 0, sizeof r->work.product);
	memcpy(r->work.product, r->x, r->n.n * sizeof *r->x);
	mont64_reduce(m, &r->work, out); /* x < R^2 */
	mont64_mul(m, &r->work, out, out, r3);
	mont64_power(m, &r->work, out, e, octets);
}

/* x = x^d: y = x^dq mod q, x = y + q (x^dp iq - y iq mod p). A product with a factor below m is below 2m. */
static void crt(struct rsa64 *r)
{
	static const uint64_t unit[MONT64_EXP_MAX] = { 1 };
	size_t n = r->p.n;
	uint64_t below;

	half(r, &r->q, r->q_r3, r->dq, r->dq_octets, r->y);
	mont64_mul(&r->q, &r->work, r->y, r->y, unit);
	mont64_whole(&r->q, r->y);
	half(r, &r->p, r->p_r3, r->dp, r->dp_octets, r->z);
	mont64_mul(&r->p, &r->work, r->z, r->z, r->iq);
	mont64_whole(&r->p, r->z);
	mont64_mul(&r->p, &r->work, r->x, r->y, r->iq_r);
	mont64_whole(&r->p, r->x);
	below = (uint64_t)0 - mont64_sub(r->z, r->x, n);
	for (size_t i = 0; i < n; i++)
		r->x[i] = r->p.m[i] & below;
	mont64_add(r->z, r->x, n);
	mont64_product(r->p.k, r->work.product, r->q.m, r->z, n);
	memset(r->y + n, 0, sizeof r->y - n * sizeof *r->y);
	memcpy(r->x, r->work.product, r->n.n * sizeof *r->x);
	mont64_add(r->x, r->y, r->n.n);
}

/* out = x^65537 mod n. */
static void public(struct rsa64 *r, const uint64_t *x, uint64_t *out)
{
	mont64_mul(&r->n, &r->work, out, x, r->n.r2);
	for (int i = 0; i < 16; i++)
		mont64_square(&r->n, &r->work, out, out);
	mont64_mul(&r->n, &r->work, out, out, x);
	mont64_whole(&r->n, out);
}

bool rsa64_private(struct rsa64 *r, uint8_t *x)
{
	size_t n = r->n.n;
	uint64_t differ = 0, below;

	mont64_get(r->x, n, x, r->octets);
	memcpy(r->y, r->x, sizeof r->y);
	below = mont64_sub(r->y, r->n.m, n);
	crt(r);
	public(r, r->x, r->y);
	mont64_get(r->z, n, x, r->octets);
	for (size_t i = 0; i < n; i++)
		differ |= r->y[i] ^ r->z[i];
	mont64_put(r->x, n, x, r->octets);
	if (!differ && below)
		return true;
	memset(x, 0, r->octets);
	return false;
}

bool rsa64_sign_sha256(struct rsa64 *r, const uint8_t sum[32], uint8_t *sig)
{
	static const uint8_t head[] = { 0x00, 0x30, 0x31, 0x30, 0x0d, 0x06, 0x09,
					0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04,
					0x02, 0x01, 0x05, 0x00, 0x04, 0x20 };

	memset(sig, 0xff, r->octets);
	sig[0] = 0;
	sig[1] = 1;
	memcpy(sig + r->octets - SUM - sizeof head, head, sizeof head);
	memcpy(sig + r->octets - SUM, sum, SUM);
	return rsa64_private(r, sig);
}
