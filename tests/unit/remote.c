/* SPDX-License-Identifier: ISC */
/* The log on its way to syslog servers of the test, by UDP and by TCP. TLS is system.syslog's. */
#include "init/log/remote.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "smtpd/lib/log.h"
#include "tests/unit/test.h"

enum { RING = 8 * 1024 };

static struct loop loop;
static struct remote r;
static struct watch tick;
static uint8_t ring[RING];
static int far, peer = -1, said[2]; /* the server, its connection, our own lines */
static char port[8], got[64 * 1024];
static size_t got_n;

static void on_tick(struct watch *w, short events)
{
	(void)events;
	w->due = loop_clock() + 5;
}

static void turn(void)
{
	loop_round(&loop);
}

static int server(int type)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001) };
	socklen_t n = sizeof sa;
	int fd = socket(AF_INET, type | SOCK_NONBLOCK, 0), on = 1;

	if (*port)
		sa.sin_port = htons((uint16_t)atoi(port));
	CHECK(!setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on));
	CHECK(!bind(fd, (struct sockaddr *)&sa, sizeof sa) &&
	      !getsockname(fd, (struct sockaddr *)&sa, &n));
	CHECK(type == SOCK_DGRAM || !listen(fd, 5));
	snprintf(port, sizeof port, "%u", ntohs(sa.sin_port));
	return fd;
}

static void start(const char *how)
{
	char where[64];

	snprintf(where, sizeof where, "%s:127.0.0.1@%s", how, port);
	CHECK(remote_init(&r, &loop, slice_of(where), NULL, ring, sizeof ring));
	got_n = 0;
}

static void end(void)
{
	loop_drop(&loop, &r.timer);
	if (r.stream.watch.fd >= 0)
		stream_close(&r.stream);
	if (peer >= 0)
		close(peer);
	close(far);
	peer = -1;
	*port = 0;
}

static void line(const char *text)
{
	remote_line(&r, SLICE("front.mx"), slice_of(text));
}

/* Our own line that begins so; the others before it are dropped. */
static bool own(const char *text)
{
	char b[LOG_LINE + 1];
	ssize_t n;

	while ((n = read(said[0], b, LOG_LINE)) > 0) {
		b[n] = 0;
		if (!strncmp(b, text, strlen(text)))
			return true;
	}
	return false;
}

/* What came, until it ends so. */
static bool comes(const char *text)
{
	size_t n = strlen(text);

	for (int i = 0; i < 4000; i++) {
		int fd = peer >= 0 || r.how == REMOTE_UDP ? (peer >= 0 ? peer : far) : -1;
		ssize_t k;

		if (fd < 0) {
			peer = accept4(far, NULL, NULL, SOCK_NONBLOCK);
		} else {
			k = read(fd, got + got_n, sizeof got - 1 - got_n);
			got_n += k > 0 ? (size_t)k : 0;
		}
		if (got_n >= n && !memcmp(got + got_n - n, text, n))
			return true;
		turn();
	}
	return false;
}

/* Takes the frames apart (RFC 6587 3.4.1). How many there are. */
static unsigned frames(void)
{
	unsigned n = 0;
	size_t at = 0;

	while (at < got_n) {
		char *rest;
		size_t len = strtoul(got + at, &rest, 10);

		CHECK(*rest == ' ' && len > 20 && len <= SYSLOGMSG_MAX);
		at = (size_t)(rest - got) + 1;
		CHECK(at + len <= got_n && !memcmp(got + at, "<22>1 20", 8));
		at += len;
		n++;
	}
	return n;
}

static void test_words(void)
{
	static const struct {
		const char *word;
		enum remote_how how;
		uint16_t port;
	} rows[] = {
		{ "udp:192.0.2.1", REMOTE_UDP, 514 },
		{ "tcp:2001:db8::1", REMOTE_TCP, 601 },
		{ "tcp:192.0.2.1@10514", REMOTE_TCP, 10514 },
		{ "tls:192.0.2.1#log.example", REMOTE_TLS, 6514 },
		{ "tls:192.0.2.1#pin-sha256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
		  REMOTE_TLS, 6514 },
		{ "tls:192.0.2.1", REMOTE_NONE, 0 },		 /* who would that be? */
		{ "tcp:192.0.2.1#log.example", REMOTE_NONE, 0 }, /* nobody would ask */
		{ "udp:log.example", REMOTE_NONE, 0 },
		{ "192.0.2.1", REMOTE_NONE, 0 },
		{ "", REMOTE_NONE, 0 },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		bool ok =
			remote_init(&r, &loop, slice_of(rows[i].word), NULL, ring, sizeof ring);

		CHECK_ROW(ok == (rows[i].how != REMOTE_NONE) && r.how == rows[i].how,
			  rows[i].word);
		CHECK_ROW(!ok || r.to.port == rows[i].port, rows[i].word);
		line("ev=x");
		CHECK_ROW((r.timer.due == LOOP_NEVER) == !ok, rows[i].word);
		loop_drop(&loop, &r.timer);
	}
}

