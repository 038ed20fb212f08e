/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_PROTO_TLSA_H
#define SMTPD_PROTO_TLSA_H

#include "smtpd/lib/tlspin.h"

/*
 * TLSA records of a mail exchanger (RFC 6698 2.1, RFC 7672 3.1). Usable are DANE-TA(2) and DANE-EE(3), of the
 * certificate or the key, as SHA-256, SHA-512 or whole; of equal kind the stronger digest alone counts (RFC 7671 9).
 * records: those of a DNS_QUERY for TLSA (smtpd/msg/dns.h). *out becomes what is usable; more than TLS_PINS_MAX are
 * left out. Nothing usable: *out is empty.
 */
void tlsa_pins(struct slice records, struct tls_pins *out);

/* "_25._tcp." and the host. */
void tlsa_name(struct buf *out, struct slice host);

#endif
