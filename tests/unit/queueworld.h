/* SPDX-License-Identifier: ISC */
/* The queue between a check and an out that the test plays, with its real files and its thread. */
#ifndef TESTS_UNIT_QUEUEWORLD_H
#define TESTS_UNIT_QUEUEWORLD_H

#include "tests/unit/test.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "smtpd/lib/memfd.h"
#include "smtpd/msg/check.h"
#include "smtpd/queue/queue.h"

enum { SEEN = 8, ACKS = COURIER_ACKS + 1 };

static struct world {
	struct proc p;
	struct queue *q;
	bool spool;		     /* it is queue.mx, between check.mx and out.mx */
	struct chan check, out, sub; /* the far ends; sub: of check, asked by queue */
	uint8_t rx[MSG_MAX];
	uint32_t generation;
	/* what the queue asked of out */
	unsigned held, ndeliver, nack, nrows; /* nrows: what out holds */
	struct out_deliver deliver[SEEN];
	uint32_t rcpt[SEEN], nrcpt[SEEN]; /* the first one; how many */
	struct token token[SEEN];
	char head[SEEN][1024], text[SEEN][8 * 1024];
	struct out_ack_row ack[ACKS];
	struct out_held rows[4];
	/* what the queue asked of check */
	unsigned nreport;
	uint16_t refuse; /* check says this and nothing else */
	bool forged;	 /* check names another letter */
	struct token reporter;
	struct ask returning;
	char report[8 * 1024], report_head[1024];
	/* what the queue answered to check */
	struct ask ask;
	unsigned answers;
	uint16_t code;
	char reply[ANSWER_TEXT + 1];
} w;

/* What fits: of a larger one its beginning. */
static inline void take(int fd, char *to, size_t cap)
{
	uint64_t n;

	memset(to, 0, cap);
	CHECK(memfd_check(fd, CONFIG_SMTPD_MAX_SIZE, &n));
	CHECK(memfd_read(fd, 0, (uint8_t *)to, n < cap ? (size_t)n : cap - 1));
}

static inline void on_deliver(void *ctx, struct call *c)
{
	unsigned i = w.ndeliver++ % SEEN;

	(void)ctx;
	memcpy(&w.deliver[i], c->msg, sizeof w.deliver[i]);
	w.nrcpt[i] = (uint32_t)(c->tail.n / sizeof w.rcpt[i]);
	CHECK(w.nrcpt[i] && c->tail.n % sizeof w.rcpt[i] == 0);
	memcpy(&w.rcpt[i], c->tail.p, sizeof w.rcpt[i]);
	w.token[i] = c->token;
	take(c->fd[0], w.text[i], sizeof w.text[i]);
	take(c->fd[1], w.head[i], sizeof w.head[i]);
}

static inline void on_held_ask(void *ctx, struct call *c)
{
	struct out_held_list m = { .n = w.nrows };

	(void)ctx;
	w.held++;
	chan_answer(&c->token, &m, sizeof m,
		    (struct slice){ (const uint8_t *)w.rows, w.nrows * sizeof *w.rows });
}

static inline void on_ack(void *ctx, struct call *c)
{
	struct out_acked m = { .h = { 0 } };

	(void)ctx;
	CHECK(c->tail.n && c->tail.n % sizeof w.ack[0] == 0);
	for (size_t at = 0; at < c->tail.n; at += sizeof w.ack[0])
		memcpy(&w.ack[w.nack++ % ACKS], c->tail.p + at, sizeof w.ack[0]);
	chan_answer(&c->token, &m, sizeof m, (struct slice){ NULL, 0 });
}

#define QUEUES (1u << P_QUEUE | 1u << P_QUEUE_MX)

static const struct rule out_rules[OUT_TYPES] = {
	[OUT_DELIVER] = { QUEUES, sizeof(struct out_deliver), OUT_RCPTS * sizeof(uint32_t), 2,
			  on_deliver },
	[OUT_HELD] = { QUEUES, sizeof(struct out_held_ask), 0, 0, on_held_ask },
	[OUT_ACK] = { QUEUES, sizeof(struct out_ack), OUT_ACKS * sizeof(struct out_ack_row), 0,
		      on_ack },
};

static inline int sealed(struct slice s, bool seal)
{
	int fd = memfd_make("t");

	if (!memfd_append(fd, 0, s) || (seal && !memfd_seal(fd)))
		abort();
	return fd;
}

