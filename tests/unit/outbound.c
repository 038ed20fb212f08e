/* SPDX-License-Identifier: ISC */
/* Deliveries over real sockets, TLS included: the test is the requester, the resolver and the destination, all in one
 * loop. A destination is a script of lines it expects and what it says to them. */
#include "smtpd/out/outbound.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "smtpd/lib/memfd.h"
#include "smtpd/lib/stream.h"
#include "smtpd/msg/dns.h"
#include "smtpd/out/delivery.h"
#include "smtpd/proto/envelope.h"
#include "tests/unit/cert.h"
#include "tests/unit/test.h"

static struct loop loop;
static struct outbound out;
static struct chan asking, serving, dns_asking, dns_serving;
static uint8_t rx[4][MSG_MAX];
static struct cert good_cert, other_cert;

/* ---- the name server ---- */

static const struct {
	const char *name;
	uint16_t type;
	uint8_t result, n;
	struct slice records;
} zone[] = {
#define R(lit)                                          \
	{                                               \
		(const uint8_t *)(lit), sizeof(lit) - 1 \
	}
#define MX_HERE R("\0\20\0\12mx.example.org")
#define LOCAL	R("\0\4\177\0\0\1")
	{ "plain.example", 15, DNS_OK, 1, MX_HERE },
	{ "pinned.example", 15, DNS_OK, 1, MX_HERE },
	{ "mx.example.org", 1, DNS_OK, 1, LOCAL },
	{ "two.example", 15, DNS_OK, 2, R("\0\20\0\24mx.example.org\0\16\0\12dead.example") },
	{ "dead.example", 1, DNS_OK, 1, R("\0\4\177\0\0\2") },
	{ "bare.example", 15, DNS_NODATA, 0, R("") },
	{ "bare.example", 1, DNS_OK, 1, LOCAL },
	{ "null.example", 15, DNS_OK, 1, R("\0\2\0\0") },
	{ "fail.example", 15, DNS_FAILED, 0, R("") },
	{ "self.example", 15, DNS_OK, 1, R("\0\22\0\12mail.example.org") },
	{ "nowhere.example", 15, DNS_NODATA, 0, R("") },
	{ "nowhere.example", 1, DNS_NODATA, 0, R("") },
	{ "dead2.example", 15, DNS_OK, 1, R("\0\16\0\12dead.example") },
};

static void on_dns(void *ctx, struct call *c)
{
	const struct dns_query *q = c->msg;
	struct dns_reply r = { .result = DNS_NXDOMAIN };

	(void)ctx;
	for (size_t i = 0; i < sizeof zone / sizeof *zone; i++) {
		if (zone[i].type != q->qtype || !slice_ieq(c->tail, slice_of(zone[i].name)))
			continue;
		r.result = zone[i].result;
		r.n = zone[i].n;
		chan_answer(&c->token, &r, sizeof r, zone[i].records);
		return;
	}
	chan_answer(&c->token, &r, sizeof r, (struct slice){ NULL, 0 });
}

static const struct rule dns_rules[DNS_TYPES] = {
	[DNS_QUERY] = { 1u << P_OUT_SUB, sizeof(struct dns_query), 253, 0, on_dns },
};

/* ---- the destination ---- */

struct line {
	const char *expect; /* how the client's line begins; NULL: the connection */
	const char *say;    /* NULL: close; a leading '~': TLS after it; empty: silence */
};

static struct {
	struct watch listen;
	struct stream s;
	struct tls tls;
	uint8_t in[8192], out[8192];
	const struct line *script[4], *at;
	const struct tls_identity *id;
	int conns;
	bool data;
	char seen[128 * 1024]; /* all that came, decrypted */
	size_t seen_n;
	bool wrong;
} far;

static void far_say(const char *text)
{
	bool tls = *text == '~';

	buf_put(&far.s.out, slice_of(text + tls));
	if (tls)
		stream_tls(&far.s, &far.tls);
}

