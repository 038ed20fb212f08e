/* SPDX-License-Identifier: ISC */
/* The resolver on its real sockets, against a name server that lives in the same loop. */
#include "smtpd/dns/resolver.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "smtpd/lib/proc.h"
#include "tests/unit/test.h"

static struct loop loop;
static struct resolver resolver;
static struct chan asking, answering;
static uint8_t rx[2][MSG_MAX];
static struct watch udp, udp_mute, tcp, tcp_peer;
static int queries, tcp_queries;
static uint16_t ports[64], ids[64];

/* ---- the name server: the first label of a name says how it answers ---- */

static struct slice label(struct slice q)
{
	return (struct slice){ q.p + 13, q.p[12] };
}

static void put_a(struct buf *b, struct slice q, bool is_tcp)
{
	bool edns = q.p[11] == 1, old = slice_eq(label(q), SLICE("old"));
	size_t question = q.n - 12 - (edns ? 11 : 0); /* without the OPT record */
	bool cut = slice_eq(label(q), SLICE("cut")) && !is_tcp;

	buf_put(b, slice_head(q, 2));
	buf_be16(b, old && edns				  ? 0x8181
		    : slice_eq(label(q), SLICE("fail"))	  ? 0x8182
		    : slice_eq(label(q), SLICE("absent")) ? 0x8183
		    : cut				  ? 0x8380
		    : slice_eq(label(q), SLICE("sure"))	  ? 0x81a0
							  : 0x8180);
	buf_be16(b, 1);
	buf_be16(b, slice_eq(label(q), SLICE("ok")) || slice_eq(label(q), SLICE("sure")) ||
			    (old && !edns) || (!cut && is_tcp));
	buf_be16(b, 0);
	buf_be16(b, 0);
	buf_put(b, (struct slice){ q.p + 12, question });
	buf_be16(b, 0xc00c);
	buf_be16(b, DNSMSG_A);
	buf_be16(b, 1);
	buf_be32(b, 60);
	buf_be16(b, 4);
	buf_be32(b, 0xc0000207);
	if (b->p[7] == 0)
		b->len -= 16;
}

static void on_udp(struct watch *w, short got)
{
	uint8_t in[600], out[600];
	struct buf b = BUF(out);
	struct sockaddr_in from;
	socklen_t len = sizeof from;
	ssize_t n = recvfrom(w->fd, in, sizeof in, 0, (struct sockaddr *)&from, &len);

	(void)got;
	ports[queries & 63] = from.sin_port;
	ids[queries & 63] = (uint16_t)(in[0] << 8 | in[1]);
	queries++;
	if (w == &udp_mute)
		return;
	put_a(&b, (struct slice){ in, (size_t)n }, false);
	if (slice_eq(label((struct slice){ in, (size_t)n }),
		     SLICE("ok"))) { /* forgeries first */
		out[1] ^= 1;
		sendto(w->fd, out, b.len, 0, (struct sockaddr *)&from, len);
		out[1] ^= 1;
		sendto(w->fd, out, 3, 0, (struct sockaddr *)&from, len);
	}
	sendto(w->fd, out, b.len, 0, (struct sockaddr *)&from, len);
}

static void on_tcp_peer(struct watch *w, short got)
{
	uint8_t in[600], out[600];
	struct buf b = BUF(out);
	uint8_t size[2];
	ssize_t n = recv(w->fd, in, sizeof in, 0);

	(void)got;
	if (n > 2) {
		tcp_queries++;
		put_a(&b, (struct slice){ in + 2, (size_t)n - 2 }, true);
		size[0] = 0;
		size[1] = (uint8_t)b.len;
		CHECK_EQ(send(w->fd, size, 1, 0), 1); /* in pieces */
		usleep(2000);
		CHECK_EQ(send(w->fd, size + 1, 1, 0), 1);
		usleep(2000);
		CHECK_EQ(send(w->fd, out, b.len, 0), (ssize_t)b.len);
		return;
	}
	close(w->fd);
	loop_drop(&loop, w);
}

static void on_tcp(struct watch *w, short got)
{
	(void)got;
	tcp_peer = (struct watch){ .fd = accept(w->fd, NULL, NULL),
				   .want = POLLIN,
				   .due = LOOP_NEVER,
				   .ready = on_tcp_peer };
	loop_add(&loop, &tcp_peer);
}

static uint16_t listen_on(struct watch *w, int type, uint32_t addr, uint16_t port,
			  void (*ready)(struct watch *, short))
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_port = htons(port),
				 .sin_addr.s_addr = htonl(addr) };
	socklen_t n = sizeof a;
	int fd = socket(AF_INET, type | SOCK_NONBLOCK, 0);

	CHECK(bind(fd, (struct sockaddr *)&a, n) == 0);
	if (type == SOCK_STREAM)
		CHECK(listen(fd, 5) == 0);
	getsockname(fd, (struct sockaddr *)&a, &n);
	*w = (struct watch){ .fd = fd, .want = POLLIN, .due = LOOP_NEVER, .ready = ready };
	loop_add(&loop, w);
	return ntohs(a.sin_port);
}

/* ---- asking ---- */

static const struct want want_reply = { DNS_QUERY, sizeof(struct dns_reply), DNS_TAIL };
static const struct want want_set = { DNS_SERVERS, sizeof(struct servers_set), 0 };
static struct dns_reply last;
static uint8_t tail[DNS_TAIL];
static size_t tail_n;
static int answers, failures;

