/* SPDX-License-Identifier: ISC */
/* Questions over TLS: the test is the requesters, and the servers, of which one is an impostor. */
#include "smtpd/dns/resolver.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "smtpd/lib/proc.h"
#include "smtpd/proto/base64.h"
#include "tests/unit/issue.h"

static struct loop loop;
static struct resolver resolver;
static struct tls_anchors anchors;
static struct cert cert, impostor;
static uint8_t rx[2][MSG_MAX];
static struct chan asking, answering;

/* ---- the server ---- */

static struct {
	struct watch listen;
	struct stream s;
	struct tls tls;
	uint8_t in[2048], out[4096];
	const struct tls_identity *id;
	int conns, queries, hold; /* hold: answers wait until so many questions are there */
	bool hang_up;		  /* instead of the first answer */
	uint16_t port;
} far;

/* The question comes back with one address, and with AD where DO was set. */
static void reply_to(struct buf *out, struct slice q)
{
	size_t end = q.n - 11; /* without OPT */
	bool d_o = q.p[end + 7] == 0x80;

	buf_be16(out, (uint16_t)(end + 16));
	buf_put(out, slice_head(q, 2));
	buf_be16(out, d_o ? 0x81a0 : 0x8180);
	buf_be16(out, 1);
	buf_be16(out, 1);
	buf_be32(out, 0);
	buf_put(out, slice_from(slice_head(q, end), 12));
	buf_put(out, SLICE("\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\300\0\2\7"));
}

static void on_far(struct stream *s, enum stream_event e)
{
	static uint8_t held[4096];
	static struct buf out;

	if (e != STREAM_DATA && e != STREAM_SECURE) {
		stream_close(s);
		return;
	}
	if (!out.p)
		out = BUF(held);
	while (s->in.len > 2) {
		size_t n = (size_t)s->in.p[0] << 8 | s->in.p[1];

		if (s->in.len < 2 + n)
			break;
		far.queries++;
		reply_to(&out, (struct slice){ s->in.p + 2, n });
		buf_eat(&s->in, 2 + n);
	}
	if (!out.len || far.queries < far.hold)
		return;
	if (far.hang_up) {
		far.hang_up = false;
		stream_close(s);
	} else {
		buf_put(&s->out, buf_slice(&out));
	}
	out.len = 0;
}

static void on_listen(struct watch *w, short got)
{
	int fd = accept(w->fd, NULL, NULL);

	(void)got;
	far.conns++;
	stream_close(&far.s);
	stream_open(&far.s, &loop, fd, BUF(far.in), BUF(far.out), on_far);
	tls_server(&far.tls, far.id);
	stream_tls(&far.s, &far.tls);
}

static void far_listen(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001) };
	socklen_t n = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	CHECK(bind(fd, (struct sockaddr *)&a, n) == 0 && listen(fd, 5) == 0);
	getsockname(fd, (struct sockaddr *)&a, &n);
	far.port = ntohs(a.sin_port);
	far.listen = (struct watch){ fd, POLLIN, LOOP_NEVER, on_listen, 0 };
	loop_add(&loop, &far.listen);
	far.s.watch.fd = -1;
	far.id = &cert.id;
}

/* ---- the requesters ---- */

static const struct want want_reply = { DNS_QUERY, sizeof(struct dns_reply), DNS_TAIL };
static struct dns_reply last;
static int answers;

static void on_answer(struct ask *a, const void *reply, struct slice tail)
{
	(void)a, (void)tail;
	answers++;
	memset(&last, 0xff, sizeof last);
	if (reply)
		last = *(const struct dns_reply *)reply;
}

static void ask(struct ask *a, const char *name)
{
	struct dns_query q = { .qtype = DNSMSG_A };

	*a = (struct ask){ .done = on_answer };
	CHECK(chan_ask(&asking, a, &q, sizeof q, slice_of(name), NULL, 0, &want_reply, 60000));
}

static void wait_for(int n)
{
	int64_t until = loop_clock() + 30000;

	while (answers < n && loop_clock() < until)
		loop_round(&loop);
	CHECK_EQ(answers, n);
	answers = 0;
}

static enum dns_result result_of(const char *name)
{
	struct ask a;

	ask(&a, name);
	wait_for(1);
	return last.result;
}

static void wire(unsigned who, const char *dot)
{
	int pair[2];

	resolver_init(&resolver, &loop, SLICE("127.0.0.9"), slice_of(dot));
	resolver.dot.anchors = &anchors;
	chan_init(&asking, &loop, P_DNS, 16, rx[0]);
	chan_init(&answering, &loop, who, 16, rx[1]);
	answering.rules = resolver_rules;
	answering.nrules = DNS_TYPES;
	answering.ctx = &resolver;
	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair) == 0);
	chan_wire(&asking, pair[0], 1);
	chan_wire(&answering, pair[1], 1);
	far.conns = far.queries = far.hold = 0;
}

