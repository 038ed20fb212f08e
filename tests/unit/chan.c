/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "smtpd/lib/chan.h"

#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "smtpd/lib/memfd.h"
#include "tests/unit/test.h"

enum { ASKER = 3, CREDIT = 2, ECHO = 1, LETTER, SILENT, WIDE, STRANGE, TYPES };

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
	int accused, worked, wired, ran;
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

static void on_any(void *ctx, struct call *c)
{
	(void)ctx;
	t.ran++;
	chan_fail(&c->token);
}

static const struct rule rules[TYPES] = {
	[ECHO] = { 1u << ASKER, sizeof(struct echo), 16, 0, on_echo },
	[LETTER] = { 1u << ASKER, sizeof(struct msg), 0, 2, on_letter },
	[SILENT] = { 1u << ASKER, sizeof(struct msg), 0, 0, on_silent },
	[WIDE] = { 1u << ASKER, sizeof(struct msg), MSG_MAX, 0, on_any },
	[STRANGE] = { ~(1u << ASKER), sizeof(struct msg), 0, 0, on_any },
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
	CHECK(!chan_wired(&t.asker));
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
	e.h.status = 0;
	e.h.type = STRANGE; /* its row is for others */
	breach(&e, sizeof(struct msg));
	CHECK_EQ(t.ran, 0);
}

/* One octet over the limit: what is left of it would have been a good message. */
static void test_too_long(void)
{
	static uint8_t big[MSG_MAX + 1];
	struct msg m = { .type = WIDE, .id = 1 };

	start();
	memcpy(big, &m, sizeof m);
	breach(big, sizeof big);
	CHECK_EQ(t.ran, 0);
}

/* The answerer's wire with its far end in the test's hands. */
static int raw_answerer(void)
{
	int fd[2];

	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fd) == 0);
	chan_wire(&t.answerer, fd[0], 7);
	CHECK(chan_wired(&t.answerer));
	return fd[1];
}

static void test_over_credit(void)
{
	struct msg m = { .type = SILENT };
	int far;

	start();
	far = raw_answerer();
	for (uint32_t i = 0; i <= CREDIT; i++) {
		CHECK_EQ(t.accused, 0);
		m.id = i;
		CHECK(send(far, &m, sizeof m, 0) == sizeof m);
		loop_round(&t.loop);
	}
	CHECK_EQ(t.accused, 1);
	CHECK(!chan_wired(&t.answerer));
	close(far);
}

/* A requester that never reads its replies fills its own wire: it is to blame, nobody else. */
static void test_deaf(void)
{
	struct echo e = { .h = { .type = ECHO } };
	int far;

	start();
	far = raw_answerer();
	for (int i = 0; i < 100000 && !t.accused; i++) {
		e.h.id++;
		if (send(far, &e, sizeof e, 0) != sizeof e)
			break;
		loop_round(&t.loop);
	}
	CHECK_EQ(t.accused, 1);
	CHECK(!chan_wired(&t.answerer));
	close(far);
}

static void send_fds(int far, const void *p, size_t n, const int *fd, unsigned nfd)
{
	union {
		struct cmsghdr align;
		uint8_t b[CMSG_SPACE(4 * sizeof(int))];
	} ctl = { 0 };
	struct iovec iov = { (void *)(uintptr_t)p, n };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = ctl.b,
			    .msg_controllen = CMSG_SPACE(nfd * sizeof(int)) };

	ctl.align.cmsg_level = SOL_SOCKET;
	ctl.align.cmsg_type = SCM_RIGHTS;
	ctl.align.cmsg_len = CMSG_LEN(nfd * sizeof(int));
	memcpy(CMSG_DATA(&ctl.align), fd, nfd * sizeof(int));
	CHECK(sendmsg(far, &m, 0) == (ssize_t)n);
}

/* Descriptors where none belong, or too many: accused, and none of them stays open. */
static void test_stray_descriptors(void)
{
	static const struct {
		uint16_t type;
		unsigned nfd;
	} rows[] = { { ECHO, 1 }, { LETTER, 1 }, { STRANGE, 2 } };
	struct echo e = { .value = 0 };
	uint8_t byte;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		size_t n = rows[i].type == ECHO ? sizeof e : sizeof e.h;
		int end[2], pass[4], far;

		start();
		far = raw_answerer();
		CHECK(pipe2(end, O_NONBLOCK) == 0);
		pass[0] = pass[1] = end[1];
		e.h.type = rows[i].type;
		send_fds(far, &e, n, pass, rows[i].nfd);
		close(end[1]);
		loop_round(&t.loop);
		CHECK_EQ(t.accused, 1);
		CHECK_EQ(read(end[0], &byte, 1), 0);
		close(end[0]);
		close(far);
	}
}

/* No room for its descriptors here: that request fails, the requester is not to blame. */
static void test_no_room_for_descriptors(void)
{
	struct msg m = { .type = LETTER, .id = 9 };
	struct rlimit was, none;
	int far, pass[2];

	start();
	far = raw_answerer();
	pass[0] = pass[1] = memfd_make("a");
	send_fds(far, &m, sizeof m, pass, 2);
	CHECK(getrlimit(RLIMIT_NOFILE, &was) == 0);
	none = was;
	none.rlim_cur = (rlim_t)pass[0];
	CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
	loop_round(&t.loop);
	CHECK(setrlimit(RLIMIT_NOFILE, &was) == 0);
	CHECK_EQ(t.accused, 0);
	CHECK_EQ(recv(far, &m, sizeof m, 0), sizeof m);
	CHECK_EQ(m.status, MSG_FAILED);
	CHECK_EQ(m.id, 9);
	memfd_close(&pass[0]);
	close(far);
}

