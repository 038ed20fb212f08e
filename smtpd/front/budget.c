/* SPDX-License-Identifier: ISC */
#include "smtpd/front/budget.h"

#include "smtpd/lib/log.h"

uint64_t budget_room(const struct budget *b, uint64_t size)
{
	uint64_t limit = b->cap + (size <= b->small ? b->reserve : 0);

	return limit > b->used ? limit - b->used : 0;
}

bool budget_raise(struct budget *b, uint64_t *held, uint64_t need)
{
	if (need <= *held)
		return true;
	if (need - *held > budget_room(b, need))
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
