/* SPDX-License-Identifier: ISC */
/* The deadlines of a client (RULES N5): the clock is turned by hand, so nothing here waits. */
#define _GNU_SOURCE
#include "smtpd/front/front.h"
#include "smtpd/front/letter.h"

#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/test.h"

enum {
	IDLE = CONFIG_SMTPD_TIMEOUT * 1000,
	LOGIN = CONFIG_SMTPD_LOGIN_TIMEOUT * 1000,
	STRESS = CONFIG_SMTPD_STRESS_TIMEOUT * 1000,
	CROWD = CONFIG_SMTPD_MAX_SESSIONS * 3 / 4 + 1,
};

static struct front f;
static struct chan auth; /* not wired: nobody answers */
static uint8_t rx[MSG_MAX];
static struct session *s;
static int client = -1;

static void begin(bool sub)
{
	static const struct ipaddr peer;
	int fd[2];

	if (!f.session) {
		loop_init(&f.proc.loop, 2 * 16 + CONFIG_SMTPD_CLIENT_ERRORS);
		f.session = arena_reserve(CONFIG_SMTPD_MAX_SESSIONS * sizeof *f.session);
		f.budget.cap = CONFIG_LETTER_MEMORY;
		chan_init(&auth, &f.proc.loop, P_AUTH, 1, rx);
		f.auth = &auth;
	}
	f.sub = sub;
	f.proc.loop.now = 1000000;
	f.live = 1;
	s = f.session;
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd) == 0);
	session_start(s, &f, fd[0], 25, false, &peer);
	client = fd[1];
}

static void end(void)
{
	f.live = 2; /* the process has more to do */
	close(client);
	while (s->live)
		s->stream.watch.ready(&s->stream.watch, POLLIN | POLLHUP);
	CHECK_EQ(f.live, 1);
}

/* The client says this; the server hears it. */
static void say(const char *text)
{
	CHECK(send(client, text, strlen(text), 0) == (ssize_t)strlen(text));
	s->stream.watch.ready(&s->stream.watch, POLLIN);
}

/* What the client has heard since it last listened ends with a line that begins so. */
static bool heard(const char *start)
{
	char got[4096];
	ssize_t n = recv(client, got, sizeof got - 1, 0);
	char *line = got;

	if (n <= 0)
		return false;
	got[n] = 0;
	for (char *p = got; (p = strstr(p, "\r\n")) && p[2]; line = p)
		p += 2;
	return strncmp(line, start, strlen(start)) == 0;
}

/* Time passes; the deadline strikes if it is due. */
static void pass(int64_t ms)
{
	f.proc.loop.now += ms;
	if (s->stream.watch.due <= f.proc.loop.now)
		s->stream.watch.ready(&s->stream.watch, 0);
}

static void test_idle(void)
{
	begin(false);
	CHECK(heard("220 "));
	say("EHLO a\r\n");
	CHECK(heard("250 "));
	/* Single octets of a command buy nothing. */
	for (int i = 0; i < 9; i++) {
		pass(IDLE / 10);
		say("N");
		CHECK(!heard(""));
	}
	pass(IDLE / 10);
	CHECK(heard("421 4.4.2") && s->state == ST_END);
	end();
}

/* Whole commands do, but not for ever. */
static void test_useless(void)
{
	begin(false);
	say("EHLO a\r\n");
	CHECK(heard("250 "));
	for (int i = 0; i < 3; i++) {
		pass(IDLE / 2);
		say("NOOP\r\n");
		CHECK(heard("250 "));
	}
	pass(IDLE / 2);
	CHECK(heard("421 4.4.2"));
	end();
	begin(false);
	say("EHLO a\r\n");
	for (int i = 0; i < 99; i++) {
		CHECK(heard("250 "));
		say("RSET\r\n");
	}
	CHECK(heard("421 4.7.0"));
	end();
}

static void test_login(void)
{
	begin(true);
	say("EHLO a\r\n");
	CHECK(heard("250 "));
	pass(LOGIN - 1);
	say("NOOP\r\n");
	CHECK(heard("250 "));
	pass(1);
	CHECK(heard("421 4.4.2"));
	end();
}

