/* SPDX-License-Identifier: ISC */
#include "smtpd/dns/dnsask.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "smtpd/lib/log.h"
#include "smtpd/lib/owner.h"
#include "smtpd/lib/sock.h"

/*
 * NOTES
 * watch.fd >= 0: a try is under way on it, due says until when. watch.fd -1 and watched: the next try, or the
 * failure of all, comes with the next round of the loop. `tries` counts tries begun or given up; server
 * (first + tries) % n is asked next.
 */
enum { UDP_MAX = 4096, BINDS = 8, FIRST_PORT = 1024 };

static uint16_t random16(void)
{
	uint16_t v;

	if (getrandom(&v, sizeof v, 0) != sizeof v)
		bug("getrandom");
	return v;
}

/* A random source port; where it is taken, another; at last the kernel's choice. */
static void bind_random(int fd, int family)
{
	union sock_address any;
	socklen_t n;

	for (int i = 0; i < BINDS; i++) {
		uint16_t port = random16();

		memset(&any, 0, sizeof any);
		any.any.sa_family = (sa_family_t)family;
		any.four.sin_port = htons(port < FIRST_PORT ? port + FIRST_PORT : port);
		n = family == AF_INET ? sizeof any.four : sizeof any.six;
		if (bind(fd, &any.any, n) == 0)
			return;
	}
}

static const struct ipaddr *server(const struct dnsask *a)
{
	return &a->servers->addr[(a->first + a->tries) % a->servers->n];
}

/* Nobody but this machine can have written what comes from there. */
static bool is_local(const struct ipaddr *s)
{
	static const struct ipaddr one = { .b = { [15] = 1 } };

	return ipaddr_v4(s) ? s->b[12] == 127 : memcmp(s->b, one.b, sizeof one.b) == 0;
}

