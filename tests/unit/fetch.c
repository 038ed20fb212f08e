/* SPDX-License-Identifier: ISC */
/* fetch over real sockets and TLS: the test is out.sub, the name service and the web server. */
#include "smtpd/fetch/fetch.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "smtpd/lib/proc.h"
#include "smtpd/msg/dns.h"
#include "tests/unit/cert.h"
#include "tests/unit/test.h"

static struct loop loop;
static struct fetch fetch;
static struct chan asking, serving, dns_asking, dns_serving;
static uint8_t rx[4][MSG_MAX];
static struct tls_anchors anchors;
static struct cert cert, stranger;

/* ---- names ---- */

static struct {
	const char *txt; /* NULL: the name does not exist; empty: the name service fails */
	int asked;
	bool mute;
} names;

static void on_dns(void *ctx, struct call *c)
{
	const struct dns_query *q = c->msg;
	struct dns_reply r = { .result = DNS_NXDOMAIN };
	uint8_t mem[256];
	struct buf b = BUF(mem);

	(void)ctx;
	if (names.mute)
		return;
	if (q->qtype == 1) {
		CHECK_SLICE(c->tail, "mta-sts.a.example");
		buf_put(&b, SLICE("\0\4\177\0\0\1"));
	} else {
		CHECK(q->qtype == 16 && slice_iprefix(c->tail, SLICE("_mta-sts.")));
		names.asked++;
		if (names.txt) {
			buf_be16(&b, (uint16_t)strlen(names.txt));
			buf_put(&b, slice_of(names.txt));
		}
	}
	r.n = b.len > 0;
	if (b.len)
		r.result = b.len > 2 ? DNS_OK : DNS_FAILED;
	chan_answer(&c->token, &r, sizeof r, buf_slice(&b));
}

static const struct rule dns_rules[DNS_TYPES] = {
	[DNS_QUERY] = { 1u << P_FETCH, sizeof(struct dns_query), 253, 0, on_dns },
};

/* ---- the web server ---- */

static struct {
	struct watch listen;
	struct stream s;
	struct tls tls;
	uint8_t in[1024], out[1024];
	const struct tls_identity *id;
	const char *reply;
	int conns;
	char seen[1024];
} web;

static void on_web(struct stream *s, enum stream_event e)
{
	if (e == STREAM_DATA && s->in.len > 4 &&
	    !memcmp(s->in.p + s->in.len - 4, "\r\n\r\n", 4)) {
		memcpy(web.seen, s->in.p, s->in.len);
		web.seen[s->in.len] = 0;
		s->in.len = 0;
		buf_put(&s->out, slice_of(web.reply));
		stream_end(s);
	} else if (e != STREAM_SECURE && e != STREAM_DATA) {
		stream_close(s);
	}
}

static void on_listen(struct watch *w, short got)
{
	int fd = accept(w->fd, NULL, NULL);

	(void)got;
	web.conns++;
	stream_close(&web.s);
	stream_open(&web.s, &loop, fd, BUF(web.in), BUF(web.out), on_web);
	tls_server(&web.tls, web.id);
	stream_tls(&web.s, &web.tls);
}

static void web_listen(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001) };
	socklen_t n = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	CHECK(bind(fd, (struct sockaddr *)&a, n) == 0 && listen(fd, 5) == 0);
	getsockname(fd, (struct sockaddr *)&a, &n);
	fetch.port = ntohs(a.sin_port);
	web.listen = (struct watch){ fd, POLLIN, LOOP_NEVER, on_listen, 0 };
	loop_add(&loop, &web.listen);
	web.s.watch.fd = -1;
	web.id = &cert.id;
}

/* ---- out.sub ---- */

static const struct want want_sts = { FETCH_STS, sizeof(struct fetch_policy), FETCH_HOSTS };
static struct fetch_policy got;
static char hosts[FETCH_HOSTS + 1];
static int answers;

static void on_answer(struct ask *a, const void *reply, struct slice tail)
{
	(void)a;
	answers++;
	CHECK(reply != NULL);
	if (reply)
		got = *(const struct fetch_policy *)reply;
	CHECK(slice_cstr(tail, hosts, sizeof hosts));
}

