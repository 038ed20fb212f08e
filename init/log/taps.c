/* SPDX-License-Identifier: ISC */
#include "init/log/taps.h"

#include <sys/socket.h>
#include <unistd.h>

#include "smtpd/lib/owner.h"

enum {
	DRAIN_MAX = 256,
	TAPS_LINES = 64,
	TAPS_TEXT = 4096,
	TAPS_PAUSE_MS = 5,
	TAPS_LOST_MS = 1000
};

void taps_format(struct slice name, struct slice line, struct buf *out)
{
	line = slice_head(line, LOG_LINE);
	buf_put(out, slice_head(name, TAPS_LINE - LOG_LINE - 3));
	buf_put(out, SLICE(": "));
	for (size_t i = 0; i < line.n; i++)
		buf_u8(out, line.p[i] < ' ' || line.p[i] > '~' ? '?' : line.p[i]);
	buf_u8(out, '\n');
}

static void print_on(int console, struct slice s)
{
	while (s.n) {
		ssize_t n = write(console, s.p, s.n);

		if (n <= 0)
			break; /* a console that is gone loses lines, never mail */
		s = slice_from(s, (size_t)n);
	}
}

static void print(struct taps *t, struct buf *out)
{
	print_on(t->console, buf_slice(out));
	print_on(t->screen, buf_slice(out));
	out->len = 0;
}

static void pass(struct taps *t, struct slice name, struct slice line, struct buf *out)
{
	taps_format(name, line, out);
	if (t->also)
		t->also(t->ctx, name, line);
}

/* Whether the process may write a line now. */
static bool allowed(struct tap *tap)
{
	int64_t now = tap->taps->proc->loop.now;

	tap->credit += (now - tap->since) * TAPS_RATE;
	if (tap->credit > TAPS_BURST * 1000ll)
		tap->credit = TAPS_BURST * 1000ll;
	tap->since = now;
	if (tap->credit < 1000)
		return false;
	tap->credit -= 1000;
	return true;
}

static void tell_lost(struct tap *tap, struct buf *out)
{
	struct logline l;

	log_begin(&l, "dropped");
	log_text(&l, "proc", proc_name((enum proc_id)(tap - tap->taps->tap)));
	log_num(&l, "lines", (int64_t)tap->lost);
	pass(tap->taps, SLICE("log"), buf_slice(&l.b), out);
	tap->lost = 0;
}

/* One line into out, and what was lost before it. False: there is none now. */
static bool take(struct taps *t, enum proc_id id, struct buf *out)
{
	static const char init[] = "init: ";
	struct tap *tap = &t->tap[id];
	uint8_t line[LOG_LINE];
	struct iovec v = { line, sizeof line };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
	ssize_t n = recvmsg(tap->watch.fd, &m, MSG_DONTWAIT);
	struct slice s = { line, n > 0 ? (size_t)n : 0 };

	if (!s.n)
		return false;
	if (id == P_LOG && slice_iprefix(s, slice_of(init))) { /* what init has printed */
		if (t->also)
			t->also(t->ctx, SLICE("init"), slice_from(s, sizeof init - 1));
		return true;
	}
	if (!allowed(tap)) {
		tap->lost++;
		return true;
	}
	if (tap->lost)
		tell_lost(tap, out);
	pass(t, slice_of(proc_name(id)), s, out);
	return true;
}

/* What a tap holds, many lines in one write. How many there were. */
static int take_all(struct taps *t, enum proc_id id)
{
	uint8_t text[TAPS_TEXT];
	struct buf out = BUF(text);
	int n = 0;

	while (n < TAPS_LINES && take(t, id, &out)) {
		n++;
		if (buf_room(&out) < 2 * TAPS_LINE)
			print(t, &out);
	}
	if (!n && t->tap[id].lost && allowed(&t->tap[id]))
		tell_lost(&t->tap[id], &out);
	print(t, &out);
	return n;
}

/* A process that wrote a line will write another: it is left alone for a moment, and then all of them are taken. */
static void on_line(struct watch *w, short got)
{
	struct tap *tap = OWNER(struct tap, watch, w);
	struct taps *t = tap->taps;

	(void)got;
	if (take_all(t, (enum proc_id)(tap - t->tap))) {
		w->want = 0;
		w->due = t->proc->loop.now + TAPS_PAUSE_MS;
	} else {
		w->want = POLLIN;
		w->due = tap->lost ? t->proc->loop.now + TAPS_LOST_MS : LOOP_NEVER;
	}
}

void taps_drain(struct taps *t)
{
	int left = DRAIN_MAX, n;

	for (int i = 0; i < P_MAX; i++)
		do
			n = take_all(t, (enum proc_id)i);
		while ((left -= n) > 0 && n);
}

void taps_init(struct taps *t, struct proc *p)
{
	t->proc = p;
	t->console = p->grant[GRANT_CONSOLE];
	t->screen = p->grant[GRANT_SCREEN];
	for (int i = 0; i < P_MAX; i++) {
		t->tap[i] = (struct tap){
			.watch = { .fd = p->taps[i],
				   .want = POLLIN,
				   .due = LOOP_NEVER,
				   .ready = on_line },
			.taps = t,
			.since = p->loop.now,
			.credit = TAPS_BURST * 1000ll,
		};
		loop_add(&p->loop, &t->tap[i].watch);
	}
}
