/* SPDX-License-Identifier: ISC */
/* TLS policies of destinations: each of them kept, and each way to talk the client out of one. */
#include "tests/unit/outworld.h"

#include "smtpd/msg/fetch.h"
#include "smtpd/out/turns.h"

static struct chan fetch_asking, fetch_serving;
static uint8_t fetch_rx[2][MSG_MAX];

/* ---- fetch ---- */

static struct {
	uint8_t mode;
	const char *hosts;
	bool fails;
	int asked;
} sts = { .hosts = "" };

static void on_sts(void *ctx, struct call *c)
{
	struct fetch_policy m = { .mode = sts.mode };

	(void)ctx;
	sts.asked++;
	if (sts.fails)
		chan_fail(&c->token);
	else
		chan_answer(&c->token, &m, sizeof m, slice_of(sts.hosts));
}

static const struct rule fetch_rules[FETCH_TYPES] = {
	[FETCH_STS] = { 1u << P_OUT_SUB, sizeof(struct fetch_sts), FETCH_NAME, 0, on_sts },
};

static void wire_fetch(void)
{
	int pair[2];

	chan_init(&fetch_asking, &loop, P_OUT_SUB, 4, fetch_rx[0]);
	chan_init(&fetch_serving, &loop, P_OUT_SUB, 4, fetch_rx[1]);
	fetch_serving.rules = fetch_rules;
	fetch_serving.nrules = FETCH_TYPES;
	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair) == 0);
	chan_wire(&fetch_asking, pair[0], 1);
	chan_wire(&fetch_serving, pair[1], 1);
	out.policy.fetch = &fetch_asking;
}

/* ---- what a delivery gives ---- */

static void tlsa(uint8_t usage, uint8_t match, struct slice object)
{
	uint8_t sum[32];

	cert_hash(object, sum);
	buf_be16(&secure.records, 3 + sizeof sum);
	buf_u8(&secure.records, usage);
	buf_u8(&secure.records, 0);
	buf_u8(&secure.records, match);
	buf_put(&secure.records, (struct slice){ sum, sizeof sum });
	secure.result = DNS_OK;
}

static void reset(void)
{
	memset(&secure, 0, sizeof secure);
	secure.records = BUF(secure.mem);
	secure.result = DNS_NODATA;
	secure.mx = secure.addr = secure.tlsa = true;
	sts.mode = FETCH_NONE;
	sts.hosts = "";
	sts.fails = false;
	sts.asked = 0;
	far.id = &good_cert.id;
}

static struct slice der_of(const struct cert *c)
{
	return (struct slice){ c->der, c->n };
}

/* TLS is there: the letter passes, verified or not. */
static void passes(enum policy_level level)
{
	SCRIPT(HI, TLS_EHLO, { "STARTTLS", "~220 go\r\n" }, TLS_REST);
	gives("a@plain.example", 250, "2.0.0", "ok");
	CHECK_EQ(out.pool[0].policy.level, level);
	CHECK_EQ(far.conns, 1);
}

/* Put off, without a word of the letter. */
static void defers(const char *part)
{
	seq++;
	put_letter("a@plain.example", "7");
	wait_answer();
	settle();
	CHECK_EQ(last.code, 451);
	CHECK_EQ(last.enhanced[1] * 10 + last.enhanced[2], 75);
	CHECK_ROW(strstr(last_text, part) != NULL, last_text);
	CHECK(!saw("MAIL") && !saw("from@"));
	CHECK(far.conns < 2);
}

static void without_tls(void)
{
	SCRIPT(HI, EHLO_, { "QUIT", NULL });
	defers("STARTTLS is not offered");
	SCRIPT(HI, { "EHLO", "502 no\r\n" });
	seq++;
	put_letter("a@plain.example", "7");
	wait_answer();
	settle();
	CHECK(last.code == 451 && !saw("HELO") && !saw("MAIL"));
	SCRIPT(HI, TLS_EHLO, { "STARTTLS", "454 4.7.0 not now\r\n" });
	defers("STARTTLS was refused");
	SCRIPT(HI, TLS_EHLO, { "STARTTLS", "220 go\r\nnot TLS at all\r\n" }, { "", NULL });
	defers("");
	/* Before TLS no one can say no for ever. */
	SCRIPT({ NULL, "554 5.7.1 go away\r\n" });
	gives("a@plain.example", 451, "4.7.1", "go away");
}

static void wrong_peer(const char *part)
{
	SCRIPT(HI, TLS_EHLO, { "STARTTLS", "~220 go\r\n" }, TLS_REST);
	far.id = &other_cert.id;
	defers(part);
	far.id = &good_cert.id;
}

/* ---- DANE ---- */

static void dane(void)
{
	reset();
	tlsa(3, 1, der_of(&good_cert));
	passes(POLICY_DANE);
	without_tls();
	wrong_peer("certificate");
	/* its name does not matter, and it needs no authority */
	tlsa(3, 1, der_of(&other_cert));
	far.id = &other_cert.id;
	passes(POLICY_DANE);
	/* records that nobody can use: TLS, but not verified (RFC 7672 2.2) */
	reset();
	tlsa(1, 1, der_of(&good_cert));
	passes(POLICY_TLS);
	SCRIPT(HI, EHLO_, { "QUIT", NULL });
	defers("STARTTLS is not offered");
	/* an unusable one beside a usable one does not weaken it */
	tlsa(3, 1, der_of(&good_cert));
	passes(POLICY_DANE);
	wrong_peer("certificate");
}

