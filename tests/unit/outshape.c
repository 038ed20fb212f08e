/* SPDX-License-Identifier: ISC */
/* The forward lane: letters that wait for their turn, and destinations that say stop. */
#include "tests/unit/outworld.h"

#include "smtpd/out/turns.h"
#include "tests/unit/console.h"

#define LETTER_ MAIL_, RCPT_, DATA_, END_

enum { HOUR = 3600 * 1000, MANY = 3 };

/* A process that has just started, in the other lane. Two letters, then one an hour; one connection at first. */
static void begin(void)
{
	uint16_t port = out.port;

	settle();
	loop_drop(&loop, &out.line);
	outbound_init(&out, &loop, &dns_asking, MANY, false);
	out.port = port;
	out.keep_ms = 0;
	out.private_ok = out.self_ok = true;
	out.self = SLICE("mail.example.org");
	out.shape.limits = (struct shape_limits){
		.burst = 2, .every = HOUR, .connections = 2, .refusals = 3, .budget = 3 * HOUR
	};
	serving.peer = P_CHECK_MX;
	forget_log();
}

/* So much time goes by, as far as turns are concerned. */
static void pass(int64_t ms)
{
	for (unsigned i = 0; i < SHAPE_OPERATORS; i++) {
		out.shape.op[i].full -= ms;
		out.shape.op[i].until -= ms;
		out.shape.op[i].since -= ms;
	}
	for (unsigned i = 0; i < SHAPE_BOXES; i++)
		out.shape.box[i].full -= ms;
	for (size_t i = 0; i < out.npool; i++)
		out.pool[i].turn.came -= ms;
	out.line.due -= out.line.due == LOOP_NEVER ? 0 : ms;
}

/* ---- several letters at the same time ---- */

static struct {
	struct ask ask;
	uint16_t code;
	char text[ANSWER_TEXT + 1];
} mine[MANY];

static void on_mine(struct ask *a, const void *reply, struct slice tail)
{
	size_t i = (size_t)((char *)a - (char *)mine) / sizeof *mine;

	on_answer(a, reply, tail);
	mine[i].code = last.code;
	memcpy(mine[i].text, last_text, sizeof last_text);
}

static void put_mine(unsigned i, const char *rcpt)
{
	int had = far.conns;

	mine[i].ask.done = on_mine;
	mine[i].code = 0;
	next_ask = &mine[i].ask;
	put_letter(rcpt, "8");
	next_ask = &ask;
	far.conns = had;
}

static void until_waiting(unsigned n)
{
	int64_t until = loop_clock() + 10000;
	unsigned found = 0;

	while (found != n && loop_clock() < until) {
		loop_round(&loop);
		found = 0;
		for (size_t i = 0; i < out.npool; i++)
			found += out.pool[i].turn.word == SHAPE_WAITS &&
				 out.pool[i].turn.waited;
	}
	CHECK_EQ(found, n);
}

static void wait_mine(unsigned i)
{
	int64_t until = loop_clock() + 20000;

	while (!mine[i].code && loop_clock() < until)
		loop_round(&loop);
	CHECK(mine[i].code);
}

/* ---- cases ---- */

static void takes(void)
{
	SCRIPT(HI, EHLO_, LETTER_, QUIT_);
	delivers("a@plain.example", 250, "2.6.0", "stored");
	CHECK_EQ(far.conns, 1);
}

/* No connection for this letter. */
static void put_off(const char *rcpt, const char *part)
{
	memset(far.script, 0, sizeof far.script);
	delivers(rcpt, 451, "4.4.5", part);
	CHECK(!(last.flags & OUT_DEAD)); /* it could be spoken to */
	CHECK_EQ(far.conns, 0);
	CHECK_EQ(result.op, mxname_operator(SLICE("x.example.org")));
}

static void bursts(void)
{
	begin();
	takes();
	takes();
	CHECK(!logged(" waited="));
	SCRIPT(HI, EHLO_, LETTER_, QUIT_);
	far.conns = 0;
	put_mine(0, "a@plain.example");
	until_waiting(1);
	CHECK_EQ(far.conns, 0);
	pass(HOUR);
	wait_mine(0);
	settle();
	CHECK_EQ(mine[0].code, 250);
	CHECK(logged(" waited=36000"));
	CHECK(!logged("ev=paused") && !logged("ev=alarm") && !logged("class="));
	/* Another mailbox of the same operator. */
	out.shape.limits.budget = HOUR / 2;
	put_off("b@pair.example", "too many letters wait");
	CHECK_EQ(result.stop_ms, 0);
}

