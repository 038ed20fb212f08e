/* SPDX-License-Identifier: ISC */
#include "smtpd/queue/account.h"

#include "smtpd/lib/arena.h"

static void account_begin(struct account *a, uint64_t key)
{
	*a = (struct account){ .key = key };
	link_init(&a->turn);
	link_init(&a->lanes);
}

void accounts_init(struct accounts *t)
{
	*t = (struct accounts){ .all = arena_reserve(ACCOUNTS * sizeof *t->all), .used = 1 };
	account_begin(&t->all[0], 0);
}

struct account *account_find(struct accounts *t, uint64_t key)
{
	struct account *a = t->bucket[key % ACCOUNT_BUCKETS];

	while (a && a->key != key)
		a = a->chain;
	return a;
}

struct account *account_get(struct accounts *t, uint64_t key)
{
	struct account *a = account_find(t, key), **b = &t->bucket[key % ACCOUNT_BUCKETS];

	if (a)
		return a;
	if (t->free) {
		a = t->free;
		t->free = a->chain;
	} else if (t->used < ACCOUNTS) {
		a = &t->all[t->used++];
	} else {
		return &t->all[0];
	}
	account_begin(a, key);
	a->chain = *b;
	*b = a;
	return a;
}

static void settle(struct accounts *t, struct account *a)
{
	struct account **p = &t->bucket[a->key % ACCOUNT_BUCKETS];

	if (a->letters || a->active || a == &t->all[0])
		return;
	while (*p != a)
		p = &(*p)->chain;
	*p = a->chain;
	a->chain = t->free;
	t->free = a;
}

void account_letter(struct accounts *t, struct account *a, int sign, uint64_t octets)
{
	a->letters += (uint32_t)sign;
	a->octets += sign > 0 ? octets : -octets;
	settle(t, a);
}

void account_active(struct accounts *t, struct account *a, int sign)
{
	a->active += (uint32_t)sign;
	settle(t, a);
}
