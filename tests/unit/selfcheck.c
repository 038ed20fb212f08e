/* SPDX-License-Identifier: ISC */
/* selfcheck between name servers, a holder, acme and port 25 of others: when it looks, and what it knows of acme. */
#include "smtpd/selfcheck/selfcheck.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "init/topology.h"
#include "smtpd/msg/dns.h"
#include "smtpd/msg/fetch.h"
#include "smtpd/proto/host/zone.h"
#include "tests/unit/test.h"

#define HOME "a.example"
#define HOST "mail.a.example"
#define DKIM "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="

static struct loop loop;
static struct selfcheck s;
static struct chan ask_dns, be_dns, ask_holder, be_holder, ask_self, be_self, ask_gate, be_gate;
static struct chan ask_fetch, be_fetch;
static uint8_t rx[10][MSG_MAX];
static struct watch far; /* port 25 of others */
static bool lame;	 /* the A record is another's */
static const char *caa;	 /* the value of the CAA record, NULL: there is none */
static int runs;	 /* that were begun */

static const char zone[] = "10.2.0.192.in-addr.arpa PTR " HOST ".\n" HOST
			   " TXT \"v=spf1 ip4:192.0.2.10 -all\"\n" HOME " MX 10 " HOST
			   ".\n" HOME " TXT \"v=spf1 ip4:192.0.2.10 -all\"\n"
			   "s1._domainkey." HOME " TXT \"" DKIM "\"\n"
			   "_dmarc." HOME " TXT \"v=DMARC1; p=reject\"\n"
			   "_mta-sts." HOME " TXT \"v=STSv1; id=1\"\n"
			   "_smtp._tls." HOME " TXT \"v=TLSRPTv1; rua=mailto:x@y.example\"\n"
			   "r.example MX 10 mx.r.example.\nmx.r.example A 127.0.0.1\n";

static void answer_caa(struct call *c)
{
	bool there = caa && slice_eq(c->tail, SLICE(HOST));
	struct dns_reply r = { .result = there ? DNS_OK : DNS_NODATA, .n = there };
	uint8_t mem[200];
	struct buf b = BUF(mem);

	if (there) {
		buf_be16(&b, (uint16_t)(7 + strlen(caa)));
		buf_put(&b, SLICE("\0\5issue"));
		buf_put(&b, slice_of(caa));
	}
	chan_answer(&c->token, &r, sizeof r, buf_slice(&b));
}

static void on_dns(void *ctx, struct call *c)
{
	static struct dnsmsg_answer answer;
	const struct dns_query *q = c->msg;
	struct dns_reply r = { .result = DNS_OK, .n = 1 };
	char text[sizeof zone + 100];
	unsigned bad = 0;

	(void)ctx;
	if (q->qtype == DNSMSG_CAA) {
		answer_caa(c);
		return;
	}
	snprintf(text, sizeof text, "%s" HOST " A 192.0.2.%d\n", zone, lame ? 11 : 10);
	zone_find(slice_of(text), c->tail, q->qtype, &answer, &bad);
	CHECK(!bad);
	if (answer.kind != DNSMSG_OK)
		r.result = answer.kind == DNSMSG_NODATA ? DNS_NODATA : DNS_NXDOMAIN;
	chan_answer(&c->token, &r, sizeof r, (struct slice){ answer.records, answer.len });
}

static void on_key(void *ctx, struct call *c)
{
	struct holder_reply r = { .result = HOLDER_DONE };

	(void)ctx;
	runs++;
	chan_answer(&c->token, &r, sizeof r, SLICE(DKIM));
}

static const struct rule dns_rules[DNS_TYPES] = {
	[DNS_QUERY] = { 1u << P_SELFCHECK, sizeof(struct dns_query), 253, 0, on_dns },
};
static struct {
	uint8_t mode;
	const char *hosts;
} policy;

static void on_sts(void *ctx, struct call *c)
{
	struct fetch_policy m = { .mode = policy.mode };

	(void)ctx;
	CHECK_SLICE(c->tail, HOME);
	chan_answer(&c->token, &m, sizeof m, slice_of(policy.hosts));
}

static const struct rule fetch_rules[FETCH_TYPES] = {
	[FETCH_STS] = { 1u << P_SELFCHECK, sizeof(struct fetch_sts), FETCH_NAME, 0, on_sts },
};

