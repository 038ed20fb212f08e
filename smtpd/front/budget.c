/* SPDX-License-Identifier: ISC */
#include "smtpd/front/budget.h"

#include "smtpd/lib/log.h"

bool budget_raise(struct budget *b, uint64_t *held, uint64_t need)
{
	if (need <= *held)
		return true;
	if (need - *held > b->cap - b->used)
		return false;
	b->used += need - *held;
	*held = need;
	return true;
}

void budget_give(struct budget *b, uint64_t *held)
{
	if (*held > b->used)
		bug("letter budget");
	b->used -= *held;
	*held = 0;
}