static void far_step(struct slice line)
{
	const struct line *l = far.at++;

	if (!l->expect || !slice_iprefix(line, slice_of(l->expect))) {
		fprintf(stderr, "not expected: %.*s\n", (int)line.n, (const char *)line.p);
		far.wrong = true;
		stream_close(&far.s);
		return;
	}
	if (!l->say) {
		stream_close(&far.s);
		return;
	}
	far.data = !strncmp(l->say, "354", 3);
	if (*l->say == '~')
		tls_server(&far.tls, far.id);
	far_say(l->say);
}

static void far_lines(struct stream *s)
{
	while (s->watch.fd >= 0 && s->in.len) {
		struct slice in = buf_slice(&s->in);
		size_t n = slice_find(in, '\n') + 1;

		if (n > in.n)
			return;
		CHECK(far.seen_n + n < sizeof far.seen);
		memcpy(far.seen + far.seen_n, in.p, n);
		far.seen_n += n;
		if (!far.data || slice_eq(slice_head(in, n), SLICE(".\r\n")))
			far_step(slice_head(in, n));
		if (s->watch.fd >= 0)
			buf_eat(&s->in, n);
	}
}

static void on_far(struct stream *s, enum stream_event e)
{
	if (e == STREAM_DATA)
		far_lines(s);
	else if (e != STREAM_SECURE)
		stream_close(s);
}

static void on_listen(struct watch *w, short got)
{
	int fd = accept(w->fd, NULL, NULL);
	const struct line *l = far.script[far.conns++];

	(void)got;
	stream_close(&far.s);
	CHECK(l != NULL);
	if (!l || !l->say) {
		close(fd);
		return;
	}
	stream_open(&far.s, &loop, fd, BUF(far.in), BUF(far.out), on_far);
	far.at = l + 1;
	far.data = false;
	far_say(l->say);
	stream_kick(&far.s);
}

static void far_listen(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001) };
	socklen_t n = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	CHECK(bind(fd, (struct sockaddr *)&a, n) == 0 && listen(fd, 5) == 0);
	getsockname(fd, (struct sockaddr *)&a, &n);
	out.port = ntohs(a.sin_port);
	far.listen = (struct watch){ fd, POLLIN, LOOP_NEVER, on_listen, 0 };
	loop_add(&loop, &far.listen);
	far.s.watch.fd = -1;
	far.id = &good_cert.id;
}

/* ---- the requester ---- */

static const struct want want_answer = { OUT_DELIVER, sizeof(struct answer), ANSWER_TEXT };
static const struct want want_held = { OUT_HELD, sizeof(struct out_held_list), MSG_MAX };
static const struct want want_acked = { OUT_ACK, sizeof(struct out_acked), 0 };
static struct answer last;
static char last_text[ANSWER_TEXT + 1];
static struct out_held held[HELD_ROWS];
static uint32_t nheld;
static bool answered;

static void on_answer(struct ask *a, const void *reply, struct slice tail)
{
	answered = true;
	memset(&last, 0, sizeof last);
	if (!reply)
		return;
	if (a->want == &want_held) {
		nheld = ((const struct out_held_list *)reply)->n;
		CHECK_EQ(tail.n, nheld * sizeof *held);
		memcpy(held, tail.p, tail.n);
	} else if (a->want == &want_answer) {
		last = *(const struct answer *)reply;
		CHECK(tail.n > 0);
		memcpy(last_text, tail.p, tail.n);
		last_text[tail.n] = 0;
	}
}

static int memfd_of(struct slice s)
{
	int fd = memfd_make("test");

	CHECK(memfd_append(fd, 0, s));
	CHECK(memfd_seal(fd));
	return fd;
}

static struct ask ask = { .done = on_answer };
static uint64_t seq;
static struct slice text = { (const uint8_t *)"old\r\n\r\nline\r\n.dot\r\n", 19 };
static uint32_t skip;

static void put_letter(const char *rcpt, const char *body)
{
	uint8_t head[1024];
	struct buf b = BUF(head);
	struct out_deliver m = { .seq = seq, .text_size = text.n, .skip = skip };
	int fd[2];

	envelope_put(&b, ENV_SENDER, SLICE("from@example.org"));
	envelope_put(&b, ENV_RCPT, slice_of(rcpt));
	envelope_put(&b, ENV_BODY, slice_of(body));
	envelope_put_header(&b, SLICE("Received: x\r\n"));
	fd[0] = memfd_of(text);
	fd[1] = memfd_of(buf_slice(&b));
	far.conns = 0;
	far.seen_n = 0;
	far.wrong = false;
	answered = false;
	CHECK(chan_ask(&asking, &ask, &m, sizeof m, (struct slice){ NULL, 0 }, fd, 2,
		       &want_answer, 60000));
	close(fd[0]);
	close(fd[1]);
}

