/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_FRONT_BUDGET_H
#define SMTPD_FRONT_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

/* The octets of letters that may be in flight at one time: memory is one budget. */
struct budget {
	uint64_t cap, used;
};

uint64_t budget_room(const struct budget *b); /* octets that are not held */
/* Raises what a letter holds to at least `need`. False: over the budget, nothing changed. */
bool budget_raise(struct budget *b, uint64_t *held, uint64_t need);
void budget_give(struct budget *b, uint64_t *held); /* all of it */

#endif