static void test_stress(void)
{
	begin(false);
	CHECK(heard("220"));
	pass(STRESS);
	CHECK(!heard(""));
	f.live = CROWD;
	session_hurry(s);
	pass(0);
	CHECK(heard("421 4.4.2"));
	end();
	/* Who did something just now has his time, and no more of it by being asked to hurry again. */
	begin(false);
	pass(STRESS);
	f.live = CROWD;
	say("EHLO a\r\n");
	CHECK(heard("250 "));
	pass(STRESS - 1);
	session_hurry(s);
	CHECK(!heard(""));
	session_hurry(s);
	pass(1);
	CHECK(heard("421 4.4.2"));
	end();
	/* An account keeps its time. */
	begin(true);
	CHECK(heard("220"));
	s->grant_n = 1;
	session_earned(s);
	f.live = CROWD;
	say("EHLO a\r\n");
	CHECK(heard("250 "));
	session_hurry(s);
	pass(STRESS);
	CHECK(!heard(""));
	end();
}

/* A grant that will end soon is not used for a letter that would be refused when it is whole. */
static void test_old_grant(void)
{
	for (int old = 0; old < 2; old++) {
		begin(true);
		s->stream.secure = true;
		s->authed = true;
		s->grant_n = 1;
		session_earned(s);
		s->stale = f.proc.loop.now + 1;
		say("EHLO a\r\n");
		CHECK(heard("250 "));
		pass(old);
		say("MAIL FROM:<a@x>\r\n");
		CHECK(heard(old ? "421 4.7.0" : "250 2.1.0"));
		end();
	}
}

/* Errors are the client's: a new connection does not make them good, time does, and an account's are its session's. */
static void test_errors(void)
{
	enum { N = CONFIG_SMTPD_CLIENT_ERRORS, SHARE = 3600 * 1000 / N };

	for (int i = 0; i < N; i++) {
		begin(false);
		say("FROB\r\n");
		CHECK(heard(i < N - 1 ? "500 " : "421 4.7.0"));
		end();
	}
	begin(false);
	say("NOOP\r\n");
	CHECK(heard("250 "));
	say("FROB\r\nNOOP\r\n");
	CHECK(heard("421 4.7.0"));
	end();
	begin(false); /* that one more was not counted: nobody is away for longer than a share of the hour */
	pass(2 * SHARE);
	say("FROB\r\nNOOP\r\n");
	CHECK(heard("250 "));
	end();
	memset(&f.faults, 0, sizeof f.faults);
	begin(true);
	s->stream.secure = true;
	s->grant_n = 1;
	session_earned(s);
	for (int i = 1; i < CONFIG_SMTPD_MAX_ERRORS; i++) {
		say("FROB\r\n");
		CHECK(heard("500 "));
	}
	say("FROB\r\nNOOP\r\n");
	CHECK(heard("421 4.7.0"));
	CHECK(rates_may(&f.faults, s->peer.b, f.proc.loop.now, 1)); /* it owes nothing */
	end();
}

/* check takes the recipient that it is asked about, or would be if there were a wire to it. */
static void taken(const char *command, const char *reply)
{
	const struct answer ok = { .code = 250 };

	say(command);
	CHECK(heard("451 "));
	s->ask.done(&s->ask, &ok, SLICE("Ok"));
	CHECK(heard(reply));
}

/* Envelopes of a lane have their memory: page by page, until the letter is over. */
static void test_envelopes(void)
{
	char command[300] = "RCPT TO:<";
	uint64_t most = 2 * 4096;

	f.check = &auth;
	f.envelopes.cap = most;
	memset(command + 9, 'x', 124);
	memcpy(command + 9 + 60, "@", 1);
	strcpy(command + 133, ".example.org>\r\n");
	begin(false);
	say("EHLO a\r\nMAIL FROM:<a@x>\r\n");
	CHECK(heard("250 2.1.0"));
	taken(command, "250 ");
	CHECK_EQ(f.envelopes.used, 4096);
	while (f.envelopes.used < most || s->tx.head_size + 150 < most)
		taken(command, "250 ");
	taken(command, "452 4.3.1");
	CHECK(s->tx.nrcpt > 50);
	say("RSET\r\n");
	CHECK(heard("250 ") && f.envelopes.used == 0);
	end();
}

