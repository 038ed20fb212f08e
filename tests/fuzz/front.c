/* SPDX-License-Identifier: ISC */
/*
 * One client session against a check and an auth that answer as the input says. The laws: every letter
 * shown is CRLF text in sealed memfds with a whole envelope, and when the client is gone nothing is held.
 * First octet: the lane; second: what the peers answer; the rest is what the client sends.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "smtpd/front/front.h"
#include "smtpd/lib/log.h"
#include "smtpd/lib/memfd.h"
#include "smtpd/msg/check.h"
#include "smtpd/proto/envelope.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* The log would be most of the work. */
void log_begin(struct logline *l, const char *event)
{
	(void)l, (void)event;
}

void log_bytes(struct logline *l, const char *key, struct slice value)
{
	(void)l, (void)key;
	if (value.n && !value.p)
		abort();
}

void log_text(struct logline *l, const char *key, const char *value)
{
	(void)l, (void)key, (void)value;
}

void log_num(struct logline *l, const char *key, int64_t value)
{
	(void)l, (void)key, (void)value;
}

void log_send(struct logline *l)
{
	(void)l;
}

void log_event(const char *event, const char *key, const char *value)
{
	(void)event, (void)key, (void)value;
}

_Noreturn void bug(const char *what)
{
	(void)what;
	abort();
}

static struct front f;
static struct chan check, auth, check_far, auth_far;
static struct tls_identity nobody;
static uint8_t rx[MSG_MAX], mood;

static void answer(struct call *c)
{
	static const uint16_t codes[] = { 250, 451, 550, 421, 354, 0, 65535, 250 };
	struct answer a = { .code = codes[mood & 7], .enhanced = { 2, 1, 5 } };

	a.flags = mood >> 3 & 3;
	a.route = mood >> 5 & 1;
	if (mood & 128)
		mood += 37;
	chan_answer(&c->token, &a, sizeof a, mood & 64 ? SLICE("tex\x01t") : SLICE("Ok"));
}

static void on_rcpt(void *ctx, struct call *c)
{
	const struct check_rcpt *m = c->msg;

	(void)ctx;
	if ((size_t)m->sender_len + m->rcpt_len + m->grant_len != c->tail.n)
		abort();
	answer(c);
}

static void read_letter(int fd, uint64_t size)
{
	static uint8_t text[CONFIG_SMTPD_MAX_SIZE];

	if (!memfd_read(fd, 0, text, size))
		abort();
	for (uint64_t i = 0; i < size; i++)
		if (!text[i] || (text[i] == '\n' && (!i || text[i - 1] != '\r')) ||
		    (text[i] == '\r' && (i + 1 == size || text[i + 1] != '\n')))
			abort();
	if (size && text[size - 1] != '\n')
		abort();
}

static void on_letter(void *ctx, struct call *c)
{
	const struct check_letter *m = c->msg;
	static uint8_t head[ENV_HEAD_MAX];
	uint64_t text_size, head_size;
	size_t nrcpt;

	(void)ctx;
	if (!memfd_check(c->fd[0], CONFIG_SMTPD_MAX_SIZE, &text_size) ||
	    !memfd_check(c->fd[1], sizeof head, &head_size) || text_size != m->text_size)
		abort();
	read_letter(c->fd[0], text_size);
	if (!memfd_read(c->fd[1], 0, head, head_size) ||
	    !envelope_check((struct slice){ head, head_size }, &nrcpt))
		abort();
	answer(c);
}

static void on_login(void *ctx, struct call *c)
{
	struct auth_reply r = { .result = mood & 3,
				.server_len = mood >> 3 & 3,
				.account_len = mood & 32 ? 255 : mood >> 5 };

	(void)ctx;
	chan_answer(&c->token, &r, sizeof r,
		    mood & 4 ? (struct slice){ NULL, 0 } : SLICE("grant"));
}

