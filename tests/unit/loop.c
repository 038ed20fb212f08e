/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "smtpd/lib/loop.h"

#include <fcntl.h>
#include <unistd.h>

#include "tests/unit/test.h"

static struct loop loop;
static struct watch a, b, timer;
static int ran_a, ran_b, timers;

static void on_a(struct watch *w, short got)
{
	uint8_t c;

	ran_a += got & POLLIN && read(w->fd, &c, 1) == 1;
	loop_drop(&loop, &b); /* dropped in a handler: b must not run in this round any more */
}

static void on_b(struct watch *w, short got)
{
	(void)w;
	ran_b += got != 0;
}

static void on_timer(struct watch *w, short got)
{
	timers += got == 0;
	w->due = LOOP_NEVER;
}

static void test_drop_in_handler(void)
{
	int pa[2], pb[2];

	CHECK(pipe(pa) == 0 && pipe(pb) == 0);
	a = (struct watch){ .fd = pa[0], .want = POLLIN, .due = LOOP_NEVER, .ready = on_a };
	b = (struct watch){ .fd = pb[0], .want = POLLIN, .due = LOOP_NEVER, .ready = on_b };
	loop_add(&loop, &a);
	loop_add(&loop, &b);
	loop_add(&loop, &b); /* twice is once */
	CHECK_EQ(loop.n, 2);
	CHECK(write(pa[1], "x", 1) == 1 && write(pb[1], "x", 1) == 1);
	loop_round(&loop);
	CHECK_EQ(ran_a, 1);
	CHECK_EQ(ran_b, 0);
	CHECK_EQ(b.at, 0);
	/* Added again it is seen in the next round. */
	loop_drop(&loop, &a);
	loop_add(&loop, &b);
	loop_round(&loop);
	CHECK_EQ(ran_b, 1);
	CHECK_EQ(loop.n, 1);
}

static void test_timer(void)
{
	timer = (struct watch){ .fd = -1, .due = loop_clock() + 3, .ready = on_timer };
	loop_drop(&loop, &b);
	loop_add(&loop, &timer);
	for (int i = 0; i < 10 && !timers; i++)
		loop_round(&loop);
	CHECK_EQ(timers, 1);
	CHECK(loop_clock() >= loop.now);
}

static void test_no_interest(void)
{
	int p[2];

	/* want 0 on a closed pipe: a hang-up must not spin the loop, only the deadline counts. */
	CHECK(pipe(p) == 0);
	close(p[1]);
	ran_b = 0;
	b = (struct watch){ .fd = p[0], .want = 0, .due = loop_clock() + 2, .ready = on_b };
	timer.due = LOOP_NEVER;
	loop_add(&loop, &b);
	loop_round(&loop);
	CHECK_EQ(ran_b, 0);
}

int main(void)
{
	loop_init(&loop, 3);
	test_drop_in_handler();
	test_timer();
	test_no_interest();
	TEST_END();
}
