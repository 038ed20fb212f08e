/* SPDX-License-Identifier: ISC */
#include "init/log/remote.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "smtpd/lib/log.h"
#include "smtpd/lib/owner.h"
#include "smtpd/lib/sock.h"

/*
 * NOTES
 * Lines before ring.keep are done with; those from there to `at` were put into a stream whose buffer has not been empty
 * since, and nothing else is put there before. When it is, they are released; when the connection breaks, `at` goes
 * back. Our own lines come back as lines of the log process: they are written when something changes, never for each
 * line or try.
 */

static const struct {
	const char *word;
	enum remote_how how;
	uint16_t port;
} ways[] = {
	{ "udp:", REMOTE_UDP, 514 },  /* RFC 5426 3.3 */
	{ "tcp:", REMOTE_TCP, 601 },  /* RFC 6587: none is assigned; that of RFC 3195 is used */
	{ "tls:", REMOTE_TLS, 6514 }, /* RFC 5425 4.1 */
};

static void say_state(struct remote *r, enum remote_state state, const char *why)
{
	struct logline l;

	if (state != r->state || !slice_eq(slice_of(why), slice_of(r->why))) {
		log_begin(&l, "syslog");
		log_text(&l, "state", state == REMOTE_UP ? "up" : "down");
		if (why)
			log_text(&l, "why", why);
		log_send(&l);
	}
	r->state = state;
	r->why = why;
	if (state == REMOTE_UP && r->ring.lost != r->told) {
		log_begin(&l, "dropped");
		log_text(&l, "to", "syslog");
		log_num(&l, "lines", (int64_t)(r->ring.lost - r->told));
		log_send(&l);
		r->told = r->ring.lost;
	}
}

static void up(struct remote *r)
{
	r->pause = REMOTE_FIRST_MS;
	logring_release(&r->ring, r->at);
	say_state(r, REMOTE_UP, NULL);
}

static void down(struct remote *r, const char *why)
{
	if (r->stream.watch.fd >= 0)
		stream_close(&r->stream);
	r->at = r->ring.keep;
	r->resting = true;
	r->timer.due = r->loop->now + r->pause;
	r->pause = 2 * r->pause < REMOTE_LAST_MS ? 2 * r->pause : REMOTE_LAST_MS;
	say_state(r, REMOTE_DOWN, why);
}

/* ---- UDP ---- */

