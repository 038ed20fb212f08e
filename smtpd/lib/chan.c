/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "smtpd/lib/chan.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "smtpd/lib/arena.h"
#include "smtpd/lib/log.h"
#include "smtpd/lib/owner.h"

/*
 * NOTES
 * Asking side: slot[i].open says that a request is out; open counts them and never exceeds credit. The id of a
 * request is its slot's index below a sequence number, so a reply finds its slot in one step and a reply that is
 * repeated, or belongs to an earlier use of the slot, does not match. Answering side: `open` counts requests
 * received and not yet answered; more than credit is a breach.
 * An ask that was dropped or is late has left its slot (owner NULL) but the slot stays open until the reply comes
 * or the wire is replaced: the peer may still be working on it.
 */

enum { ROUND_MSGS = 16 };

static void on_ready(struct watch *w, short got);

void chan_init(struct chan *c, struct loop *l, unsigned peer, uint32_t credit, uint8_t *rx)
{
	*c = (struct chan){ .loop = l, .peer = peer, .credit = credit, .rx = rx };
	c->watch = (struct watch){
		.fd = -1, .want = POLLIN, .due = LOOP_NEVER, .ready = on_ready
	};
	c->slot = arena_reserve(credit * sizeof *c->slot);
}

bool chan_wired(const struct chan *c)
{
	return c->watch.fd >= 0;
}

bool chan_ready(const struct chan *c)
{
	return chan_wired(c) && c->open < c->credit;
}

static void set_due(struct chan *c)
{
	c->watch.due = LOOP_NEVER;
	for (uint32_t i = 0; i < c->credit; i++)
		if (c->slot[i].owner && c->slot[i].owner->due < c->watch.due)
			c->watch.due = c->slot[i].owner->due;
}

static void finish(struct chan_slot *s, const void *reply, struct slice tail)
{
	struct ask *a = s->owner;

	s->owner = NULL;
	if (!a)
		return;
	a->chan = NULL;
	a->done(a, reply, tail);
}

/* Closes the wire; everything outstanding ends as temporary failure. Handlers run with no wire, so they cannot ask
 * again here. */
static void unwire(struct chan *c)
{
	if (c->watch.fd < 0)
		return;
	loop_drop(c->loop, &c->watch);
	close(c->watch.fd);
	c->watch.fd = -1;
	c->open = 0;
	for (uint32_t i = 0; i < c->credit; i++) {
		c->slot[i].open = false;
		finish(&c->slot[i], NULL, (struct slice){ NULL, 0 });
	}
	c->watch.due = LOOP_NEVER;
}

static void breach(struct chan *c)
{
	unwire(c);
	if (c->accuse)
		c->accuse(c);
}

void chan_wire(struct chan *c, int fd, uint32_t generation)
{
	unwire(c);
	c->generation = generation;
	c->watch.fd = fd;
	loop_add(c->loop, &c->watch);
	if (c->wired)
		c->wired(c);
}

/* One message out. False only when the peer is gone: buffers are sized for the credit, so a full one is our bug. */
static bool send_msg(struct chan *c, void *msg, size_t size, struct slice tail, const int *fd,
		     unsigned nfd)
{
	struct iovec iov[2] = { { msg, size }, { (void *)(uintptr_t)tail.p, tail.n } };
	union {
		struct cmsghdr align;
		uint8_t b[CMSG_SPACE(MSG_FDS * sizeof(int))];
	} ctl;
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = tail.n ? 2 : 1 };
	struct cmsghdr *h = &ctl.align;
	ssize_t n;

	if (size + tail.n > MSG_MAX)
		bug("message too long");
	if (nfd) {
		memset(&ctl, 0, sizeof ctl);
		m.msg_control = ctl.b;
		m.msg_controllen = CMSG_SPACE(nfd * sizeof(int));
		h->cmsg_level = SOL_SOCKET;
		h->cmsg_type = SCM_RIGHTS;
		h->cmsg_len = CMSG_LEN(nfd * sizeof(int));
		memcpy(CMSG_DATA(h), fd, nfd * sizeof(int));
	}
	do
		n = sendmsg(c->watch.fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return true;
	if (errno == EAGAIN && !c->rules)
		bug("channel is full");
	if (errno == EAGAIN) /* the requester reads no replies: its breach, not our bug */
		breach(c);
	return false; /* peer gone, or ETOOMANYREFS: a temporary failure of this request */
}

