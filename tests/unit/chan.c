/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "smtpd/lib/chan.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "smtpd/lib/memfd.h"
#include "tests/unit/test.h"

enum { ASKER = 3, CREDIT = 2, ECHO = 1, LETTER, SILENT, TYPES };

struct echo {
	struct msg h;
	uint64_t value;
};

static const struct want want_echo = { ECHO, sizeof(struct echo), 8 };
static const struct want want_letter = { LETTER, sizeof(struct msg), 0 };
static const struct want want_silent = { SILENT, sizeof(struct msg), 0 };

static struct {
	struct loop loop;
	struct chan asker, answerer;
	uint8_t rx[MSG_MAX], rx2[MSG_MAX];
	struct token held;
	int accused, worked, wired;
	int got_fd;
} t;

static struct { /* what the last done() saw */
	int calls, failures;
	uint64_t value;
	uint8_t tail[16];
	size_t tail_n;
} seen;

static void on_echo(void *ctx, struct call *c)
{
	const struct echo *e = c->msg;
	struct echo r = { .value = e->value + 1 };

	CHECK(ctx == &t);
	CHECK(c->from == ASKER);
	chan_answer(&c->token, &r, sizeof r, slice_head(c->tail, 8));
}

static void on_letter(void *ctx, struct call *c)
{
	struct msg m = { 0 };
	uint64_t size;

	(void)ctx;
	CHECK(memfd_check(c->fd[0], 100, &size) && size == 5);
	CHECK(!memfd_check(c->fd[1], 100, &size)); /* not sealed */
	t.got_fd = c->fd[0];
	c->fd[0] = -1; /* kept */
	chan_answer(&c->token, &m, sizeof m, (struct slice){ NULL, 0 });
}

static void on_silent(void *ctx, struct call *c)
{
	(void)ctx;
	t.held = c->token;
}

static const struct rule rules[TYPES] = {
	[ECHO] = { 1u << ASKER, sizeof(struct echo), 16, 0, on_echo },
	[LETTER] = { 1u << ASKER, sizeof(struct msg), 0, 2, on_letter },
	[SILENT] = { 1u << ASKER, sizeof(struct msg), 0, 0, on_silent },
};

static void on_done(struct ask *a, const void *reply, struct slice tail)
{
	seen.calls++;
	CHECK(a->chan == NULL);
	if (!reply) {
		seen.failures++;
		return;
	}
	if (a->want == &want_echo)
		seen.value = ((const struct echo *)reply)->value;
	seen.tail_n = tail.n;
	if (tail.n)
		memcpy(seen.tail, tail.p, tail.n);
}

static void on_accuse(struct chan *c)
{
	(void)c;
	t.accused++;
}

static void on_worked(struct chan *c)
{
	(void)c;
	t.worked++;
}

static void on_wired(struct chan *c)
{
	CHECK(chan_ready(c));
	t.wired++;
}

static void wire(uint32_t generation)
{
	int fd[2];

	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd) == 0);
	chan_wire(&t.asker, fd[0], generation);
	chan_wire(&t.answerer, fd[1], generation);
}

static void start(void)
{
	memset(&t, 0, sizeof t);
	memset(&seen, 0, sizeof seen);
	loop_init(&t.loop, 8);
	chan_init(&t.asker, &t.loop, 4, CREDIT, t.rx);
	chan_init(&t.answerer, &t.loop, ASKER, CREDIT, t.rx2);
	t.answerer.rules = rules;
	t.answerer.nrules = TYPES;
	t.answerer.ctx = &t;
	t.asker.accuse = t.answerer.accuse = on_accuse;
	t.asker.worked = on_worked;
	t.asker.wired = on_wired;
	wire(1);
}

static bool ask_echo(struct ask *a, uint64_t value, struct slice tail)
{
	struct echo e = { .value = value };

	a->done = on_done;
	return chan_ask(&t.asker, a, &e, sizeof e, tail, NULL, 0, &want_echo, 1000);
}

static void until_calls(int n)
{
	for (int i = 0; i < 50 && seen.calls < n; i++)
		loop_round(&t.loop);
	CHECK(seen.calls == n);
}

static void test_round_trip(void)
{
	struct ask a = { 0 };

	start();
	CHECK(t.wired == 1);
	CHECK(ask_echo(&a, 41, SLICE("abc")));
	until_calls(1);
	CHECK(seen.value == 42 && seen.failures == 0 && t.worked == 1);
	CHECK(seen.tail_n == 3 && memcmp(seen.tail, "abc", 3) == 0);
}

static void test_credit(void)
{
	struct ask a[3] = { { 0 } };

	start();
	CHECK(ask_echo(&a[0], 1, SLICE("")));
	CHECK(ask_echo(&a[1], 2, SLICE("")));
	CHECK(!chan_ready(&t.asker));
	CHECK(!ask_echo(&a[2], 3, SLICE("")));
	CHECK(a[2].chan == NULL);
	until_calls(2);
	CHECK(ask_echo(&a[2], 3, SLICE("")));
	until_calls(3);
}

static void test_drop(void)
{
	struct ask a = { 0 }, b = { 0 };

	start();
	CHECK(ask_echo(&a, 1, SLICE("")));
	ask_drop(&a);
	ask_drop(&a);
	CHECK(ask_echo(&b, 9, SLICE("")));
	until_calls(1);
	CHECK(seen.value == 10);
	CHECK(t.asker.open == 0);
}

