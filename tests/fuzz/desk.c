/* SPDX-License-Identifier: ISC */
/* What admin asks of queue: any name, number and deed. Pages hold what they say, and fit. */
#include "smtpd/queue/desk.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static bool no_read(struct disk *d, unsigned seg, uint64_t at, uint8_t *to, size_t n)
{
	(void)d;
	(void)seg;
	(void)at;
	(void)to;
	(void)n;
	return false;
}

static struct courier *setup(void)
{
	static struct disk disk = { .read = no_read };
	static struct journal j;
	static struct courier c;
	static struct watch timer;

	if (c.j)
		return &c;
	j.disk = &disk;
	ledger_init(&j.g);
	c.j = &j;
	c.timer = &timer;
	parcels_init(&c.parcels, &j);
	sched_init(&c.sched, &j.g);
	for (uint64_t id = 3; id < 40; id += 2)
		ledger_add(&j.g, &(struct jr){ .type = JR_LETTER, .letter = id }, 0,
			   &(struct jr_letter){ .nrcpt = (uint32_t)(1 + id % 30),
						.head_size = 9 });
	return &c;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static uint8_t octets[QUEUE_PAGE];
	struct courier *c = setup();
	struct buf rows = BUF(octets);
	struct queue_page page = { .letters = 0 };
	enum queue_how how = QUEUE_HOWS;

	if (n < 3)
		return 0;
	if (p[0] % 3 == 0)
		desk_list(c, p[1], slice_head((struct slice){ p + 2, n - 2 }, QUEUE_FILTER),
			  &rows, &page);
	else if (p[0] % 3 == 1)
		desk_show(c, p[1], p[2], &rows, &page);
	else if (desk_act(c, p[1], p[2], &how) && how >= QUEUE_HOWS)
		abort();
	if (rows.bad || page.letters > 19)
		abort();
	return 0;
}