static inline void on_returned(struct ask *a, const void *reply, struct slice tail)
{
	struct answer m;

	(void)a;
	memcpy(&m, reply, sizeof m);
	chan_answer(&w.reporter, &m, sizeof m, tail);
	w.nreport++;
}

/* As check.sub does it: the report comes back as a letter. */
static inline void on_report(void *ctx, struct call *c)
{
	static const struct want want = { QUEUE_LETTER, sizeof(struct answer), ANSWER_TEXT };
	struct answer no = { .code = w.refuse, .enhanced = { 4, 3, 0 } };
	struct queue_letter m = { .h.type = QUEUE_LETTER };
	uint8_t head[1024];
	struct buf b = BUF(head);
	struct slice in, v;
	uint64_t n;
	int fd[2];

	(void)ctx;
	take(c->fd[0], w.report, sizeof w.report);
	take(c->fd[1], w.report_head, sizeof w.report_head);
	if (w.refuse) {
		chan_answer(&c->token, &no, sizeof no, SLICE("no"));
		w.nreport++;
		return;
	}
	CHECK(memfd_check(c->fd[1], sizeof head, &n));
	in = (struct slice){ (const uint8_t *)w.report_head, (size_t)n };
	envelope_put(&b, ENV_SENDER, SLICE(""));
	CHECK(envelope_get(in, ENV_REPORT, &v));
	envelope_put(&b, ENV_REPORT, w.forged ? SLICE("1.2") : v);
	CHECK(envelope_get(in, ENV_RCPT, &v));
	envelope_put(&b, ENV_RCPT, v);
	envelope_put_header(&b, SLICE("DKIM-Signature: x\r\n"));
	m.text_size = strlen(w.report);
	fd[0] = sealed(slice_of(w.report), true);
	fd[1] = sealed(buf_slice(&b), true);
	w.reporter = c->token;
	w.returning.done = on_returned;
	CHECK(chan_ask(&w.check, &w.returning, &m, sizeof m, (struct slice){ NULL, 0 }, fd, 2,
		       &want, 20000));
	close(fd[0]);
	close(fd[1]);
}

static const struct rule sub_rules[CHECK_TYPES] = {
	[CHECK_REPORT] = { QUEUES, sizeof(struct check_letter), 0, 2, on_report },
};

static inline void wire(struct chan *a, struct chan *b)
{
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sv))
		abort();
	w.generation++;
	chan_wire(a, sv[0], w.generation);
	chan_wire(b, sv[1], w.generation);
}

/* A new queue process, as far as a test can: the old one just stops being looked at. */
static inline void boot(const char *dir)
{
	struct proc *p = &w.p;

	memset(p, 0, sizeof *p);
	p->me = w.spool ? P_QUEUE_MX : P_QUEUE;
	loop_init(&p->loop, 32);
	chan_init(&p->chan[0], &p->loop, w.spool ? P_CHECK_MX : P_CHECK_SUB,
		  CONFIG_SMTPD_MAX_SESSIONS, p->rx);
	chan_init(&p->chan[1], &p->loop, P_OUT_SUB, CONFIG_SMTPD_QUEUE_ACTIVE + 2, p->rx);
	p->chan_id[0] = w.spool ? CH_CHECK_MX_QUEUE_MX : CH_CHECK_SUB_QUEUE;
	p->chan_id[1] = w.spool ? CH_QUEUE_MX_OUT_MX : CH_QUEUE_OUT_SUB;
	p->chan_id[2] = w.spool ? CH_QUEUE_MX_CHECK_MX : CH_QUEUE_CHECK_SUB;
	p->nchan = 3;
	chan_init(&p->chan[2], &p->loop, P_CHECK_SUB, 2, p->rx);
	w.q = calloc(1, sizeof *w.q);
	queue_init(w.q, p, dir);
	proc_serve(p, queue_rules, QUEUE_TYPES, w.q);
	chan_init(&w.check, &p->loop, p->me, CONFIG_SMTPD_MAX_SESSIONS, w.rx);
	chan_init(&w.out, &p->loop, p->me, CONFIG_SMTPD_QUEUE_ACTIVE + 2, w.rx);
	w.out.rules = out_rules;
	w.out.nrules = OUT_TYPES;
	chan_init(&w.sub, &p->loop, p->me, 2, w.rx);
	w.sub.rules = sub_rules;
	w.sub.nrules = CHECK_TYPES;
	w.held = w.ndeliver = w.nack = w.nreport = 0;
	memset(&w.returning, 0, sizeof w.returning);
	wire(&w.sub, &p->chan[2]);
	wire(&w.check, &p->chan[0]);
	wire(&w.out, &p->chan[1]);
}

