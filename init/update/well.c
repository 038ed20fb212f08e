/* SPDX-License-Identifier: ISC */
#include "init/update/well.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "smtpd/lib/owner.h"

enum { AGAIN_MS = 500, GREETING_MS = 10 * 1000, PORT = 25 };

static void on_event(struct stream *s, enum stream_event e)
{
	struct well *w = OWNER(struct well, s, s);

	if (e == STREAM_DATA && slice_iprefix(buf_slice(&s->in), SLICE("220 "))) {
		loop_drop(s->loop, &w->again);
		stream_close(s);
		w->is(w);
	} else if (e != STREAM_DATA || s->in.len > 4) {
		stream_close(s);
	}
}

static void ask(struct watch *again, short got)
{
	struct well *w = OWNER(struct well, again, again);
	const struct sockaddr_in to = { .sin_family = AF_INET,
					.sin_port = htons(PORT),
					.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd;

	(void)got;
	again->due = w->s.loop->now + AGAIN_MS;
	if (w->s.watch.fd >= 0)
		return;
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	(void)!connect(fd, (const struct sockaddr *)&to, sizeof to);
	stream_open(&w->s, w->s.loop, fd, BUF(w->in), BUF(w->out), on_event);
	stream_due(&w->s, GREETING_MS);
}

void well_start(struct well *w, struct loop *l, void (*is)(struct well *))
{
	w->is = is;
	w->s.loop = l;
	w->s.watch.fd = -1;
	w->again = (struct watch){ .fd = -1, .due = 0, .ready = ask };
	loop_add(l, &w->again);
}