static const struct rule check_rules[CHECK_TYPES] = {
	[CHECK_RCPT] = { 1u << P_FRONT_MX, sizeof(struct check_rcpt), CHECK_RCPT_TAIL, 0,
			 on_rcpt },
	[CHECK_LETTER] = { 1u << P_FRONT_MX, sizeof(struct check_letter), 0, 2, on_letter },
};

static const struct rule auth_rules[AUTH_TYPES] = {
	[AUTH_LOGIN] = { 1u << P_FRONT_MX, sizeof(struct auth_login),
			 AUTH_USER_MAX + AUTH_PASSWORD_MAX, 0, on_login },
	[AUTH_SCRAM_FIRST] = { 1u << P_FRONT_MX, sizeof(struct auth_scram),
			       AUTH_SCRAM_FIRST_MAX, 0, on_login },
	[AUTH_SCRAM_FINAL] = { 1u << P_FRONT_MX, sizeof(struct auth_scram),
			       AUTH_SCRAM_FIRST_MAX + AUTH_SCRAM_FINAL_MAX, 0, on_login },
	[AUTH_NETWORK] = { 1u << P_FRONT_MX, sizeof(struct auth_network), 0, 0, on_login },
};

static void wire(struct chan *near, struct chan *far, const struct rule *rules, size_t nrules)
{
	int fd[2];

	chan_init(near, &f.proc.loop, P_CHECK_MX, 4, rx);
	chan_init(far, &f.proc.loop, P_FRONT_MX, 4, rx);
	far->rules = rules;
	far->nrules = nrules;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fd) != 0)
		abort();
	chan_wire(near, fd[0], 1);
	chan_wire(far, fd[1], 1);
}

static void begin(void)
{
	loop_init(&f.proc.loop, 16);
	f.session = arena_reserve(sizeof *f.session);
	crashed_init(&f.crashed);
	wire(&check, &check_far, check_rules, CHECK_TYPES);
	wire(&auth, &auth_far, auth_rules, AUTH_TYPES);
	f.check = &check;
	f.auth = &auth;
}

/* Rounds until nothing happens; what the session says is thrown away. */
static void settle(int client)
{
	uint8_t junk[4096];
	bool more = true;

	while (more) {
		struct watch *w[5] = { &check.watch, &check_far.watch, &auth.watch,
				       &auth_far.watch, &f.session->stream.watch };
		struct pollfd p[5];

		while (client >= 0 && recv(client, junk, sizeof junk, MSG_DONTWAIT) > 0)
			;
		for (int i = 0; i < 5; i++)
			p[i] = (struct pollfd){ .fd = w[i]->want ? w[i]->fd : -1,
						.events = w[i]->want };
		more = poll(p, 5, 0) > 0;
		if (more)
			loop_round(&f.proc.loop);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const struct ipaddr peer;
	int fd[2];
	uint8_t lane;

	if (n < 2)
		return 0;
	if (!f.session)
		begin();
	lane = p[0];
	mood = p[1];
	f.sub = lane & 1;
	f.offer = AUTH_OFFER_SCRAM;
	f.budget = (struct budget){ .cap = lane & 2 ? 100 : CONFIG_LETTER_MEMORY / 2 };
	f.envelopes = (struct budget){ .cap = lane & 16 ? 4096 : 1024 * 1024 };
	memset(&f.faults, 0, sizeof f.faults); /* or soon nobody gets beyond his first error */
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd) != 0)
		abort();
	f.live++;
	session_start(f.session, &f, fd[0], 25, false, &peer);
	if (f.sub) { /* as if behind a handshake */
		tls_server(&f.session->tls, &nobody);
		f.session->stream.secure = true;
	}
	for (size_t at = 2; at < n;) {
		size_t step = lane & 4 ? 1 : lane & 8 ? 7 : 4096;
		ssize_t sent = send(fd[1], p + at, n - at < step ? n - at : step, MSG_NOSIGNAL);

		settle(fd[1]);
		if (sent < 0)
			break;
		at += (size_t)sent;
	}
	settle(fd[1]);
	close(fd[1]);
	settle(-1);
	if (f.live || f.budget.used || f.envelopes.used || check.open || auth.open)
		abort();
	return 0;
}