static const struct rule holder_rules[HOLDER_TYPES] = {
	[HOLDER_DKIM_RECORD] = { 1u << P_SELFCHECK, sizeof(struct holder_dkim_record), 0, 0,
				 on_key },
};

static void on_far(struct watch *w, short got)
{
	int fd = got ? accept(w->fd, NULL, NULL) : -1;

	CHECK(write(fd, "220 x\r\n", 7) == 7);
	close(fd);
}

static void wire(struct chan *ask, struct chan *be, unsigned at, enum proc_id from,
		 const struct rule *rules, size_t n, void *ctx)
{
	int pair[2];

	CHECK(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair));
	chan_init(ask, &loop, from, 2, rx[at]);
	chan_init(be, &loop, from, 2, rx[at + 1]);
	be->rules = rules;
	be->nrules = n;
	be->ctx = ctx;
	chan_wire(ask, pair[0], 1);
	chan_wire(be, pair[1], 1);
}

/* The run that is due now, whole. */
static void run(void)
{
	static int expected;

	for (expected++; runs < expected || s.running;)
		loop_round(&loop);
	CHECK_EQ(runs, expected);
}

/* The time came: a run, and its number of wrong records. After it the next one is in so many ms. */
static void due(unsigned wrong, int64_t next)
{
	int64_t from = loop_clock();

	s.timer.due = 0;
	run();
	CHECK_EQ(s.count[ROWCHECK_WRONG], wrong);
	CHECK_EQ(s.count[ROWCHECK_UNKNOWN], 0);
	CHECK(s.timer.due >= from + next && s.timer.due <= loop_clock() + next);
}

/* Daily; sooner while something is wrong, and then more and more rarely, until it is right. */
static void times(void)
{
	int64_t pause = 60 * 1000;

	due(0, SELFCHECK_DAY_MS);
	due(0, SELFCHECK_DAY_MS);
	lame = true;
	for (int i = 0; i < 8; i++) {
		due(1, pause);
		pause = pause < 1800 * 1000 ? 2 * pause : 3600 * 1000;
	}
	CHECK_EQ(pause, 3600 * 1000);
	lame = false;
	due(0, SELFCHECK_DAY_MS);
	lame = true;
	due(1, 60 * 1000);
	lame = false;
	due(0, SELFCHECK_DAY_MS);
}

/* An MTA-STS policy that is announced can be had, and names this host; the line says how much it is worth. */
static void policies(void)
{
	static const struct {
		uint8_t mode;
		const char *hosts, *seen;
		unsigned wrong;
	} rows[] = {
		{ FETCH_NONE, "", "cannot be had", 1 },
		{ FETCH_ENFORCE, "mx.b.example", "does not name this host", 1 },
		{ FETCH_TESTING, "mx.b.example " HOST, "for testing alone", 0 },
		{ FETCH_ENFORCE, "*.a.example", "the policy names this host", 0 },
	};

	s.fetch = &ask_fetch;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct slice seen;

		policy.mode = rows[i].mode;
		policy.hosts = rows[i].hosts;
		s.timer.due = 0;
		run();
		CHECK_EQ(s.count[ROWCHECK_WRONG], rows[i].wrong);
		seen = buf_slice(&s.row.seen);
		CHECK_ROW(seen.n >= strlen(rows[i].seen) &&
				  slice_eq(slice_from(seen, seen.n - strlen(rows[i].seen)),
					   slice_of(rows[i].seen)),
			  rows[i].seen);
	}
	s.fetch = NULL;
}

static bool noted;

static void on_noted(struct ask *a, const void *reply, struct slice nothing)
{
	(void)a, (void)nothing;
	noted = reply != NULL;
}

static void account(const char *url)
{
	const struct want want = { SELFCHECK_ACCOUNT, sizeof(struct selfcheck_noted), 0 };
	struct selfcheck_account m = { .h = { .type = 0 } };
	struct ask a = { .done = on_noted };

	noted = false;
	CHECK(chan_ask(&ask_self, &a, &m, sizeof m, slice_of(url), NULL, 0, &want, 5000));
	while (!noted)
		loop_round(&loop);
}

