/* SPDX-License-Identifier: ISC */
/* One letter to one recipient: whatever a destination says, and whatever happens on the way. */
#include "tests/unit/outworld.h"

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
	gives("a@nowhere.example", 451, "4.4.4", "no address");
	gives("a@dead2.example", 451, "4.4.1", "refused: dead.example");
	SCRIPT(HI, EHLO_, MAIL_, RCPT_, DATA_, { ".", "250 ok\r\n" }, QUIT_);
	gives("a@two.example", 250, "2.0.0", "mx.example.org"); /* the better one is dead */
	SCRIPT({ NULL, "554 5.7.1 go away\r\n" });		/* and may take it tomorrow */
	gives("a@two.example", 451, "4.7.1", "go away");
}

/* RULES Q2, RFC 5321 4.5.4.1: who does not want now is not the last one asked; who says no for ever, in a letter's
 * transaction, is. */
static void next_host(void)
{
	static const char *const no[] = { "421 4.3.2 busy\r\n", "450 4.3.2 busy\r\n",
					  "554 5.7.1 go away\r\n" };

	for (size_t i = 0; i < sizeof no / sizeof *no; i++) {
		struct line first[] = { { NULL, no[i] }, { NULL, NULL } };

		SCRIPT2(HI, EHLO_, MAIL_, RCPT_, DATA_, { ".", "250 ok\r\n" }, QUIT_);
		far.script[0] = first;
		gives("a@pair.example", 250, "2.0.0", "host bare.example said: ok");
		CHECK_EQ(far.conns, 2);
	}
	SCRIPT(HI, EHLO_, MAIL_, { "RCPT", "450 4.2.1 later\r\n" }, { "DATA", "503 no\r\n" },
	       QUIT_);
	gives("a@pair.example", 451, "4.2.1", "host mx.example.org said: later");
	CHECK_EQ(far.conns, 1);
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
	forget(0);
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
	forget(0);
}

static const struct slice one_index = { (const uint8_t *)"\0\0\0", 4 };

static void bad_letters(void)
{
	struct out_deliver m = { .text_size = 5 };
	int fd[2] = { memfd_of(SLICE("text\n")), memfd_of(SLICE("nonsense")) };
	int open_fd = memfd_make("open");

	answered = false;
	CHECK(chan_ask(&asking, &ask, &m, sizeof m, one_index, fd, 2, &want_answer, 1000));
	wait_answer();
	CHECK_EQ(last.code, 451);
	fd[0] = open_fd; /* not sealed */
	answered = false;
	CHECK(chan_ask(&asking, &ask, &m, sizeof m, one_index, fd, 2, &want_answer, 1000));
	wait_answer();
	CHECK_EQ(last.code, 451);
	seq++;
	put_letter("a@plain.example", "7"); /* more than the pool holds */
	SCRIPT(HI, { "EHLO", "" });
	until_seen("EHLO");
	struct ask second = { .done = on_answer };
	int again[2] = { memfd_of(text), memfd_of(SLICE("")) };

	m.seq = seq + 1;
	CHECK(chan_ask(&asking, &second, &m, sizeof m, one_index, again, 2, &want_answer,
		       1000));
	wait_answer();
	CHECK_EQ(last.code, 451);
	CHECK(strstr(last_text, "too many") != NULL);
	rewire(4);
}

int main(void)
{
	start();
	in_clear();
	refusals();
	eight_bit();
	names();
	next_host();
	broken();
	silent();
	tls_any();
	tls_pinned();
	results_are_held();
	requester_dies();
	bad_letters();
	TEST_END();
}
