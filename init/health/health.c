/* SPDX-License-Identifier: ISC */
#include "init/health/health.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "smtpd/lib/log.h"
#include "smtpd/lib/owner.h"
#include "smtpd/lib/sock.h"
#include "smtpd/msg/dns.h"
#include "smtpd/msg/queue.h"

enum { START_MS = 1000, TALK_MS = 20 * 1000, DNS_MS = 5 * 1000, QUEUE_MS = 45 * 1000 };

static const struct slice none = { NULL, 0 };

static void go(struct health *h);

/* The part that is being looked at has its verdict. */
static void over(struct health *h, const char *why)
{
	h->why[h->part++] = why;
	go(h);
}

/* ---- the front ends ---- */

static const struct step {
	uint16_t code; /* the reply that is right */
	const char *say;
} steps[] = { { 220, "EHLO localhost\r\n" }, { 250, "QUIT\r\n" }, { 221, NULL } };

static void hang_up(struct health *h, const char *why)
{
	loop_drop(&h->proc->loop, &h->socket);
	close(h->socket.fd);
	h->socket.fd = -1;
	over(h, why);
}

/* 421 is an answer of a front end that is full, or stops: it lives. */
static void on_reply(struct health *h)
{
	const struct step *s = &steps[h->step++];
	uint16_t code = h->reply.code;

	h->reply = (struct reply){ .step = REPLY_MORE };
	if (code == 421 || (code == s->code && !s->say)) {
		hang_up(h, NULL);
	} else if (code != s->code) {
		hang_up(h, "wrong reply");
	} else if (send(h->socket.fd, s->say, strlen(s->say), MSG_NOSIGNAL) < 0) {
		hang_up(h, "connection lost");
	}
}

/* Where TLS comes first, its end of a connection that does not speak it is answer enough. */
static void on_socket(struct watch *w, short got)
{
	struct health *h = OWNER(struct health, socket, w);
	ssize_t n;

	if (!got) {
		hang_up(h, "no answer");
		return;
	}
	if (w->want == POLLOUT) {
		w->want = POLLIN;
		n = h->port[h->part].implicit ? send(w->fd, "QUIT\r\n", 6, MSG_NOSIGNAL) : 0;
		if (n < 0)
			hang_up(h, "connection refused");
		return;
	}
	n = recv(w->fd, h->in.p + h->in.len, buf_room(&h->in), 0);
	if (n < 0 && errno == ECONNREFUSED) {
		hang_up(h, "connection refused");
	} else if (h->port[h->part].implicit) {
		hang_up(h, NULL);
	} else if (n <= 0) {
		hang_up(h, "connection lost");
	} else {
		struct slice in = { h->in.p, h->in.len + (size_t)n };
		enum reply_step step = reply_feed(&h->reply, &in);

		if (in.n)
			memmove(h->in.p, in.p, in.n);
		h->in.len = in.n;
		if (step == REPLY_BAD)
			hang_up(h, "wrong reply");
		else if (step == REPLY_DONE)
			on_reply(h);
	}
}

