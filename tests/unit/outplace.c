/* SPDX-License-Identifier: ISC */
/* Where a letter may go: address literals, private networks, IPv6, ourselves; and the smarthost, where all goes. */
#include "tests/unit/outworld.h"

#include "smtpd/msg/auth.h"

#define LETTER_ MAIL_, RCPT_, DATA_, END_

static void private_networks(void)
{
	out.private_ok = false;
	gives("a@[10.0.0.1]", 550, "5.1.2", "private network");
	gives("a@[127.0.0.1]", 550, "5.1.2", "private network");
	gives("a@[IPv6:fe80::1]", 550, "5.1.2", "private network");
	gives("a@inside.example", 451, "4.4.4", "no public address");
	gives("a@plain.example", 451, "4.4.4", "no public address");
	out.private_ok = true;
	SCRIPT(HI, EHLO_, LETTER_, QUIT_);
	gives("a@[127.0.0.1]", 250, "2.6.0", "host [127.0.0.1] said: stored");
	CHECK(saw("RCPT TO:<a@[127.0.0.1]>"));
}

/* By address, and by the name it gives. */
static void ourselves(void)
{
	out.self_ok = false;
	SCRIPT(HI, QUIT_);
	gives("a@plain.example", 554, "5.4.6", "loops back");
	gives("a@three.example", 554, "5.4.6", "loops back"); /* no worse one is asked */
	out.self_ok = true;
	SCRIPT(HI, { "EHLO", "250-mail.Example.org at your service\r\n250 SIZE\r\n" });
	gives("a@plain.example", 554, "5.4.6", "loops back");
	/* A better one that did not answer may take it tomorrow. */
	SCRIPT(HI, { "EHLO", "250 mail.example.org\r\n" });
	gives("a@two.example", 451, "4.4.6", "loops back");
}

static bool has_ipv6(void)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int fd = socket(AF_INET6, SOCK_STREAM, 0);
	bool ok = fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof a) == 0;

	if (fd >= 0)
		close(fd);
	return ok;
}

/* RULES D2: never from an address without a name. */
static void ipv6(void)
{
	gives("a@six.example", 451, "4.4.4", "no address"); /* IPv4 is all that is asked for */
	out.families = OUTBOUND_IPV4 | OUTBOUND_IPV6;
	gives("a@six.example", 451, "4.4.4", "our IPv6 address has no name");
	CHECK_EQ(out.own.state, OWN_BAD);
	SCRIPT(HI, EHLO_, LETTER_, QUIT_);
	gives("a@plain.example", 250, "2.6.0", "stored");
	named = true;
	out.own.until = 0;
	if (has_ipv6()) {
		gives("a@six.example", 451, "4.4.1", "connection refused: mx.six.example");
		CHECK_EQ(out.own.state, OWN_GOOD);
		gives("a@six.example", 451, "4.4.1", "connection refused");
	}
	out.families = OUTBOUND_IPV4;
}

/* ---- the smarthost ---- */

static struct chan auth_asking, auth_serving;
static uint8_t auth_rx[2][MSG_MAX];
static struct slice password;
static int asked;

static void on_password(void *ctx, struct call *c)
{
	struct auth_reply m = { .result = password.n ? AUTH_YES : AUTH_NO };

	(void)ctx;
	asked++;
	chan_answer(&c->token, &m, sizeof m, password);
}

static const struct rule auth_rules[AUTH_TYPES] = {
	[AUTH_SMARTHOST] = { 1u << P_OUT_SUB, sizeof(struct auth_smarthost), 0, 0,
			     on_password },
};

static void auth_wire(uint32_t generation)
{
	int pair[2];

	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair) == 0);
	chan_wire(&auth_asking, pair[0], generation);
	chan_wire(&auth_serving, pair[1], generation);
}

static void smart_start(void)
{
	chan_init(&auth_asking, &loop, P_AUTH, 1, auth_rx[0]);
	chan_init(&auth_serving, &loop, P_OUT_SUB, 1, auth_rx[1]);
	auth_serving.rules = auth_rules;
	auth_serving.nrules = AUTH_TYPES;
	auth_wire(1);
	out.smarthost = SLICE("mx.example.org");
	out.smartport = out.port;
	out.port = 1;
	out.auth = &auth_asking;
	out.public = out.anchors;
}

#define PLAIN_EHLO                                                                                        \
	{                                                                                                 \
		"EHLO", "250-x\r\n250-8BITMIME\r\n250-PIPELINING\r\n250-SIZE\r\n250 AUTH LOGIN PLAIN\r\n" \
	}
#define SMART_                            \
	HI, TLS_EHLO,                     \
	{                                 \
		"STARTTLS", "~220 go\r\n" \
	}