static void ask(struct ask *a, const char *domain)
{
	struct fetch_sts m = { 0 };

	*a = (struct ask){ .done = on_answer };
	CHECK(chan_ask(&asking, a, &m, sizeof m, slice_of(domain), NULL, 0, &want_sts, 60000));
}

static void wait_for(int n)
{
	int64_t until = loop_clock() + 30000;

	while (answers < n && loop_clock() < until)
		loop_round(&loop);
	CHECK_EQ(answers, n);
	answers = 0;
}

/* Mode and hosts as one text. */
static const char *says(const char *domain)
{
	static char text[FETCH_HOSTS + 16];
	static const char *const mode[] = { "none", "testing", "enforce" };
	struct ask a;

	ask(&a, domain);
	wait_for(1);
	snprintf(text, sizeof text, "%s %s", mode[got.mode % 3], hosts);
	return text;
}

static struct stsplace *place(void)
{
	return stscache_find(&fetch.cache, SLICE("a.example"));
}

/* The domain may be looked at again. */
static void later(void)
{
	place()->checked = 0;
	web.conns = names.asked = 0;
}

static void restart(int fd)
{
	fetch_init(&fetch, &loop, &dns_asking, fd);
	fetch.port = 0;
	loop_drop(&loop, &web.listen);
	close(web.listen.fd);
	web_listen();
	web.conns = names.asked = 0;
}

#define REPLY(body)                                                                         \
	"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n" \
	"51\r\n" body "\r\n0\r\n\r\n"
/* 81 octets each */
#define ENFORCE \
	REPLY("version: STSv1\nmode: enforce\nmax_age: 86400\nmx: *.mx.example\nx: 9876543210987654\n")
#define TESTING \
	REPLY("version: STSv1\nmode: testing\nmax_age: 86400\nmx: *.mx.example\nx: 9876543210987654\n")
#define WITHOUT \
	REPLY("version: STSv1\nmode: none\nmax_age: 86400\nmx: *.mx.example\nx: 9876543210987654321\n")

static void found(void)
{
	CHECK(!strcmp(says("a.example"), "none "));
	CHECK_EQ(names.asked, 1);
	CHECK(!strcmp(says("a.example"), "none ")); /* not looked for again so soon */
	CHECK_EQ(names.asked, 1);
	later();
	names.txt = "v=STSv1; id=one;";
	web.reply = ENFORCE;
	CHECK(!strcmp(says("A.example"), "enforce *.mx.example"));
	CHECK(strstr(web.seen,
		     "GET /.well-known/mta-sts.txt HTTP/1.1\r\nHost: mta-sts.a.example:"));
	CHECK(!strcmp(says("a.example"), "enforce *.mx.example"));
	CHECK(web.conns == 1 && names.asked == 1);
	later();
	CHECK(!strcmp(says("a.example"), "enforce *.mx.example")); /* the same id */
	CHECK(web.conns == 0 && names.asked == 1);
	later();
	names.txt = "v=STSv1; id=two;";
	web.reply = TESTING;
	CHECK(!strcmp(says("a.example"), "testing *.mx.example"));
	CHECK_EQ(web.conns, 1);
	/* after a day, with the same id */
	later();
	place()->row.fetched -= FETCH_FRESH;
	web.reply = ENFORCE;
	CHECK(!strcmp(says("a.example"), "enforce *.mx.example"));
}

/* Whatever fails, a policy that holds stays. */
static void failures(void)
{
	static const char *const bad[] = {
		"HTTP/1.1 302 Found\r\nLocation: https://x/\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 1\r\n\r\nx",
		"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n\r\nversion:\n",
		"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 999\r\n\r\nversion: STSv1\n",
		"",
	};

	names.txt = "v=STSv1; id=three;";
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		later();
		web.reply = bad[i];
		CHECK_ROW(!strcmp(says("a.example"), "enforce *.mx.example"), bad[i]);
		CHECK_EQ(web.conns, 1);
		says("a.example"); /* not tried again so soon */
		CHECK_EQ(web.conns, 1);
	}
	later();
	web.reply = TESTING;
	web.id = &stranger.id;
	CHECK(!strcmp(says("a.example"), "enforce *.mx.example"));
	CHECK_EQ(web.conns, 1);
	web.id = &cert.id;
	for (int i = 0; i < 3; i++) {
		later();
		names.txt = i == 0 ? NULL : i == 1 ? "" : "v=spf1 -all";
		CHECK(!strcmp(says("a.example"), "enforce *.mx.example"));
		CHECK_EQ(web.conns, 0);
	}
	/* until it has ended */
	later();
	place()->row.until = 1;
	CHECK(!strcmp(says("a.example"), "none "));
	/* without one, a failure is "none" */
	later();
	names.txt = "v=STSv1; id=three;";
	web.id = &stranger.id;
	web.reply = ENFORCE;
	CHECK(!strcmp(says("a.example"), "none "));
	web.id = &cert.id;
	later();
	CHECK(!strcmp(says("a.example"), "enforce *.mx.example"));
	later();
	names.txt = "v=STSv1; id=four;";
	web.reply = WITHOUT;
	CHECK(!strcmp(says("a.example"), "none "));
}