static void wait_answer(void)
{
	int64_t until = loop_clock() + 20000;

	while (!answered && loop_clock() < until)
		loop_round(&loop);
	CHECK(answered);
}

static void settle(void) /* the QUIT, or the end of everything */
{
	int64_t until = loop_clock() + 20000;

	for (size_t i = 0; i < out.npool; i++)
		while (out.pool[i].busy && loop_clock() < until)
			loop_round(&loop);
}

static void simple_ask(void *m, size_t n, const struct want *w)
{
	answered = false;
	CHECK(chan_ask(&asking, &ask, m, n, (struct slice){ NULL, 0 }, NULL, 0, w, 1000));
	wait_answer();
}

/* The result is on disk, says the queue. */
static void forget(void)
{
	struct out_ack m = { .seq = seq };

	simple_ask(&m, sizeof m, &want_acked);
}

static void delivers(const char *rcpt, uint16_t code, const char *enhanced, const char *part)
{
	char got[8] = "0.0.0";

	put_letter(rcpt, "8");
	wait_answer();
	settle();
	for (int i = 0; i < 3; i++)
		got[2 * i] = (char)('0' + last.enhanced[i] % 10);
	CHECK_EQ(last.code, code);
	CHECK_ROW(!strcmp(got, enhanced), got);
	CHECK_ROW(strstr(last_text, part) != NULL, last_text);
	CHECK(!far.wrong);
}

#define SCRIPT(...)                                                                  \
	do {                                                                         \
		static const struct line lines_[] = { __VA_ARGS__, { NULL, NULL } }; \
		memset(far.script, 0, sizeof far.script);                            \
		far.script[0] = lines_;                                              \
	} while (0)
#define SCRIPT2(...)                                                                 \
	do {                                                                         \
		static const struct line lines_[] = { __VA_ARGS__, { NULL, NULL } }; \
		far.script[1] = lines_;                                              \
	} while (0)

#define HI                         \
	{                          \
		NULL, "220 hi\r\n" \
	}
#define EHLO_                                                                                \
	{                                                                                    \
		"EHLO mail.", "250-x\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 9999\r\n" \
	}
#define MAIL_                                                                                \
	{                                                                                    \
		"MAIL FROM:<from@example.org> SIZE=32 BODY=8BITMIME\r\n", "250 2.1.0 ok\r\n" \
	}
#define RCPT_                                   \
	{                                       \
		"RCPT TO:<", "250 2.1.5 ok\r\n" \
	}
#define DATA_                        \
	{                            \
		"DATA", "354 go\r\n" \
	}
#define TLS_EHLO                                    \
	{                                           \
		"EHLO", "250-x\r\n250 STARTTLS\r\n" \
	}
#define QUIT_                \
	{                    \
		"QUIT", NULL \
	}

static bool saw(const char *part)
{
	far.seen[far.seen_n] = 0;
	return strstr(far.seen, part) != NULL;
}

static void gives(const char *rcpt, uint16_t code, const char *enhanced, const char *part)
{
	seq++;
	delivers(rcpt, code, enhanced, part);
	forget();
}

