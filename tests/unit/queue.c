/* SPDX-License-Identifier: ISC */
/* The queue between a check and an out that the test plays, with its real files and its thread. */
#define _GNU_SOURCE
#include "tests/unit/test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "smtpd/lib/memfd.h"
#include "smtpd/msg/check.h"
#include "smtpd/queue/clerk.h"
#include "smtpd/queue/queue.h"

enum { SEEN = 8, ACKS = COURIER_ACKS + 1 };

static struct world {
	struct proc p;
	struct queue *q;
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

static void take(int fd, char *to, size_t cap)
{
	uint64_t n;

	memset(to, 0, cap);
	CHECK(memfd_check(fd, cap - 1, &n) && memfd_read(fd, 0, (uint8_t *)to, (size_t)n));
}

static void on_deliver(void *ctx, struct call *c)
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

static void on_held_ask(void *ctx, struct call *c)
{
	struct out_held_list m = { .n = w.nrows };

	(void)ctx;
	w.held++;
	chan_answer(&c->token, &m, sizeof m,
		    (struct slice){ (const uint8_t *)w.rows, w.nrows * sizeof *w.rows });
}

static void on_ack(void *ctx, struct call *c)
{
	struct out_acked m = { .h = { 0 } };

	(void)ctx;
	CHECK(c->tail.n && c->tail.n % sizeof w.ack[0] == 0);
	for (size_t at = 0; at < c->tail.n; at += sizeof w.ack[0])
		memcpy(&w.ack[w.nack++ % ACKS], c->tail.p + at, sizeof w.ack[0]);
	chan_answer(&c->token, &m, sizeof m, (struct slice){ NULL, 0 });
}

static const struct rule out_rules[OUT_TYPES] = {
	[OUT_DELIVER] = { 1u << P_QUEUE, sizeof(struct out_deliver),
			  OUT_RCPTS * sizeof(uint32_t), 2, on_deliver },
	[OUT_HELD] = { 1u << P_QUEUE, sizeof(struct out_held_ask), 0, 0, on_held_ask },
	[OUT_ACK] = { 1u << P_QUEUE, sizeof(struct out_ack),
		      OUT_ACKS * sizeof(struct out_ack_row), 0, on_ack },
};

static int sealed(struct slice s, bool seal)
{
	int fd = memfd_make("t");

	if (!memfd_append(fd, 0, s) || (seal && !memfd_seal(fd)))
		abort();
	return fd;
}

static void on_returned(struct ask *a, const void *reply, struct slice tail)
{
	struct answer m;

	(void)a;
	memcpy(&m, reply, sizeof m);
	chan_answer(&w.reporter, &m, sizeof m, tail);
	w.nreport++;
}

/* As check.sub does it: the report comes back as a letter. */
static void on_report(void *ctx, struct call *c)
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
	[CHECK_REPORT] = { 1u << P_QUEUE, sizeof(struct check_letter), 0, 2, on_report },
};

static void wire(struct chan *a, struct chan *b)
{
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sv))
		abort();
	w.generation++;
	chan_wire(a, sv[0], w.generation);
	chan_wire(b, sv[1], w.generation);
}

