/* SPDX-License-Identifier: ISC */
/* Plays init for a program under test, in one process: CTL_START with grants, a wire for each channel, and the far ends
 * in the test's hands. The sandbox is not closed (sanitizers need more calls than the program). */
#ifndef TESTS_UNIT_WIRES_H
#define TESTS_UNIT_WIRES_H

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "init/ctl.h"
#include "smtpd/lib/memfd.h"
#include "smtpd/lib/proc.h"

static int wires_far[CH_MAX]; /* the test's ends; -1 = not a channel of this process */
static int wires_control = -1;
static void (*wires_meanwhile)(void); /* in each round of wires_get(); NULL: nothing */

static const struct {
	uint8_t asks, answers;
} wires_rows[] = {
#define CHAN(requester, answerer, credit) { P_##requester, P_##answerer },
#include "init/topology.def"
};

/* A sealed memfd that holds s. */
static inline int wires_sealed(struct slice s)
{
	int fd = memfd_make("t");

	if (!memfd_append(fd, 0, s) || !memfd_seal(fd))
		abort();
	return fd;
}

static inline void wires_send(const void *msg, size_t n, const int *fd, unsigned nfd)
{
	union {
		struct cmsghdr align;
		uint8_t b[CMSG_SPACE(CTL_FDS_MAX * sizeof(int))];
	} ctl = { 0 };
	struct iovec iov = { (void *)(uintptr_t)msg, n };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (nfd) {
		m.msg_control = ctl.b;
		m.msg_controllen = CMSG_SPACE(nfd * sizeof(int));
		ctl.align.cmsg_level = SOL_SOCKET;
		ctl.align.cmsg_type = SCM_RIGHTS;
		ctl.align.cmsg_len = CMSG_LEN(nfd * sizeof(int));
		memcpy(CMSG_DATA(&ctl.align), fd, nfd * sizeof(int));
	}
	if (sendmsg(wires_control, &m, 0) != (ssize_t)n)
		abort();
}

/* Before proc_start(): descriptor 3 becomes the control channel, CTL_START waits in it. The first thing a test does,
 * before another file takes that number. */
static inline void wires_reserve(void)
{
	if (fcntl(CTL_FD, F_GETFD) < 0 && dup2(STDERR_FILENO, CTL_FD) != CTL_FD)
		abort();
}

static inline void wires_start(enum proc_id me, uint32_t flags, const uint8_t *grant_key,
			       const int *grant, unsigned ngrant)
{
	struct ctl_start m = { .type = CTL_START,
			       .proc = me,
			       .flags = flags,
			       .nfd = ngrant,
			       .build_id = BUILD_ID };
	int fd[2];

	if (grant_key)
		memcpy(m.grant_key, grant_key, sizeof m.grant_key);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fd) != 0)
		abort();
	wires_control = fcntl(fd[1], F_DUPFD, 200);
	fd[0] = fcntl(fd[0], F_DUPFD, 200);
	if (dup2(fd[0], CTL_FD) != CTL_FD)
		abort();
	wires_send(&m, sizeof m, grant, ngrant);
}

/* After proc_start(): a new wire for one channel, as after a restart of the peer. */
static inline void wires_renew(struct proc *p, enum chan_id id, uint32_t generation)
{
	int fd[2];

	for (size_t i = 0; i < p->nchan; i++) {
		if (p->chan_id[i] != id)
			continue;
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fd) != 0)
			abort();
		if (wires_far[id] > 0)
			close(wires_far[id]);
		wires_far[id] = fd[1];
		chan_wire(&p->chan[i], fd[0], generation);
	}
}

static inline void wires_connect(struct proc *p)
{
	for (size_t id = 0; id < CH_MAX; id++)
		wires_far[id] = -1;
	for (size_t id = 0; id < CH_MAX; id++)
		if (wires_rows[id].asks == p->me || wires_rows[id].answers == p->me)
			wires_renew(p, id, 1);
}

/* From the far end of a channel. fd: up to two descriptors, -1 = none. */
static inline void wires_put(enum chan_id id, const void *msg, size_t n, struct slice tail,
			     int fd0, int fd1)
{
	union {
		struct cmsghdr align;
		uint8_t b[CMSG_SPACE(2 * sizeof(int))];
	} ctl = { 0 };
	struct iovec iov[2] = { { (void *)(uintptr_t)msg, n },
				{ (void *)(uintptr_t)tail.p, tail.n } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };
	int fd[2] = { fd0, fd1 };

	if (fd0 >= 0) {
		m.msg_control = ctl.b;
		m.msg_controllen = CMSG_SPACE(sizeof fd);
		ctl.align.cmsg_level = SOL_SOCKET;
		ctl.align.cmsg_type = SCM_RIGHTS;
		ctl.align.cmsg_len = CMSG_LEN(sizeof fd);
		memcpy(CMSG_DATA(&ctl.align), fd, sizeof fd);
	}
	if (sendmsg(wires_far[id], &m, 0) < 0)
		abort();
}

static inline void wires_tick(struct watch *w, short got)
{
	(void)got;
	w->due = LOOP_NEVER;
}

/* The next message at the far end; 0 when there is none within `rounds` rounds of the loop. fd may be NULL. */
static inline size_t wires_get(struct proc *p, enum chan_id id, void *msg, size_t cap, int *fd,
			       int rounds)
{
	struct watch tick = { .fd = -1, .ready = wires_tick }; /* or the loop waits for ever */
	union {
		struct cmsghdr align;
		uint8_t b[CMSG_SPACE(2 * sizeof(int))];
	} ctl;
	struct iovec iov = { msg, cap };

	for (int i = 0;; i++) {
		struct msghdr m = { .msg_iov = &iov,
				    .msg_iovlen = 1,
				    .msg_control = ctl.b,
				    .msg_controllen = sizeof ctl.b };
		ssize_t n = recvmsg(wires_far[id], &m, MSG_DONTWAIT);

		if (n > 0) {
			if (fd && CMSG_FIRSTHDR(&m))
				memcpy(fd, CMSG_DATA(&ctl.align), 2 * sizeof(int));
			return (size_t)n;
		}
		if (i == rounds)
			return 0;
		if (wires_meanwhile)
			wires_meanwhile();
		tick.due = loop_clock() + 5;
		loop_add(&p->loop, &tick);
		loop_round(&p->loop);
		loop_drop(&p->loop, &tick);
	}
}

#endif