static void many(void)
{
	struct ask a[3];

	later();
	names.txt = "v=STSv1; id=five;";
	web.reply = ENFORCE;
	for (int i = 0; i < 3; i++)
		ask(&a[i], "a.example");
	wait_for(3);
	CHECK(web.conns == 1 && names.asked == 1);
	CHECK(!strcmp(says(".."), "none "));
	/* more domains than lookups */
	names.txt = NULL;
	names.asked = 0;
	struct ask more[FETCH_LOOKUPS + 2];
	char domain[32];

	for (int i = 0; i < FETCH_LOOKUPS + 2; i++) {
		snprintf(domain, sizeof domain, "d%d.example", i);
		ask(&more[i], domain);
	}
	wait_for(FETCH_LOOKUPS + 2);
	CHECK_EQ(names.asked, FETCH_LOOKUPS + 2);
}

/* dns is restarted while it is asked: the question is put again. */
static void dns_dies(void)
{
	struct ask a;
	int pair[2];

	names.mute = true;
	names.txt = NULL;
	ask(&a, "z.example");
	for (int i = 0; i < 3; i++)
		loop_round(&loop);
	close(dns_serving.watch.fd);
	loop_drop(&loop, &dns_serving.watch);
	dns_serving.watch.fd = -1;
	while (chan_wired(&dns_asking))
		loop_round(&loop);
	names.mute = false;
	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair) == 0);
	chan_wire(&dns_asking, pair[0], 2);
	chan_wire(&dns_serving, pair[1], 2);
	wait_for(1);
	CHECK_EQ(got.mode, FETCH_NONE);
}

static void wire(void)
{
	int pair[2];

	chan_init(&asking, &loop, P_FETCH, 16, rx[0]);
	chan_init(&serving, &loop, P_OUT_SUB, 16, rx[1]);
	chan_init(&dns_asking, &loop, P_DNS, 4, rx[2]);
	chan_init(&dns_serving, &loop, P_FETCH, 4, rx[3]);
	serving.rules = fetch_rules;
	serving.nrules = FETCH_TYPES;
	serving.ctx = &fetch;
	dns_serving.rules = dns_rules;
	dns_serving.nrules = DNS_TYPES;
	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair) == 0);
	chan_wire(&asking, pair[0], 1);
	chan_wire(&serving, pair[1], 1);
	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair) == 0);
	chan_wire(&dns_asking, pair[0], 1);
	chan_wire(&dns_serving, pair[1], 1);
}

int main(void)
{
	static char pem[4096], name[] = "/tmp/fetch-XXXXXX";
	size_t line;
	int fd = mkstemp(name);

	unlink(name);
	cert_make(&cert, "mta-sts.a.example");
	cert_make(&stranger, "mta-sts.a.example");
	CHECK(tls_anchors_load(&anchors, (struct slice){ (uint8_t *)pem, cert_pem(&cert, pem) },
			       &line));
	loop_init(&loop, FETCH_WATCHES + 16);
	wire();
	fetch.env.anchors = &anchors;
	fetch_init(&fetch, &loop, &dns_asking, fd);
	web_listen();
	found();
	restart(fd); /* the policy outlives the process, and holds when nothing can be asked */
	names.txt = "";
	CHECK(!strcmp(says("a.example"), "enforce *.mx.example"));
	failures();
	many();
	dns_dies();
	TEST_END();
}
