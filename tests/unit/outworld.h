/* SPDX-License-Identifier: ISC */
/* Deliveries over real sockets, TLS included: the test is the requester, the resolver and the destination, all in one
 * loop. A destination is a script of lines it expects and what it says to them. */
#ifndef TESTS_UNIT_OUTWORLD_H
#define TESTS_UNIT_OUTWORLD_H

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
#include "smtpd/proto/mxname.h"
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
	{ "pair.example", 15, DNS_OK, 2, R("\0\20\0\12mx.example.org\0\16\0\24bare.example") },
	{ "dead.example", 1, DNS_OK, 1, R("\0\4\177\0\0\2") },
	{ "bare.example", 15, DNS_NODATA, 0, R("") },
	{ "bare.example", 1, DNS_OK, 1, LOCAL },
	{ "null.example", 15, DNS_OK, 1, R("\0\2\0\0") },
	{ "fail.example", 15, DNS_FAILED, 0, R("") },
	{ "self.example", 15, DNS_OK, 1, R("\0\22\0\12mail.example.org") },
	{ "nowhere.example", 15, DNS_NODATA, 0, R("") },
	{ "nowhere.example", 1, DNS_NODATA, 0, R("") },
	{ "inside.example", 15, DNS_OK, 1, R("\0\20\0\12in.example.org") },
	{ "in.example.org", 1, DNS_OK, 1, R("\0\4\12\0\0\1") },
	{ "three.example", 15, DNS_OK, 2, R("\0\20\0\12mx.example.org\0\16\0\24dead.example") },
	{ "six.example", 15, DNS_OK, 1, R("\0\20\0\12mx.six.example") },
	{ "mx.six.example", 1, DNS_NODATA, 0, R("") },
	{ "mx.six.example", 28, DNS_OK, 1, R("\0\20\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1") },
	{ "dead2.example", 15, DNS_OK, 1, R("\0\16\0\12dead.example") },
};

/* DNSSEC: which of the answers are validated, and the TLSA record of every host. */
static struct {
	bool mx, addr, tlsa;
	uint8_t result;
	uint8_t mem[512];
	struct buf records;
	int asked;
} secure = { .result = DNS_NODATA };

/* Has ::1 a name? */
static bool named;

static inline void on_dns(void *ctx, struct call *c)
{
	const struct dns_query *q = c->msg;
	struct dns_reply r = { .result = DNS_NXDOMAIN };

	(void)ctx;
	if (q->qtype == 52) {
		CHECK(slice_ieq(c->tail, SLICE("_25._tcp.mx.example.org")));
		secure.asked++;
		r.result = secure.result;
		r.secure = secure.tlsa;
		r.n = 1;
		chan_answer(&c->token, &r, sizeof r, buf_slice(&secure.records));
		return;
	}
	if (q->qtype == 12 && named) {
		CHECK(slice_iends(c->tail, SLICE(".0.0.ip6.arpa")));
		r.result = DNS_OK;
		r.n = 1;
		chan_answer(&c->token, &r, sizeof r, SLICE("\0\16mx.six.example"));
		return;
	}
	for (size_t i = 0; i < sizeof zone / sizeof *zone; i++) {
		if (zone[i].type != q->qtype || !slice_ieq(c->tail, slice_of(zone[i].name)))
			continue;
		r.result = zone[i].result;
		r.n = zone[i].n;
		r.secure = q->qtype == 15 ? secure.mx : secure.addr;
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
	bool data, implicit;
	char seen[128 * 1024]; /* all that came, decrypted */
	size_t seen_n;
	bool wrong;
} far;

static inline void far_say(const char *text)
{
	bool tls = *text == '~';

	buf_put(&far.s.out, slice_of(text + tls));
	if (tls)
		stream_tls(&far.s, &far.tls);
}

static inline void far_step(struct slice line)
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

static inline void far_lines(struct stream *s)
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

static inline void on_far(struct stream *s, enum stream_event e)
{
	if (e == STREAM_DATA)
		far_lines(s);
	else if (e != STREAM_SECURE)
		stream_close(s);
}

static inline void on_listen(struct watch *w, short got)
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
	if (far.implicit) {
		tls_server(&far.tls, far.id);
		stream_tls(&far.s, &far.tls);
	}
	far_say(l->say);
	stream_kick(&far.s);
}