static void in_clear(void)
{
	SCRIPT(HI, EHLO_, MAIL_, RCPT_, DATA_, { ".", "250 2.6.0 queued as 7\r\n" }, QUIT_);
	gives("a@plain.example", 250, "2.6.0", "host mx.example.org said: queued as 7");
	CHECK(saw("DATA\r\nReceived: x\r\nold\r\n\r\nline\r\n..dot\r\n.\r\nQUIT\r\n"));
	skip = 5;
	SCRIPT(HI, { "EHLO", "250 x\r\n" },
	       { "MAIL FROM:<from@example.org>\r\n", "250 ok\r\n" }, RCPT_, DATA_,
	       { ".", "250 ok\r\n" }, QUIT_);
	gives("a@bare.example", 250, "2.0.0", "host bare.example said: ok");
	CHECK(saw("DATA\r\nReceived: x\r\n\r\nline\r\n..dot\r\n.\r\n"));
	skip = 0;
	SCRIPT(HI, { "EHLO", "502 no\r\n" }, { "HELO", "250 x\r\n" }, { "MAIL", "250 ok\r\n" },
	       RCPT_, DATA_, { ".", "250 ok\r\n" }, QUIT_);
	gives("a@plain.example", 250, "2.0.0", "ok");
}

static void refusals(void)
{
	SCRIPT(HI, EHLO_, MAIL_, { "RCPT", "550-5.1.1 no such\r\n550 5.1.1 user\r\n" },
	       { "DATA", "503 5.5.1 no\r\n" }, QUIT_);
	gives("a@plain.example", 550, "5.1.1", "host mx.example.org said: no such user");
	SCRIPT(HI, EHLO_, { "MAIL", "550 5.7.1 no\r\n" }, { "RCPT", "503 no\r\n" }, DATA_,
	       { ".", "554 5.5.1 nothing\r\n" }, QUIT_);
	gives("a@plain.example", 550, "5.7.1", "no");
	SCRIPT(HI, EHLO_, MAIL_, RCPT_, DATA_, { ".", "452 4.2.2 full\r\n" }, QUIT_);
	gives("a@plain.example", 451, "4.2.2", "full");
	SCRIPT(HI, EHLO_, MAIL_, RCPT_, DATA_, { ".", "421 5.7.32 odd\r\n" }, QUIT_);
	gives("a@plain.example", 451, "4.0.0", "odd");
	SCRIPT(HI, EHLO_, MAIL_, RCPT_, { "DATA", "250 2.0.0 accepted\r\n" });
	gives("a@plain.example", 451, "4.5.0", "out of place");
	SCRIPT(HI, { "EHLO", "250-x\r\n250-8BITMIME\r\n250 SIZE 31\r\n" }, QUIT_);
	gives("a@plain.example", 552, "5.3.4", "larger");
	SCRIPT({ NULL, "250 hi\r\n" });
	gives("a@plain.example", 451, "4.5.0", "out of place");
	SCRIPT(HI, EHLO_, { "MAIL", "354 go\r\n" });
	gives("a@plain.example", 451, "4.0.0", "go");
	SCRIPT({ NULL, "554 5.7.1 go away\r\n" });
	gives("a@plain.example", 554, "5.7.1", "go away");
	SCRIPT({ NULL, "421 4.3.2 busy\r\n" });
	gives("a@plain.example", 451, "4.3.2", "busy");
}

static void eight_bit(void)
{
	struct slice was = text;

	text = SLICE("Subject: x\r\n\r\n\303\244\r\n");
	SCRIPT(HI, { "EHLO", "250 x\r\n" }, QUIT_);
	gives("a@plain.example", 554, "5.6.3", "8-bit");
	text = SLICE("bare\nlf\r\n");
	SCRIPT(HI, { "EHLO", "250 x\r\n" }, { "MAIL", "250 ok\r\n" }, RCPT_, DATA_);
	gives("a@plain.example", 554, "5.6.0", "CRLF");
	text = was;
}

static void names(void)
{
	gives("a@null.example", 556, "5.1.0", "null MX"); /* 5.1.10: last digit */
	gives("a@absent.example", 550, "5.1.2", "does not exist");
	gives("a@fail.example", 451, "4.4.3", "name service");
	gives("a@self.example", 554, "5.4.6", "loops");
	gives("a@nowhere.example", 451, "4.4.4", "no IPv4 address");
	gives("a@[127.0.0.1]", 550, "5.1.2", "does not exist");
	gives("a@dead2.example", 451, "4.4.1", "refused: dead.example");
	SCRIPT(HI, EHLO_, MAIL_, RCPT_, DATA_, { ".", "250 ok\r\n" }, QUIT_);
	gives("a@two.example", 250, "2.0.0", "mx.example.org"); /* the better one is dead */
	SCRIPT({ NULL, "554 5.7.1 go away\r\n" });		/* and may take it tomorrow */
	gives("a@two.example", 451, "4.7.1", "go away");
}

