/* SPDX-License-Identifier: ISC */
/* rootfs/tinycdb: the patches: lengths of a crafted file that wrap around. */
#define _GNU_SOURCE
#include <cdb.h>
#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/unit/test.h"

enum { HEAD = 2048, RECORD = 8, SLOT = 8 };

static void put(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

static int file_of(const uint8_t *p, size_t n)
{
	int fd = memfd_create("crafted", 0);

	return fd >= 0 && write(fd, p, n) == (ssize_t)n ? fd : -1;
}

/* One record whose key length takes the reader back to its own start: 2^32 - 8. */
static void walk_ends(void)
{
	uint8_t file[HEAD + 2 * RECORD] = { 0 };
	struct cdb c;
	unsigned at;
	int got, rounds = 0;

	put(file, sizeof file); /* end of the records */
	put(file + HEAD, 0xFFFFFFF8);
	CHECK(cdb_init(&c, file_of(file, sizeof file)) == 0);
	cdb_seqinit(&at, &c);
	while ((got = cdb_seqnext(&at, &c)) > 0 && rounds < 10)
		rounds++;
	CHECK_EQ(got, -1);
	CHECK_EQ(rounds, 0);
	cdb_free(&c);
}

/* A slot that points at the last octets of the file, and a key longer than the file: 4 KiB in 2 KiB. */
static void find_ends(void)
{
	static const char key[4096];
	uint8_t file[HEAD + RECORD + SLOT] = { 0 };
	uint32_t hash = cdb_hash(key, sizeof key);
	struct cdb_find f;
	struct cdb c;

	for (int i = 0; i < 256; i++) {
		put(file + 8 * i, HEAD + RECORD);
		put(file + 8 * i + 4, 1);
	}
	put(file + HEAD, sizeof key);
	put(file + HEAD + RECORD, hash);
	put(file + HEAD + RECORD + 4, HEAD);
	CHECK(cdb_init(&c, file_of(file, sizeof file)) == 0);
	CHECK(cdb_findinit(&f, &c, key, sizeof key) > 0);
	errno = 0;
	CHECK_EQ(cdb_findnext(&f), -1);
	CHECK_EQ(errno, EPROTO);
	cdb_free(&c);
}

int main(void)
{
	walk_ends();
	find_ends();
	TEST_END();
}