/* A new queue process, as far as a test can: the old one just stops being looked at. */
static void boot(const char *dir)
{
	struct proc *p = &w.p;

	memset(p, 0, sizeof *p);
	p->me = P_QUEUE;
	loop_init(&p->loop, 32);
	chan_init(&p->chan[0], &p->loop, P_CHECK_SUB, CONFIG_SMTPD_MAX_SESSIONS, p->rx);
	chan_init(&p->chan[1], &p->loop, P_OUT_SUB, CONFIG_SMTPD_QUEUE_ACTIVE + 2, p->rx);
	p->chan_id[0] = CH_CHECK_SUB_QUEUE;
	p->chan_id[1] = CH_QUEUE_OUT_SUB;
	p->chan_id[2] = CH_QUEUE_CHECK_SUB;
	p->nchan = 3;
	chan_init(&p->chan[2], &p->loop, P_CHECK_SUB, 2, p->rx);
	w.q = calloc(1, sizeof *w.q);
	queue_init(w.q, p, dir);
	proc_serve(p, queue_rules, QUEUE_TYPES, w.q);
	chan_init(&w.check, &p->loop, P_QUEUE, CONFIG_SMTPD_MAX_SESSIONS, w.rx);
	chan_init(&w.out, &p->loop, P_QUEUE, CONFIG_SMTPD_QUEUE_ACTIVE + 2, w.rx);
	w.out.rules = out_rules;
	w.out.nrules = OUT_TYPES;
	chan_init(&w.sub, &p->loop, P_QUEUE, 2, w.rx);
	w.sub.rules = sub_rules;
	w.sub.nrules = CHECK_TYPES;
	w.held = w.ndeliver = w.nack = w.nreport = 0;
	memset(&w.returning, 0, sizeof w.returning);
	wire(&w.sub, &p->chan[2]);
	wire(&w.check, &p->chan[0]);
	wire(&w.out, &p->chan[1]);
}

static bool until(const unsigned *what, unsigned n, int64_t ms)
{
	int64_t end = loop_clock() + ms;

	/* The loop wakes for its own reasons; the test wants to look at the clock as well. */
	while (*what < n && loop_clock() < end) {
		w.q->timer.due = loop_clock() + 20;
		loop_round(&w.p.loop);
	}
	return *what >= n;
}

static void on_reply(struct ask *a, const void *reply, struct slice tail)
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
	const char *notify; /* of the first recipient */
	uint32_t skip, lie; /* lie: octets added to text_size */
	bool unsealed, grant, headless;
	uint16_t code;
};

