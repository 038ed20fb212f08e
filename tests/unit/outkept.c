/* SPDX-License-Identifier: ISC */
/* Connections that are kept for the next letter; what a destination offers, and
 * what it cannot take. */
#include "tests/unit/outworld.h"

/* Until the connection has been kept for long enough, and was left with QUIT.
 */
static void until_left(void)
{
	int64_t until = loop_clock() + 10000;

	while (out.peers[0].step != STEP_NONE && loop_clock() < until)
		loop_round(&loop);
	CHECK_EQ(out.peers[0].step, STEP_NONE);
}

static void letters_share(void)
{
	out.keep_ms = 60000;
	far.conns = 0;
	SCRIPT(HI, EHLO_, LETTER_, LETTER_, LETTER_, QUIT_);
	kept_once(250, "stored", 1);
	kept_once(250, "stored", 1);
	CHECK_EQ(out.peers[0].step, STEP_KEPT);
	kept_once(250, "stored", 1);
	out.peers[0].stream.watch.due = 0; /* the time is over */
	until_left();
	CHECK(saw("QUIT"));
}

/* Another domain with the same host, and no policy of its own: the same
 * connection. */
static void domains_share(void)
{
	SCRIPT(HI, EHLO_, LETTER_, LETTER_, LETTER_, { "MAIL", NULL });
	SCRIPT2(HI, EHLO_, LETTER_, QUIT_);
	far.conns = 0;
	kept_once(250, "stored", 1);
	place = "a@two.example";
	kept_once(250, "stored", 1);
	kept_once(250, "stored", 1); /* now by its domain */
	place = "a@plain.example";
	kept_once(250, "stored", 2); /* it had ended: once more, with another */
	place = "a@pinned.example";  /* where TLS must be it is not taken */
	SCRIPT(HI, EHLO_);
	far.conns = 0;
	kept_once(451, "STARTTLS is not offered", 1);
	place = "a@plain.example";
}

/* Another domain, another policy, an old connection, one that served enough: a
 * new one. */
static void not_shared(void)
{
	static struct delivery d = { .owner = &out }; /* the letter that asks for one */

	SCRIPT(HI, EHLO_, LETTER_, QUIT_);
	far.conns = 0;
	kept_once(250, "stored", 1);
	d.letter.domain = SLICE("pinned.example");
	CHECK(!peer_kept(&d));
	d.letter.domain = SLICE("Plain.Example");
	CHECK(peer_kept(&d) == &out.peers[0]);
	d.pinned = true;
	CHECK(!peer_kept(&d));
	d.pinned = false;
	d.policy.asks_sts = true;
	CHECK(!peer_kept(&d));
	out.peers[0].asked_sts = true;
	CHECK(peer_kept(&d) == &out.peers[0]);
	d.policy.asks_sts = false;
	CHECK(peer_kept(&d) == &out.peers[0]);
	out.peers[0].until = loop.now;
	CHECK(!peer_kept(&d));
	SCRIPT2(HI, EHLO_, LETTER_, QUIT_);
	kept_once(250, "stored", 2); /* the one place for connections goes to the new one */
	out.peers[0].letters = CONFIG_OUT_KEEP_LETTERS - 1;
	out.peers[0].until = loop.now + 60000;
	far.script[1] = NULL;
	static const struct line more[] = { LETTER_, QUIT_, { NULL, NULL } };
	far.at = more;
	kept_once(250, "stored", 2);
	until_left();
}

/* The destination ended the connection while nobody looked: no failure, and the
 * letter goes once. */
static void stale(void)
{
	SCRIPT(HI, EHLO_, LETTER_, { "MAIL", NULL });
	SCRIPT2(HI, EHLO_, LETTER_, { "MAIL", "421 4.4.2 idle\r\n" }, { "RCPT", "" },
		{ "DATA", NULL });
	static const struct line third[] = { HI,
					     EHLO_,
					     LETTER_,
					     { "MAIL", "421 4.4.2 idle\r\n" },
					     { "RCPT", NULL },
					     { NULL, NULL } };
	far.script[2] = third;
	far.conns = 0;
	kept_once(250, "stored", 1);
	kept_once(250, "stored", 2);
	kept_once(250, "stored", 3);
	/* And a new connection that fails is a failure. */
	SCRIPT(HI, EHLO_, { "MAIL", NULL });
	far.script[3] = far.script[0];
	kept_once(451, "closed", 4);
	/* Something was heard: a failure. */
	SCRIPT(HI, CLEAR, OK("MAIL"), OK("RCPT"), DATA_, END_, OK("MAIL"), { "RCPT", NULL });
	far.conns = 0;
	kept_once(250, "stored", 1);
	kept_once(451, "closed", 1);
}

/* What nobody asked for ends a kept connection. */
static void unasked(void)
{
	SCRIPT(HI, EHLO_, LETTER_, QUIT_);
	far.conns = 0;
	kept_once(250, "stored", 1);
	far_say("421 4.4.2 idle\r\n");
	stream_kick(&far.s);
	until_left();
}