#define LOGIN_                                                        \
	{                                                             \
		"AUTH PLAIN AGFubgBzZWNyZXQ=\r\n", "235 2.7.0 in\r\n" \
	}

static void smart_login(void)
{
	password = SLICE("\0ann\0secret");
	SCRIPT(SMART_, PLAIN_EHLO, LOGIN_, LETTER_, QUIT_);
	gives("a@absent.example", 250, "2.6.0", "host mx.example.org said: stored");
	SCRIPT(SMART_, PLAIN_EHLO, LOGIN_, LETTER_, QUIT_);
	gives("a@pinned.example", 250, "2.6.0", "stored");
	/* One connection for all domains, one log-in. */
	out.keep_ms = 60000;
	SCRIPT(SMART_, PLAIN_EHLO, LOGIN_, LETTER_, LETTER_, QUIT_);
	asked = 0;
	gives("a@null.example", 250, "2.6.0", "stored");
	seq++;
	put_letter("a@null2.example", "8");
	wait_answer();
	forget(0);
	CHECK_EQ(last.code, 0); /* the ack's */
	CHECK_EQ(far.conns, 0);
	CHECK_EQ(asked, 1);
	peer_close(&out.peers[0]);
	out.keep_ms = 0;
	password = SLICE("");
	SCRIPT(SMART_, PLAIN_EHLO, LETTER_, QUIT_);
	gives("a@absent.example", 250, "2.6.0", "stored");
}

static void no_password(void)
{
	for (size_t i = 0; i < sizeof out.peers[0].out - 4; i++)
		CHECK(memcmp(out.peers[0].out + i, "FubgB", 5) != 0);
}

/* Whatever is wrong with the smarthost puts a letter off. */
static void smart_fails(void)
{
	password = SLICE("\0ann\0secret");
	SCRIPT(SMART_, PLAIN_EHLO, { "AUTH", "535 5.7.8 wrong\r\n" }, QUIT_);
	gives("a@plain.example", 451, "4.7.0", "refuses our log-in: wrong");
	CHECK_EQ(verdict[0].flags, OUT_DEAD);
	no_password();
	SCRIPT(SMART_, PLAIN_EHLO, { "AUTH", NULL });
	gives("a@plain.example", 451, "4.4.2", "at AUTH");
	no_password();
	SCRIPT(SMART_, EHLO_, QUIT_);
	gives("a@plain.example", 451, "4.7.0", "AUTH PLAIN");
	/* It ends while auth is being asked. */
	SCRIPT(SMART_, { "EHLO", "250-x\r\n250 AUTH PLAIN\r\n421 4.3.2 later\r\n" });
	gives("a@plain.example", 451, "4.5.0", "does not speak SMTP");
	SCRIPT(HI, PLAIN_EHLO, QUIT_); /* no TLS: no password */
	asked = 0;
	gives("a@plain.example", 451, "4.7.5", "STARTTLS is not offered");
	CHECK_EQ(asked, 0);
	far.id = &other_cert.id;
	SCRIPT(SMART_, PLAIN_EHLO);
	gives("a@plain.example", 451, "4.7.5", "certificate");
	far.id = &good_cert.id;
	SCRIPT({ NULL, "554 5.7.1 go away\r\n" });
	gives("a@plain.example", 451, "4.7.1", "go away");
	SCRIPT(SMART_, { "EHLO", "550 5.7.1 go away\r\n" });
	gives("a@plain.example", 451, "4.7.1", "go away");
}

/* auth is being restarted while the connection waits for its word. */
static void auth_restarts(void)
{
	int64_t until = loop_clock() + 10000;

	chan_init(&auth_asking, &loop, P_AUTH, 1, auth_rx[0]);
	SCRIPT(SMART_, PLAIN_EHLO, LOGIN_, LETTER_, QUIT_);
	seq++;
	put_letter("a@plain.example", "8");
	while (out.peers[0].tries < 2 && loop_clock() < until)
		loop_round(&loop);
	CHECK(out.peers[0].tries >= 2);
	auth_wire(3);
	wait_answer();
	CHECK_EQ(last.code, 250);
	settle();
	forget(0);
}

/* Port 465: TLS before the first word. */
static void implicit(void)
{
	out.smart_tls = far.implicit = true;
	SCRIPT(HI, PLAIN_EHLO, LOGIN_, LETTER_, QUIT_);
	gives("a@plain.example", 250, "2.6.0", "stored");
	CHECK(!saw("STARTTLS"));
	far.implicit = false;
}

int main(void)
{
	start();
	private_networks();
	ourselves();
	ipv6();
	smart_start();
	smart_login();
	smart_fails();
	auth_restarts();
	implicit();
	TEST_END();
}
