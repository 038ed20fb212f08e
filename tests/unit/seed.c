/* SPDX-License-Identifier: ISC */
#include "init/seed.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/unit/test.h"

/* What the kernel saw, and what lay on the disk at that moment. */
static struct {
	int fd, mixed, bits, waits;
	uint8_t seed[SEED_OCTETS], disk[SEED_OCTETS];
	bool before_wait;
} seen;

static void mix(const uint8_t seed[SEED_OCTETS], int bits)
{
	seen.mixed++;
	seen.bits = bits;
	seen.before_wait = !seen.waits;
	memcpy(seen.seed, seed, SEED_OCTETS);
	CHECK(pread(seen.fd, seen.disk, SEED_OCTETS, 0) == SEED_OCTETS);
}

static void wait(void)
{
	seen.waits++;
}

static bool step(int fd, bool ready)
{
	const struct seed_kernel k = { ready, mix, wait };

	memset(&seen, 0, sizeof seen);
	seen.fd = fd;
	return seed_step(fd, &k);
}

static const uint8_t none[SEED_OCTETS];

int main(void)
{
	uint8_t first[SEED_OCTETS], next[SEED_OCTETS];
	int fd = memfd_create("seed", MFD_ALLOW_SEALING);

	/* No disk; then an empty file: nothing to use, but one for the next time. */
	CHECK(!step(-1, false) && seen.waits == 1 && !seen.mixed);
	CHECK(!step(fd, false) && seen.waits == 1 && !seen.mixed);
	CHECK(pread(fd, first, sizeof first, 0) == sizeof first &&
	      memcmp(first, none, sizeof none) != 0);
	/* A kernel without entropy: used up on the disk before the kernel has it, a new one when it is ready. */
	CHECK(step(fd, false) && seen.mixed == 1 && seen.bits == 256 && seen.before_wait);
	CHECK(!memcmp(seen.seed, first, sizeof first) && !memcmp(seen.disk, none, sizeof none));
	CHECK(pread(fd, next, sizeof next, 0) == sizeof next &&
	      memcmp(next, none, sizeof none) != 0 && memcmp(next, first, sizeof next) != 0);
	/* A kernel that has enough: the new one takes the old one's place first. */
	CHECK(step(fd, true) && seen.mixed == 1 && !memcmp(seen.seed, next, sizeof next));
	CHECK(memcmp(seen.disk, next, sizeof next) != 0 &&
	      memcmp(seen.disk, none, sizeof none) != 0);
	CHECK(pread(fd, next, sizeof next, 0) == sizeof next &&
	      !memcmp(seen.disk, next, sizeof next));
	/* One that was used up, and one that is cut, are no seeds. */
	CHECK(pwrite(fd, none, sizeof none, 0) == sizeof none && !step(fd, true) &&
	      !seen.mixed);
	CHECK(ftruncate(fd, SEED_OCTETS - 1) == 0 && !step(fd, true) && !seen.mixed);
	/* A disk that cannot be written: mixed in, worth nothing, for the same seed may come again. */
	CHECK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) == 0);
	CHECK(step(fd, false) && seen.bits == 0 && seen.waits == 1);
	CHECK(step(fd, true) && seen.bits == 0);
	close(fd);
	TEST_END();
}