static void broken(void)
{
	static char junk[6000];

	SCRIPT({ NULL, "hello\r\n" });
	gives("a@plain.example", 451, "4.5.0", "does not speak SMTP");
	memset(junk, 'x', sizeof junk - 1);
	memcpy(junk, "220-", 4);
	far.script[0] = (const struct line[]){ { NULL, junk } };
	gives("a@plain.example", 451, "4.5.0", "does not speak SMTP");
	SCRIPT({ NULL, NULL });
	gives("a@plain.example", 451, "4.4.2", "closed");
	SCRIPT(HI, EHLO_, { "MAIL", NULL });
	gives("a@plain.example", 451, "4.4.2", "MAIL");
	SCRIPT(HI, EHLO_, MAIL_, RCPT_, DATA_, { ".", NULL });
	gives("a@plain.example", 451, "4.4.2", "final dot");
	/* A 250 before the final dot is none. */
	SCRIPT(HI, EHLO_, MAIL_, RCPT_, { "DATA", "354 go\r\n250 2.0.0 got it\r\n" });
	gives("a@plain.example", 451, "4.5.0", "out of place");
}

/* Silence at each step, with the time cut short. */
static void late(const char *part)
{
	int64_t until = loop_clock() + 10000;
	struct delivery *d = &out.pool[0];

	seq++;
	put_letter("a@plain.example", "7");
	while (!d->busy && loop_clock() < until)
		loop_round(&loop);
	d->deadline = loop.now + 100;
	wait_answer();
	settle();
	CHECK_EQ(last.code, 451);
	CHECK_EQ(last.enhanced[1] * 10 + last.enhanced[2], 42);
	CHECK_ROW(strstr(last_text, part) != NULL, last_text);
	CHECK(strstr(last_text, "in time") != NULL);
}

static void silent(void)
{
	SCRIPT({ NULL, "" });
	late("greeting");
	SCRIPT(HI, { "EHLO", "" });
	late("EHLO");
	SCRIPT(HI, TLS_EHLO, { "STARTTLS", "" });
	late("STARTTLS");
	SCRIPT(HI, EHLO_, { "MAIL", "" }, { "RCPT", "" }, { "DATA", "" });
	late("MAIL");
	SCRIPT(HI, EHLO_, { "MAIL", "250 ok\r\n" }, RCPT_, { "DATA", "" });
	late("DATA");
	SCRIPT(HI, EHLO_, { "MAIL", "250 ok\r\n" }, RCPT_, DATA_, { ".", "" });
	late("final dot");
}

#define TLS_EHLO                                    \
	{                                           \
		"EHLO", "250-x\r\n250 STARTTLS\r\n" \
	}
#define TLS_REST EHLO_, MAIL_, RCPT_, DATA_, { ".", "250 2.0.0 ok\r\n" }, QUIT_

static void tls_any(void)
{
	far.id = &other_cert.id;
	SCRIPT(HI, TLS_EHLO, { "STARTTLS", "~220 go\r\n" }, TLS_REST);
	gives("a@plain.example", 250, "2.0.0", "ok");
	SCRIPT(HI, TLS_EHLO, { "STARTTLS", "454 not now\r\n" }, { "MAIL", "250 ok\r\n" }, RCPT_,
	       DATA_, { ".", "250 ok\r\n" }, QUIT_);
	gives("a@plain.example", 250, "2.0.0", "ok");
	/* A handshake that fails: once more in clear. */
	SCRIPT(HI, TLS_EHLO, { "STARTTLS", "220 go\r\nnot TLS at all\r\n" }, { "", NULL });
	SCRIPT2(HI, TLS_EHLO, { "MAIL", "250 ok\r\n" }, RCPT_, DATA_, { ".", "250 ok\r\n" },
		QUIT_);
	gives("a@plain.example", 250, "2.0.0", "ok");
	CHECK_EQ(far.conns, 2);
	far.id = &good_cert.id;
}

