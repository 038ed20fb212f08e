/* SPDX-License-Identifier: ISC */
/* The other slot is written by a good stream alone, however it is cut; the sectors that boot loaders read change at two
 * moments, to what the build made ready. The disk is a file. */
#define _GNU_SOURCE
#include "init/update/receive.h"

#include <sodium.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/unit/test.h"

enum {
#define PLACE(id, start, size) id##_KIB = (start), id##_SIZE = (size)*1024,
#include "init/layout.def"
	DISK = FAT_SIZE,
	SECTOR = SLOTS_SECTOR,
	STREAM = MANIFEST_SIZE + 5 * MANIFEST_CHUNK,
};
#define AT(id) ((id##_KIB - FAT_KIB) * 1024)

static const char words_a[] = "quiet tinpost.slot=a tinpost.loader=syslinux\n";
static const char words_b[] =
	"quiet tinpost.slot=b tinpost.loader=syslinux tinpost.trial=yes\n";
static uint8_t disk[DISK], stream[STREAM + 1], seed[MANIFEST_KEY];
static struct slots slots, again;
static struct receive receive;
static struct manifest_want want;
static int fd;

static void look(void)
{
	CHECK(pread(fd, disk, DISK, 0) == DISK);
}

/* Row `which` of STARTS for loader row `loader`, as this test made it. */
static bool is_start(uint32_t at, unsigned loader, unsigned which)
{
	look();
	return disk[at] == 'S' && disk[at + 1] == loader && disk[at + 2] == which;
}

static void format(void)
{
	memset(disk, 0, DISK);
	for (unsigned loader = 0; loader < 2; loader++)
		for (unsigned which = 0; which < 5; which++)
			memcpy(disk + AT(STARTS) + (loader * 5 + which) * SECTOR,
			       (uint8_t[]){ 'S', (uint8_t)loader, (uint8_t)which }, 3);
	memcpy(disk + AT(SYSLINUX_CFG), disk + AT(STARTS), SECTOR);
	memcpy(disk + AT(LOADER_CONF), disk + AT(STARTS) + 5 * SECTOR, SECTOR);
	memset(disk + AT(SLOT_A), 'a', SLOT_A_SIZE);
	memset(disk + AT(SLOT_B), 'b', SLOT_B_SIZE);
	CHECK(pwrite(fd, disk, DISK, 0) == DISK);
}

static bool init(const char *words)
{
	return slots_init(&slots, fd, slice_of(words));
}

/* Five chunks, the last of the slot among them. */
static void make(void)
{
	static const unsigned where[] = { 0, 1, 7, 128, MANIFEST_CHUNKS - 1 };
	static struct manifest m = { .board = "x", .version = "2", .build = "y", .epoch = 1 };
	static uint8_t chunk[MANIFEST_CHUNK];
	uint8_t sk[crypto_sign_SECRETKEYBYTES];
	struct buf b = { stream, MANIFEST_SIZE, 0, false };

	randombytes_buf(seed, sizeof seed);
	crypto_sign_seed_keypair(want.key[0], sk, seed);
	want.board = "x";
	memcpy(m.challenge, want.challenge, sizeof m.challenge);
	for (unsigned i = 0; i < 5; i++) {
		memset(chunk, (int)i + 1, sizeof chunk);
		manifest_add(&m, where[i], chunk);
		memcpy(stream + MANIFEST_SIZE + i * MANIFEST_CHUNK, chunk, sizeof chunk);
	}
	manifest_put(&b, &m, seed);
}

/* n octets of the stream behind the manifest, in pieces. */
static enum receive_state feed(size_t n, size_t piece)
{
	static uint8_t mem[2 * MANIFEST_CHUNK];
	struct buf in = BUF(mem);
	struct slice rest = { stream + MANIFEST_SIZE, n };
	enum receive_state st = RECEIVE_GOES;

	while (st == RECEIVE_GOES || (st == RECEIVE_WANTS && rest.n)) {
		struct slice s = slice_head(rest, piece);

		if (buf_room(&in) >= s.n) {
			buf_put(&in, s);
			rest = slice_from(rest, s.n);
		}
		st = receive_step(&receive, &in);
	}
	return st;
}

static const char *begin(void)
{
	return receive_begin(&receive, &slots, (struct slice){ stream, MANIFEST_SIZE }, &want);
}

static void which_runs(void)
{
	format();
	CHECK(init(words_a) && slots.runs == 'a' && !slots.trial && slots_other(&slots) == 'b');
	CHECK(init(words_b) && slots.runs == 'b' && slots.trial && slots_other(&slots) == 'a');
	CHECK(init("tinpost.loader=systemd-boot tinpost.slot=b") && slots.trial);
	CHECK(!init("") && !init("tinpost.slot=a") && !init("tinpost.loader=syslinux"));
	CHECK(!init("tinpost.slot=c tinpost.loader=syslinux"));
	CHECK(!init("tinpost.slot=ab tinpost.loader=syslinux"));
	CHECK(!init("tinpost.slot=a tinpost.loader=syslinu"));
	CHECK(!slots_init(&slots, -1, slice_of(words_a)));
	/* A disk of before has no ready sectors. */
	memset(disk + AT(STARTS), 0, 10 * SECTOR);
	CHECK(pwrite(fd, disk, DISK, 0) == DISK);
	CHECK(!init(words_a));
}