/* The forward lane, too: TLS is made once. */
static void in_tls(void)
{
	SCRIPT(HI, TLS_EHLO, { "STARTTLS", "~220 go\r\n" }, EHLO_, LETTER_, LETTER_, QUIT_);
	seq++;
	delivers("a@pinned.example", 250, "2.6.0", "stored");
	far.seen_n = 0;
	put_letter("a@pinned.example", "8");
	wait_answer();
	CHECK_EQ(far.conns, 0);
	seq++;
	put_letter("a@pinned.example", "8");
	wait_answer();
	CHECK_EQ(last.code, 250);
	CHECK_EQ(far.conns, 0);
	peer_close(&out.peers[0]);
	out.keep_ms = 0;
}

#define DSN_EHLO                                                               \
	{                                                                      \
		"EHLO", "250-x\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 DSN\r\n" \
	}

static void parameters(void)
{
	SCRIPT(HI, DSN_EHLO,
	       { "MAIL FROM:<from@example.org> BODY=8BITMIME SMTPUTF8 RET=HDRS "
		 "ENVID=x+2B1\r\n",
		 "250 ok\r\n" },
	       { "RCPT TO:<a@plain.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a+40x\r\n",
		 "250 ok\r\n" },
	       DATA_, END_, QUIT_);
	dsn = true;
	gives("a@plain.example", 250, "2.6.0", "stored");
	CHECK_EQ(verdict[0].flags, OUT_DSN);
	/* Without DSN there nothing is passed on, and the reports stay ours. */
	SCRIPT(HI, { "EHLO", "250-x\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n" },
	       { "MAIL FROM:<from@example.org> BODY=8BITMIME SMTPUTF8\r\n", "250 ok\r\n" },
	       { "RCPT TO:<a@plain.example>\r\n", "250 ok\r\n" }, DATA_, END_, QUIT_);
	gives("a@plain.example", 250, "2.6.0", "stored");
	CHECK_EQ(verdict[0].flags, 0);
	SCRIPT(HI, EHLO_, QUIT_);
	gives("a@plain.example", 550, "5.6.7", "SMTPUTF8");
	dsn = false;
}

static void dead(void)
{
	gives("a@dead2.example", 451, "4.4.1", "refused");
	CHECK_EQ(verdict[0].flags, OUT_DEAD);
	SCRIPT({ NULL, "421 4.3.2 busy\r\n" });
	gives("a@plain.example", 451, "4.3.2", "busy");
	CHECK_EQ(verdict[0].flags, OUT_DEAD);
	SCRIPT(HI, EHLO_, { "MAIL", "421 4.7.28 slow\r\n" }, { "RCPT", "" }, { "DATA", "" });
	gives("a@plain.example", 451, "4.7.8", "slow");
	CHECK_EQ(verdict[0].flags, OUT_DEAD | OUT_RATE);
	SCRIPT(HI, EHLO_, MAIL_, { "RCPT", "450 4.2.1 slow\r\n" }, { "DATA", "503 no\r\n" },
	       QUIT_);
	gives("a@plain.example", 451, "4.2.1", "slow");
	CHECK_EQ(verdict[0].flags, 0);
	gives("a@null.example", 556, "5.1.0", "null MX");
	CHECK_EQ(verdict[0].flags, 0);
}

static tls_sign_fn sign;
static int signs;

static bool count_sign(void *ctx, unsigned algorithm, struct slice tbs, struct buf *sig)
{
	signs++;
	return sign(ctx, algorithm, tbs, sig);
}

static void handshakes(const char *rcpt, int want)
{
	SCRIPT(HI, TLS_EHLO, { "STARTTLS", "~220 go\r\n" }, EHLO_, LETTER_, QUIT_);
	signs = 0;
	gives(rcpt, 250, "2.6.0", "stored");
	CHECK_EQ(signs, want);
}

/* A session spares the certificate's verification: so it is for the same host
 * under the same policy, and no other. */
static void sessions(void)
{
	static uint8_t mem[4096];
	static struct tls_cache cache;

	sign = good_cert.id.sign;
	good_cert.id.sign = count_sign;
	resumes = true;
	handshakes("a@pinned.example", 1);
	handshakes("a@pinned.example", 1); /* the server keeps none */
	tls_cache_init(&cache, mem, sizeof mem);
	good_cert.id.cache = &cache;
	handshakes("a@pinned.example", 1);
	handshakes("a@pinned.example", 0);
	handshakes("a@plain.example", 1);
	handshakes("a@plain.example", 0);
	handshakes("a@pinned.example", 0);
	for (int i = 0; i < SESSIONS; i++)
		out.sessions.row[i].until = 1;
	handshakes("a@pinned.example", 1);
	/* The other end has forgotten it. */
	tls_cache_init(&cache, mem, sizeof mem);
	handshakes("a@pinned.example", 1);
	handshakes("a@pinned.example", 0);
	/* Opportunistic, and what was offered does harm: without it, and still with
   * TLS. */
	handshakes("a@plain.example", 1);
	SCRIPT(HI, TLS_EHLO, { "STARTTLS", "220 go\r\nnot TLS at all\r\n" }, { "", NULL });
	SCRIPT2(HI, TLS_EHLO, { "STARTTLS", "~220 go\r\n" }, EHLO_, LETTER_, QUIT_);
	signs = 0;
	gives("a@plain.example", 250, "2.6.0", "stored");
	CHECK_EQ(signs, 1);
	good_cert.id.cache = NULL;
	good_cert.id.sign = sign;
	resumes = false;
}

int main(void)
{
	start();
	letters_share();
	domains_share();
	not_shared();
	stale();
	unasked();
	in_tls();
	parameters();
	dead();
	sessions();
	TEST_END();
}