static void test_udp(void)
{
	far = server(SOCK_DGRAM);
	start("udp");
	line("ev=a");
	line("ev=b");
	CHECK(comes("- b - ev=b"));
	CHECK(strstr(got, "<22>1 20") == got && strstr(got, "- a - ev=a<22>1 20"));
	CHECK(own("ev=syslog state=up"));
	line("ev=c");
	CHECK(comes("ev=c"));
	CHECK(!own("ev=syslog"));
	/* No way there: said once, tried more and more rarely, nothing is lost. */
	CHECK(ipaddr_parse(SLICE("255.255.255.255"), &r.to.addr)); /* needs a permission */
	line("ev=d");
	turn();
	CHECK(own("ev=syslog state=down why="));
	CHECK(r.resting && r.timer.due > loop.now);
	line("ev=e");
	CHECK(r.timer.due > loop.now);
	for (int64_t ms = 2 * REMOTE_FIRST_MS, i = 0; i < 8; i++) {
		CHECK_EQ(r.pause, ms < REMOTE_LAST_MS ? ms : REMOTE_LAST_MS);
		ms = ms < REMOTE_LAST_MS ? 2 * ms : ms;
		r.timer.due = 0;
		while (!r.resting || r.timer.due == 0)
			turn();
	}
	CHECK(!own("ev=syslog"));
	CHECK(ipaddr_parse(SLICE("127.0.0.1"), &r.to.addr));
	r.timer.due = 0;
	CHECK(comes("ev=e"));
	CHECK(strstr(got, "ev=c<22>") && strstr(got, "ev=d<22>"));
	CHECK(own("ev=syslog state=up"));
	CHECK_EQ(r.pause, REMOTE_FIRST_MS);
	CHECK_EQ(r.ring.lost, 0);
	end();
}

/* A connection breaks with lines in its buffer: the next one begins with the first of them. */
static void again(void)
{
	uint8_t mem[SYSLOGMSG_MAX + 8];
	struct buf b = BUF(mem);
	uint64_t at = r.ring.keep;
	size_t n;

	CHECK(r.at > r.ring.keep);
	CHECK(logring_get(&r.ring, &at, &b));
	n = b.len;
	close(peer);
	while (r.state != REMOTE_DOWN)
		turn();
	CHECK_EQ(r.at, r.ring.keep);
	r.timer.due = 0;
	while ((peer = accept4(far, NULL, NULL, SOCK_NONBLOCK)) < 0)
		turn();
	for (got_n = 0; got_n < n + 8; turn()) {
		ssize_t k = read(peer, got + got_n, n + 8 - got_n);

		got_n += k > 0 ? (size_t)k : 0;
	}
	CHECK(memmem(got, got_n, mem, n - 4) && strtoul(got, NULL, 10) == n);
}

/* Lines, until nothing goes out and that many are lost. */
static void pile(unsigned lost)
{
	char text[1100], no[16];

	memset(text, 'x', sizeof text);
	text[1000] = 0;
	for (int i = 0; i < 20000 && (lost ? r.ring.lost < lost : r.ring.end - r.at < 1100);
	     i++) {
		snprintf(no, sizeof no, "ev=%08d", i);
		memcpy(text, no, 11);
		line(text);
		r.timer.due = 0;
		turn();
	}
}

static void test_tcp(void)
{
	char last[16];
	unsigned before;

	far = server(SOCK_STREAM);
	start("tcp");
	line("ev=a");
	CHECK(comes("ev=a"));
	line("ev=b");
	CHECK(comes("ev=b"));
	while (r.at != r.ring.keep)
		turn();
	CHECK(own("ev=syslog state=up"));
	CHECK_EQ(frames(), 2);
	/* It goes away: what was not sent comes when it is back. */
	close(peer);
	close(far);
	while (r.state != REMOTE_DOWN)
		turn();
	CHECK(own("ev=syslog state=down"));
	line("ev=c");
	r.timer.due = 0;
	while (r.resting == (r.timer.due == 0) || r.stream.watch.fd >= 0) /* refused */
		turn();
	CHECK(own("ev=syslog state=down")); /* for another reason */
	got_n = 0;
	peer = -1;
	far = server(SOCK_STREAM);
	r.timer.due = 0;
	CHECK(comes("ev=c"));
	CHECK_EQ(frames(), 1);
	CHECK(own("ev=syslog state=up"));
	CHECK_EQ(r.ring.lost, 0);
	/* It takes nothing: lines wait. It breaks: those that may not have left go first. */
	pile(0);
	CHECK_EQ(r.ring.lost, 0);
	again();
	/* It takes nothing for long: the newest lines wait, the others are counted, and nobody waits for it. */
	pile(100);
	CHECK(r.ring.lost >= 100);
	before = (unsigned)r.ring.lost;
	snprintf(last, sizeof last, "ev=last");
	line(last);
	got_n = 0;
	while (got_n < sizeof got - 4096 || !memmem(got, got_n, last, strlen(last))) {
		ssize_t k;

		if (got_n > sizeof got - 4096)
			got_n = 0;
		k = read(peer, got + got_n, 4096);
		got_n += k > 0 ? (size_t)k : 0;
		if (k < 0)
			turn();
		if (memmem(got, got_n, last, strlen(last)))
			break;
	}
	while (r.at != r.ring.keep)
		turn();
	line("ev=more");
	CHECK(comes("ev=more"));
	while (r.at != r.ring.keep)
		turn();
	CHECK(r.told >= before);
	CHECK(own("ev=dropped to=syslog lines="));
	/* Silence with something to say is the end of a connection; without, it is not. */
	r.stream.watch.due = 0;
	turn();
	CHECK_EQ(r.state, REMOTE_UP);
	CHECK(r.stream.watch.due > loop.now + REMOTE_WAIT_MS);
	end();
}

int main(void)
{
	alarm(110);
	CHECK(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, said));
	stderr = fdopen(dup(STDERR_FILENO), "w"); /* the test's own complaints */
	CHECK(dup2(said[1], STDERR_FILENO) == STDERR_FILENO);
	loop_init(&loop, 32);
	tick = (struct watch){ .fd = -1, .ready = on_tick };
	loop_add(&loop, &tick);
	test_words();
	test_udp();
	test_tcp();
	TEST_END();
}