static void mailboxes(void)
{
	begin();
	out.shape.limits.budget = 0;
	takes();
	takes();
	for (unsigned i = 0; i < SHAPE_OPERATORS; i++)
		out.shape.op[i].full =
			0; /* the operator would take more, this mailbox would not */
	put_off("a@plain.example", "too many letters wait");
	put_off("A.+tag@PLAIN.example", "too many letters wait"); /* the same one */
	SCRIPT(HI, EHLO_, LETTER_, QUIT_);
	delivers("ab@plain.example", 250, "2.6.0", "stored");
}

/* One connection, then two; the next letter takes over the one that is kept. */
static void one_connection(void)
{
	begin();
	out.keep_ms = 60000;
	SCRIPT(HI, EHLO_, MAIL_, RCPT_, DATA_, { ".", "" }, LETTER_, QUIT_);
	far.conns = 0;
	put_mine(0, "a@plain.example");
	until_seen(".dot\r\n.\r\n");
	put_mine(1, "b@plain.example");
	until_waiting(1);
	/* Whose turn has not come cannot be what killed this process. */
	for (size_t i = 0; i < 2; i++)
		CHECK_EQ(memfd_marked(out.pool[i].letter.text),
			 out.pool[i].turn.word == SHAPE_GOES);
	far_say("250 2.0.0 taken\r\n");
	stream_kick(&far.s);
	wait_mine(0);
	while (out.pool[1].turn.word == SHAPE_WAITS)
		loop_round(&loop);
	CHECK(memfd_marked(out.pool[1].letter.text));
	wait_mine(1);
	CHECK_EQ(mine[0].code, 250);
	CHECK_EQ(mine[1].code, 250);
	CHECK_EQ(far.conns, 1);
	CHECK(!far.wrong);
	for (size_t i = 0; i < out.npool; i++)
		out.peers[i].stream.watch.due = 0; /* the time is over */
	settle();
	while (out.peers[0].step != STEP_NONE)
		loop_round(&loop);
}

static void stopped(const struct line *script, const char *rcpt, int conns)
{
	begin();
	memset(far.script, 0, sizeof far.script);
	far.script[0] = script;
	delivers(rcpt, 451, "4.7.8", "slow");
	CHECK_EQ(far.conns, conns);
	CHECK(result.stop_ms > 0 && result.stop_ms <= OUT_RATE_MS);
	CHECK(logged("ev=paused ") && logged("remedy=\"Email sender guidelines\""));
	CHECK(logged(" class=rate "));
	pass(OUT_RATE_MS - 60000);
	put_off("b@plain.example", "told us to send nothing");
	CHECK(result.stop_ms > 0 && result.stop_ms <= 60000);
	pass(60000);
	takes();
	CHECK_EQ(result.stop_ms, 0);
}

/* 4.7.28, whenever it is said (RULES, fact 6; Q5): no other exchanger is asked either. */
static void told_to_stop(void)
{
	static const struct line at_dot[] = { HI,    EHLO_, MAIL_,
					      RCPT_, DATA_, { ".", "421 4.7.28 slow\r\n" },
					      QUIT_ },
				 at_rcpt[] = { HI,
					       EHLO_,
					       MAIL_,
					       { "RCPT", "450 4.7.28 slow\r\n" },
					       { "DATA", "503 no\r\n" },
					       QUIT_ },
				 at_once[] = { { NULL, "421 4.7.28 slow\r\n" },
					       { NULL, NULL } };

	stopped(at_dot, "a@plain.example", 1);
	stopped(at_rcpt, "a@plain.example", 1);
	stopped(at_once, "a@pair.example", 1);
}

/* Those that wait do not wait for ten minutes. */
static void stops_the_line(void)
{
	begin();
	SCRIPT(HI, EHLO_, MAIL_, RCPT_, DATA_, { ".", "" }, QUIT_);
	far.conns = 0;
	put_mine(0, "a@plain.example");
	until_seen(".dot\r\n.\r\n");
	put_mine(1, "b@plain.example");
	put_mine(2, "c@plain.example");
	until_waiting(2);
	far_say("421 4.7.28 slow\r\n");
	stream_kick(&far.s);
	for (unsigned i = 0; i < MANY; i++) {
		wait_mine(i);
		CHECK_EQ(mine[i].code, 451);
	}
	CHECK(strstr(mine[2].text, "told us to send nothing") != NULL);
	CHECK_EQ(far.conns, 1);
	settle();
}