/* Nothing but EHLO and STARTTLS is said in clear, whatever goes wrong. */
static void pinned_fails(const char *part, bool handshake)
{
	seq++;
	put_letter("a@pinned.example", "7");
	wait_answer();
	settle();
	CHECK_EQ(last.code, 451);
	CHECK_EQ(last.enhanced[1] * 10 + last.enhanced[2], 75);
	CHECK_ROW(strstr(last_text, part) != NULL, last_text);
	CHECK(!saw("MAIL") && !saw("from@"));
	CHECK(saw("EHLO mail.") && (!handshake || saw("STARTTLS")));
	CHECK_EQ(far.conns, 1);
}

static void tls_pinned(void)
{
	SCRIPT(HI, TLS_EHLO, { "STARTTLS", "~220 go\r\n" }, TLS_REST);
	gives("a@pinned.example", 250, "2.0.0", "ok");
	/* What comes in clear behind the 220 is not taken for the answer to EHLO. */
	SCRIPT(HI, TLS_EHLO, { "STARTTLS", "~220 go\r\n250-x\r\n250 SIZE 1\r\n" }, TLS_REST);
	gives("a@pinned.example", 250, "2.0.0", "ok");
	SCRIPT(HI, EHLO_, { "QUIT", NULL });
	pinned_fails("STARTTLS is not offered", false);
	SCRIPT(HI, TLS_EHLO, { "STARTTLS", "454 4.7.0 not now\r\n" });
	pinned_fails("STARTTLS was refused", true);
	SCRIPT(HI, TLS_EHLO, { "STARTTLS", "220 go\r\n250 ok\r\n250 ok\r\n" }, { "", NULL });
	pinned_fails("", true);
	SCRIPT(HI, TLS_EHLO, { "STARTTLS", "~220 go\r\n" }, TLS_REST);
	far.id = &other_cert.id;
	pinned_fails("certificate", true);
	far.id = &good_cert.id;
	cert_make(&good_cert, "mx.example.net");
	pinned_fails("certificate", true);
	/* Before TLS no one can say no for ever. */
	SCRIPT({ NULL, "554 5.7.1 go away\r\n" });
	gives("a@pinned.example", 451, "4.7.1", "go away");
	SCRIPT(HI, { "EHLO", "550 5.7.1 go away\r\n" });
	gives("a@pinned.example", 451, "4.7.1", "go away");
	out.pinned_domain = SLICE("absent.example");
	gives("a@absent.example", 451, "4.1.2", "does not exist");
	out.pinned_domain = SLICE("pinned.example");
	out.pinned_hosts = SLICE("other.example.org");
	gives("a@pinned.example", 451, "4.7.5", "no mail exchanger of the pinned route");
	out.pinned_hosts = SLICE("mx.example.org");
}

static void list(void)
{
	struct out_held_ask m = { 0 };

	nheld = 99;
	simple_ask(&m, sizeof m, &want_held);
}

static void rewire(uint32_t generation)
{
	int pair[2];

	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair) == 0);
	chan_wire(&asking, pair[0], generation);
	chan_wire(&serving, pair[1], generation);
}

static void until_seen(const char *part)
{
	int64_t until = loop_clock() + 10000;

	while (!saw(part) && loop_clock() < until)
		loop_round(&loop);
	CHECK(saw(part));
}

static void results_are_held(void)
{
	list();
	CHECK_EQ(nheld, 0);
	seq++;
	SCRIPT(HI, EHLO_, MAIL_, RCPT_, DATA_, { ".", "250 2.6.0 ok\r\n" }, QUIT_);
	delivers("a@plain.example", 250, "2.6.0", "ok");
	list();
	CHECK_EQ(nheld, 1);
	CHECK_EQ(held[0].seq, seq);
	CHECK_EQ(held[0].state, OUT_RESULT);
	CHECK_EQ(held[0].code, 250);
	delivers("a@plain.example", 250, "2.6.0", "before"); /* not sent twice */
	CHECK_EQ(far.conns, 0);
	forget();
	list();
	CHECK_EQ(nheld, 0);
}

