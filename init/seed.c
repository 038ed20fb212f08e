/* SPDX-License-Identifier: ISC */
#include "init/seed.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <unistd.h>

#include "init/say.h"

static const uint8_t used_up[SEED_OCTETS];

static bool put(int fd, const uint8_t seed[SEED_OCTETS])
{
	return pwrite(fd, seed, SEED_OCTETS, 0) == SEED_OCTETS && fsync(fd) == 0;
}

static bool put_new(int fd)
{
	uint8_t seed[SEED_OCTETS];
	bool ok = getrandom(seed, sizeof seed, 0) == sizeof seed && put(fd, seed);

	explicit_bzero(seed, sizeof seed);
	return ok;
}

bool seed_step(int fd, const struct seed_kernel *k)
{
	uint8_t old[SEED_OCTETS];
	bool had = fd >= 0 && pread(fd, old, sizeof old, 0) == sizeof old &&
		   memcmp(old, used_up, sizeof old) != 0;
	bool replaced = fd >= 0 && (k->ready ? put_new(fd) : had && put(fd, used_up));

	if (had)
		k->mix(old, replaced ? 8 * SEED_OCTETS : 0);
	explicit_bzero(old, sizeof old);
	k->wait();
	if (fd >= 0 && !k->ready)
		replaced = put_new(fd);
	if (fd >= 0 && !replaced)
		say_errno("ev=seed");
	return had;
}

static void mix(const uint8_t seed[SEED_OCTETS], int bits)
{
	/* struct rand_pool_info: bits, octets, and these */
	uint32_t m[2 + SEED_OCTETS / 4] = { (uint32_t)bits, SEED_OCTETS };
	int fd = open("/dev/urandom", O_WRONLY | O_CLOEXEC);

	memcpy(m + 2, seed, SEED_OCTETS);
	if (fd < 0 || ioctl(fd, RNDADDENTROPY, m) != 0)
		say_errno("ev=seed");
	explicit_bzero(m, sizeof m);
	if (fd >= 0)
		close(fd);
}

static void wait_until_ready(void)
{
	char c;

	while (getrandom(&c, 1, 0) != 1)
		if (errno != EINTR) {
			say_errno("ev=entropy");
			return;
		}
}

bool seed_ready(void)
{
	char c;

	return getrandom(&c, 1, GRND_NONBLOCK) == 1;
}

void seed_boot(void)
{
	struct seed_kernel k = { seed_ready(), mix, wait_until_ready };
	int fd = open("/keys/a/seed", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	say("ev=seed used=%s ready=%s", seed_step(fd, &k) ? "yes" : "no",
	    k.ready ? "before" : "after");
	if (fd >= 0)
		close(fd);
}
