/* SPDX-License-Identifier: ISC */
#include "keys/auth/cram.h"

#include <bearssl.h>
#include <sodium.h>
#include <string.h>

enum { BLOCK = 64 };

static int nibble(uint8_t c)
{
	return byte_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool cram_keys_get(struct slice text, struct cram_keys *out)
{
	static const struct slice begin = SLICE("{CRAM-MD5}");
	uint8_t both[2 * CRAM_STATE];

	if (text.n != CRAM_TEXT || !slice_eq(slice_head(text, begin.n), begin))
		return false;
	for (size_t i = 0; i < sizeof both; i++) {
		int high = nibble(text.p[begin.n + 2 * i]);
		int low = nibble(text.p[begin.n + 2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		both[i] = (uint8_t)(high << 4 | low);
	}
	memcpy(out->outer, both, CRAM_STATE);
	memcpy(out->inner, both + CRAM_STATE, CRAM_STATE);
	return true;
}

void cram_keys_put(const struct cram_keys *k, struct buf *out)
{
	buf_put(out, SLICE("{CRAM-MD5}"));
	buf_hex(out, (struct slice){ k->outer, CRAM_STATE });
	buf_hex(out, (struct slice){ k->inner, CRAM_STATE });
}

/* The state after one block: the key, each octet of it changed by `pad` (RFC 2104 2). */
static void padded(const uint8_t key[BLOCK], uint8_t pad, uint8_t state[CRAM_STATE])
{
	uint8_t block[BLOCK];
	br_md5_context c;

	for (int i = 0; i < BLOCK; i++)
		block[i] = key[i] ^ pad;
	br_md5_init(&c);
	br_md5_update(&c, block, sizeof block);
	br_md5_state(&c, state);
	sodium_memzero(block, sizeof block);
	sodium_memzero(&c, sizeof c);
}

void cram_keys_make(struct cram_keys *k, struct slice password)
{
	uint8_t key[BLOCK] = { 0 };
	br_md5_context c;

	if (password.n > BLOCK) {
		br_md5_init(&c);
		br_md5_update(&c, password.p, password.n);
		br_md5_out(&c, key);
	} else if (password.n) {
		memcpy(key, password.p, password.n);
	}
	padded(key, 0x5c, k->outer);
	padded(key, 0x36, k->inner);
	sodium_memzero(key, sizeof key);
}

bool cram_check(const struct cram_keys *k, struct slice challenge,
		const uint8_t digest[CRAM_DIGEST])
{
	uint8_t sum[CRAM_DIGEST];
	br_md5_context c;

	br_md5_init(&c);
	br_md5_set_state(&c, k->inner, BLOCK);
	br_md5_update(&c, challenge.p, challenge.n);
	br_md5_out(&c, sum);
	br_md5_init(&c);
	br_md5_set_state(&c, k->outer, BLOCK);
	br_md5_update(&c, sum, sizeof sum);
	br_md5_out(&c, sum);
	return sodium_memcmp(sum, digest, sizeof sum) == 0;
}
