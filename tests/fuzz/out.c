/* SPDX-License-Identifier: ISC */
/* What out reads: letters and messages of its requesters, and all that a destination might say. The first octet
 * chooses: its low bits a message type, or 0 for a conversation, in which NUL makes a pause; bit 7 pins the route. */
#include "smtpd/out/outbound.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "smtpd/lib/memfd.h"
#include "smtpd/out/delivery.h"

static struct loop loop;
static struct chan chan, dns;
static struct outbound out;
static uint8_t rx[MSG_MAX];

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void start(void)
{
	loop_init(&loop, 8);
	chan_init(&chan, &loop, P_QUEUE, 1, rx);
	chan_init(&dns, &loop, P_DNS, 1, rx);
	outbound_init(&out, &loop, &dns, 1, true);
	shape_init(&out.shape); /* the other lane's */
}

static int memfd_of(struct slice s)
{
	int fd = memfd_make("fuzz");

	if (fd < 0 || !memfd_append(fd, 0, s) || !memfd_seal(fd))
		abort();
	return fd;
}

static void message(unsigned type, struct slice s)
{
	union {
		struct msg h;
		struct out_deliver deliver;
		struct out_ack ack;
	} m;
	struct call c = { .token = { .chan = &chan }, .from = P_QUEUE, .msg = &m };

	memset(&m, 0, sizeof m);
	memcpy(&m, s.p, s.n < sizeof m ? s.n : sizeof m);
	s = slice_from(s, sizeof m);
	if (type == OUT_DELIVER) {
		c.tail = slice_head(s, 4 * (m.deliver.skip >> 8 & 63));
		s = slice_from(s, c.tail.n);
	}
	if (type == OUT_ACK)
		c.tail = slice_head(s, s.n / sizeof(struct out_ack_row) *
					       sizeof(struct out_ack_row));
	if (type == OUT_STOP)
		c.tail = slice_head(s, OUT_STOPS * sizeof(struct out_stop_row));
	c.fd[0] = memfd_of(SLICE("Subject: x\r\n\r\ntext\r\n"));
	c.fd[1] = memfd_of(s);
	if (m.deliver.skip & 1) /* mostly the truth */
		m.deliver.text_size = 20;
	outbound_rules[type].run(&out, &c);
	for (unsigned i = 0; i < SHAPE_OPERATORS; i++)
		if (shape_left(&out.shape.op[i], loop.now) > OUT_RATE_MS)
			abort();
	memfd_close(&c.fd[0]);
	memfd_close(&c.fd[1]);
}

static bool nothing_to_read(int fd)
{
	uint8_t c;

	return recv(fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) < 0;
}

/* What comes at once, up to the next NUL; after the last the destination ends. */
static void feed(int fd, struct slice *s)
{
	size_t n = slice_find(*s, 0);

	if (n && write(fd, s->p, n) < 0)
		abort();
	*s = slice_from(*s, n + 1);
	if (!s->n)
		shutdown(fd, SHUT_WR);
}

static void conversation(bool pinned, struct slice s)
{
	struct delivery *d = &out.pool[0];
	struct peer *p = &out.peers[0];
	struct token t = { .chan = &chan };
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair))
		abort();
	memset(&d->letter, 0, sizeof d->letter);
	d->letter.text = memfd_of(SLICE("x\r\n.y\r\n"));
	d->letter.text_n = 7;
	d->letter.head = memfd_of(SLICE(""));
	d->letter.nrcpt = d->to.n = 2;
	d->letter.rcpt[1].notify = SLICE("NEVER");
	d->to.t[0] = d->to.t[1] = (struct target){ .index = 0 };
	delivery_begin(d, &t, OUT_MX_MS);
	loop_drop(&loop, &d->next);
	d->pinned = pinned;
	d->policy.level = pinned ? POLICY_PINNED : POLICY_OPPORTUNISTIC;
	d->judged = d->host_judged = true;
	d->asked = UINT8_MAX;
	d->mx.n = d->naddr = 1;
	memcpy(d->mx.host[0].name, "mx.example", sizeof "mx.example");
	d->tried = true;
	d->connects = DELIVERY_CONNECTS; /* this one is the last */
	peer_start(p, d, pair[0]);
	do {
		if (p->step != STEP_NONE && nothing_to_read(p->stream.watch.fd))
			feed(pair[1], &s);
		loop_round(&loop);
	} while (d->busy || p->step != STEP_NONE);
	close(pair[1]);
	for (int i = 0; i < 2; i++)
		if (d->to.t[i].outcome.code < 250 || !d->to.t[i].outcome.text_n)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	unsigned type = n ? p[0] & 0x7f : 0;

	if (!n || n > 30000)
		return 0;
	if (!loop.cap)
		start();
	if (!type)
		conversation(p[0] & 0x80, (struct slice){ p + 1, n - 1 });
	else if (type < OUT_TYPES && outbound_rules[type].run)
		message(type, (struct slice){ p + 1, n - 1 });
	/* No name is ever answered here: the requester gives up. */
	if (out.pool[0].busy) {
		loop_round(&loop);
		delivery_drop(&out.pool[0]);
	}
	memset(out.held.row, 0, HELD_ROWS * sizeof *out.held.row);
	return 0;
}