/* Text has a minute, and then as much time as its octets buy. */
static void test_slow_text(void)
{
	char chunk[1001];

	memset(chunk, 'x', sizeof chunk - 1);
	chunk[1000] = 0;
	for (int stress = 0; stress < 2; stress++) {
		int64_t grace = stress ? STRESS : 60 * 1000,
			bought = 1000 * 1000 / CONFIG_SMTPD_MIN_RATE;

		begin(false);
		f.live = stress ? CROWD : 1;
		say("EHLO a\r\n");
		CHECK(heard("250 "));
		s->state = ST_RCPT; /* as if check had taken one */
		say("DATA\r\n");
		CHECK(heard("354 "));
		pass(grace - 1);
		say(chunk);
		CHECK(!heard(""));
		pass(bought);
		CHECK(!heard(""));
		say("x");
		pass(1);
		CHECK(!heard("")); /* one octet buys little, but that it does */
		pass(1000 / CONFIG_SMTPD_MIN_RATE);
		CHECK(heard("421 4.4.2"));
		end();
	}
}

/* What came fast buys no more than the time of an idle client: nobody pays at once for a day. */
static void test_hoard(void)
{
	char chunk[1001];
	int64_t more = CONFIG_SMTPD_TIMEOUT * CONFIG_SMTPD_MIN_RATE / 1000 + 61;

	memset(chunk, 'x', sizeof chunk - 1);
	chunk[1000] = 0;
	begin(false);
	say("EHLO a\r\n");
	CHECK(heard("250 "));
	s->state = ST_RCPT;
	say("DATA\r\n");
	CHECK(heard("354 "));
	for (int64_t i = 0; i < 2 * more; i++)
		say(chunk);
	pass(IDLE - 1);
	CHECK(!heard(""));
	say("x");
	pass(1);
	CHECK(!heard(""));
	pass(1000 / CONFIG_SMTPD_MIN_RATE);
	CHECK(heard("421 4.4.2"));
	end();
}

/* When memory is short, the letter that began first gives way, if it had ten minutes, or has been silent. */
static void test_give_way(void)
{
	enum { YOUNG, LATE, SILENT };
	struct budget all = f.budget;
	struct session *old = &f.session[1], *newer = &f.session[2];

	for (int kind = YOUNG; kind <= SILENT; kind++) {
		bool goes = kind != YOUNG;

		begin(false);
		say("EHLO a\r\n");
		CHECK(heard("250 "));
		s->state = ST_RCPT;
		say("DATA\r\n");
		CHECK(heard("354 "));
		old->front = &f;
		old->live = true;
		old->state = ST_DATA;
		old->since = f.proc.loop.now - 2 * IDLE + (kind == LATE ? -1 : 1);
		letter_init(&old->tx);
		old->tx.heard = f.proc.loop.now -
				(kind == SILENT ? CONFIG_SMTPD_STRESS_TIMEOUT * 1000 : 0);
		*newer = *old; /* long enough, too */
		newer->live = goes;
		newer->since++;
		newer->tx.held = 1;
		f.budget.cap = 128 * 1024;
		f.budget.reserve = 0;
		CHECK(budget_raise(&f.budget, &old->tx.held, 128 * 1024));
		say("Subject: x\r\n");
		CHECK_EQ(old->tx.lost, goes ? TX_MEMORY : TX_WHOLE);
		CHECK_EQ(s->tx.lost, goes ? TX_WHOLE : TX_MEMORY);
		CHECK_EQ(newer->tx.lost, TX_WHOLE);
		newer->live = false;
		CHECK_EQ(old->tx.held, goes ? 0 : 128 * 1024);
		budget_give(&f.budget, &old->tx.held);
		old->live = false;
		f.budget.cap = all.cap;
		f.budget.reserve = all.reserve;
		end();
	}
}

/* The keys of TLS sessions live no longer than they may. */
static void test_forget(void)
{
	struct tlsid *t = &f.tlsid;
	int64_t due;

	tlsid_init(t, &auth, NULL, NULL);
	due = f.proc.loop.now + CONFIG_SMTPD_TLS_SESSION_TIME * 1000;
	CHECK_EQ(t->forget.due, due);
	t->sessions[TLS_SESSION * CONFIG_SMTPD_TLS_SESSIONS - 1] = 1;
	f.proc.loop.now = due;
	t->forget.ready(&t->forget, 0);
	CHECK_EQ(t->sessions[TLS_SESSION * CONFIG_SMTPD_TLS_SESSIONS - 1], 0);
	CHECK_EQ(t->forget.due, due + CONFIG_SMTPD_TLS_SESSION_TIME * 1000);
}

int main(void)
{
	test_idle();
	test_useless();
	test_login();
	test_stress();
	test_old_grant();
	test_errors();
	test_envelopes();
	test_slow_text();
	test_hoard();
	test_give_way();
	test_forget();
	TEST_END();
}