static void test_descriptors(void)
{
	struct msg m = { 0 };
	struct ask a = { .done = on_done };
	int fd[2] = { memfd_make("a"), memfd_make("b") };
	uint8_t text[5];

	start();
	CHECK(memfd_append(fd[0], 0, SLICE("hello")) && memfd_seal(fd[0]));
	CHECK(!memfd_append(fd[0], 0, SLICE("x")));
	CHECK(chan_ask(&t.asker, &a, &m, sizeof m, (struct slice){ NULL, 0 }, fd, 2,
		       &want_letter, 1000));
	memfd_close(&fd[0]);
	memfd_close(&fd[1]);
	until_calls(1);
	CHECK(seen.failures == 0);
	CHECK(memfd_read(t.got_fd, 0, text, 5) && memcmp(text, "hello", 5) == 0);
	CHECK(!memfd_read(t.got_fd, 1, text, 5));
	memfd_close(&t.got_fd);
	CHECK(t.got_fd == -1);
}

static void test_restart(void)
{
	struct msg m = { 0 };
	struct ask a = { .done = on_done }, b = { 0 };

	start();
	CHECK(chan_ask(&t.asker, &a, &m, sizeof m, (struct slice){ NULL, 0 }, NULL, 0,
		       &want_silent, 100000));
	for (int i = 0; i < 5 && !t.held.chan; i++)
		loop_round(&t.loop);
	CHECK(t.held.chan == &t.answerer && seen.calls == 0);
	wire(2);
	CHECK(seen.calls == 1 && seen.failures == 1);
	chan_answer(&t.held, &m, sizeof m,
		    (struct slice){ NULL, 0 }); /* an older generation: silence */
	CHECK(ask_echo(&b, 5, SLICE("")));
	until_calls(2);
	CHECK(seen.value == 6 && t.accused == 0);
}

static void test_late(void)
{
	struct msg m = { 0 };
	struct ask a = { .done = on_done };

	start();
	CHECK(chan_ask(&t.asker, &a, &m, sizeof m, (struct slice){ NULL, 0 }, NULL, 0,
		       &want_silent, 0));
	until_calls(1);
	CHECK(seen.failures == 1);
	CHECK(t.asker.open == 1); /* the credit comes back with the answer, not before */
	while (!t.held.chan)
		loop_round(&t.loop);
	chan_fail(&t.held);
	for (int i = 0; i < 5 && t.asker.open; i++)
		loop_round(&t.loop);
	CHECK(t.asker.open == 0 && seen.calls == 1);
}

static void test_peer_death(void)
{
	struct msg m = { 0 };
	struct ask a = { .done = on_done }, b = { 0 };

	start();
	CHECK(chan_ask(&t.asker, &a, &m, sizeof m, (struct slice){ NULL, 0 }, NULL, 0,
		       &want_silent, 100000));
	close(t.answerer.watch.fd);
	loop_drop(&t.loop, &t.answerer.watch);
	t.answerer.watch.fd = -1;
	until_calls(1);
	CHECK(seen.failures == 1 && t.accused == 0);
	CHECK(!ask_echo(&b, 1, SLICE("")));
}

/* Octets that break the message law: the wire is closed and the peer accused, once. */
static void breach(const void *p, size_t n)
{
	int fd[2];
	int before = t.accused;

	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fd) == 0);
	chan_wire(&t.answerer, fd[0], 7);
	CHECK(send(fd[1], p, n, 0) == (ssize_t)n);
	loop_round(&t.loop);
	CHECK(t.accused == before + 1);
	CHECK(t.answerer.watch.fd == -1);
	close(fd[1]);
}

static void test_breaches(void)
{
	struct echo e = { .h = { .type = ECHO, .id = 1 } };
	uint8_t big[sizeof e + 17] = { 0 };

	start();
	memcpy(big, &e, sizeof e);
	breach("x", 1);		  /* shorter than a header */
	breach(&e, sizeof e - 1); /* shorter than its row */
	breach(big, sizeof big);  /* tail too long */
	e.h.type = 0;
	breach(&e, sizeof e);
	e.h.type = TYPES;
	breach(&e, sizeof e);
	e.h.type = LETTER; /* descriptors missing */
	breach(&e, sizeof(struct msg));
	e.h.type = ECHO;
	e.h.status = 1;
	breach(&e, sizeof e);
}

static void test_wait(void)
{
	struct echo e = { .value = 1 }, r;
	uint8_t tail_bytes[8];
	struct buf tail = BUF(tail_bytes);

	start();
	/* Nobody answers while we wait. */
	CHECK(!chan_ask_wait(&t.asker, &e, sizeof e, SLICE(""), &want_echo, &r, &tail, 5));
	CHECK(t.asker.open == 1);
	for (int i = 0; i < 5 && t.asker.open; i++)
		loop_round(&t.loop);
	CHECK(t.asker.open == 0);
}

int main(void)
{
	test_round_trip();
	test_credit();
	test_drop();
	test_descriptors();
	test_restart();
	test_late();
	test_peer_death();
	test_breaches();
	test_wait();
	TEST_END();
}
