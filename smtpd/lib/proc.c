/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "smtpd/lib/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "smtpd/lib/log.h"
#include "smtpd/lib/owner.h"
#include "smtpd/lib/sandbox.h"

static const struct {
	const char *name;
	enum program program;
} procs[] = {
#define PROC(id, name, program, ...) [P_##id] = { name, PROG_##program },
#include "init/topology.def"
};

static const struct {
	uint8_t asks, answers;
	uint16_t credit;
} chans[] = {
#define CHAN(requester, answerer, credit) \
	[CH_##requester##_##answerer] = { P_##requester, P_##answerer, credit },
#include "init/topology.def"
};

static const struct {
	uint8_t proc, kind;
} grants[] = {
#define GRANT(process, what) { P_##process, GRANT_##what },
#include "init/topology.def"
};

_Static_assert(sizeof chans / sizeof *chans == CH_MAX, "row missing");

const char *proc_name(enum proc_id id)
{
	return id < P_MAX ? procs[id].name : "?";
}

static void note(uint32_t type, uint32_t chan)
{
	struct ctl_note n = { .type = type, .chan = chan };

	if (write(CTL_FD, &n, sizeof n) != sizeof n)
		_exit(0); /* init is gone, and we with it */
}

void proc_note(enum ctl_type type)
{
	note(type, 0);
}

static void on_accuse(struct chan *c)
{
	struct proc *p = c->owner;

	log_event("accuse", "peer", proc_name(c->peer));
	note(CTL_ACCUSE, p->chan_id[c - p->chan]);
}

static void on_worked(struct chan *c)
{
	struct proc *p = c->owner;

	if (!p->worked)
		proc_note(CTL_WORKED);
	p->worked = true;
}

/* One control message with its descriptors; nfd in: room, out: received. */
static ssize_t ctl_receive(void *msg, size_t cap, int *fd, unsigned *nfd, int flags)
{
	struct iovec iov = { msg, cap };
	union {
		struct cmsghdr align;
		uint8_t b[CMSG_SPACE(CTL_FDS_MAX * sizeof(int))];
	} ctl;
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = ctl.b,
			    .msg_controllen = sizeof ctl.b };
	struct cmsghdr *h;
	unsigned room = *nfd;
	ssize_t n;

	do
		n = recvmsg(CTL_FD, &m, MSG_CMSG_CLOEXEC | flags);
	while (n < 0 && errno == EINTR);
	*nfd = 0;
	h = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;
	if (h && h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS) {
		*nfd = (unsigned)((h->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		if (*nfd > room)
			bug("control: too many descriptors");
		memcpy(fd, CMSG_DATA(h), *nfd * sizeof(int));
	}
	return n;
}

static void on_chan(struct proc *p, const struct ctl_chan *m, int fd)
{
	for (size_t i = 0; i < p->nchan; i++)
		if (p->chan_id[i] == m->chan) {
			chan_wire(&p->chan[i], fd, m->generation);
			return;
		}
	bug("control: a channel that is not ours");
}

static void on_control(struct watch *w, short got)
{
	struct proc *p = OWNER(struct proc, control, w);
	struct ctl_chan m;
	int fd[1] = { -1 };
	unsigned nfd = 1;
	ssize_t n = ctl_receive(&m, sizeof m, fd, &nfd, MSG_DONTWAIT);

	(void)got;
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0)
		_exit(0);
	if (n == sizeof m && m.type == CTL_CHAN && nfd == 1)
		on_chan(p, &m, fd[0]);
	else if (n == sizeof(struct ctl_note) && m.type == CTL_STOP && !nfd && p->stop)
		p->stop(p);
	else if (m.type == CTL_STOP)
		_exit(0);
	else
		bug("control: message");
}

static void take_grants(struct proc *p, const int *fd, unsigned nfd)
{
	unsigned at = 0;

	for (size_t i = 0; i < GRANT_MAX; i++)
		p->grant[i] = -1;
	for (size_t i = 0; i < P_MAX; i++)
		p->taps[i] = -1;
	for (size_t i = 0; i < sizeof grants / sizeof *grants; i++) {
		if (grants[i].proc != p->me)
			continue;
		for (unsigned k = 0; grants[i].kind == GRANT_LOG_TAPS && k < P_MAX && at < nfd;
		     k++)
			p->taps[k] = fd[at++];
		if (grants[i].kind != GRANT_LOG_TAPS && at < nfd)
			p->grant[grants[i].kind] = fd[at++];
	}
	if (at != nfd)
		bug("control: grants");
}

static void make_chans(struct proc *p)
{
	for (size_t i = 0; i < CH_MAX; i++) {
		bool asks = chans[i].asks == p->me;
		struct chan *c = &p->chan[p->nchan];

		if (!asks && chans[i].answers != p->me)
			continue;
		if (p->nchan == PROC_CHANS)
			bug("too many channels");
		chan_init(c, &p->loop, asks ? chans[i].answers : chans[i].asks, chans[i].credit,
			  p->rx);
		c->owner = p;
		c->accuse = on_accuse;
		c->worked = on_worked;
		p->chan_id[p->nchan++] = (uint8_t)i;
	}
}

void proc_start(struct proc *p, enum program prog, size_t watches)
{
	struct ctl_start m;
	int fd[CTL_FDS_MAX];
	unsigned nfd = CTL_FDS_MAX;
	static const char build_id[CTL_BUILD_ID] = BUILD_ID;

	if (ctl_receive(&m, sizeof m, fd, &nfd, 0) != sizeof m || m.type != CTL_START ||
	    m.proc >= P_MAX)
		bug("control: no start");
	if (memcmp(m.build_id, build_id, sizeof build_id) != 0)
		bug("control: another build");
	if (procs[m.proc].program != prog || m.nfd != nfd)
		bug("control: not for this program");
	p->me = (enum proc_id)m.proc;
	p->flags = m.flags;
	memcpy(p->grant_key, m.grant_key, sizeof p->grant_key);
	explicit_bzero(&m, sizeof m);
	take_grants(p, fd, nfd);
	loop_init(&p->loop, watches + PROC_CHANS + 1);
	make_chans(p);
}

struct chan *proc_chan(struct proc *p, enum program to)
{
	for (size_t i = 0; i < p->nchan; i++)
		if (chans[p->chan_id[i]].asks == p->me &&
		    procs[chans[p->chan_id[i]].answers].program == to)
			return &p->chan[i];
	bug("no such channel");
}

struct chan *proc_chan_to(struct proc *p, enum proc_id to)
{
	for (size_t i = 0; i < p->nchan; i++)
		if (chans[p->chan_id[i]].asks == p->me && chans[p->chan_id[i]].answers == to)
			return &p->chan[i];
	bug("no such channel");
}

void proc_serve(struct proc *p, const struct rule *rules, size_t n, void *ctx)
{
	for (size_t i = 0; i < p->nchan; i++) {
		if (chans[p->chan_id[i]].answers != p->me)
			continue;
		p->chan[i].rules = rules;
		p->chan[i].nrules = n;
		p->chan[i].ctx = ctx;
	}
}

void proc_seal(struct proc *p)
{
	p->control = (struct watch){
		.fd = CTL_FD, .want = POLLIN, .due = LOOP_NEVER, .ready = on_control
	};
	loop_add(&p->loop, &p->control);
	sandbox_close(procs[p->me].program);
	proc_note(CTL_READY);
}
