/* SPDX-License-Identifier: ISC */
#include "keys/holder/rsa64.h"

#include <string.h>

enum { OCTETS_MIN = 128, SUM = 32 };

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
	r->width = 1;
	if (!k || key->n.n < OCTETS_MIN || key->n.n > RSA64_OCTETS_MAX ||
	    half > MONT64_EXP_MAX || !mont64_init(&r->p, k, half, key->p.p, key->p.n) ||
	    !mont64_init(&r->q, k, half, key->q.p, key->q.n) ||
	    !mont64_init(&r->n, k, words_for(key->n.n), key->n.p, key->n.n) ||
	    r->n.n > 2 * half || !product_right(r) ||
	    !mont64_get(r->iq_r, half, key->iq.p, key->iq.n) ||
	    !take_exponent(key->dp, r->dp, &r->dp_octets) ||
	    !take_exponent(key->dq, r->dq, &r->dq_octets))
		return false;
	mont64_mul(&r->p, &r->work, r->iq_r, r->iq_r, r->p.r2);
	mont64_whole(&r->p, r->iq_r);
	return true;
}

void rsa64_widen(struct rsa64 *r)
{
	if (mont52_has() && r->octets == 2 * MONT52_EXP &&
	    mont52_set(&r->wide, 0, &r->p, &r->work, r->dp, r->dp_octets) &&
	    mont52_set(&r->wide, 1, &r->q, &r->work, r->dq, r->dq_octets))
		r->width = RSA64_JOBS;
}

/* out = x mod m for one factor, below it. A product with a number below m, divided by R, is below 2m. */
static void residue(struct rsa64 *r, const struct mont64 *m, const uint64_t *x, uint64_t *out)
{
	memset(r->work.product, 0, sizeof r->work.product);
	memcpy(r->work.product, x, r->n.n * sizeof *x);
	mont64_reduce(m, &r->work, out); /* x < R^2 */
	mont64_mul(m, &r->work, out, out, m->r2);
	mont64_whole(m, out);
}

/* x = x^e modulo one factor, at most 2m. */
static void power(struct rsa64 *r, const struct mont64 *m, uint64_t *x, const uint8_t *e,
		  size_t octets)
{
	static const uint64_t unit[MONT64_EXP_MAX] = { 1 };

	mont64_mul(m, &r->work, x, x, m->r2);
	mont64_power(m, &r->work, x, e, octets);
	mont64_mul(m, &r->work, x, x, unit);
}

static void powers(struct rsa64 *r, size_t n)
{
	if (r->width == 1) {
		for (size_t i = 0; i < n; i++) {
			power(r, &r->p, r->job[i].p, r->dp, r->dp_octets);
			power(r, &r->q, r->job[i].q, r->dq, r->dq_octets);
		}
		return;
	}
	for (unsigned i = 0; i < n; i++) {
		mont52_put(&r->wide, 2 * i, r->job[i].p);
		mont52_put(&r->wide, 2 * i + 1, r->job[i].q);
	}
	mont52_power(&r->wide);
	for (unsigned i = 0; i < n; i++) {
		mont52_get(&r->wide, 2 * i, r->job[i].p);
		mont52_get(&r->wide, 2 * i + 1, r->job[i].q);
	}
}

/* x = q + Q ((p - q) / Q mod P), for q and p modulo the factors Q and P. */
static void join(struct rsa64 *r, struct rsa64_job *j)
{
	size_t n = r->p.n;
	uint64_t below, less[MONT64_EXP_MAX];

	mont64_whole(&r->p, j->p);
	mont64_whole(&r->q, j->q);
	mont64_mul(&r->p, &r->work, j->p, j->p, r->iq_r);
	mont64_whole(&r->p, j->p);
	mont64_mul(&r->p, &r->work, less, j->q, r->iq_r);
	mont64_whole(&r->p, less);
	below = (uint64_t)0 - mont64_sub(j->p, less, n);
	for (size_t i = 0; i < n; i++)
		less[i] = r->p.m[i] & below;
	mont64_add(j->p, less, n);
	mont64_product(r->p.k, r->work.product, r->q.m, j->p, n);
	memset(j->q + n, 0, sizeof j->q - n * sizeof *j->q);
	memcpy(j->x, r->work.product, r->n.n * sizeof *j->x);
	mont64_add(j->x, j->q, r->n.n);
}

/* x = x^d in the first n jobs. */
static void crt(struct rsa64 *r, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		residue(r, &r->p, r->job[i].x, r->job[i].p);
		residue(r, &r->q, r->job[i].x, r->job[i].q);
	}
	powers(r, n);
	for (size_t i = 0; i < n; i++)
		join(r, &r->job[i]);
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

bool rsa64_private(struct rsa64 *r, uint8_t *const *x, size_t n)
{
	size_t words = r->n.n;
	uint64_t wrong = 0, y[MONT64_MAX], z[MONT64_MAX];

	for (size_t i = 0; i < n; i++) {
		mont64_get(r->job[i].x, words, x[i], r->octets);
		memcpy(y, r->job[i].x, sizeof y);
		wrong |= mont64_sub(y, r->n.m, words) ^ 1;
	}
	crt(r, n);
	for (size_t i = 0; i < n; i++) {
		public(r, r->job[i].x, y);
		mont64_get(z, words, x[i], r->octets);
		for (size_t k = 0; k < words; k++)
			wrong |= y[k] ^ z[k];
		mont64_put(r->job[i].x, words, x[i], r->octets);
	}
	for (size_t i = 0; wrong && i < n; i++)
		memset(x[i], 0, r->octets);
	return !wrong;
}

bool rsa64_sign_sha256(struct rsa64 *r, const uint8_t (*sum)[SUM], uint8_t *const *sig,
		       size_t n)
{
	static const uint8_t head[] = { 0x00, 0x30, 0x31, 0x30, 0x0d, 0x06, 0x09,
					0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04,
					0x02, 0x01, 0x05, 0x00, 0x04, 0x20 };

	for (size_t i = 0; i < n; i++) {
		memset(sig[i], 0xff, r->octets);
		sig[i][0] = 0;
		sig[i][1] = 1;
		memcpy(sig[i] + r->octets - SUM - sizeof head, head, sizeof head);
		memcpy(sig[i] + r->octets - SUM, sum[i], SUM);
	}
	return rsa64_private(r, sig, n);
}