/* A connection that cannot leave this machine. -1: there is no way to that address now. */
static int open_to(const struct health_port *to)
{
	struct ipaddr own = ipaddr_v4(&to->address) ? ipaddr_of4(HEALTH_ADDRESS) : to->address;
	union sock_address from, a;
	socklen_t n = sock_address(&from, own.b, 0);
	int fd = socket(from.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		bug("no socket");
	sock_address(&a, to->address.b, to->port);
	if (bind(fd, &from.any, n) == 0 &&
	    (connect(fd, &a.any, n) == 0 || errno == EINPROGRESS))
		return fd;
	close(fd);
	return -1;
}

static bool begin_front(struct health *h)
{
	const struct health_port *to = &h->port[h->part];

	h->socket.fd = to->port ? open_to(to) : -1;
	if (h->socket.fd < 0)
		return false;
	h->step = 0;
	h->in.len = 0;
	h->reply = (struct reply){ .step = REPLY_MORE };
	h->socket.want = POLLOUT;
	h->socket.due = loop_clock() + TALK_MS;
	loop_add(&h->proc->loop, &h->socket);
	return true;
}

/* ---- dns, queue ---- */

static bool ask(struct health *h, struct chan *to, void *msg, size_t size,
		const struct want *want, int64_t ms,
		void (*done)(struct ask *, const void *, struct slice))
{
	h->ask.done = done;
	if (chan_ask(to, &h->ask, msg, size, none, NULL, 0, want, ms))
		return true;
	h->why[h->part] = "not there";
	return false;
}

static void on_dns(struct ask *a, const void *reply, struct slice tail)
{
	(void)tail;
	over(OWNER(struct health, ask, a), reply ? NULL : "no answer");
}

/* The empty name exists nowhere: dns answers that by itself. */
static bool begin_dns(struct health *h)
{
	static const struct want want = { DNS_QUERY, sizeof(struct dns_reply), DNS_TAIL };
	struct dns_query m = { .qtype = 1 };

	return ask(h, h->dns, &m, sizeof m, &want, DNS_MS, on_dns);
}

static void on_queue(struct ask *a, const void *reply, struct slice tail)
{
	struct health *h = OWNER(struct health, ask, a);
	const struct queue_probed *m = reply;

	(void)tail;
	if (m && m->result == QUEUE_PROBE_KEPT)
		h->kept = true;
	if (m && m->result != QUEUE_PROBE_SERVES)
		h->journal = m->result == QUEUE_PROBE_KEPT;
	if (!m)
		over(h, "no answer");
	else if (m->result == QUEUE_PROBE_BROKEN && h->kept)
		over(h, "the journal cannot be written");
	else
		over(h, NULL);
}

static bool begin_queue(struct health *h)
{
	static const struct want want = { QUEUE_PROBE, sizeof(struct queue_probed), 0 };
	struct queue_probe m = { .write = h->told[HEALTH_QUEUE] ||
					  h->rounds % HEALTH_WRITES == 0 };

	return ask(h, h->queue, &m, sizeof m, &want, QUEUE_MS, on_queue);
}

/* ---- rounds ---- */

static const struct {
	const char *name;
	bool (*begin)(
		struct health *h); /* false: nothing to wait for; why[] was set if it failed */
} parts[] = {
	[HEALTH_FRONT_MX] = { "front.mx", begin_front },
	[HEALTH_FRONT_SUB] = { "front.sub", begin_front },
	[HEALTH_DNS] = { "dns", begin_dns },
	[HEALTH_QUEUE] = { "queue", begin_queue },
};

_Static_assert(sizeof parts / sizeof *parts == HEALTH_PARTS, "row missing");

static void tell(const struct health *h, unsigned part)
{
	struct logline l;

	log_begin(&l, "health");
	log_text(&l, "state", h->why[part] ? "failed" : "ok");
	log_text(&l, "part", parts[part].name);
	if (h->why[part])
		log_text(&l, "why", h->why[part]);
	log_send(&l);
}

static void tell_update(struct health *h)
{
	struct health_well m = { 0 };

	if (h->waits.chan)
		chan_answer(&h->waits, &m, sizeof m, none);
	h->waits.chan = NULL;
}

static void on_well(void *ctx, struct call *c)
{
	struct health *h = ctx;

	h->waits = c->token;
	if (h->timer.due != LOOP_NEVER) /* between two rounds */
		h->timer.due = 0;
}

const struct rule health_rules[HEALTH_TYPES] = {
	[HEALTH_WELL] = { .from = 1u << P_UPDATE,
			  .size = sizeof(struct health_well),
			  .run = on_well },
};

static void round_over(struct health *h)
{
	struct logline l;
	int64_t pause;
	bool well = true;

	for (unsigned i = 0; i < HEALTH_PARTS; i++) {
		if (h->why[i] != h->told[i])
			tell(h, i);
		h->told[i] = h->why[i];
		well &= !h->why[i];
	}
	if (well && !h->well) {
		log_begin(&l, "health");
		log_text(&l, "state", "ok");
		log_text(&l, "journal", h->journal ? "kept" : "none");
		log_send(&l);
	}
	if (well) {
		proc_note(CTL_HEALTHY);
		tell_update(h);
	}
	pause = well ? HEALTH_ROUND_MS : h->waits.chan ? START_MS : HEALTH_ROUND_MS / 4;
	h->well = well;
	h->rounds++;
	h->timer.due = loop_clock() + pause;
}

static void go(struct health *h)
{
	while (h->part < HEALTH_PARTS) {
		h->why[h->part] = NULL;
		if (parts[h->part].begin(h))
			return;
		h->part++;
	}
	round_over(h);
}

static void on_timer(struct watch *w, short got)
{
	struct health *h = OWNER(struct health, timer, w);

	(void)got;
	w->due = LOOP_NEVER;
	h->part = 0;
	go(h);
}

/* In the order of preference: a dialogue in clear says more. */
static const struct {
	const char *word; /* of SMTPD_LISTEN */
	enum health_part part;
	uint16_t port;
	bool implicit;
} ports[] = {
	{ "25=", HEALTH_FRONT_MX, 25, false },
	{ "587=", HEALTH_FRONT_SUB, 587, false },
	{ "submit25=", HEALTH_FRONT_SUB, 25, false },
	{ "465=", HEALTH_FRONT_SUB, 465, true },
};

static void find_ports(struct health *h, struct slice listen)
{
	static const uint8_t loopback[] = { 127, 0, 0, 1 };

	for (size_t i = 0; i < sizeof ports / sizeof *ports; i++) {
		struct health_port p = { ports[i].port, ports[i].implicit,
					 ipaddr_of4(loopback) };
		struct slice all = listen, w, word = slice_of(ports[i].word);

		while ((w = slice_word(&all)).n && !slice_iprefix(w, word))
			;
		w = slice_from(w, word.n);
		if (!h->port[ports[i].part].port &&
		    (slice_eq(w, SLICE("*")) || ipaddr_parse(w, &p.address)))
			h->port[ports[i].part] = p;
	}
}

void health_init(struct health *h, struct proc *p, struct slice listen)
{
	*h = (struct health){ .proc = p,
			      .dns = proc_chan(p, PROG_DNS),
			      .queue = proc_chan(p, PROG_QUEUE) };
	h->in = BUF(h->line);
	find_ports(h, listen);
	h->socket = (struct watch){ .fd = -1, .ready = on_socket };
	h->timer =
		(struct watch){ .fd = -1, .due = loop_clock() + START_MS, .ready = on_timer };
	loop_add(&p->loop, &h->timer);
}