static void send_letter(const struct letter_in *in)
{
	static const struct want want = { QUEUE_LETTER, sizeof(struct answer), ANSWER_TEXT };
	struct queue_letter m = { .h.type = QUEUE_LETTER,
				  .skip = in->skip,
				  .text_size = strlen(in->text) + in->lie };
	uint8_t head[2048];
	struct buf b = BUF(head);
	int fd[2];

	envelope_put(&b, ENV_SENDER, SLICE("app@example.org"));
	envelope_put(&b, ENV_ACCOUNT, SLICE("app"));
	for (unsigned i = 0; i < 3 && in->rcpts[i]; i++) {
		envelope_put(&b, ENV_RCPT, slice_of(in->rcpts[i]));
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
static void say_each(unsigned i, const uint16_t *code, uint8_t flags)
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

static uint32_t newest(void)
{
	const struct ledger *g = &w.q->journal.g;
	uint32_t n = 0;

	for (uint32_t i = 0; i < g->top_letter; i++)
		n = g->letter[i].r.letter > g->letter[n].r.letter ? i : n;
	return n;
}

static void say(unsigned i, uint16_t code)
{
	CHECK_EQ(w.nrcpt[i], 1);
	say_each(i, &code, 0);
}

static const struct letter_in two = {
	.name = "two",
	.rcpts = { "a@x.example", "b@y.example" },
	.code = 250,
	.text = "Subject: x\r\n\r\nhello\r\n",
	.skip = 12,
};

static const struct letter_in one = {
	.name = "one",
	.rcpts = { "a@x.example" },
	.text = "hello\r\n",
	.code = 250,
};

static const struct letter_in shapes[] = {
	{ .name = "unsealed",
	  .rcpts = { "a@x.example" },
	  .text = "x",
	  .unsealed = true,
	  .code = 451 },
	{ .name = "size lies", .rcpts = { "a@x.example" }, .text = "x", .lie = 1, .code = 451 },
	{ .name = "skip", .rcpts = { "a@x.example" }, .text = "x", .skip = 2, .code = 451 },
	{ .name = "no recipient", .text = "x", .code = 451 },
	{ .name = "no header",
	  .rcpts = { "a@x.example" },
	  .text = "x",
	  .headless = true,
	  .code = 451 },
	{ .name = "grant", .rcpts = { "a@x.example" }, .text = "x", .grant = true, .code = 451 },
};

static void test_path(void)
{
	uint64_t id;

	boot(".");
	send_letter(&two);
	CHECK_EQ(w.code, 250);
	CHECK(!strncmp(w.reply, "Ok: queued as ", 14));
	CHECK(until(&w.ndeliver, 2, 5000));
	CHECK_EQ(w.held, 1);
	id = w.deliver[0].seq;
	CHECK(!strcmp(w.text[0], two.text) && !strcmp(w.text[1], two.text));
	CHECK_EQ(w.deliver[0].skip, 12);
	for (unsigned i = 0; i < 2; i++) {
		const char *to = w.rcpt[i] ? "b@y.example" : "a@x.example";
		struct slice v, head = { (uint8_t *)w.head[i], 0 };
		size_t n = 0;

		while (n < sizeof w.head[i] - 20 &&
		       memcmp(w.head[i] + n, "Subject: signed", 15))
			n++;
		head.n = n + 17;
		CHECK(envelope_check(head, &n) && n == 1);
		CHECK(envelope_get(head, ENV_RCPT, &v) && slice_eq(v, slice_of(to)));
		CHECK(envelope_get(head, ENV_SENDER, &v) &&
		      slice_eq(v, SLICE("app@example.org")));
	}
	/* The first one arrives and is acknowledged when that is on disk; the second one waits. */
	say(0, 250);
	say(1, 451);
	CHECK(until(&w.nack, 1, 5000));
	CHECK_EQ(w.ack[0].seq, id);
	CHECK_EQ(w.ack[0].rcpt, w.rcpt[0]);
	CHECK(!until(&w.ndeliver, 3, 300));
	/* A restarted queue learns from out that the second one had arrived after all. */
	w.rows[0] = (struct out_held){ .seq = id,
				       .rcpt = w.rcpt[1],
				       .code = 250,
				       .enhanced = { 2, 0, 0 },
				       .state = OUT_RESULT };
	w.rows[1] = (struct out_held){ .seq = id + 77, .code = 250, .state = OUT_RESULT };
	w.nrows = 2;
	boot(".");
	CHECK_EQ(w.q->journal.g.letters, 1);
	CHECK(until(&w.nack, 2, 5000)); /* the unknown one too */
	CHECK_EQ(w.q->journal.g.letters, 0);
	CHECK_EQ(w.ndeliver, 0);
	w.nrows = 0;
}

/* What is due to a sender comes back as a letter of its own, and goes to him. */
static void reported(unsigned delivery, const char *wants)
{
	CHECK(until(&w.nreport, 1, 5000));
	CHECK_ROW(strstr(w.report, wants) != NULL, wants);
	CHECK(until(&w.ndeliver, delivery + 1, 5000));
	CHECK(memmem(w.head[delivery], sizeof w.head[0], "app@example.org", 15) != NULL);
	CHECK(!strcmp(w.text[delivery], w.report));
	say(delivery, 250);
}

static void test_crash(void)
{
	boot(".");
	send_letter(&two);
	CHECK(until(&w.ndeliver, 2, 5000));
	/* out dies with both: it holds one of them still, past the final dot. */
	w.rows[0] = (struct out_held){ .seq = w.deliver[0].seq, .rcpt = 0, .state = OUT_BUSY };
	w.nrows = 1;
	w.held = 0;
	wire(&w.out, &w.p.chan[1]);
	CHECK(until(&w.held, 2, 5000));
	CHECK(until(&w.ndeliver, 3, 8000));
	CHECK_EQ(w.rcpt[2], 1);
	say(2, 550);
	/* Then out has forgotten the other one as well. */
	w.nrows = 0;
	CHECK(until(&w.ndeliver, 4, 8000));
	CHECK_EQ(w.rcpt[3], 0);
	say(3, 250);
	CHECK(until(&w.nack, 2, 5000));
	reported(
		4,
		"Final-Recipient: rfc822; b@y.example\r\nAction: failed\r\nStatus: 5.0.0\r\n"
		"Remote-MTA: dns; mx\r\nDiagnostic-Code: smtp; 550 5.0.0 said the far side\r\n");
	CHECK(!strstr(w.report, "a@x.example"));
	CHECK(until(&w.nack, 3, 5000));
	CHECK_EQ(w.q->journal.g.letters, 0);
}

/* More acks than have a place: the one beyond is learnt from out, and said. */
static void test_many_acks(void)
{
	boot(".");
	CHECK(until(&w.held, 1, 5000));
	w.rows[w.nrows++] =
		(struct out_held){ .seq = 9, .rcpt = ACKS - 1, .state = OUT_RESULT };
	for (uint32_t i = 0; i < ACKS; i++)
		courier_kept(&w.q->courier, 9, i);
	CHECK(until(&w.nack, ACKS, 5000));
	CHECK_EQ(w.ack[ACKS - 1].rcpt, ACKS - 1);
	w.nrows = 0;
}

/* A letter that nobody takes is given up after its lifetime, and not before one more attempt. */
static void test_lifetime(void)
{
	struct journal *j;
	uint32_t n;

	boot(".");
	j = &w.q->journal;
	send_letter(&one);
	CHECK(until(&w.ndeliver, 1, 5000));
	n = ledger_find(&j->g, w.deliver[0].seq);
	say(0, 451);
	CHECK(!until(&w.ndeliver, 2, 200));
	CHECK_EQ(j->g.rcpt[j->g.letter[n].first].attempts, 1);
	j->g.letter[n].born -= JOURNAL_LIFETIME * 1000ll;
	CHECK(!until(&w.ndeliver, 2, 200));
	ledger_wait(&j->g, j->g.letter[n].first, 0);
	CHECK(until(&w.ndeliver, 2, 5000));
	say(1, 451);
	CHECK(until(&w.nack, 1, 5000));
	reported(2, "Action: failed\r\nStatus: 5.4.7\r\n");
	CHECK(until(&w.nack, 2, 5000));
	CHECK_EQ(j->g.letters, 0);
}

static struct letter_in notify(const char *said)
{
	struct letter_in in = one;

	in.notify = said;
	return in;
}

/* Recipients of one destination go together, each with its own verdict. */
static void test_together(void)
{
	static const struct letter_in three = {
		.name = "three",
		.rcpts = { "a@x.example", "b@y.example", "c@X.example" },
		.code = 250,
		.text = "hello\r\n",
	};
	struct ledger *g;

	boot(".");
	g = &w.q->journal.g;
	send_letter(&three);
	CHECK(until(&w.ndeliver, 2, 5000));
	CHECK(w.nrcpt[0] == 2 && w.rcpt[0] == 0 && w.nrcpt[1] == 1 && w.rcpt[1] == 1);
	say_each(0, (const uint16_t[]){ 451, 250 }, 0);
	say(1, 550);
	CHECK(until(&w.nack, 2, 5000));
	CHECK_EQ(g->letters, 1);
	CHECK_EQ(g->letter[newest()].open, 1);
	CHECK_EQ(g->rcpt[g->letter[newest()].first].attempts, 1);
	/* After a restart it is the same. */
	boot(".");
	g = &w.q->journal.g;
	CHECK_EQ(g->letters, 1);
	CHECK(g->letter[newest()].account && g->letter[newest()].account->letters == 1);
	ledger_wait(g, g->letter[newest()].first, 0);
	CHECK(until(&w.ndeliver, 1, 5000));
	CHECK(w.nrcpt[0] == 1 && w.rcpt[0] == 0);
	say(0, 250);
	CHECK(until(&w.nack, 1, 5000));
	reported(1, "Final-Recipient: rfc822; b@y.example");
	CHECK(until(&w.nack, 2, 5000));
	CHECK_EQ(g->letters, 0);
}

/* A destination that is not reached is left alone by all letters, and those end in time. */
static void test_pause(void)
{
	struct ledger *g;
	struct letter_in quiet = notify("NEVER");
	uint32_t second;

	boot(".");
	g = &w.q->journal.g;
	send_letter(&quiet);
	CHECK(until(&w.ndeliver, 1, 5000));
	send_letter(&quiet);
	second = newest();
	CHECK(!until(&w.ndeliver, 2, 200)); /* one connection at first */
	say_each(0, (const uint16_t[]){ 451 }, OUT_DEAD);
	CHECK(!until(&w.ndeliver, 2, 200));
	CHECK(g->rcpt[g->letter[second].first].due > w.q->journal.now + 1000);
	CHECK_EQ(g->rcpt[g->letter[second].first].attempts, 0);
	CHECK_EQ(
		reason_get(&w.q->courier.reasons, g->rcpt[g->letter[second].first].reason)->code,
		451);
	g->letter[second].born -= JOURNAL_LIFETIME * 1000ll;
	ledger_wait(g, g->letter[second].first, 0);
	CHECK(until(&w.nack, 1, 5000));
	CHECK_EQ(w.ndeliver, 1);
	CHECK_EQ(g->letters, 1);
	w.q->courier.sched.dests.all[1].until = 0;
	ledger_wait(g, g->letter[ledger_find(g, w.deliver[0].seq)].first, 0);
	CHECK(until(&w.ndeliver, 2, 5000));
	say(1, 250);
	CHECK(until(&w.nack, 2, 5000));
	CHECK_EQ(g->letters, 0);
}

/* One account does not fill the queue. */
static void test_quota(void)
{
	struct account *a;

	boot(".");
	send_letter(&one);
	a = w.q->journal.g.letter[newest()].account;
	CHECK(a->letters == 1 && a->octets >= JR_BLOCK);
	a->letters += ACCOUNT_LETTERS - 1;
	send_letter(&one);
	CHECK_EQ(w.code, 452);
	CHECK(strstr(w.reply, "this account") != NULL);
	a->letters--;
	send_letter(&one);
	CHECK_EQ(w.code, 250);
	a->letters -= ACCOUNT_LETTERS - 2;
	CHECK(until(&w.ndeliver, 1, 5000));
	say(0, 250);
	CHECK(until(&w.ndeliver, 2, 5000));
	say(1, 250);
	CHECK(until(&w.nack, 2, 5000));
	CHECK(!a->letters && !a->active && !a->octets);
}

/* What the operator did with a letter stays done. */
static void test_clerk(void)
{
	struct clerk_letter l;
	struct clerk_rcpt r;
	struct courier *c;
	uint32_t at = 0;
	uint64_t id;

	boot(".");
	c = &w.q->courier;
	send_letter(&two);
	CHECK(until(&w.ndeliver, 2, 5000));
	say(0, 451);
	say(1, 451);
	CHECK(!until(&w.ndeliver, 3, 200));
	CHECK(clerk_list(c, &at, &l) && !clerk_list(c, &at, &(struct clerk_letter){ 0 }));
	id = l.id;
	CHECK_EQ(l.octets, strlen(two.text));
	CHECK(l.rcpts == 2 && l.open == 2 && l.attempts == 1 && l.next > 0 && !l.held);
	CHECK_SLICE(l.account, "app");
	CHECK_SLICE(l.sender, "app@example.org");
	CHECK(l.reason && l.reason->code == 451);
	CHECK(clerk_rcpt(c, id, 1, &r) && r.state == RCPT_WAIT && r.attempts == 1);
	CHECK_SLICE(r.to, "b@y.example");
	CHECK(!clerk_rcpt(c, id, 2, &r) && !clerk_show(c, id + 1, &l) && !clerk_hold(c, 0));
	CHECK(clerk_retry(c, id));
	CHECK(until(&w.ndeliver, 4, 5000));
	CHECK(clerk_hold(c, id));
	say(2, 451);
	say(3, 451);
	CHECK(!until(&w.ndeliver, 5, 300));
	CHECK(clerk_show(c, id, &l) && l.held && l.next == -1);
	CHECK(!clerk_retry(c, id));
	clerk_flush(c);
	CHECK(!until(&w.ndeliver, 5, 300));
	boot(".");
	c = &w.q->courier;
	CHECK(clerk_show(c, id, &l) && l.held);
	clerk_flush(c);
	CHECK(!until(&w.ndeliver, 1, 300));
	CHECK(clerk_release(c, id));
	clerk_flush(c);
	CHECK(until(&w.ndeliver, 2, 5000));
	say(0, 451);
	CHECK(!until(&w.ndeliver, 3, 300));
	boot("."); /* the other one is under way, and out forgot it */
	c = &w.q->courier;
	CHECK(clerk_show(c, id, &l) && !l.held);
	CHECK(until(&w.held, 1, 5000));
	CHECK(clerk_remove(c, id, true));
	CHECK(until(&w.nack, 2, 5000));
	CHECK_EQ(w.q->journal.g.letters, 0);
	boot(".");
}

static void test_notify(void)
{
	static const struct {
		const char *notify;
		uint16_t code;
		const char *wants; /* NULL: no report */
	} rows[] = {
		{ "NEVER", 550, NULL },
		{ "SUCCESS,DELAY", 550, NULL },
		{ "FAILURE", 550, "Action: failed" },
		{ "FAILURE", 250, NULL },
		{ "SUCCESS", 250, "Action: relayed" },
		{ NULL, 250, NULL },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct letter_in in = notify(rows[i].notify);

		boot(".");
		send_letter(&in);
		CHECK(until(&w.ndeliver, 1, 5000));
		say(0, rows[i].code);
		CHECK(until(&w.nack, 1, 5000));
		if (rows[i].wants) {
			reported(1, rows[i].wants);
			CHECK(until(&w.nack, 2, 5000));
		}
		CHECK(!until(&w.nreport, 2, 100));
		CHECK_ROW(w.nreport == (rows[i].wants != NULL), rows[i].notify);
		CHECK_EQ(w.q->journal.g.letters, 0);
	}
}

/* A warning, once; not when nobody wants it. */
static void test_warning(void)
{
	static const char *const said[] = { NULL, "DELAY", "FAILURE" };

	for (unsigned i = 0; i < 3; i++) {
		struct letter_in in = notify(said[i]);
		struct journal *j;
		uint32_t n;

		boot(".");
		j = &w.q->journal;
		send_letter(&in);
		CHECK(until(&w.ndeliver, 1, 5000));
		n = ledger_find(&j->g, w.deliver[0].seq);
		j->g.letter[n].born -= CONFIG_SMTPD_QUEUE_WARN * 1000ll;
		say(0, 451);
		if (i < 2)
			reported(1, "Action: delayed\r\nStatus: 4.0.0\r\nWill-Retry-Until: ");
		CHECK(!until(&w.nreport, 2, 200));
		CHECK_EQ(w.nreport, i < 2);
		/* the next try fails too: nothing more is said of it */
		ledger_wait(&j->g, j->g.letter[n].first, 0);
		CHECK(until(&w.ndeliver, i < 2 ? 3 : 2, 5000));
		say(i < 2 ? 2 : 1, 451);
		CHECK(!until(&w.nreport, 2, 200));
		ledger_wait(&j->g, j->g.letter[n].first, 0);
		CHECK(until(&w.ndeliver, i < 2 ? 4 : 3, 5000));
		say(i < 2 ? 3 : 2, 250);
		CHECK(until(&w.nack, i < 2 ? 2 : 1, 5000));
		CHECK_EQ(j->g.letters, 0);
	}
}

/* The letter stays until the report is one; a report about something else is not taken. */
static void test_refused_report(void)
{
	boot(".");
	w.refuse = 451;
	send_letter(&one);
	CHECK(until(&w.ndeliver, 1, 5000));
	say(0, 550);
	CHECK(until(&w.nreport, 1, 5000));
	CHECK(!until(&w.nreport, 2, 200));
	CHECK_EQ(w.q->journal.g.letters, 1);
	w.refuse = 0;
	w.forged = true;
	boot(".");
	CHECK_EQ(w.q->journal.g.letters, 1);
	CHECK(until(&w.nreport, 1, 5000));
	CHECK(!until(&w.nreport, 2, 200));
	CHECK_EQ(w.q->journal.g.letters, 1);
	CHECK_EQ(w.ndeliver, 0);
	w.forged = false;
	boot(".");
	reported(0, "Action: failed");
	CHECK(until(&w.nack, 1, 5000));
	CHECK_EQ(w.q->journal.g.letters, 0);
	/* a report that nobody can have ends */
	boot(".");
	w.refuse = 550;
	send_letter(&one);
	CHECK(until(&w.ndeliver, 1, 5000));
	say(0, 550);
	CHECK(until(&w.nreport, 1, 5000));
	CHECK(!until(&w.nreport, 2, 200));
	CHECK_EQ(w.q->journal.g.letters, 0);
	w.refuse = 0;
	/* and one that cannot be delivered ends too */
	boot(".");
	send_letter(&one);
	CHECK(until(&w.ndeliver, 1, 5000));
	say(0, 550);
	CHECK(until(&w.ndeliver, 2, 5000));
	say(1, 550);
	CHECK(until(&w.nack, 2, 5000));
	CHECK(!until(&w.nreport, 2, 200));
	CHECK_EQ(w.q->journal.g.letters, 0);
}

#include "tests/unit/queuedesk.h"

static void flip_last(const struct letter *e)
{
	int fd = w.q->files.fd[e->seg];
	uint8_t octet;

	CHECK(pread(fd, &octet, 1, (off_t)(e->r.at + e->r.len)) == 1);
	octet ^= 1;
	CHECK(pwrite(fd, &octet, 1, (off_t)(e->r.at + e->r.len)) == 1);
}

/* What was flipped on the disk is not sent. A letter that just came is sent as it came, once. */
static void test_damage(void)
{
	struct letter *e;

	boot(".");
	w.out.rules = NULL;
	chan_wire(&w.out, dup(w.out.watch.fd), ++w.generation); /* out is away */
	send_letter(&one);
	e = &w.q->journal.g.letter[newest()];
	flip_last(e);
	w.out.rules = out_rules;
	wire(&w.out, &w.p.chan[1]);
	CHECK(until(&w.ndeliver, 1, 5000));
	CHECK(!strcmp(w.text[0], one.text));
	CHECK(w.q->courier.parcels.octets > 0);
	say(0, 451);
	CHECK(!until(&w.ndeliver, 2, 200));
	CHECK_EQ(w.q->courier.parcels.octets, 0);
	ledger_wait(&w.q->journal.g, e->first, 0);
	CHECK(!until(&w.ndeliver, 2, 500));
	CHECK(e->aside);
	boot(".");
	CHECK_EQ(w.q->journal.g.letters, 0);
}

int main(void)
{
	alarm(110);
	test_path();
	for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
		send_letter(&shapes[i]);
		CHECK_ROW(w.code == shapes[i].code, shapes[i].name);
	}
	CHECK_EQ(w.q->journal.g.letters, 0);
	test_crash();
	test_many_acks();
	test_lifetime();
	test_together();
	test_pause();
	test_quota();
	test_clerk();
	test_desk();
	test_notify();
	test_warning();
	test_refused_report();
	test_damage();
	boot(NULL);
	send_letter(&two);
	CHECK_EQ(w.code, 451);
	CHECK(strstr(w.reply, "no disk") != NULL);
	TEST_END();
}
