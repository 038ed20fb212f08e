/* SPDX-License-Identifier: ISC */
/*
 * tinpost-update make PRIVATE PUBLIC: a pair of keys for updates.
 * tinpost-update sign PRIVATE BOARD VERSION BUILD EPOCH KERNEL ROOTFS: on standard output what a machine is sent as
 * this update: the manifest, then the chunks. Standard input begins with the 32 octets of the machine's challenge.
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "init/update/manifest.h"
#include "keys/auth/host/sourcefile.h"
#include "keys/holder/host/pairfile.h"

enum {
#define SLOT(id, start, size) id##_AT = (start)*1024, id##_SIZE = (size)*1024,
#include "init/layout.def"
	SLOT_SIZE = MANIFEST_CHUNKS * MANIFEST_CHUNK,
};
_Static_assert(NOTE_AT == SLOT_SIZE, "the note follows what is sent");

static const struct pairfile pair = { "update-private ", "update-public ", "update-key" };

static int make(const char *private, const char *public)
{
	uint8_t pk[crypto_sign_PUBLICKEYBYTES], sk[crypto_sign_SECRETKEYBYTES],
		seed[PAIRFILE_KEY];
	bool ok;

	randombytes_buf(seed, sizeof seed);
	crypto_sign_seed_keypair(pk, sk, seed);
	ok = pairfile_make(&pair, private, public, seed, pk);
	sodium_memzero(sk, sizeof sk);
	sodium_memzero(seed, sizeof seed);
	return !ok;
}

static bool take(const char *path, uint8_t *at, size_t room)
{
	struct slice file;

	if (!source_read(path, &file)) {
		source_failed(path);
		return false;
	}
	if (file.n <= room)
		memcpy(at, file.p, file.n);
	else
		fprintf(stderr, "%s: %zu octets, %zu fit\n", path, file.n, room);
	free((uint8_t *)file.p);
	return file.n <= room;
}

static bool text(const char *word, char out[MANIFEST_TEXT])
{
	if (*word && slice_cstr(slice_of(word), out, MANIFEST_TEXT))
		return true;
	fprintf(stderr, "%s: 1 to %d octets\n", word, MANIFEST_TEXT - 1);
	return false;
}

static int write_all(const struct manifest *m, const uint8_t *slot, const uint8_t *seed)
{
	static uint8_t mem[MANIFEST_SIZE];
	struct buf b = BUF(mem);

	manifest_put(&b, m, seed);
	fwrite(mem, 1, b.len, stdout);
	for (unsigned i = 0; i < MANIFEST_CHUNKS; i++)
		if (!manifest_is_zero(m, i))
			fwrite(slot + i * MANIFEST_CHUNK, 1, MANIFEST_CHUNK, stdout);
	return fflush(stdout) != 0 || ferror(stdout) ? source_failed("standard output") : 0;
}

static int sign(char **word)
{
	static uint8_t slot[SLOT_SIZE];
	static struct manifest m;
	uint8_t seed[PAIRFILE_KEY];
	uint64_t epoch;
	int code;

	if (!slice_u64(slice_of(word[4]), UINT32_MAX, &epoch)) {
		fprintf(stderr, "%s: no epoch\n", word[4]);
		return 1;
	}
	m.epoch = (uint32_t)epoch;
	if (!text(word[1], m.board) || !text(word[2], m.version) || !text(word[3], m.build) ||
	    !take(word[5], slot + KERNEL_AT, KERNEL_SIZE) ||
	    !take(word[6], slot + ROOTFS_AT, ROOTFS_SIZE) ||
	    !pairfile_read(&pair, word[0], seed))
		return 1;
	for (unsigned i = 0; i < MANIFEST_CHUNKS; i++)
		manifest_add(&m, i, slot + i * MANIFEST_CHUNK);
	if (fread(m.challenge, 1, sizeof m.challenge, stdin) == sizeof m.challenge)
		code = write_all(&m, slot, seed);
	else
		code = source_failed("standard input");
	sodium_memzero(seed, sizeof seed);
	return code;
}

int main(int argc, char **argv)
{
	if (sodium_init() < 0)
		return 1;
	if (argc == 4 && strcmp(argv[1], "make") == 0)
		return make(argv[2], argv[3]);
	if (argc == 9 && strcmp(argv[1], "sign") == 0)
		return sign(argv + 2);
	fputs("usage: tinpost-update make PRIVATE PUBLIC | "
	      "sign PRIVATE BOARD VERSION BUILD EPOCH KERNEL ROOTFS <CHALLENGE\n",
	      stderr);
	return 2;
}
