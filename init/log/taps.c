/* SPDX-License-Identifier: ISC */
#include "init/log/taps.h"

#include <unistd.h>

#include "smtpd/lib/owner.h"

enum { DRAIN_MAX = 256 };

void taps_format(struct slice name, struct slice line, struct buf *out)
{
	line = slice_head(line, LOG_LINE);
	buf_put(out, slice_head(name, TAPS_LINE - LOG_LINE - 3));
	buf_put(out, SLICE(": "));
	for (size_t i = 0; i < line.n; i++)
		buf_u8(out, line.p[i] < ' ' || line.p[i] > '~' ? '?' : line.p[i]);
	buf_u8(out, '\n');
}

static void print(struct taps *t, enum proc_id id, struct slice line)
{
	uint8_t text[TAPS_LINE];
	struct buf out = BUF(text);

	taps_format(slice_of(proc_name(id)), line, &out);
	while (out.len) {
		ssize_t n = write(t->console, out.p, out.len);

		if (n <= 0)
			return; /* a console that is gone loses lines, never mail */
		buf_eat(&out, (size_t)n);
	}
}

static void take(struct taps *t, enum proc_id id)
{
	uint8_t line[LOG_LINE];
	ssize_t n = read(t->tap[id].watch.fd, line, sizeof line);

	if (n > 0)
		print(t, id, (struct slice){ line, (size_t)n });
}

static void on_line(struct watch *w, short got)
{
	struct tap *tap = OWNER(struct tap, watch, w);

	(void)got;
	take(tap->taps, (enum proc_id)(tap - tap->taps->tap));
}

void taps_drain(struct taps *t)
{
	struct timespec now = { 0, 0 };
	struct pollfd p;
	int left = DRAIN_MAX;

	for (int i = 0; i < P_MAX; i++) {
		p = (struct pollfd){ .fd = t->tap[i].watch.fd, .events = POLLIN };
		while (left-- > 0 && ppoll(&p, 1, &now, NULL) == 1 && p.revents & POLLIN)
			take(t, (enum proc_id)i);
	}
}

void taps_init(struct taps *t, struct proc *p)
{
	t->proc = p;
	t->console = p->grant[GRANT_CONSOLE];
	for (int i = 0; i < P_MAX; i++) {
		t->tap[i] = (struct tap){
			.watch = { .fd = p->taps[i],
				   .want = POLLIN,
				   .due = LOOP_NEVER,
				   .ready = on_line },
			.taps = t,
		};
		loop_add(&p->loop, &t->tap[i].watch);
	}
}