static inline bool until(const unsigned *what, unsigned n, int64_t ms)
{
	int64_t end = loop_clock() + ms;

	/* The loop wakes for its own reasons; the test wants to look at the clock as well. */
	while (*what < n && loop_clock() < end) {
		w.q->timer.due = loop_clock() + 20;
		loop_round(&w.p.loop);
	}
	return *what >= n;
}

static inline void on_reply(struct ask *a, const void *reply, struct slice tail)
{
	const struct answer *m = reply;

	(void)a;
	w.answers++;
	w.code = m ? m->code : 0;
	memset(w.reply, 0, sizeof w.reply);
	if (tail.n)
		memcpy(w.reply, tail.p, tail.n);
}

struct letter_in {
	const char *name, *rcpts[3], *text;
	const char *alias, *sender; /* a stranger's letter for this alias */
	const char *notify;	    /* of the first recipient */
	uint32_t skip, lie;	    /* lie: octets added to text_size */
	bool unsealed, grant, headless;
	uint16_t code;
};

static inline void send_letter(const struct letter_in *in)
{
	static const struct want want = { QUEUE_LETTER, sizeof(struct answer), ANSWER_TEXT };
	struct queue_letter m = { .h.type = QUEUE_LETTER,
				  .skip = in->skip,
				  .text_size = strlen(in->text) + in->lie };
	uint8_t head[2048];
	struct buf b = BUF(head);
	int fd[2];

	envelope_put(&b, ENV_SENDER,
		     in->alias ? slice_of(in->sender) : SLICE("app@example.org"));
	if (!in->alias)
		envelope_put(&b, ENV_ACCOUNT, SLICE("app"));
	for (unsigned i = 0; i < 3 && in->rcpts[i]; i++) {
		envelope_put(&b, ENV_RCPT, slice_of(in->rcpts[i]));
		if (in->alias)
			envelope_put(&b, ENV_ORIGINAL, slice_of(in->alias));
		if (!i && in->notify)
			envelope_put(&b, ENV_NOTIFY, slice_of(in->notify));
	}
	if (in->grant)
		envelope_put(&b, ENV_GRANT, SLICE("secret"));
	if (!in->headless)
		envelope_put_header(&b, SLICE("Subject: signed\r\n"));
	fd[0] = sealed(slice_of(in->text), !in->unsealed);
	fd[1] = sealed(buf_slice(&b), true);
	w.answers = 0;
	w.ask.done = on_reply;
	CHECK(chan_ask(&w.check, &w.ask, &m, sizeof m, (struct slice){ NULL, 0 }, fd, 2, &want,
		       20000));
	close(fd[0]);
	close(fd[1]);
	CHECK(until(&w.answers, 1, 20000));
}

/* A code for each recipient of the delivery; the last one stands for the rest. */
static inline void say_each(unsigned i, const uint16_t *code, uint8_t flags)
{
	struct out_result m = { .host_len = 2 };
	uint8_t tail[256];
	struct buf b = BUF(tail);

	buf_put(&b, SLICE("mx"));
	for (unsigned k = 0; k < w.nrcpt[i]; k++) {
		struct out_verdict v = {
			code[k], { (uint8_t)(code[k] / 100), 0, 0 }, flags, 17
		};

		buf_put(&b, (struct slice){ (const uint8_t *)&v, sizeof v });
		buf_put(&b, SLICE("said the far side"));
	}
	chan_answer(&w.token[i], &m, sizeof m, buf_slice(&b));
}

static inline uint32_t newest(void)
{
	const struct ledger *g = &w.q->journal.g;
	uint32_t n = 0;

	for (uint32_t i = 0; i < g->top_letter; i++)
		n = g->letter[i].r.letter > g->letter[n].r.letter ? i : n;
	return n;
}

static inline void say(unsigned i, uint16_t code)
{
	CHECK_EQ(w.nrcpt[i], 1);
	say_each(i, &code, 0);
}

#endif
