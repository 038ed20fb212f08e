/* SPDX-License-Identifier: ISC */
#include "keys/auth/cram.h"

#include "tests/unit/test.h"

static const struct slice challenge = SLICE("<1896.697170952@postoffice.reston.mci.net>");

/* RFC 2195 2. */
static void vector(void)
{
	static const uint8_t digest[CRAM_DIGEST] = { 0xb9, 0x13, 0xa6, 0x02, 0xc7, 0xed,
						     0xa7, 0xa4, 0x95, 0xb4, 0xe6, 0xe7,
						     0x33, 0x4d, 0x38, 0x90 };
	uint8_t mem[CRAM_TEXT], wrong[CRAM_DIGEST];
	struct buf b = BUF(mem);
	struct cram_keys k, again;

	cram_keys_make(&k, SLICE("tanstaaftanstaaf"));
	CHECK(cram_check(&k, challenge, digest));
	CHECK(!cram_check(&k, slice_from(challenge, 1), digest));
	for (size_t i = 0; i < sizeof wrong; i++) {
		memcpy(wrong, digest, sizeof wrong);
		wrong[i] ^= 1;
		CHECK(!cram_check(&k, challenge, wrong));
	}
	cram_keys_put(&k, &b);
	CHECK(!b.bad && b.len == CRAM_TEXT && cram_keys_get(buf_slice(&b), &again));
	CHECK(!memcmp(&k, &again, sizeof k));
	CHECK(!cram_keys_get(slice_head(buf_slice(&b), b.len - 1), &again));
	mem[12] = 'A';
	CHECK(!cram_keys_get(buf_slice(&b), &again));
	mem[12] = 'a';
	mem[1] = 'c';
	CHECK(!cram_keys_get(buf_slice(&b), &again));
}

/* A key of more than a block is hashed first (RFC 2104 2): RFC 2202 2, case 6. */
static void long_key(void)
{
	static const uint8_t digest[CRAM_DIGEST] = { 0x6b, 0x1a, 0xb7, 0xfe, 0x4b, 0xd7,
						     0xbf, 0x8f, 0x0b, 0x62, 0xe6, 0xce,
						     0x61, 0xb9, 0xd0, 0xcd };
	uint8_t key[80];
	struct cram_keys k, other;

	memset(key, 0xaa, sizeof key);
	cram_keys_make(&k, (struct slice){ key, sizeof key });
	CHECK(cram_check(&k, SLICE("Test Using Larger Than Block-Size Key - Hash Key First"),
			 digest));
	cram_keys_make(&k, (struct slice){ key, 64 });
	cram_keys_make(&other, (struct slice){ key, 65 });
	CHECK(memcmp(&k, &other, sizeof k) != 0);
	cram_keys_make(&other, (struct slice){ key, 63 });
	CHECK(memcmp(&k, &other, sizeof k) != 0);
}

int main(void)
{
	vector();
	long_key();
	TEST_END();
}
