/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_FRONT_BUDGET_H
#define SMTPD_FRONT_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

enum { BUDGET_STEP = 64 * 1024 /* what a letter holds grows by this much */ };

/* The octets of letters that may be in flight at one time: memory is one budget. Letters of at most `small` octets may
 * use `reserve` beyond it, so that no large one keeps them out. */
struct budget {
	uint64_t cap, used, small, reserve;
};

/* Octets that a letter of this size may still take. */
uint64_t budget_room(const struct budget *b, uint64_t size);
/* Raises what a letter holds to at least `need`. False: over the budget, nothing changed. */
bool budget_raise(struct budget *b, uint64_t *held, uint64_t need);
void budget_give(struct budget *b, uint64_t *held); /* all of it */

#endif