/* A socket for each turn: its source is the address that the machine has now. */
static void send_datagrams(struct remote *r)
{
	int fd = sock_connect(r->to.addr.b, r->to.port, SOCK_DGRAM);
	uint8_t mem[SYSLOGMSG_MAX];
	struct buf b = BUF(mem);
	uint64_t next = r->at;

	if (fd < 0) {
		down(r, "there is no way to it");
		return;
	}
	for (; logring_get(&r->ring, &next, &b); b.len = 0, r->at = next)
		if (send(fd, b.p, b.len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 &&
		    errno != ECONNREFUSED) /* said of an earlier one */
			break;
	close(fd);
	logring_release(&r->ring, r->at);
	if (r->at == next)
		up(r);
	else
		down(r, "it cannot be sent");
}

/* ---- TCP, TLS ---- */

static bool ready(const struct remote *r)
{
	return r->how == REMOTE_TCP || r->stream.secure;
}

static void set_due(struct remote *r)
{
	bool idle = ready(r) && stream_sent(&r->stream);

	stream_due(&r->stream, idle ? REMOTE_IDLE_MS : REMOTE_WAIT_MS);
}

/* What of the ring finds room in the stream, which is empty: so what is on its way is never more than its buffer. */
static void fill(struct remote *r)
{
	struct buf *out = &r->stream.out;
	uint8_t mem[SYSLOGMSG_MAX];
	struct buf b = BUF(mem);

	while (buf_room(out) >= REMOTE_FRAME && logring_get(&r->ring, &r->at, &b)) {
		buf_dec(out, b.len);
		buf_u8(out, ' ');
		buf_put(out, buf_slice(&b));
		b.len = 0;
	}
}

static void on_event(struct stream *s, enum stream_event e)
{
	struct remote *r = OWNER(struct remote, stream, s);
	bool waits = !ready(r) || !stream_sent(s);

	s->in.len = 0; /* it has nothing to say */
	if (e == STREAM_BROKEN || e == STREAM_EOF || (e == STREAM_LATE && waits)) {
		down(r, e == STREAM_BROKEN ? stream_why(s)
			: e == STREAM_EOF  ? "the server closed the connection"
					   : "the server is silent");
		return;
	}
	if (!waits && r->at > r->ring.keep)
		up(r);
	if (!waits)
		fill(r);
	set_due(r);
	if (s->out.len)
		stream_kick(s);
}

static bool open_stream(struct remote *r)
{
	int fd = sock_connect(r->to.addr.b, r->to.port, SOCK_STREAM);

	if (fd < 0)
		return false;
	stream_open(&r->stream, r->loop, fd, BUF(r->in), BUF(r->out), on_event);
	r->stream.watch.want = POLLIN | POLLOUT;
	if (r->how == REMOTE_TCP)
		return true;
	if (r->to.pins.n)
		tls_client_pinned(&r->tls, &r->engine, &r->to.pins, NULL);
	else
		tls_client(&r->tls, r->anchors, r->to.name);
	r->stream.tls = &r->tls;
	return true;
}

static void send_stream(struct remote *r)
{
	bool open = r->stream.watch.fd >= 0;

	if (!open && !open_stream(r)) {
		down(r, "there is no way to it");
		return;
	}
	if (ready(r) && stream_sent(&r->stream))
		fill(r);
	set_due(r);
	if (open)
		stream_kick(&r->stream);
}

/* ---- both ---- */

static void turn(struct remote *r)
{
	if (r->at >= r->ring.end)
		return;
	if (r->how == REMOTE_UDP)
		send_datagrams(r);
	else
		send_stream(r);
}

static void on_timer(struct watch *w, short got)
{
	struct remote *r = OWNER(struct remote, timer, w);

	(void)got;
	w->due = LOOP_NEVER;
	r->resting = false;
	turn(r);
}

void remote_line(struct remote *r, struct slice name, struct slice line)
{
	uint8_t mem[SYSLOGMSG_MAX];
	struct buf b = BUF(mem);
	struct timespec ts = { 0, 0 };
	struct syslogmsg m;

	if (!r->how)
		return;
	clock_gettime(CLOCK_REALTIME, &ts);
	m = (struct syslogmsg){ .s = ts.tv_sec,
				.ms = (unsigned)(ts.tv_nsec / 1000000),
				.host = SLICE(CONFIG_SMTPD_HOSTNAME),
				.name = name,
				.line = line };
	syslogmsg_put(&m, &b);
	logring_put(&r->ring, buf_slice(&b));
	if (r->at < r->ring.keep)
		r->at = r->ring.keep;
	if (!r->resting)
		r->timer.due = r->loop->now;
}

void remote_last(struct remote *r)
{
	if (!r->how || (r->how != REMOTE_UDP && r->stream.watch.fd < 0))
		return;
	turn(r);
	if (r->stream.watch.fd >= 0)
		stream_kick(&r->stream);
}

bool remote_init(struct remote *r, struct loop *l, struct slice server,
		 const struct tls_anchors *anchors, uint8_t *mem, size_t cap)
{
	*r = (struct remote){
		.loop = l, .anchors = anchors, .pause = REMOTE_FIRST_MS, .stream.watch.fd = -1
	};
	logring_init(&r->ring, mem, cap);
	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
		if (slice_iprefix(server, slice_of(ways[i].word)) &&
		    endpoint_parse(slice_from(server, 4), ways[i].port, &r->to) &&
		    (ways[i].how == REMOTE_TLS) == (r->to.name[0] || r->to.pins.n))
			r->how = ways[i].how;
	r->timer = (struct watch){ .fd = -1, .due = LOOP_NEVER, .ready = on_timer };
	loop_add(l, &r->timer);
	return r->how;
}
