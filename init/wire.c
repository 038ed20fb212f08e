/* SPDX-License-Identifier: ISC */
#include "init/wire.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "init/ctl.h"
#include "init/say.h"

/* The kernel counts what a message occupies, up to twice its size and some for its head, and
 * doubles what is asked for here: 16 KiB of message take 33,024 octets of 34,816. */
enum { MESSAGE_ROOM = 16 * 1024 + 1024 };

bool wire_pair(int fd[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd) == 0;
}

bool wire_unblock(int fd)
{
	return fcntl(fd, F_SETFL, O_NONBLOCK) == 0;
}

static bool set_room(int fd, int room)
{
	int got = 0;
	socklen_t n = sizeof got;

	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room) != 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room) != 0)
		return false;
	return getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &got, &n) == 0 && got / 2 >= room;
}

bool wire_channel(uint32_t credit, int fd[2])
{
	int room = (int)credit * MESSAGE_ROOM;

	if (!wire_pair(fd) || !wire_unblock(fd[0]) || !wire_unblock(fd[1]))
		return false;
	if (!set_room(fd[0], room) || !set_room(fd[1], room))
		say("ev=buffer credit=%u effect=\"less than the credit fits\"",
		    (unsigned)credit);
	return true;
}

bool wire_send(int control, const void *msg, size_t size, const int *fd, unsigned n)
{
	struct iovec iov = { (void *)(uintptr_t)msg, size };
	union {
		struct cmsghdr align;
		uint8_t b[CMSG_SPACE(CTL_FDS_MAX * sizeof(int))];
	} ctl;
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *h = &ctl.align;

	if (n > CTL_FDS_MAX)
		return false;
	if (n) {
		memset(&ctl, 0, sizeof ctl);
		m.msg_control = ctl.b;
		m.msg_controllen = CMSG_SPACE(n * sizeof(int));
		h->cmsg_level = SOL_SOCKET;
		h->cmsg_type = SCM_RIGHTS;
		h->cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(h), fd, n * sizeof(int));
	}
	return sendmsg(control, &m, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)size;
}
