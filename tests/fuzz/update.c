/* SPDX-License-Identifier: ISC */
/*
 * A manifest that was altered, and signed again or not, then any stream, into the slot of a disk in memory. First
 * octet: bit 7, signed again; bits 0 to 3, how many alterations of three octets (where, by what) follow. Each octet
 * behind them stands for 1 KiB of the stream. The laws: what is not signed writes nothing; what is taken says what
 * stood there; what is done lies on the disk; and the boot loader's sectors never name the slot. A first octet of
 * 0x70: the rest is a kernel's command line.
 */
#define _GNU_SOURCE
#include "init/update/receive.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

enum {
#define PLACE(id, start, size) id##_AT = ((start)-1024) * 1024, id##_SIZE = (size)*1024,
#include "init/layout.def"
	STEP = 1024,
};

static struct slots slots, other;
static struct receive receive;
static struct manifest_want want = { .board = "x", .epoch = 1 };
static struct manifest good = { .board = "x", .version = "2", .build = "y", .epoch = 1 };
static uint8_t seed[MANIFEST_KEY] = { 1 };
static int fd = -1;

static uint8_t sector(int at)
{
	uint8_t b = 0;

	if (pread(fd, &b, 1, at) != 1)
		abort();
	return b;
}

static void setup(void)
{
	static uint8_t chunk[MANIFEST_CHUNK], starts[10 * SLOTS_SECTOR];
	uint8_t sk[crypto_sign_SECRETKEYBYTES];

	fd = memfd_create("disk", 0);
	for (unsigned i = 0; i < 10; i++)
		starts[i * SLOTS_SECTOR] = (uint8_t)(i + 1);
	if (ftruncate(fd, FAT_SIZE) != 0 ||
	    pwrite(fd, starts, sizeof starts, STARTS_AT) != sizeof starts ||
	    pwrite(fd, starts, SLOTS_SECTOR, SYSLINUX_CFG_AT) != SLOTS_SECTOR)
		abort();
	crypto_sign_seed_keypair(want.key[0], sk, seed);
	memset(chunk, 'x', sizeof chunk);
	for (unsigned i = 0; i < MANIFEST_CHUNKS; i += 200)
		manifest_add(&good, i, chunk);
	if (!slots_init(&slots, fd, SLICE("tinpost.slot=a tinpost.loader=syslinux")))
		abort();
}

static void altered(const uint8_t *edit, unsigned edits, bool again, uint8_t mem[MANIFEST_SIZE])
{
	struct buf b = { mem, MANIFEST_SIZE, 0, false };
	uint8_t sk[crypto_sign_SECRETKEYBYTES], pk[crypto_sign_PUBLICKEYBYTES];

	manifest_put(&b, &good, seed);
	for (unsigned i = 0; i < edits; i++, edit += 3)
		mem[(edit[0] << 8 | edit[1]) % MANIFEST_SIZE] ^= edit[2];
	if (!again)
		return;
	crypto_sign_seed_keypair(pk, sk, seed);
	crypto_sign_detached(mem + MANIFEST_SIGNED, NULL, mem, MANIFEST_SIGNED, sk);
}

static enum receive_state stream(struct slice rest)
{
	static uint8_t mem[16 * STEP];
	struct buf in = BUF(mem);
	enum receive_state st = RECEIVE_GOES;

	while (st == RECEIVE_GOES || (st == RECEIVE_WANTS && rest.n)) {
		while (rest.n && buf_room(&in) >= STEP) {
			memset(in.p + in.len, rest.p[0], STEP);
			in.len += STEP;
			rest = slice_from(rest, 1);
		}
		st = receive_step(&receive, &in);
	}
	return st;
}

/* The slot as it is on the disk. */
static void judge(const uint8_t manifest[MANIFEST_SIZE])
{
	static uint8_t chunk[MANIFEST_CHUNK];

	for (unsigned i = 0; i <= MANIFEST_CHUNKS; i++) {
		if (pread(fd, chunk, sizeof chunk, SLOT_B_AT + i * MANIFEST_CHUNK) !=
		    sizeof chunk)
			abort();
		if (i < MANIFEST_CHUNKS ? !manifest_chunk_is(&receive.m, i, chunk)
					: memcmp(chunk, manifest, MANIFEST_SIZE) != 0)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static uint8_t mem[MANIFEST_SIZE], back[MANIFEST_SIZE];
	struct buf b = BUF(back);
	unsigned edits = n ? p[0] & 15 : 0;
	uint8_t was;

	if (fd < 0)
		setup();
	if (n && p[0] == 0x70 && slots_init(&other, fd, (struct slice){ p + 1, n - 1 }) &&
	    (other.runs != 'a') != other.trial && !other.loader)
		abort();
	if (n < 1 + 3 * edits)
		return 0;
	altered(p + 1, edits, p[0] & 128, mem);
	was = sector(SLOT_B_AT);
	if (receive_begin(&receive, &slots, (struct slice){ mem, sizeof mem }, &want)) {
		if (sector(SLOT_B_AT) != was)
			abort();
		return 0;
	}
	manifest_put(&b, &receive.m, seed);
	if (memcmp(mem, back, sizeof mem) != 0)
		abort();
	if (stream((struct slice){ p + 1 + 3 * edits, n - 1 - 3 * edits }) == RECEIVE_DONE)
		judge(mem);
	if (sector(ONCE_AT) != sector(STARTS_AT + 2 * SLOTS_SECTOR) ||
	    sector(SYSLINUX_CFG_AT) != 1)
		abort();
	return 0;
}
