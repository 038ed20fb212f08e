/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_LIB_LINK_H
#define SMTPD_LIB_LINK_H

#include <stdbool.h>

/* Doubly linked rings whose links lie in their owners (OWNER()). A head is a link too; a link that
 * is in no ring points to itself. */
struct link {
	struct link *prev, *next;
};

static inline void link_init(struct link *l)
{
	l->prev = l->next = l;
}

static inline bool link_empty(const struct link *head)
{
	return head->next == head;
}

/* To the end of the ring; not while l is in one. */
static inline void link_put(struct link *head, struct link *l)
{
	l->prev = head->prev;
	l->next = head;
	head->prev->next = l;
	head->prev = l;
}

static inline void link_drop(struct link *l)
{
	l->prev->next = l->next;
	l->next->prev = l->prev;
	link_init(l);
}

#endif
