/* SPDX-License-Identifier: ISC */
#include "smtpd/lib/stream.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/cert.h"
#include "tests/unit/test.h"

enum { IN = 1024, OUT = 512 };

struct end { /* one stream and what its owner saw */
	struct stream s;
	struct tls tls;
	uint8_t in[IN], out[OUT];
	unsigned seen; /* bits 1 << event */
	bool eats, closes;
	size_t eaten;
	uint32_t sum;
};

static struct loop loop;
static struct end a, b;
static struct cert cert;

static struct end *end_of(struct stream *s)
{
	return (struct end *)(void *)s;
}

static void on_event(struct stream *s, enum stream_event e)
{
	struct end *x = end_of(s);

	x->seen |= 1u << e;
	if (x->closes) {
		stream_close(s);
		return;
	}
	if (!x->eats || !s->in.len)
		return;
	for (size_t i = 0; i < s->in.len; i++)
		x->sum = x->sum * 31 + s->in.p[i];
	x->eaten += s->in.len;
	buf_eat(&s->in, s->in.len);
	stream_kick(s);
}

static void start(struct end *x, int fd)
{
	memset(x, 0, sizeof *x);
	stream_open(&x->s, &loop, fd, BUF(x->in), BUF(x->out), on_event);
}

static void pair(void)
{
	int fd[2];

	stream_close(&a.s);
	stream_close(&b.s);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd) == 0);
	start(&a, fd[0]);
	start(&b, fd[1]);
}

/* Is there anything to do for this stream? */
static bool pending(const struct stream *s)
{
	struct pollfd p = { .fd = s->watch.want ? s->watch.fd : -1, .events = s->watch.want };

	return poll(&p, 1, 0) > 0;
}

/* Rounds until nothing happens any more. */
static void settle(void)
{
	for (int i = 0; i < 400; i++) {
		if (!pending(&a.s) && !pending(&b.s))
			return;
		loop_round(&loop);
	}
	CHECK(!"the loop comes to rest");
}

static void say(struct end *x, const char *text)
{
	buf_put(&x->s.out, slice_of(text));
	stream_kick(&x->s);
}

static void test_clear(void)
{
	pair();
	say(&a, "hello");
	settle();
	CHECK_SLICE(buf_slice(&b.s.in), "hello");
	CHECK(b.seen == 1u << STREAM_DATA);
	CHECK(stream_sent(&a.s));
	/* Backpressure: a full buffer is not read into, and asks for nothing. */
	for (int i = 0; i < 20; i++) {
		memset(a.out, 'x', 100);
		a.s.out.len = 100;
		stream_kick(&a.s);
		settle();
	}
	CHECK_EQ(b.s.in.len, IN);
	CHECK_EQ(b.s.watch.want, 0);
	buf_eat(&b.s.in, IN);
	stream_kick(&b.s);
	CHECK(b.s.watch.want == POLLIN);
	settle();
	CHECK_EQ(b.s.in.len, 5 + 2000 - IN);
	/* The peer ends; what is in flight comes first, and we may still answer. */
	b.seen = 0;
	say(&a, "bye");
	shutdown(a.s.watch.fd, SHUT_WR);
	settle();
	CHECK(b.seen == (1u << STREAM_DATA | 1u << STREAM_EOF));
	say(&b, "221");
	settle();
	CHECK_SLICE(buf_slice(&a.s.in), "221");
	stream_close(&b.s);
	settle();
	CHECK(a.seen & 1u << STREAM_EOF);
	say(&a, "too late");
	settle();
	CHECK(a.seen & 1u << STREAM_BROKEN);
	CHECK(strcmp(stream_why(&a.s), "connection reset") == 0);
	CHECK_EQ(a.s.watch.want, 0);
}

static void test_close_in_event(void)
{
	pair();
	b.closes = true;
	say(&a, "x");
	settle();
	CHECK_EQ(b.s.watch.fd, -1);
	CHECK(a.seen & 1u << STREAM_EOF);
}

static void test_late(void)
{
	pair();
	stream_due(&a.s, -1);
	loop_round(&loop);
	CHECK(a.seen == 1u << STREAM_LATE);
	CHECK(a.s.watch.due == LOOP_NEVER);
	/* A peer that always has something to say does not put it off. */
	a.seen = 0;
	say(&b, "x");
	stream_due(&a.s, -1);
	loop_round(&loop);
	CHECK(a.seen == (1u << STREAM_DATA | 1u << STREAM_LATE));
}

/* STARTTLS with commands smuggled in behind it: they are never seen. */
static void test_starttls(void)
{
	uint32_t sum = 0;
	size_t n = 0;

	pair();
	tls_server(&b.tls, &cert.id);
	tls_client(&a.tls, NULL, "mx.example.org");
	say(&a, "STARTTLS\r\nMAIL FROM:<evil>\r\n");
	settle();
	buf_eat(&b.s.in, 10);
	buf_put(&b.s.out, SLICE("220 go\r\n"));
	stream_tls(&b.s, &b.tls);
	CHECK_EQ(b.s.in.len, 0);
	settle();
	CHECK_SLICE(buf_slice(&a.s.in), "220 go\r\n");
	stream_tls(&a.s, &a.tls);
	CHECK_EQ(a.s.in.len, 0);
	settle();
	CHECK(a.seen & 1u << STREAM_SECURE);
	CHECK(b.seen & 1u << STREAM_SECURE);
	CHECK(a.s.secure && b.s.secure);
	CHECK_EQ(b.s.in.len, 0);
	/* Many octets through small buffers, eaten inside the event. */
	b.eats = true;
	while (n < 100000) {
		while (a.s.out.len < OUT && n < 100000) {
			uint8_t c = (uint8_t)(n * 13 >> 4);

			buf_u8(&a.s.out, c);
			sum = sum * 31 + c;
			n++;
		}
		stream_kick(&a.s);
		settle();
	}
	CHECK_EQ(b.eaten, n);
	CHECK(b.sum == sum);
	say(&b, "bye");
	stream_end(&b.s);
	say(&a, "never read");
	settle();
	CHECK_SLICE(buf_slice(&a.s.in), "bye");
	CHECK(a.seen & 1u << STREAM_EOF);
	stream_close(&a.s);
	settle();
	/* Our close_notify may meet a closed socket. */
	CHECK(b.seen & (1u << STREAM_EOF | 1u << STREAM_BROKEN));
}

static void test_no_handshake(void)
{
	pair();
	tls_server(&b.tls, &cert.id);
	stream_tls(&b.s, &b.tls);
	say(&a, "EHLO in clear\r\n");
	settle();
	CHECK(b.seen & 1u << STREAM_BROKEN);
	CHECK(!(b.seen & 1u << STREAM_DATA));
	pair();
	tls_server(&b.tls, &cert.id);
	stream_tls(&b.s, &b.tls);
	stream_close(&a.s);
	settle();
	CHECK(b.seen == 1u << STREAM_BROKEN);
	CHECK(strcmp(stream_why(&b.s), "connection closed during the handshake") == 0);
}

int main(void)
{
	loop_init(&loop, 8);
	a.s.watch.fd = b.s.watch.fd = -1;
	cert_make(&cert, "mx.example.org");
	test_clear();
	test_close_in_event();
	test_late();
	test_starttls();
	test_no_handshake();
	TEST_END();
}