static int open_socket(struct dnsask *a, int type)
{
	union sock_address to;
	socklen_t n = sock_address(&to, server(a)->b, a->servers->port);
	int fd = socket(to.any.sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	a->local = is_local(server(a));
	if (fd < 0)
		return -1;
	if (type == SOCK_DGRAM)
		bind_random(fd, to.any.sa_family);
	if (connect(fd, &to.any, n) == 0 || errno == EINPROGRESS)
		return fd;
	close(fd);
	return -1;
}

static void close_socket(struct dnsask *a)
{
	if (a->watch.fd >= 0)
		close(a->watch.fd);
	a->watch.fd = -1;
	a->watch.want = 0;
}

static bool start_dot(struct dnsask *a)
{
	uint8_t raw[2 + DNSMSG_QUERY];
	struct buf b = BUF(raw);

	a->id = random16();
	a->local = true;
	buf_be16(&b, 0);
	dnsmsg_query(&b, a->id, dnsask_name(a), a->type, true);
	raw[0] = (uint8_t)((b.len - 2) >> 8);
	raw[1] = (uint8_t)(b.len - 2);
	a->waiting = !b.bad && dotlink_send(a->dot, buf_slice(&b));
	a->watch.due = a->loop->now + DNSASK_TCP_MS;
	return a->waiting;
}

/* The query, with room for the length before it. The last round goes without EDNS, for servers that do not know it:
 * OPT is the last record, and the only one counted in the octet that is cleared. */
static bool send_query(struct dnsask *a)
{
	enum { OPT_SIZE = 11, ARCOUNT_LOW = 11 };
	uint8_t raw[2 + DNSMSG_QUERY];
	struct buf b = BUF(raw);
	size_t skip = a->over_tcp ? 0 : 2;

	buf_be16(&b, 0);
	dnsmsg_query(&b, a->id, dnsask_name(a), a->type, a->local);
	if (b.bad)
		return false;
	if (a->tries >= (DNSASK_ROUNDS - 1) * a->servers->n) {
		b.len -= OPT_SIZE;
		raw[2 + ARCOUNT_LOW] = 0;
	}
	raw[0] = (uint8_t)((b.len - 2) >> 8);
	raw[1] = (uint8_t)(b.len - 2);
	return send(a->watch.fd, raw + skip, b.len - skip, MSG_NOSIGNAL) ==
	       (ssize_t)(b.len - skip);
}

/* draft-vixie-dnsext-dns0x20: what a forger has to guess besides id and port. */
static void shuffle_case(struct dnsask *a)
{
	uint8_t coin[DNSMSG_NAME];

	if (getrandom(coin, a->name_n, 0) != a->name_n)
		bug("getrandom");
	for (size_t i = 0; i < a->name_n; i++)
		if (byte_alpha(a->name[i]))
			a->name[i] ^= coin[i] & 0x20;
}

static bool start_udp(struct dnsask *a)
{
	if (ON(CONFIG_DNS_0X20))
		shuffle_case(a);
	a->over_tcp = false;
	a->id = random16();
	a->watch.fd = open_socket(a, SOCK_DGRAM);
	a->watch.want = POLLIN;
	a->watch.due = a->loop->now + DNSASK_UDP_MS;
	return a->watch.fd >= 0 && send_query(a);
}

static bool start_tcp(struct dnsask *a)
{
	close_socket(a);
	a->over_tcp = true;
	a->asked = false;
	a->got = 0;
	a->id = random16();
	a->watch.fd = open_socket(a, SOCK_STREAM);
	a->watch.want = POLLOUT;
	a->watch.due = a->loop->now + DNSASK_TCP_MS;
	return a->watch.fd >= 0;
}

static void finish(struct dnsask *a, const struct dnsmsg_answer *answer)
{
	close_socket(a);
	loop_drop(a->loop, &a->watch);
	a->done(a, answer);
}

static bool exhausted(const struct dnsask *a)
{
	return a->tries >= DNSASK_ROUNDS * (a->dot ? a->dot->n : a->servers->n);
}

static void next_try(struct dnsask *a)
{
	struct dnsmsg_answer failed = { .kind = DNSMSG_SERVFAIL, .silent = !a->heard };

	for (; !exhausted(a); a->tries++) {
		close_socket(a);
		a->waiting = false;
		if (a->dot ? start_dot(a) : start_udp(a))
			return;
	}
	finish(a, &failed);
}

static void try_failed(struct dnsask *a)
{
	a->tries++;
	next_try(a);
}

static void judge(struct dnsask *a, struct slice msg)
{
	struct dnsmsg_answer answer;

	dnsmsg_parse(msg, a->id, dnsask_name(a), a->type, &answer);
	if (!a->over_tcp && (answer.kind == DNSMSG_FOREIGN ||
			     (ON(CONFIG_DNS_0X20) && !dnsmsg_same_case(msg, dnsask_name(a)))))
		return; /* someone else's, or a forgery: the right one may still come */
	a->heard = true;
	answer.secure &= a->local;
	if (answer.kind == DNSMSG_TRUNCATED && !a->over_tcp && start_tcp(a))
		return;
	if (answer.kind < DNSMSG_NXDOMAIN)
		try_failed(a);
	else
		finish(a, &answer);
}

static void on_datagram(struct dnsask *a)
{
	uint8_t msg[UDP_MAX];
	ssize_t n = recv(a->watch.fd, msg, sizeof msg, 0);

	if (n >= 0)
		judge(a, (struct slice){ msg, (size_t)n });
	else if (errno != EAGAIN && errno != EINTR)
		try_failed(a);
}

static void on_tcp(struct dnsask *a)
{
	size_t want = 2;
	ssize_t n;

	if (!a->asked) {
		a->asked = true;
		a->watch.want = POLLIN;
		if (!send_query(a))
			try_failed(a);
		return;
	}
	if (a->got >= 2)
		want += (size_t)a->tcp[0] << 8 | a->tcp[1];
	n = want > 2 + DNSASK_TCP ? 0 : recv(a->watch.fd, a->tcp + a->got, want - a->got, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		try_failed(a);
		return;
	}
	a->got += (size_t)n;
	if (want > 2 && a->got == want)
		judge(a, (struct slice){ a->tcp + 2, want - 2 });
}

static void on_ready(struct watch *w, short got)
{
	struct dnsask *a = OWNER(struct dnsask, watch, w);

	if (w->fd < 0 && !a->waiting)
		next_try(a);
	else if (!got)
		try_failed(a);
	else if (a->over_tcp)
		on_tcp(a);
	else
		on_datagram(a);
}

void dnsask_start(struct dnsask *a, struct slice name, uint16_t type)
{
	a->type = type;
	a->tries = 0;
	a->first = a->servers->first;
	a->heard = a->waiting = false;
	a->name_n = (uint8_t)name.n;
	memcpy(a->name, name.p, name.n);
	a->watch = (struct watch){ .fd = -1, .due = a->loop->now, .ready = on_ready };
	loop_add(a->loop, &a->watch);
}

struct slice dnsask_name(const struct dnsask *a)
{
	return (struct slice){ a->name, a->name_n };
}

void dnsask_given(struct dnsask *a, struct slice msg)
{
	struct dnsmsg_answer answer;

	dnsmsg_parse(msg, a->id, dnsask_name(a), a->type, &answer);
	if (answer.kind == DNSMSG_FOREIGN)
		return;
	a->heard = true;
	if (answer.kind < DNSMSG_NXDOMAIN)
		try_failed(a);
	else
		finish(a, &answer);
}

/* The next try comes with the next round of the loop. */
void dnsask_lost(struct dnsask *a)
{
	a->tries++;
	a->waiting = false;
	a->watch.due = a->loop->now;
}

void dnsask_prefer(const struct dnsask *a, struct dnsask_servers *s)
{
	if (!a->dot)
		s->first = (a->first + a->tries) % s->n;
}