/* The requester dies before the final dot: the delivery ends. After it: its result is kept. */
static void requester_dies(void)
{
	seq++;
	SCRIPT(HI, { "EHLO", "" });
	put_letter("a@plain.example", "7");
	until_seen("EHLO");
	rewire(2);
	list();
	CHECK_EQ(nheld, 0);
	CHECK(!out.pool[0].busy);
	seq++;
	SCRIPT(HI, EHLO_, { "MAIL", "250 ok\r\n" }, RCPT_, DATA_, { ".", "" }, QUIT_);
	put_letter("a@plain.example", "7");
	until_seen("\r\n.\r\n");
	rewire(3);
	list();
	CHECK_EQ(nheld, 1);
	CHECK_EQ(held[0].state, OUT_BUSY);
	put_letter("a@plain.example", "7");
	wait_answer();
	CHECK_EQ(last.code, 451);
	far_say("250 2.0.0 late\r\n");
	stream_kick(&far.s);
	settle();
	list();
	CHECK_EQ(nheld, 1);
	CHECK_EQ(held[0].state, OUT_RESULT);
	CHECK_EQ(held[0].code, 250);
	forget();
}

static void bad_letters(void)
{
	struct out_deliver m = { .text_size = 5 };
	int fd[2] = { memfd_of(SLICE("text\n")), memfd_of(SLICE("nonsense")) };
	int open_fd = memfd_make("open");

	answered = false;
	CHECK(chan_ask(&asking, &ask, &m, sizeof m, (struct slice){ NULL, 0 }, fd, 2,
		       &want_answer, 1000));
	wait_answer();
	CHECK_EQ(last.code, 451);
	fd[0] = open_fd; /* not sealed */
	answered = false;
	CHECK(chan_ask(&asking, &ask, &m, sizeof m, (struct slice){ NULL, 0 }, fd, 2,
		       &want_answer, 1000));
	wait_answer();
	CHECK_EQ(last.code, 451);
	seq++;
	put_letter("a@plain.example", "7"); /* more than the pool holds */
	SCRIPT(HI, { "EHLO", "" });
	until_seen("EHLO");
	struct ask second = { .done = on_answer };
	int again[2] = { memfd_of(text), memfd_of(SLICE("")) };

	m.seq = seq + 1;
	CHECK(chan_ask(&asking, &second, &m, sizeof m, (struct slice){ NULL, 0 }, again, 2,
		       &want_answer, 1000));
	wait_answer();
	CHECK_EQ(last.code, 451);
	CHECK(strstr(last_text, "too many") != NULL);
	rewire(4);
}

static void start(void)
{
	static char pem[4096];
	size_t line;

	cert_make(&good_cert, "mx.example.org");
	cert_make(&other_cert, "mx.example.org");
	loop_init(&loop, 32);
	chan_init(&asking, &loop, P_OUT_SUB, 4, rx[0]);
	chan_init(&serving, &loop, P_QUEUE, 4, rx[1]);
	chan_init(&dns_asking, &loop, P_DNS, 4, rx[2]);
	chan_init(&dns_serving, &loop, P_OUT_SUB, 4, rx[3]);
	outbound_init(&out, &loop, &dns_asking, 1, true);
	out.self = SLICE("mail.example.org");
	out.pinned_domain = SLICE("pinned.example");
	out.pinned_hosts = SLICE("mx.example.org");
	CHECK(tls_anchors_load(&out.anchors,
			       (struct slice){ (uint8_t *)pem, cert_pem(&good_cert, pem) },
			       &line));
	serving.rules = outbound_rules;
	serving.nrules = OUT_TYPES;
	serving.ctx = &out;
	serving.wired = outbound_wired;
	rewire(1);
	dns_serving.rules = dns_rules;
	dns_serving.nrules = DNS_TYPES;
	int pair[2];

	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair) == 0);
	chan_wire(&dns_asking, pair[0], 1);
	chan_wire(&dns_serving, pair[1], 1);
	far_listen();
}

int main(void)
{
	start();
	in_clear();
	refusals();
	eight_bit();
	names();
	broken();
	silent();
	tls_any();
	tls_pinned();
	results_are_held();
	requester_dies();
	bad_letters();
	TEST_END();
}