static void on_answer(struct ask *a, const void *reply, struct slice t)
{
	(void)a;
	if (!reply) {
		failures++;
		return;
	}
	answers++;
	if (a->want != &want_reply)
		return;
	last = *(const struct dns_reply *)reply;
	memcpy(tail, t.p, t.n);
	tail_n = t.n;
}

static bool ask(struct ask *a, const char *name, uint16_t type)
{
	struct dns_query q = { .qtype = type };

	a->done = on_answer;
	return chan_ask(&asking, a, &q, sizeof q, slice_of(name), NULL, 0, &want_reply, 60000);
}

static void wait_answers(int n)
{
	int64_t until = loop_clock() + 30000;

	while (answers + failures < n && loop_clock() < until)
		loop_round(&loop);
	CHECK_EQ(answers + failures, n);
	answers = failures = 0;
}

static enum dns_result result_of(const char *name)
{
	struct ask a = { 0 };

	CHECK(ask(&a, name, DNSMSG_A));
	wait_answers(1);
	return last.result;
}

static void wire(void)
{
	int pair[2];

	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair) == 0);
	chan_init(&asking, &loop, P_DNS, 16, rx[0]);
	chan_init(&answering, &loop, P_NET, 16, rx[1]);
	answering.rules = resolver_rules;
	answering.nrules = DNS_TYPES;
	answering.ctx = &resolver;
	chan_wire(&asking, pair[0], 1);
	chan_wire(&answering, pair[1], 1);
}

static void set_servers(uint32_t first, uint32_t second)
{
	struct servers m = { .n = second ? 2 : 1 };
	struct ask a = { .done = on_answer };
	uint32_t addr[2] = { htonl(first), htonl(second) };

	for (int i = 0; i < 2; i++) {
		m.addr[i][10] = m.addr[i][11] = 0xff;
		memcpy(m.addr[i] + 12, &addr[i], 4);
	}
	CHECK(chan_ask(&asking, &a, &m, sizeof m, (struct slice){ NULL, 0 }, NULL, 0, &want_set,
		       1000));
	wait_answers(1);
}

static void answers_come(void)
{
	CHECK_EQ(result_of("ok.example"), DNS_OK);
	CHECK_EQ(last.n, 1);
	CHECK_EQ(tail_n, 6);
	CHECK(!memcmp(tail, "\0\4\300\0\2\7", 6));
	CHECK_EQ(queries, 1);
	CHECK_EQ(result_of("OK.example"), DNS_OK); /* from the cache */
	CHECK_EQ(queries, 1);
	CHECK_EQ(result_of("absent.example"), DNS_NXDOMAIN);
	CHECK_EQ(result_of("empty.example"), DNS_NODATA);
	CHECK_EQ(result_of("cut.example"), DNS_OK);
	CHECK_EQ(tcp_queries, 1);
	CHECK_EQ(result_of("old.example"), DNS_OK); /* does not know EDNS */
	queries = 0;
	CHECK_EQ(result_of("fail.example"), DNS_FAILED);
	CHECK(!last.silent);
	CHECK_EQ(queries, DNSASK_ROUNDS);
	CHECK(ports[0] != ports[1] || ports[1] != ports[2]);
	CHECK(ids[0] != ids[1] || ids[1] != ids[2]);
	CHECK_EQ(result_of("bad..name"), DNS_NXDOMAIN);
	CHECK_EQ(queries, DNSASK_ROUNDS);
}

static void merged(void)
{
	struct ask a[3] = { 0 };

	queries = 0;
	CHECK(ask(&a[0], "ok.merged.example", DNSMSG_A));
	CHECK(ask(&a[1], "ok.MERGED.example", DNSMSG_A));
	CHECK(ask(&a[2], "ok.merged.example", DNSMSG_TXT));
	wait_answers(3);
	CHECK_EQ(queries, 2);
}

static void refused_type(void)
{
	struct ask a = { 0 };

	CHECK(ask(&a, "ok.example", DNSMSG_SOA));
	while (!failures)
		loop_round(&loop);
	wait_answers(1);
}

int main(void)
{
	uint16_t port;

	loop_init(&loop, RESOLVER_OPEN + 16);
	resolver_init(&resolver, &loop, SLICE("192.0.2.1 nonsense 2001:db8::1"), SLICE(""));
	CHECK_EQ(resolver.servers.n, 2);
	port = listen_on(&udp, SOCK_DGRAM, 0x7f000001, 0, on_udp);
	listen_on(&tcp, SOCK_STREAM, 0x7f000001, port, on_tcp);
	listen_on(&udp_mute, SOCK_DGRAM, 0x7f000002, port, on_udp);
	resolver.servers.port = port;
	wire();
	set_servers(0x7f000001, 0);
	answers_come();
	merged();
	refused_type();
	queries = 0;
	set_servers(0x7f000002, 0x7f000001); /* the first is silent */
	CHECK_EQ(result_of("ok.second.example"), DNS_OK);
	CHECK_EQ(queries, 2);
	CHECK_EQ(result_of("ok.again.example"), DNS_OK); /* the one that answered goes first */
	CHECK_EQ(queries, 3);
	CHECK_EQ(result_of("sure.example"), DNS_OK);
	CHECK(last.secure);
	CHECK_EQ(result_of("sure.example"), DNS_OK); /* from the cache */
	CHECK(last.secure && queries == 4);
	set_servers(0, 0); /* the same server, not known to be this machine */
	CHECK_EQ(result_of("sure.far.example"), DNS_OK);
	CHECK(!last.secure && queries == 5);
	set_servers(0x7f000003, 0); /* nobody there */
	CHECK_EQ(result_of("ok.third.example"), DNS_FAILED);
	CHECK(last.silent);
	TEST_END();
}
