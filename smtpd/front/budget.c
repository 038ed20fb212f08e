/* SPDX-License-Identifier: ISC */
#include "smtpd/front/budget.h"

#include "smtpd/lib/log.h"

uint64_t budget_room(const struct budget *b)
{
	return b->cap - b->used;
}

bool budget_raise(struct budget *b, uint64_t *held, uint64_t need)
{
	if (need <= *held)
		return true;
	if (need - *held > budget_room(b))
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
