/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "init/log/taps.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/test.h"

static struct proc p;
static struct taps t;
static int writer[P_MAX], console[2], screen[2];

static void say(enum proc_id id, const char *line)
{
	CHECK(write(writer[id], line, strlen(line)) == (ssize_t)strlen(line));
}

/* On both consoles the same. */
static struct slice printed(void)
{
	static uint8_t text[4 * TAPS_LINE], second[4 * TAPS_LINE];
	ssize_t n = read(console[0], text, sizeof text);

	CHECK(read(screen[0], second, sizeof second) == n);
	CHECK(n <= 0 || memcmp(text, second, (size_t)n) == 0);
	return (struct slice){ text, n > 0 ? (size_t)n : 0 };
}

static void start(void)
{
	loop_init(&p.loop, P_MAX);
	CHECK(pipe2(console, O_NONBLOCK) == 0 && pipe2(screen, O_NONBLOCK) == 0);
	p.grant[GRANT_CONSOLE] = console[1];
	p.grant[GRANT_SCREEN] = screen[1];
	for (int i = 0; i < P_MAX; i++) {
		int fd[2];

		CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd) == 0);
		p.taps[i] = fd[0];
		writer[i] = fd[1];
	}
	taps_init(&t, &p);
}

/* Who writes too much is cut off, the others are not, and how much that was is said. */
static void limits(void)
{
	struct tap *dns = &t.tap[P_DNS];

	dns->watch.due = 0;
	loop_round(&p.loop);
	dns->credit = 2000;
	dns->since = p.loop.now = INT64_MAX / 4 / TAPS_RATE;
	for (int i = 0; i < 5; i++)
		say(P_DNS, "ev=flood");
	say(P_QUEUE, "ev=calm");
	taps_drain(&t);
	CHECK_SLICE(printed(), "dns: ev=flood\ndns: ev=flood\nqueue: ev=calm\n");
	CHECK_EQ(dns->lost, 3);
	/* The next line that is allowed is behind the count; what is not spent has a bound. */
	p.loop.now += 1;
	dns->credit = 1000;
	say(P_DNS, "ev=next");
	taps_drain(&t);
	CHECK_SLICE(printed(), "log: ev=dropped proc=dns lines=3\ndns: ev=next\n");
	p.loop.now += 3600 * 1000;
	say(P_DNS, "ev=late");
	taps_drain(&t);
	CHECK_SLICE(printed(), "dns: ev=late\n");
	CHECK_EQ(dns->credit, (TAPS_BURST - 1) * 1000ll);
	/* Or it is said by itself when the process has fallen silent. */
	dns->credit = 0;
	dns->since = p.loop.now;
	say(P_DNS, "ev=last");
	taps_drain(&t);
	CHECK_EQ(printed().n, 0);
	p.loop.now += 1000;
	taps_drain(&t);
	CHECK_SLICE(printed(), "log: ev=dropped proc=dns lines=1\n");
}

static char heard[256];

static void also(void *ctx, struct slice name, struct slice line)
{
	CHECK(ctx == &t);
	snprintf(heard, sizeof heard, "%.*s|%.*s", (int)name.n, (const char *)name.p,
		 (int)line.n, (const char *)line.p);
}

/* What is printed goes elsewhere, too; what init printed itself is not printed again. Nobody else speaks for init. */
static void elsewhere(void)
{
	t.also = also;
	t.ctx = &t;
	say(P_QUEUE, "ev=x");
	taps_drain(&t);
	CHECK_SLICE(printed(), "queue: ev=x\n");
	CHECK(!strcmp(heard, "queue|ev=x"));
	say(P_LOG, "init: ev=died");
	taps_drain(&t);
	CHECK_EQ(printed().n, 0);
	CHECK(!strcmp(heard, "init|ev=died"));
	say(P_DNS, "init: ev=died");
	taps_drain(&t);
	CHECK_SLICE(printed(), "dns: init: ev=died\n");
	CHECK(!strcmp(heard, "dns|init: ev=died"));
	t.tap[P_DNS].credit = 0;
	t.tap[P_DNS].since = p.loop.now;
	say(P_DNS, "ev=flood");
	taps_drain(&t);
	CHECK(!strcmp(heard, "dns|init: ev=died"));
}

int main(void)
{
	start();
	/* What is there is taken together, */
	say(P_DNS, "ev=a");
	say(P_DNS, "ev=b");
	loop_round(&p.loop);
	CHECK_SLICE(printed(), "dns: ev=a\ndns: ev=b\n");
	/* what comes next after a pause, without asking; others are heard at once. */
	CHECK(t.tap[P_DNS].watch.want == 0 && t.tap[P_DNS].watch.due != LOOP_NEVER);
	t.tap[P_DNS].watch.due = LOOP_NEVER - 1;
	say(P_DNS, "ev=c");
	say(P_DNS, "ev=d");
	say(P_QUEUE, "ev=e");
	loop_round(&p.loop);
	CHECK_SLICE(printed(), "queue: ev=e\n");
	t.tap[P_DNS].watch.due = 0;
	loop_round(&p.loop);
	CHECK_SLICE(printed(), "dns: ev=c\ndns: ev=d\n");
	/* Silence leads back to listening. */
	t.tap[P_DNS].watch.due = 0;
	loop_round(&p.loop);
	CHECK(t.tap[P_DNS].watch.want == POLLIN && t.tap[P_DNS].watch.due == LOOP_NEVER);
	/* The last words of all. */
	printed();
	say(P_DNS, "ev=f");
	say(P_QUEUE, "ev=g");
	taps_drain(&t);
	CHECK_SLICE(printed(), "dns: ev=f\nqueue: ev=g\n");
	limits();
	elsewhere();
	TEST_END();
}