/* ---- replies that break the law ---- */

struct answer { /* what the far end says to an echo */
	const char *what;
	int id, type, status; /* added to what would be right */
	size_t size;	      /* whole message */
	bool fd, accused;
};

/* The asker's wire with its far end in the test's hands and one echo outstanding; its header. */
static int raw_asker(struct ask *a, struct echo *req)
{
	int fd[2];

	start();
	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fd) == 0);
	chan_wire(&t.asker, fd[0], 7);
	CHECK(ask_echo(a, 1, SLICE("")));
	CHECK_EQ(recv(fd[1], req, sizeof *req, 0), sizeof *req);
	return fd[1];
}

static void say(int far, const struct answer *row, const struct echo *req)
{
	uint8_t out[64] = { 0 };
	struct echo r = *req;
	int null = STDERR_FILENO;

	r.h.id += (uint32_t)row->id;
	r.h.type = (uint16_t)(r.h.type + row->type);
	r.h.status = (uint16_t)row->status;
	memcpy(out, &r, sizeof r);
	if (row->fd)
		send_fds(far, out, row->size, &null, 1);
	else
		CHECK_EQ(send(far, out, row->size, 0), row->size);
}

static void test_replies(void)
{
	static const struct answer rows[] = {
		{ "good", 0, 0, MSG_OK, sizeof(struct echo) + 8, false, false },
		{ "failed", 0, 0, MSG_FAILED, sizeof(struct msg), false, false },
		{ "tail too long", 0, 0, MSG_OK, sizeof(struct echo) + 9, false, true },
		{ "too short", 0, 0, MSG_OK, sizeof(struct echo) - 1, false, true },
		{ "header cut", 0, 0, MSG_OK, sizeof(struct msg) - 1, false, true },
		{ "descriptor", 0, 0, MSG_OK, sizeof(struct echo), true, true },
		{ "another type", 0, 1, MSG_OK, sizeof(struct echo), false, true },
		{ "failed, another type", 0, 1, MSG_FAILED, sizeof(struct msg), false, true },
		{ "failed with a body", 0, 0, MSG_FAILED, sizeof(struct echo), false, true },
		{ "no such status", 0, 0, 2, sizeof(struct echo), false, true },
		{ "slot is not open", 1, 0, MSG_OK, sizeof(struct echo), false, true },
		{ "no such slot", CREDIT, 0, MSG_OK, sizeof(struct echo), false, true },
		{ "another time", 1024, 0, MSG_OK, sizeof(struct echo), false, true },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct ask a = { 0 };
		struct echo req;
		int far = raw_asker(&a, &req);

		/* Behind the last slot the page goes on. */
		t.asker.slot[CREDIT] =
			(struct chan_slot){ .id = req.h.id + CREDIT, .open = true };
		say(far, &rows[i], &req);
		until_calls(1);
		CHECK_ROW(t.accused == rows[i].accused, rows[i].what);
		CHECK_ROW(chan_wired(&t.asker) == !rows[i].accused, rows[i].what);
		CHECK_ROW(seen.failures == (i > 0), rows[i].what);
		if (!rows[i].accused) { /* the same once more */
			say(far, &rows[i], &req);
			loop_round(&t.loop);
			CHECK_ROW(t.accused == 1 && !chan_wired(&t.asker), rows[i].what);
			CHECK_EQ(seen.calls, 1);
		}
		close(far);
	}
}

/* The same law for the one caller that waits. */
static void test_wait_replies(void)
{
	static const struct answer rows[] = {
		{ "good", 0, 0, MSG_OK, sizeof(struct echo) + 3, false, false },
		{ "tail too long", 0, 0, MSG_OK, sizeof(struct echo) + 9, false, true },
		{ "too short", 0, 0, MSG_OK, sizeof(struct echo) - 1, false, true },
		{ "another type", 0, 1, MSG_OK, sizeof(struct echo), false, true },
		{ "failed", 0, 0, MSG_FAILED, sizeof(struct echo), false, true },
		{ "another id", 1, 0, MSG_OK, sizeof(struct echo), false, true },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct ask a = { 0 };
		struct echo req, r;
		uint8_t tail_bytes[16];
		struct buf tail = BUF(tail_bytes);
		int far = raw_asker(&a, &req);

		req.h.id += 1024 + 1; /* that of the next request: it is answered before */
		say(far, &rows[i], &req);
		CHECK_ROW(chan_ask_wait(&t.asker, &(struct echo){ .value = 1 }, sizeof r,
					SLICE(""), &want_echo, &r, &tail,
					1000) == !rows[i].accused,
			  rows[i].what);
		if (i == 0)
			CHECK_EQ(tail.len, 3);
		if (rows[i].id)
			CHECK(t.accused == 1 && !chan_wired(&t.asker));
		close(far);
	}
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
	test_too_long();
	test_over_credit();
	test_deaf();
	test_stray_descriptors();
	test_no_room_for_descriptors();
	test_replies();
	test_wait_replies();
	test_wait();
	TEST_END();
}