static void unwire(void)
{
	if (resolver.dot.stream.watch.fd >= 0)
		stream_close(&resolver.dot.stream);
	close(asking.watch.fd);
	close(answering.watch.fd);
	loop_drop(&loop, &asking.watch);
	loop_drop(&loop, &answering.watch);
}

static void kept(void)
{
	struct ask a[4];
	char name[32];

	CHECK_EQ(result_of("one.example"), DNS_OK);
	CHECK(last.secure && last.n == 1);
	CHECK_EQ(result_of("two.example"), DNS_OK);
	CHECK_EQ(result_of("two.example"), DNS_OK); /* from the cache */
	CHECK(last.secure);
	CHECK(far.conns == 1 && far.queries == 2);
	far.hold = 2 + 4; /* one after the other without waiting */
	for (int i = 0; i < 4; i++) {
		snprintf(name, sizeof name, "many%d.example", i);
		ask(&a[i], name);
	}
	wait_for(4);
	CHECK(far.conns == 1 && far.queries == 6 && last.result == DNS_OK);
	/* the server closes with questions open: they are asked again */
	far.hold = 0;
	far.hang_up = true;
	CHECK_EQ(result_of("again.example"), DNS_OK);
	CHECK(last.secure && far.conns == 2);
	/* and with none: nobody notices */
	stream_close(&far.s);
	CHECK_EQ(result_of("later.example"), DNS_OK);
}

static void pin_of(const struct cert *c, char *out, size_t cap)
{
	uint8_t sum[32], text[64];
	struct buf b = BUF(text);
	CERT_NEST(key, 256);

	put_ec(&key, c);
	cert_hash(buf_slice(&key), sum);
	base64_put(&b, (struct slice){ sum, sizeof sum });
	snprintf(out, cap, "127.0.0.1@%u#pin-sha256:%.*s", far.port, (int)b.len, text);
}

static void configuration(void)
{
	static const struct {
		const char *text;
		unsigned n;
	} t[] = {
		{ "", 0 },
		{ "192.0.2.1", 0 },
		{ "192.0.2.1#", 0 },
		{ "192.0.2#dns.example", 0 },
		{ "192.0.2.1@x#dns.example", 0 },
		{ "192.0.2.1@65536#dns.example", 0 },
		{ "192.0.2.1#pin-sha256:AAAA", 0 },
		{ "192.0.2.1#dns.example 2001:db8::1@53#dns.example x", 2 },
		{ "192.0.2.1#pin-sha256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", 1 },
		{ "1.1.1.1#a 1.1.1.2#b 1.1.1.3#c 1.1.1.4#d 1.1.1.5#e", 4 },
	};
	static struct dotlink l;

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		dotlink_init(&l, &loop, slice_of(t[i].text));
		CHECK_ROW(l.n == t[i].n, t[i].text);
	}
	CHECK_EQ(l.server[0].port, DOTLINK_PORT);
}

int main(void)
{
	static char pem[4096], by_name[64], by_pin[128], both[256];
	size_t line;

	loop_init(&loop, RESOLVER_OPEN + 16);
	cert_make(&cert, "dns.example");
	cert_make(&impostor, "dns.example");
	CHECK(tls_anchors_load(&anchors, (struct slice){ (uint8_t *)pem, cert_pem(&cert, pem) },
			       &line));
	configuration();
	far_listen();
	snprintf(by_name, sizeof by_name, "127.0.0.1@%u#dns.example", far.port);
	pin_of(&cert, by_pin, sizeof by_pin);
	wire(P_OUT_SUB, by_name);
	kept();
	unwire();
	wire(P_OUT_SUB, by_pin);
	kept();
	unwire();
	/* Not who it should be: no answer at all, and nothing in clear. */
	for (int i = 0; i < 3; i++) {
		far.id = i == 2 ? &cert.id : &impostor.id;
		snprintf(both, sizeof both, "127.0.0.1@%u#other.example", far.port);
		wire(P_OUT_SUB, i == 0 ? by_name : i == 1 ? by_pin : both);
		CHECK_EQ(result_of("never.example"), DNS_FAILED);
		CHECK(!far.queries && far.conns == DNSASK_ROUNDS);
		unwire();
	}
	/* A second server stands in for the first. */
	far.id = &cert.id;
	snprintf(both, sizeof both, "127.0.0.2@%u#dns.example %s", far.port, by_pin);
	wire(P_OUT_SUB, both);
	CHECK_EQ(result_of("one.example"), DNS_OK);
	unwire();
	/* The time comes from elsewhere: it is asked in clear. */
	wire(P_CLOCK, by_name);
	CHECK_EQ(result_of("time.example"), DNS_FAILED); /* nobody is at 127.0.0.9 */
	CHECK_EQ(far.conns, 0);
	unwire();
	TEST_END();
}
