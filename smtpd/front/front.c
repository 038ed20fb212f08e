/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "smtpd/front/front.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "smtpd/lib/log.h"
#include "smtpd/lib/owner.h"
#include "smtpd/msg/selfcheck.h"

enum {
	SESSIONS = CONFIG_SMTPD_MAX_SESSIONS,
	PATIENCE_MS = 2000, /* then port 25 and 587 open without STARTTLS */
	PAUSE_MS = 1000,    /* no descriptor to be had */
	ROUND_ACCEPTS = 16,
};

static const struct {
	enum grant_kind grant;
	uint16_t port;
	bool implicit;
} ports[] = {
	{ GRANT_LISTEN_25, 25, false },
	{ GRANT_LISTEN_465, 465, true },
	{ GRANT_LISTEN_587, 587, false },
	{ GRANT_LISTEN_INNER, 25, false },
};

/* The whole budget belongs to both lanes in halves; each lane must be able to take one letter. */
_Static_assert(2LL * CONFIG_SMTPD_MAX_SIZE <= CONFIG_LETTER_MEMORY,
	       "LETTER_MEMORY is too small");

static struct front *front_of(struct proc *p)
{
	return (struct front *)(void *)p;
}

void front_free(struct front *f)
{
	f->live--;
	if (f->stopping && !f->live)
		_exit(0);
}

bool front_stressed(const struct front *f)
{
	return f->live > SESSIONS * 3 / 4;
}

_Static_assert(sizeof(struct ipaddr) == RATES_KEY, "a client is a key");

struct ipaddr front_who(const struct ipaddr *peer)
{
	struct ipaddr who = *peer;

	if (!ipaddr_v4(peer))
		memset(who.b + 8, 0, 8);
	return who;
}

bool front_weary(const struct front *f, const struct ipaddr *peer)
{
	struct ipaddr who = front_who(peer);

	return !rates_may(&f->faults, who.b, f->proc.loop.now, CONFIG_SMTPD_CLIENT_ERRORS);
}

/* Connections of one client. */
static unsigned count(const struct front *f, const struct ipaddr *peer)
{
	struct ipaddr who = front_who(peer);
	unsigned n = 0;

	for (size_t i = 0; i < SESSIONS; i++) {
		struct ipaddr other = front_who(&f->session[i].peer);

		n += f->session[i].live && memcmp(&other, &who, sizeof who) == 0;
	}
	return n;
}

static struct session *free_slot(struct front *f)
{
	for (size_t i = 0; i < SESSIONS; i++)
		if (!f->session[i].live)
			return &f->session[i];
	return NULL;
}

static void peer_of(const struct sockaddr_storage *sa, struct ipaddr *out)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	memset(out, 0, sizeof *out);
	if (sa->ss_family == AF_INET6) {
		memcpy(&v6, sa, sizeof v6);
		memcpy(out->b, &v6.sin6_addr, 16);
	} else if (sa->ss_family == AF_INET) {
		memcpy(&v4, sa, sizeof v4);
		out->b[10] = out->b[11] = 0xff;
		memcpy(out->b + 12, &v4.sin_addr, 4);
	}
}

static void turn_away(struct listener *l, int fd, const struct ipaddr *peer, const char *event,
		      const char *words)
{
	uint8_t mem[IPADDR_TEXT];
	struct buf b = BUF(mem);
	struct logline line;
	ssize_t n = 0;

	if (!l->implicit)
		n = send(fd, words, strlen(words), MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)n; /* the client finds out by the close */
	close(fd);
	ipaddr_put(&b, peer);
	log_begin(&line, event);
	log_bytes(&line, "peer", buf_slice(&b));
	log_send(&line);
}

/* A slot for this client; NULL: it was turned away. */
static struct session *admit(struct listener *l, int fd, const struct ipaddr *peer)
{
	struct session *s = free_slot(l->front);

	if (!s)
		turn_away(l, fd, peer, "full",
			  "421 4.3.2 Too many connections, try again later\r\n");
	else if (CONFIG_SMTPD_CLIENT_SESSIONS &&
		 count(l->front, peer) + 1 > CONFIG_SMTPD_CLIENT_SESSIONS)
		turn_away(
			l, fd, peer, "greedy",
			"421 4.7.0 Too many connections from your address, close some first\r\n");
	else if (front_weary(l->front, peer))
		turn_away(l, fd, peer, "errors",
			  "421 4.7.0 Too many errors from your address, try again later\r\n");
	else
		return s;
	return NULL;
}

/* Clients that have been slow for long enough make room. */
static void hurry(struct front *f)
{
	if (front_stressed(f))
		for (size_t i = 0; i < SESSIONS; i++)
			if (f->session[i].live)
				session_hurry(&f->session[i]);
}

static void on_accept(struct watch *w, short got)
{
	struct listener *l = (struct listener *)(void *)w;

	w->want = POLLIN;
	w->due = LOOP_NEVER;
	for (int i = 0; got && i < ROUND_ACCEPTS; i++) {
		struct sockaddr_storage sa = { 0 };
		socklen_t n = sizeof sa;
		int fd = accept4(w->fd, (struct sockaddr *)&sa, &n,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);
		struct session *s;
		struct ipaddr peer;

		if (fd < 0) {
			if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) {
				w->want = 0; /* not asked again before there is hope */
				w->due = l->front->proc.loop.now + PAUSE_MS;
			}
			return;
		}
		peer_of(&sa, &peer);
		s = admit(l, fd, &peer);
		if (!s)
			continue;
		/* Replies are small and wait for peers in between: Nagle would hold them back. */
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
		l->front->live++;
		session_start(s, l->front, fd, l->port, l->implicit, &peer);
		hurry(l->front);
	}
}