static struct chan_slot *take_slot(struct chan *c, struct msg *h)
{
	uint32_t i = 0;

	while (c->slot[i].open)
		i++;
	c->slot[i] = (struct chan_slot){ .id = ++c->seq << 10 | i, .open = true };
	h->id = c->slot[i].id;
	h->status = 0;
	c->open++;
	return &c->slot[i];
}

static void free_slot(struct chan *c, struct chan_slot *s)
{
	s->open = false;
	c->open--;
}

bool chan_ask(struct chan *c, struct ask *a, void *msg, size_t size, struct slice tail,
	      const int *fd, unsigned nfd, const struct want *want, int64_t timeout_ms)
{
	struct chan_slot *s;
	struct msg *h = msg;

	if (!chan_ready(c))
		return false;
	if (a->chan)
		bug("ask is busy");
	h->type = want->type;
	s = take_slot(c, h);
	if (!send_msg(c, msg, size, tail, fd, nfd)) {
		free_slot(c, s);
		return false;
	}
	a->chan = c;
	a->want = want;
	a->id = s->id;
	a->due = loop_clock() + timeout_ms;
	s->owner = a;
	if (a->due < c->watch.due)
		c->watch.due = a->due;
	return true;
}

void ask_drop(struct ask *a)
{
	if (!a->chan)
		return;
	a->chan->slot[a->id & 1023].owner = NULL;
	a->chan = NULL;
}

static void on_reply(struct chan *c, const struct msg *h, size_t n)
{
	struct chan_slot *s = &c->slot[h->id & 1023];
	const struct want *w;

	if ((h->id & 1023) >= c->credit || !s->open || s->id != h->id) {
		breach(c);
		return;
	}
	free_slot(c, s);
	if (!s->owner)
		return;
	w = s->owner->want;
	if (h->status == MSG_FAILED && n == sizeof *h && h->type == w->type) {
		finish(s, NULL, (struct slice){ NULL, 0 });
	} else if (h->status != MSG_OK || h->type != w->type || n < w->size ||
		   n - w->size > w->tail_max) {
		finish(s, NULL, (struct slice){ NULL, 0 });
		breach(c);
	} else {
		if (c->worked)
			c->worked(c);
		finish(s, h, (struct slice){ (const uint8_t *)h + w->size, n - w->size });
	}
}

static void on_request(struct chan *c, const struct msg *h, size_t n, int *fd, unsigned nfd,
		       bool lost_fd)
{
	const struct rule *r = h->type < c->nrules ? &c->rules[h->type] : NULL;
	struct call call = { .token = { c, c->generation, h->id, h->type },
			     .from = c->peer,
			     .msg = h };

	if (!r || !r->run || !(r->from & 1u << c->peer) || h->status || n < r->size ||
	    n - r->size > r->tail_max || (nfd != r->nfd && !lost_fd) || c->open == c->credit) {
		breach(c);
		return;
	}
	c->open++;
	if (lost_fd) { /* no descriptors left here: our trouble, not an attack */
		chan_fail(&call.token);
		return;
	}
	call.tail = (struct slice){ (const uint8_t *)h + r->size, n - r->size };
	for (unsigned i = 0; i < MSG_FDS; i++) {
		call.fd[i] = i < nfd ? fd[i] : -1;
		if (i < nfd)
			fd[i] = -1;
	}
	r->run(c->ctx, &call);
	for (unsigned i = 0; i < MSG_FDS; i++)
		if (call.fd[i] >= 0)
			close(call.fd[i]);
}

