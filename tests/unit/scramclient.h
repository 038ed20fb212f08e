/* SPDX-License-Identifier: ISC */
/* The client's side of SCRAM-SHA-256 (RFC 5802), for tests. */
#ifndef TESTS_UNIT_SCRAMCLIENT_H
#define TESTS_UNIT_SCRAMCLIENT_H

#include <sodium.h>
#include <string.h>

#include "keys/auth/scram.h"
#include "smtpd/proto/base64.h"

/* ClientProof over AuthMessage; salt and iterations of *k. One block of PBKDF2, straight from RFC 8018 5.2. */
static inline void scramclient_proof(const struct scram_keys *k, struct slice password,
				     struct slice all, uint8_t proof[32])
{
	crypto_auth_hmacsha256_state s;
	uint8_t base[32], u[32], key[32], sum[32];

	for (uint32_t i = 0; i < k->iterations; i++) {
		crypto_auth_hmacsha256_init(&s, password.p, password.n);
		if (i)
			crypto_auth_hmacsha256_update(&s, u, 32);
		else
			crypto_auth_hmacsha256_update(&s, k->salt, k->salt_n);
		if (!i)
			crypto_auth_hmacsha256_update(&s, (const uint8_t *)"\0\0\0\1", 4);
		crypto_auth_hmacsha256_final(&s, u);
		for (int j = 0; j < 32; j++)
			base[j] = (uint8_t)((i ? base[j] : 0) ^ u[j]);
	}
	crypto_auth_hmacsha256(key, (const uint8_t *)"Client Key", 10, base);
	crypto_hash_sha256(u, key, 32);
	crypto_auth_hmacsha256(sum, all.p, all.n, u);
	for (int j = 0; j < 32; j++)
		proof[j] = key[j] ^ sum[j];
}

/* Puts client-final-message in answer to server-first-message. */
static inline void scramclient_final(const struct scram_keys *k, struct slice password,
				     struct slice first, struct slice server, struct buf *out)
{
	uint8_t mem[2048], proof[32];
	struct buf all = BUF(mem);
	size_t one = slice_find(first, ',') + 1;
	size_t gs2 = one + slice_find(slice_from(first, one), ',') + 1;

	buf_put(out, SLICE("c="));
	base64_put(out, slice_head(first, gs2));
	buf_put(out, SLICE(","));
	buf_put(out, slice_head(server, slice_find(server, ',')));
	buf_put(&all, slice_from(first, gs2));
	buf_u8(&all, ',');
	buf_put(&all, server);
	buf_u8(&all, ',');
	buf_put(&all, buf_slice(out));
	scramclient_proof(k, password, buf_slice(&all), proof);
	buf_put(out, SLICE(",p="));
	base64_put(out, (struct slice){ proof, 32 });
}

#endif