/* A CAA record that lets another account alone order is wrong as soon as ours is known (RFC 8657). */
static void accounts(void)
{
	caa = "ca.example; accounturi=https://ca.example/2";
	due(0, SELFCHECK_DAY_MS);
	account("https://ca.example/1");
	run();
	CHECK_EQ(s.count[ROWCHECK_WRONG], 1);
	account("https://ca.example/2");
	run();
	CHECK_EQ(s.count[ROWCHECK_WRONG], 0);
	/* the same again, and what is no URL: no reason to look */
	account("https://ca.example/2");
	account("");
	account("https://ca.example/1;x");
	account("https://ca.example/1 \"");
	CHECK(!s.running && s.timer.due > loop_clock() + 3600 * 1000);
	caa = NULL;
}

static uint8_t heard;

static void on_heard(struct ask *a, const void *reply, struct slice nothing)
{
	const struct selfcheck_state *m = reply;

	(void)a, (void)nothing;
	CHECK(m != NULL);
	heard = m->state;
}

/* front knows this, and asks. */
static void gate(struct ask *a, uint8_t known)
{
	static const struct want want = { SELFCHECK_GATE, sizeof(struct selfcheck_state), 0 };
	struct selfcheck_gate m = { .known = known };

	heard = UINT8_MAX;
	*a = (struct ask){ .done = on_heard };
	CHECK(chan_ask(&ask_gate, a, &m, sizeof m, SLICE(""), NULL, 0, &want,
		       SELFCHECK_GATE_MS));
}

static void until_heard(uint8_t state)
{
	for (int i = 0; i < 100 && heard == UINT8_MAX; i++)
		loop_round(&loop);
	CHECK_EQ(heard, state);
}

/* Told at once where front knows it otherwise, else after the next run: before the first one nobody knows. */
static void gates(struct ask *first)
{
	struct ask a;

	until_heard(SELFCHECK_OPEN);
	CHECK(!first->chan);
	gate(&a, SELFCHECK_SHUT);
	until_heard(SELFCHECK_OPEN);
	gate(&a, SELFCHECK_OPEN);
	lame = true;
	due(1, 60 * 1000);
	until_heard(SELFCHECK_SHUT);
	gate(&a, SELFCHECK_UNKNOWN);
	until_heard(SELFCHECK_SHUT);
	lame = false;
	due(0, SELFCHECK_DAY_MS);
	gate(&a, SELFCHECK_SHUT);
	until_heard(SELFCHECK_OPEN);
}

int main(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001) };
	socklen_t n = sizeof a;
	struct ask first;
	struct publish_site site = { .host = SLICE(HOST),
				     .domains = SLICE(HOME),
				     .selector = SLICE("s1"),
				     .ca = SLICE("ca.example") };

	CHECK(ipaddr_parse(SLICE("192.0.2.10"), &site.v4));
	loop_init(&loop, SELFCHECK_WATCHES + 12);
	far = (struct watch){ socket(AF_INET, SOCK_STREAM, 0), POLLIN, LOOP_NEVER, on_far, 0 };
	CHECK(bind(far.fd, (struct sockaddr *)&a, n) == 0 && listen(far.fd, 5) == 0);
	getsockname(far.fd, (struct sockaddr *)&a, &n);
	loop_add(&loop, &far);
	wire(&ask_dns, &be_dns, 0, P_SELFCHECK, dns_rules, DNS_TYPES, NULL);
	wire(&ask_holder, &be_holder, 2, P_SELFCHECK, holder_rules, HOLDER_TYPES, NULL);
	wire(&ask_self, &be_self, 4, P_ACME, selfcheck_rules, SELFCHECK_TYPES, &s);
	wire(&ask_gate, &be_gate, 6, P_FRONT_MX, selfcheck_rules, SELFCHECK_TYPES, &s);
	wire(&ask_fetch, &be_fetch, 8, P_SELFCHECK, fetch_rules, FETCH_TYPES, NULL);
	s.dns = &ask_dns;
	s.holder = &ask_holder;
	selfcheck_init(&s, &loop, &site, SLICE("r.example"));
	s.port = ntohs(a.sin_port);
	gate(&first, SELFCHECK_SHUT); /* by a front that outlived another selfcheck */
	run();			      /* at start */
	gates(&first);
	times();
	accounts();
	policies();
	TEST_END();
}
