/* SPDX-License-Identifier: ISC */
/* A manifest is taken as it was signed, by one of two keys, for this board, this challenge, and no lower epoch. */
#include "init/update/manifest.h"

#include <sodium.h>
#include <stdlib.h>

#include "tests/unit/test.h"

static uint8_t chunk[MANIFEST_CHUNK], mem[MANIFEST_SIZE], seed[2][MANIFEST_KEY];
static struct manifest_want want;
static struct manifest good, got;

static const char *check(void)
{
	memset(&got, 0, sizeof got);
	return manifest_check((struct slice){ mem, sizeof mem }, &want, &got);
}

static void put(const struct manifest *m, unsigned key)
{
	struct buf b = BUF(mem);

	manifest_put(&b, m, seed[key]);
	CHECK(!b.bad && b.len == MANIFEST_SIZE);
}

static bool refused(const char *why)
{
	static const struct manifest none;

	return why && memcmp(&got, &none, sizeof none) == 0;
}

static void make(void)
{
	uint8_t sk[crypto_sign_SECRETKEYBYTES];

	for (unsigned i = 0; i < 2; i++) {
		randombytes_buf(seed[i], MANIFEST_KEY);
		crypto_sign_seed_keypair(want.key[i], sk, seed[i]);
	}
	randombytes_buf(want.challenge, sizeof want.challenge);
	want.board = "vm-x86_64";
	want.epoch = 3;
	good = (struct manifest){ .board = "vm-x86_64",
				  .version = "2026.11.28-0727",
				  .build = "0123456789abcdef",
				  .epoch = 3 };
	memcpy(good.challenge, want.challenge, sizeof good.challenge);
	for (unsigned i = 0; i < MANIFEST_CHUNKS; i++) {
		chunk[5] = i % 3 == 0 ? (uint8_t)(i + 1) : 0;
		manifest_add(&good, i, chunk);
	}
	chunk[5] = 0;
}

static void taken(void)
{
	for (unsigned key = 0; key < 2; key++) {
		put(&good, key);
		CHECK(!check());
		CHECK(memcmp(&got, &good, sizeof got) == 0);
	}
	CHECK_EQ(got.size, 85 * MANIFEST_CHUNK);
	want.epoch = 2;
	CHECK(!check());
	want.epoch = 3;
}

static void chunks(void)
{
	CHECK(manifest_is_zero(&good, 1) && !manifest_is_zero(&good, 3));
	CHECK(manifest_chunk_is(&good, 1, chunk) && !manifest_chunk_is(&good, 3, chunk));
	chunk[5] = 4;
	CHECK(manifest_chunk_is(&good, 3, chunk) && !manifest_chunk_is(&good, 1, chunk));
	CHECK(!manifest_chunk_is(&good, 6, chunk)); /* the right octets in another place */
	chunk[MANIFEST_CHUNK - 1] = 1;
	CHECK(!manifest_chunk_is(&good, 3, chunk));
	chunk[5] = chunk[MANIFEST_CHUNK - 1] = 0;
}

/* One bit anywhere, one octet less or more: the signature is not good any more. */
static void altered(void)
{
	put(&good, 0);
	for (size_t i = 0; i < sizeof mem; i += i < 256 || i > MANIFEST_SIGNED - 3 ? 1 : 97) {
		mem[i] ^= 1;
		CHECK(refused(check()));
		mem[i] ^= 1;
	}
	CHECK(manifest_check((struct slice){ mem, sizeof mem - 1 }, &want, &got));
	CHECK(manifest_check((struct slice){ mem, 0 }, &want, &got));
	CHECK(!check());
}

/* Signed all right, and yet not for this machine. */
static void others(void)
{
	struct manifest m = good;

	m.epoch = 2;
	put(&m, 0);
	CHECK(refused(check()) && strstr(check(), "epoch"));
	m = good;
	strcpy(m.board, "vm-aarch64");
	put(&m, 0);
	CHECK(refused(check()) && strstr(check(), "board"));
	m = good;
	m.challenge[31] ^= 1;
	put(&m, 0);
	CHECK(refused(check()) && strstr(check(), "challenge"));
	m = good;
	m.size += MANIFEST_CHUNK;
	put(&m, 0);
	CHECK(refused(check()));
	for (unsigned i = 0; i < 3; i++) {
		m = good;
		if (i == 0)
			m.version[3] = ' ';
		else if (i == 1)
			m.version[MANIFEST_TEXT - 1] = 'x'; /* behind a NUL */
		else
			memset(m.build, 0, sizeof m.build);
		put(&m, 0);
		CHECK(refused(check()));
	}
}

static void keys(void)
{
	uint8_t none[MANIFEST_KEY] = { 0 };

	put(&good, 1);
	memcpy(want.key[1], none, sizeof none);
	CHECK(refused(check()));
	put(&good, 0);
	CHECK(!check());
	memcpy(want.key[0], none, sizeof none);
	CHECK(refused(check()));
	/* Made for a key of zeros: everybody's. */
	memset(mem + MANIFEST_SIGNED, 0, MANIFEST_SIGNATURE);
	mem[MANIFEST_SIGNED] = 1;
	CHECK(refused(check()));
}

int main(void)
{
	if (sodium_init() < 0)
		abort();
	make();
	taken();
	chunks();
	altered();
	others();
	keys();
	TEST_END();
}
