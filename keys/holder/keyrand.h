/* SPDX-License-Identifier: ISC */
#ifndef KEYS_HOLDER_KEYRAND_H
#define KEYS_HOLDER_KEYRAND_H

#include <bearssl.h>
#include <stddef.h>

/* Random octets of the kernel; exits the process when there are none. */
void keyrand_get(void *out, size_t n);
/* A generator for BearSSL, seeded with 48 of them. Whoever makes it wipes it. */
void keyrand_init(br_hmac_drbg_context *rng);

#endif