/* Permanent ones go to the sender as they are; several in a row pause the route (RULES Q5). */
static void refused(void)
{
	begin();
	out.shape.limits.burst = 9;
	for (int i = 0; i < 3; i++) {
		CHECK(!logged("ev=alarm"));
		SCRIPT(HI, EHLO_, MAIL_, RCPT_, DATA_,
		       { ".",
			 "550-5.7.1 very low reputation of\r\n550 5.7.1 the sending IP\r\n" },
		       QUIT_);
		delivers("a@plain.example", 550, "5.7.1", "reputation of the sending IP");
		CHECK_EQ(result.stop_ms > 0, i == 2);
	}
	CHECK(logged("ev=alarm domain=plain.example ") && logged(" refusals=3 s=600 ") &&
	      logged("remedy=\"Why has Gmail blocked my messages?\""));
	put_off("a@plain.example", "told us to send nothing");
	CHECK(!logged("ev=paused"));
}

/* The process before this one was told to stop (OUT_STOP). */
static void handed_back(void)
{
	static const struct want want = { OUT_STOP, sizeof(struct out_stopped), 0 };
	struct out_stop m = { 0 };
	struct out_stop_row row[2] = { { .op = 1, .ms = UINT32_MAX },
				       { .op = mxname_operator(SLICE("x.example.org")),
					 .ms = 90000 } };

	begin();
	simple_ask(&m, sizeof m, (struct slice){ (uint8_t *)row, sizeof row }, &want);
	put_off("a@plain.example", "told us to send nothing");
	CHECK(result.stop_ms > 0 && result.stop_ms <= 90000);
	/* A row that is not whole is none. */
	begin();
	simple_ask(&m, sizeof m, (struct slice){ (uint8_t *)row, 2 * sizeof *row - 1 }, &want);
	takes();
}

/* The requester dies: what waits is over, with its place in the line. */
/* RULES P3: of the sender's five minutes as much as is left, whatever the destination is silent at; no other host once
 * it had the letter's text. */
static void in_time(void)
{
	begin();
	left_ms = 200;
	SCRIPT(HI, EHLO_, MAIL_, RCPT_, DATA_, { ".", "" });
	delivers("a@pair.example", 451, "4.4.2", "in time: mx.example.org at final dot");
	CHECK_EQ(far.conns, 1);
	SCRIPT({ NULL, "" });
	delivers("a@pair.example", 451, "4.4.2", "in time: mx.example.org at greeting");
	CHECK_EQ(far.conns, 1);
	left_ms = OUT_MX_MS;
	begin();
	SCRIPT(HI, EHLO_, MAIL_, RCPT_, DATA_, { ".", NULL });
	delivers("a@pair.example", 451, "4.4.2", "final dot");
	CHECK_EQ(far.conns, 1);
}

static void nobody_asks(void)
{
	begin();
	takes();
	takes();
	put_mine(0, "a@plain.example");
	until_waiting(1);
	rewire(asking.generation + 1);
	CHECK(link_empty(&out.shape.line));
	CHECK(!out.pool[0].busy);
	for (unsigned i = 0; i < SHAPE_OPERATORS; i++)
		CHECK_EQ(out.shape.op[i].turns, 0);
}

/* Letters of queue.mx: results are kept for it, one waits behind those of check.mx, and what becomes of check.mx's wire
 * does not touch them. */
static void of_the_spool(void)
{
	struct chan other = serving;

	begin();
	other.generation++;
	serving.peer = P_QUEUE_MX;
	left_ms = 0; /* it has all of the five minutes */
	seq = 5;
	takes();
	list();
	CHECK(nheld == 1 && held[0].seq == 5 && held[0].code == 250);
	memset(far.script, 0, sizeof far.script);
	delivers("a@plain.example", 250, "2.6.0", "answered before");
	forget(0);
	list();
	CHECK_EQ(nheld, 0);
	/* One token is left, for others. */
	put_mine(0, "a@plain.example");
	until_waiting(1);
	CHECK(out.pool[0].turn.yields);
	outbound_wired(&other);
	CHECK(out.pool[0].busy);
	rewire(asking.generation + 1);
	CHECK(!out.pool[0].busy);
	serving.peer = P_CHECK_MX;
	left_ms = OUT_MX_MS;
	takes();
	serving.peer = P_QUEUE_MX;
	list();
	CHECK_EQ(nheld, 0);
}

int main(void)
{
	console_begin();
	start();
	bursts();
	mailboxes();
	one_connection();
	told_to_stop();
	stops_the_line();
	refused();
	handed_back();
	in_time();
	nobody_asks();
	of_the_spool();
	TEST_END();
}