static bool slot_b_holds_it(void)
{
	static const uint8_t zeros[MANIFEST_CHUNK];
	const uint8_t *b = disk + AT(SLOT_B);
	bool ok = true;

	look();
	for (unsigned i = 0, k = 0; i < MANIFEST_CHUNKS; i++) {
		bool full = i < 2 || i == 7 || i == 128 || i == MANIFEST_CHUNKS - 1;

		ok &= !memcmp(b + i * MANIFEST_CHUNK,
			      full ? stream + MANIFEST_SIZE + k++ * MANIFEST_CHUNK : zeros,
			      MANIFEST_CHUNK);
	}
	return ok && !memcmp(b + MANIFEST_CHUNKS * MANIFEST_CHUNK, stream, MANIFEST_SIZE);
}

static bool untouched(uint32_t at, size_t n, int octet)
{
	bool same = true;

	look();
	for (size_t i = 0; i < n; i++)
		same &= disk[at + i] == octet;
	return same;
}

static void whole(size_t piece)
{
	format();
	CHECK(init(words_a) && !begin());
	CHECK_EQ(feed(STREAM - MANIFEST_SIZE, piece), RECEIVE_DONE);
	CHECK(slot_b_holds_it() && untouched(AT(SLOT_A), SLOT_A_SIZE, 'a'));
	CHECK(is_start(AT(ONCE), 0, 2) && is_start(AT(LOADER_ENTRIES), 1, 2));
	CHECK(slots_try(&slots));
	CHECK(is_start(AT(ONCE), 0, 4) && is_start(AT(ONCE) + SECTOR, 0, 4));
	CHECK(is_start(AT(LOADER_ENTRIES), 1, 2) && is_start(AT(SYSLINUX_CFG), 0, 0));
}

/* What started on trial takes nothing itself; it becomes the usual one, for each boot loader, by itself. */
static void kept(void)
{
	whole(4096);
	CHECK(init(words_b) && slots.trial && begin());
	CHECK(untouched(AT(SLOT_A), SLOT_A_SIZE, 'a'));
	CHECK(slots_keep(&slots) && !slots.trial);
	CHECK(is_start(AT(SYSLINUX_CFG), 0, 1) && is_start(AT(LOADER_CONF), 1, 1));
	CHECK(is_start(AT(LOADER_ENTRIES), 1, 2));
	CHECK(slots_init(&again, fd, slice_of(words_b)) && !again.trial);
	CHECK(slots_init(&again, fd, slice_of(words_a)) && again.trial);
	CHECK(init(words_b) && !begin()); /* and may be updated, into slot a */
	CHECK_EQ(feed(STREAM - MANIFEST_SIZE, 4096), RECEIVE_DONE);
	CHECK(slots_try(&slots) && is_start(AT(ONCE), 0, 3));
}

static void refused(void)
{
	uint8_t *last = &stream[STREAM - 1];

	format();
	CHECK(init(words_a));
	stream[77] ^= 1;
	CHECK(begin() && untouched(AT(SLOT_B), SLOT_B_SIZE, 'b') && !disk[AT(ONCE)]);
	stream[77] ^= 1;
	CHECK(!begin());
	CHECK_EQ(feed(STREAM - MANIFEST_SIZE - 1, 4096), RECEIVE_WANTS);
	*last ^= 1;
	CHECK(!begin());
	CHECK_EQ(feed(STREAM - MANIFEST_SIZE, 4096), RECEIVE_REFUSED);
	CHECK(untouched(AT(SLOT_B) + (MANIFEST_CHUNKS - 1) * MANIFEST_CHUNK, MANIFEST_CHUNK,
			'b'));
	*last ^= 1;
	CHECK(!begin());
	CHECK_EQ(feed(STREAM - MANIFEST_SIZE + 1, 4096), RECEIVE_REFUSED);
	CHECK(is_start(AT(ONCE), 0, 2) && untouched(AT(SLOT_A), SLOT_A_SIZE, 'a'));
}

/* A disk that does not hold what it was given; one that takes nothing. */
static void bad_disk(void)
{
	static uint8_t mem[2 * MANIFEST_CHUNK];
	struct buf in = BUF(mem);

	format();
	CHECK(init(words_a) && !begin());
	CHECK_EQ(feed(STREAM - MANIFEST_SIZE, 4096), RECEIVE_DONE);
	CHECK(pwrite(fd, "!", 1, AT(SLOT_B) + 50 * MANIFEST_CHUNK) == 1);
	receive.at = 0;
	while (receive.at < 50)
		CHECK_EQ(receive_step(&receive, &in), RECEIVE_GOES);
	CHECK_EQ(receive_step(&receive, &in), RECEIVE_REFUSED);
	slots.fd = -1;
	CHECK(begin() && !slots_try(&slots) && !slots_keep(&slots) && !slots_flush(&slots));
}

int main(void)
{
	fd = memfd_create("disk", 0);
	if (sodium_init() < 0 || fd < 0 || ftruncate(fd, DISK) != 0)
		abort();
	make();
	which_runs();
	whole(1);
	whole(4097);
	kept();
	refused();
	bad_disk();
	TEST_END();
}
