/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_LIB_TLSCURVE_H
#define SMTPD_LIB_TLSCURVE_H

#include <bearssl.h>

/* The curves of the key exchange, bits 1 << BR_EC_x: BearSSL's, with X25519 (RFC 7748) by libsodium, which takes a
 * third of the time and refuses a share that makes the secret zero. */
void tlscurve_init(br_ec_impl *out, unsigned curves);

#endif