static inline void far_listen(void)
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

static const struct want want_answer = { OUT_DELIVER, sizeof(struct out_result),
					 OUT_RESULT_TAIL };
static const struct want want_held = { OUT_HELD, sizeof(struct out_held_list), MSG_MAX };
static const struct want want_acked = { OUT_ACK, sizeof(struct out_acked), 0 };
static struct out_result result;
static struct out_verdict verdict[OUT_RCPTS],
	last; /* of the last answer; the last one of them */
static unsigned nverdict;
static char last_text[ANSWER_TEXT + 1], last_host[256];
static struct out_held held[HELD_ROWS];
static uint32_t nheld;
static bool answered;

static inline void take_verdicts(const struct out_result *m, struct slice tail)
{
	struct cur c = CUR(tail);
	struct slice said;

	result = *m;
	CHECK(slice_cstr(cur_take(&c, m->host_len), last_host, sizeof last_host));
	for (nverdict = 0; out_verdict_take(&c, &last, &said); nverdict++) {
		verdict[nverdict] = last;
		CHECK(slice_cstr(said, last_text, sizeof last_text));
	}
	CHECK(cur_done(&c));
}

static inline void on_answer(struct ask *a, const void *reply, struct slice tail)
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
		take_verdicts(reply, tail);
	}
}

static inline int memfd_of(struct slice s)
{
	int fd = memfd_make("test");

	CHECK(memfd_append(fd, 0, s));
	CHECK(memfd_seal(fd));
	return fd;
}

static struct ask ask = { .done = on_answer }, *next_ask = &ask; /* of the next letter */
static uint64_t seq;
static bool resumes; /* TLS sessions of earlier letters stay */
static bool dsn;     /* the letter has all that RFC 3461 and RFC 6531 know */
static struct slice text = { (const uint8_t *)"old\r\n\r\nline\r\n.dot\r\n", 19 };
static uint32_t skip;
static uint32_t left_ms = OUT_MX_MS; /* forward lane */
static bool aliased;		     /* the address it came for is one of ours */

/* rcpts: separated by one space. */
static inline void put_letter(const char *rcpts, const char *body)
{
	struct slice rest = slice_of(rcpts), rcpt;
	uint32_t index[OUT_RCPTS], n = 0;
	uint8_t head[1024];
	struct buf b = BUF(head);
	struct out_deliver m = { .seq = seq, .text_size = text.n, .skip = skip, .ms = left_ms };
	int fd[2];

	envelope_put(&b, ENV_SENDER, SLICE("from@example.org"));
	while ((rcpt = slice_word(&rest)).n) {
		envelope_put(&b, ENV_RCPT, rcpt);
		if (aliased)
			envelope_put(&b, ENV_ORIGINAL, SLICE("hello@example.org"));
		if (dsn) {
			envelope_put(&b, ENV_NOTIFY, SLICE("SUCCESS,DELAY"));
			envelope_put(&b, ENV_ORCPT, SLICE("rfc822;a+40x"));
		}
		index[n] = n * 3;
		n++;
	}
	envelope_put(&b, ENV_BODY, slice_of(body));
	if (dsn) {
		envelope_put(&b, ENV_RET, SLICE("HDRS"));
		envelope_put(&b, ENV_ENVID, SLICE("x+2B1"));
		envelope_put(&b, ENV_UTF8, SLICE("1"));
	}
	envelope_put_header(&b, SLICE("Received: x\r\n"));
	fd[0] = memfd_of(text);
	fd[1] = memfd_of(buf_slice(&b));
	far.conns = 0;
	far.seen_n = 0;
	far.wrong = false;
	if (!resumes)
		memset(out.sessions.row, 0, SESSIONS * sizeof *out.sessions.row);
	answered = false;
	CHECK(chan_ask(&asking, next_ask, &m, sizeof m,
		       (struct slice){ (uint8_t *)index, n * sizeof *index }, fd, 2,
		       &want_answer, 60000));
	close(fd[0]);
	close(fd[1]);
}

