/* SPDX-License-Identifier: ISC */
#ifndef INIT_SEED_H
#define INIT_SEED_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Randomness that outlives a restart: 32 octets on the keys' disk. No seed is used twice: it is replaced there, and
 * flushed, before the kernel gets it, and it counts as entropy only when that went well. A seed is only ever made by a
 * kernel that had enough itself; what is all zero was used up.
 */
enum { SEED_OCTETS = 32 };

/* The kernel gives out random numbers now. */
bool seed_ready(void);
/* Uses the seed of the keys' disk, waits until the kernel is ready, leaves a new one. */
void seed_boot(void);

/* The step behind it; fd -1: no file. ready: as seed_ready() says; mix() hands the seed to the kernel, worth so many
 * bits; wait() returns when the kernel is ready. */
struct seed_kernel {
	bool ready;
	void (*mix)(const uint8_t seed[SEED_OCTETS], int bits);
	void (*wait)(void);
};
/* True: there was a seed, and it was used. */
bool seed_step(int fd, const struct seed_kernel *k);

#endif