/* Names that are not proven give no DANE; a lookup that fails gives no delivery. */
static void dane_names(void)
{
	for (int i = 0; i < 3; i++) {
		reset();
		tlsa(3, 1, der_of(&other_cert));
		secure.mx = i != 0;
		secure.addr = i != 1;
		secure.tlsa = i != 2;
		passes(POLICY_OPPORTUNISTIC);
		CHECK_EQ(secure.asked, i == 2);
	}
	reset();
	passes(POLICY_OPPORTUNISTIC);
	secure.result = DNS_NXDOMAIN;
	passes(POLICY_OPPORTUNISTIC);
	secure.result = DNS_FAILED;
	SCRIPT(HI, EHLO_, MAIL_, RCPT_, DATA_, { ".", "250 ok\r\n" }, QUIT_);
	defers("TLSA lookup failed");
	CHECK_EQ(far.conns, 0);
}

/* ---- MTA-STS ---- */

static void mta_sts(void)
{
	reset();
	sts.mode = FETCH_ENFORCE;
	sts.hosts = "mail.example.net *.example.org";
	passes(POLICY_STS);
	CHECK_EQ(sts.asked, 1);
	without_tls();
	wrong_peer("certificate");
	sts.hosts = "mail.example.net";
	SCRIPT(HI, TLS_EHLO, { "STARTTLS", "~220 go\r\n" }, TLS_REST);
	defers("not in the MTA-STS policy");
	CHECK_EQ(far.conns, 0);
	/* testing: told, not enforced */
	sts.mode = FETCH_TESTING;
	passes(POLICY_OPPORTUNISTIC);
	far.id = &other_cert.id;
	passes(POLICY_OPPORTUNISTIC);
	/* nobody knows whether there is one */
	reset();
	sts.fails = true;
	defers("no word on the MTA-STS policy");
	CHECK_EQ(far.conns, 0);
}

/* Of strangers' letters those that go where an alias leads ask; those that go back to a sender's domain do not, and
 * their connections are kept for none that ask. */
static void mta_sts_forwarding(void)
{
	reset();
	out.sub = false;
	turns_init(&out); /* of that lane */
	sts.mode = FETCH_ENFORCE;
	sts.hosts = "mx.example.org";
	passes(POLICY_OPPORTUNISTIC);
	CHECK_EQ(sts.asked, 0);
	aliased = true;
	passes(POLICY_STS);
	CHECK_EQ(sts.asked, 1);
	sts.hosts = "mail.example.net";
	SCRIPT(HI, TLS_EHLO, { "STARTTLS", "~220 go\r\n" }, TLS_REST);
	defers("not in the MTA-STS policy");
	aliased = false;
	out.sub = true;
}

/* A connection that was asked for one domain, and served what goes back to another, is none that was asked for that. */
static void kept_for_another(void)
{
	reset();
	secure.mx = false;
	out.sub = false;
	out.keep_ms = 60000;
	far.conns = 0;
	SCRIPT(HI, EHLO_, LETTER_, LETTER_, LETTER_, QUIT_);
	place = "a@two.example";
	aliased = true;
	kept_once(250, "stored", 1);
	CHECK_EQ(sts.asked, 1);
	sts.mode = FETCH_ENFORCE;
	sts.hosts = "mail.example.net";
	place = "a@plain.example";
	aliased = false;
	kept_once(250, "stored", 1);
	aliased = true;
	kept_once(451, "not in the MTA-STS policy", 1);
	CHECK_EQ(sts.asked, 2);
	aliased = false;
	out.sub = true;
}

/* DANE wins where both are there (RFC 8461 2), and its failure is not mended by the weaker one. */
static void both(void)
{
	reset();
	sts.mode = FETCH_ENFORCE;
	sts.hosts = "mail.example.net";
	tlsa(3, 1, der_of(&good_cert));
	passes(POLICY_DANE);
	reset();
	sts.mode = FETCH_ENFORCE;
	sts.hosts = "mx.example.org";
	tlsa(3, 1, der_of(&other_cert));
	SCRIPT(HI, TLS_EHLO, { "STARTTLS", "~220 go\r\n" }, TLS_REST);
	defers("certificate");
	secure.result = DNS_FAILED;
	defers("TLSA lookup failed");
}

static void pinned_asks_nobody(void)
{
	reset();
	SCRIPT(HI, TLS_EHLO, { "STARTTLS", "~220 go\r\n" }, TLS_REST);
	gives("a@pinned.example", 250, "2.0.0", "ok");
	CHECK_EQ(out.pool[0].policy.level, POLICY_PINNED);
	CHECK(!sts.asked && !secure.asked);
}

int main(void)
{
	static char pem[4096];
	size_t line;

	start();
	wire_fetch();
	CHECK(tls_anchors_load(&out.public,
			       (struct slice){ (uint8_t *)pem, cert_pem(&good_cert, pem) },
			       &line));
	dane();
	dane_names();
	mta_sts();
	mta_sts_forwarding();
	both();
	pinned_asks_nobody();
	kept_for_another();
	TEST_END();
}