/* One message in. False when there is none now or the wire is gone. */
static bool receive(struct chan *c)
{
	struct iovec iov = { c->rx, MSG_MAX };
	union {
		struct cmsghdr align;
		uint8_t b[CMSG_SPACE(MSG_FDS * sizeof(int))];
	} ctl;
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = ctl.b,
			    .msg_controllen = sizeof ctl.b };
	struct cmsghdr *h;
	int fd[MSG_FDS] = { -1, -1 };
	unsigned nfd = 0;
	ssize_t n = recvmsg(c->watch.fd, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		unwire(c);
		return false;
	}
	h = CMSG_FIRSTHDR(&m);
	if (h && h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS) {
		nfd = (unsigned)((h->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(fd, CMSG_DATA(h), nfd * sizeof(int));
	}
	if (m.msg_flags & MSG_TRUNC || (size_t)n < sizeof(struct msg) || (nfd && !c->rules))
		breach(c);
	else if (c->rules)
		on_request(c, (const struct msg *)(const void *)c->rx, (size_t)n, fd, nfd,
			   m.msg_flags & MSG_CTRUNC);
	else
		on_reply(c, (const struct msg *)(const void *)c->rx, (size_t)n);
	for (unsigned i = 0; i < nfd; i++)
		if (fd[i] >= 0)
			close(fd[i]);
	return c->watch.fd >= 0;
}

static void expire(struct chan *c)
{
	for (uint32_t i = 0; i < c->credit; i++)
		if (c->slot[i].owner && c->slot[i].owner->due <= c->loop->now)
			finish(&c->slot[i], NULL, (struct slice){ NULL, 0 });
	set_due(c);
}

static void on_ready(struct watch *w, short got)
{
	struct chan *c = OWNER(struct chan, watch, w);
	uint32_t generation = c->generation;

	for (int i = 0; got && i < ROUND_MSGS; i++)
		if (!receive(c) || c->generation != generation)
			break;
	if (w->due <= c->loop->now)
		expire(c);
}

void chan_answer(const struct token *t, void *msg, size_t size, struct slice tail)
{
	struct chan *c = t->chan;
	struct msg *h = msg;

	if (c->watch.fd < 0 || t->generation != c->generation)
		return;
	if (!c->open)
		bug("answered twice");
	h->type = t->type;
	h->id = t->id;
	c->open--;
	if (send_msg(c, msg, size, tail, NULL, 0) && c->worked && h->status == MSG_OK)
		c->worked(c);
}

void chan_fail(const struct token *t)
{
	struct msg m = { .status = MSG_FAILED };

	chan_answer(t, &m, sizeof m, (struct slice){ NULL, 0 });
}

bool chan_ask_wait(struct chan *c, void *msg, size_t size, struct slice tail,
		   const struct want *want, void *reply, struct buf *reply_tail, int timeout_ms)
{
	struct pollfd p = { .fd = c->watch.fd, .events = POLLIN };
	int64_t until = loop_clock() + timeout_ms;
	struct chan_slot *s;
	const struct msg *h = (const struct msg *)(const void *)c->rx;
	struct msg *req = msg;

	if (!chan_ready(c))
		return false;
	req->type = want->type;
	s = take_slot(c, req);
	if (!send_msg(c, msg, size, tail, NULL, 0)) {
		free_slot(c, s);
		return false;
	}
	/* A late reply to an earlier wait frees its slot here; the slot of this one stays open when time is up. */
	for (int64_t left; (left = until - loop_clock()) > 0;) {
		struct timespec ts = { left / 1000, left % 1000 * 1000000L };
		ssize_t n;

		if (ppoll(&p, 1, &ts, NULL) <= 0)
			continue;
		n = recv(c->watch.fd, c->rx, MSG_MAX, MSG_DONTWAIT | MSG_TRUNC);
		if (n <= 0 || n > MSG_MAX || (size_t)n < sizeof *h)
			return false; /* the loop will see the hang-up */
		if (h->id != s->id) {
			on_reply(c, h, (size_t)n);
			if (c->watch.fd < 0)
				return false;
			continue;
		}
		free_slot(c, s);
		if (h->status != MSG_OK || h->type != want->type || (size_t)n < want->size ||
		    (size_t)n - want->size > want->tail_max)
			return false;
		memcpy(reply, c->rx, want->size);
		buf_put(reply_tail,
			(struct slice){ c->rx + want->size, (size_t)n - want->size });
		return !reply_tail->bad;
	}
	return false;
}
