/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_FRONT_CRASHED_H
#define SMTPD_FRONT_CRASHED_H

#include "smtpd/lib/bytes.h"

/*
 * Letters that were inside a process when it died, by fingerprint. Once may be bad luck of a
 * bystander; a letter that is inside a second time is refused from then on without being shown.
 */
enum { CRASHED_MAX = 256, CRASHED_PRINT = 32 };

enum crashed_state { CRASHED_NOT, CRASHED_ONCE, CRASHED_POISON };

struct crashed {
	uint8_t key[CRASHED_PRINT]; /* of this life; nobody can choose a letter's place */
	struct {
		uint8_t print[CRASHED_PRINT];
		uint8_t state; /* enum crashed_state; CRASHED_NOT: free */
	} row[CRASHED_MAX];
	unsigned used;
};

void crashed_init(struct crashed *c);
/* Fingerprint of a letter: sender and text, read back from its memfd. False: it cannot be read. */
bool crashed_print(const struct crashed *c, struct slice sender, int text, uint64_t size,
		   uint8_t print[CRASHED_PRINT]);
enum crashed_state crashed_find(const struct crashed *c, const uint8_t print[CRASHED_PRINT]);
/* It was inside at a crash: CRASHED_ONCE the first time, CRASHED_POISON after that. A full table
 * gives up another letter. */
enum crashed_state crashed_note(struct crashed *c, const uint8_t print[CRASHED_PRINT]);
/* It went through: no poison. */
void crashed_forget(struct crashed *c, const uint8_t print[CRASHED_PRINT]);

#endif