static void put_uptime(struct buf *b)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	buf_dec(b, (uint64_t)ts.tv_sec);
	buf_u8(b, '.');
	buf_dec_pad(b, (uint64_t)ts.tv_nsec / 1000000, 3);
}

static void open_listener(struct listener *l)
{
	uint8_t mem[32];
	struct buf b = BUF(mem);
	struct logline line;

	if (l->open || l->watch.fd < 0 || l->front->stopping)
		return;
	l->open = true;
	loop_add(&l->front->proc.loop, &l->watch);
	put_uptime(&b);
	log_begin(&line, "listening");
	log_num(&line, "port", l->port);
	log_bytes(&line, "t", buf_slice(&b));
	log_send(&line);
}

static void on_certificate(void *owner)
{
	struct front *f = owner;

	loop_drop(&f->proc.loop, &f->patience);
	log_event("certificate", NULL, NULL);
	for (int i = 0; i < FRONT_LISTENERS; i++)
		open_listener(&f->listener[i]);
}

static void on_patience(struct watch *w, short got)
{
	struct front *f = OWNER(struct front, patience, w);

	(void)got;
	loop_drop(&f->proc.loop, w);
	log_event("nocertificate", NULL, NULL);
	for (int i = 0; i < FRONT_LISTENERS; i++)
		if (!f->listener[i].implicit)
			open_listener(&f->listener[i]);
}

static void on_wired(struct chan *c)
{
	tlsid_wired(&front_of(c->owner)->tlsid);
}

static void on_auth_wired(struct chan *c)
{
	account_offer(front_of(c->owner));
}

static void ask_gate(struct front *f);

static void on_gate(struct ask *a, const void *reply, struct slice tail)
{
	struct front *f = OWNER(struct front, gate_ask, a);
	const struct selfcheck_state *m = reply;

	(void)tail;
	if (!m)
		return; /* selfcheck died: until there is another, what it said holds */
	f->gate = m->state;
	ask_gate(f);
}

static void ask_gate(struct front *f)
{
	static const struct want want = { SELFCHECK_GATE, sizeof(struct selfcheck_state), 0 };
	struct selfcheck_gate m = { .known = f->gate };

	f->gate_ask.done = on_gate;
	chan_ask(f->selfcheck, &f->gate_ask, &m, sizeof m, SLICE(""), NULL, 0, &want,
		 SELFCHECK_GATE_MS);
}

static void on_selfcheck_wired(struct chan *c)
{
	ask_gate(front_of(c->owner));
}

static void on_stop(struct proc *p)
{
	struct front *f = front_of(p);

	f->stopping = true;
	log_event("stopping", NULL, NULL);
	for (int i = 0; i < FRONT_LISTENERS; i++)
		loop_drop(&p->loop, &f->listener[i].watch);
	if (!f->live)
		_exit(0);
	for (size_t i = 0; i < SESSIONS; i++)
		if (f->session[i].live)
			session_stop(&f->session[i]);
}

/* A port without an address in SMTPD_LISTEN comes as a socket on which nobody ever calls. */
static bool listens(int fd)
{
	socklen_t n = sizeof(int);
	int on = 0;

	return fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &n) == 0 && on;
}

static void take_listeners(struct front *f)
{
	struct listener *l = f->listener;

	for (int i = 0; i < FRONT_LISTENERS; i++)
		f->listener[i].watch.fd = -1;
	for (size_t i = 0; i < sizeof ports / sizeof *ports; i++) {
		if (!listens(f->proc.grant[ports[i].grant]))
			continue;
		fcntl(f->proc.grant[ports[i].grant], F_SETFL, O_NONBLOCK);
		*l++ = (struct listener){
			.watch = { .fd = f->proc.grant[ports[i].grant],
				   .want = POLLIN,
				   .due = LOOP_NEVER,
				   .ready = on_accept },
			.front = f,
			.port = ports[i].port,
			.implicit = ports[i].implicit,
		};
	}
}

void front_init(struct front *f)
{
	struct chan *holder = proc_chan(&f->proc, PROG_HOLDER);

	f->sub = f->proc.me == P_FRONT_SUB;
	f->check = proc_chan(&f->proc, PROG_CHECK);
	f->auth = f->sub ? proc_chan(&f->proc, PROG_AUTH) : NULL;
	f->budget.cap = CONFIG_LETTER_MEMORY / 2;
	f->budget.small = BUDGET_STEP;
	f->budget.reserve = f->budget.cap / 8;
	f->envelopes.cap = CONFIG_SMTPD_ENVELOPE_MEMORY * 1024;
	f->session = arena_reserve(SESSIONS * sizeof *f->session);
	crashed_init(&f->crashed);
	tlsid_init(&f->tlsid, holder, on_certificate, f);
	holder->wired = on_wired;
	f->selfcheck = proc_chan(&f->proc, PROG_SELFCHECK);
	if (ON(CONFIG_CHECK_GATE))
		f->selfcheck->wired = on_selfcheck_wired;
	if (f->auth)
		f->auth->wired = on_auth_wired;
	take_listeners(f);
	f->proc.stop = on_stop;
	f->patience = (struct watch){ .fd = -1,
				      .due = f->proc.loop.now + PATIENCE_MS,
				      .ready = on_patience };
	loop_add(&f->proc.loop, &f->patience);
}