static inline void wait_answer(void)
{
	int64_t until = loop_clock() + 20000;

	while (!answered && loop_clock() < until)
		loop_round(&loop);
	CHECK(answered);
}

static inline void settle(void) /* the QUIT, or the end of everything */
{
	int64_t until = loop_clock() + 20000;

	for (size_t i = 0; i < out.npool; i++)
		while ((out.pool[i].busy ||
			(out.peers[i].step != STEP_NONE && out.peers[i].step != STEP_KEPT)) &&
		       loop_clock() < until)
			loop_round(&loop);
}

static inline void simple_ask(void *m, size_t n, struct slice tail, const struct want *w)
{
	answered = false;
	CHECK(chan_ask(&asking, &ask, m, n, tail, NULL, 0, w, 1000));
	wait_answer();
}

/* The result is on disk, says the queue. */
static inline void forget(uint32_t rcpt)
{
	struct out_ack m = { 0 };
	struct out_ack_row row = { .seq = seq, .rcpt = rcpt };

	simple_ask(&m, sizeof m, (struct slice){ (const uint8_t *)&row, sizeof row },
		   &want_acked);
}

static inline void delivers(const char *rcpt, uint16_t code, const char *enhanced,
			    const char *part)
{
	char got[8] = "0.0.0";

	put_letter(rcpt, "8");
	wait_answer();
	settle();
	for (int i = 0; i < 3; i++)
		got[2 * i] = (char)('0' + last.enhanced[i] % 10);
	CHECK(!code || last.code == code);
	CHECK_ROW(!code || !strcmp(got, enhanced), got);
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

static inline bool saw(const char *part)
{
	far.seen[far.seen_n] = 0;
	return strstr(far.seen, part) != NULL;
}

static inline void gives(const char *rcpt, uint16_t code, const char *enhanced,
			 const char *part)
{
	seq++;
	delivers(rcpt, code, enhanced, part);
	forget(0);
}

#define OK(verb)                         \
	{                                \
		verb, "250 2.1.0 ok\r\n" \
	}
#define CLEAR                              \
	{                                  \
		"EHLO", "250 8BITMIME\r\n" \
	}
#define END_                                \
	{                                   \
		".", "250 2.6.0 stored\r\n" \
	}

#define LETTER_ MAIL_, RCPT_, DATA_, END_

static const char *place = "a@plain.example";

/* A letter to `place`, over a connection that may be kept; conns: how many there have been. */
static inline void kept_once(uint16_t code, const char *part, int conns)
{
	int had = far.conns;

	seq++;
	put_letter(place, "8");
	far.conns = had;
	wait_answer();
	CHECK_EQ(last.code, code);
	CHECK_ROW(strstr(last_text, part) != NULL, last_text);
	CHECK_EQ(far.conns, conns);
	CHECK(!far.wrong);
	forget(0);
}

#define TLS_REST EHLO_, MAIL_, RCPT_, DATA_, { ".", "250 2.0.0 ok\r\n" }, QUIT_

static inline void list(void)
{
	struct out_held_ask m = { 0 };

	nheld = 99;
	simple_ask(&m, sizeof m, (struct slice){ NULL, 0 }, &want_held);
}

static inline void rewire(uint32_t generation)
{
	int pair[2];

	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair) == 0);
	chan_wire(&asking, pair[0], generation);
	chan_wire(&serving, pair[1], generation);
}

static inline void until_seen(const char *part)
{
	int64_t until = loop_clock() + 10000;

	while (!saw(part) && loop_clock() < until)
		loop_round(&loop);
	CHECK(saw(part));
}

static inline void start(void)
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
	out.keep_ms = 0;
	out.private_ok = out.self_ok = true;
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

#endif
