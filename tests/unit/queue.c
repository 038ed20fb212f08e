/* SPDX-License-Identifier: ISC */
/* What becomes of letters and recipients in the queue. */
#define _GNU_SOURCE
#include "tests/unit/queueworld.h"

#include <fcntl.h>

#include "smtpd/queue/clerk.h"

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

/* out died twice with both inside: they come back soon, but one by one, lest one of them takes the other with it. */
static void test_crashes(void)
{
	struct journal *j;
	int64_t due[2];
	uint32_t k;

	boot(".");
	j = &w.q->journal;
	send_letter(&two);
	for (unsigned i = 1; i <= 2; i++) {
		CHECK(until(&w.ndeliver, 2 * i, 8000));
		w.held = 0;
		wire(&w.out, &w.p.chan[1]);
		CHECK(until(&w.held, 1, 5000));
		CHECK(!until(&w.ndeliver, 2 * i + 1, 300));
	}
	k = j->g.letter[newest()].first;
	for (unsigned i = 0; i < 2; i++, k = j->g.rcpt[k].next) {
		CHECK_EQ(j->g.rcpt[k].crashes, 2);
		CHECK_EQ(j->g.rcpt[k].attempts,
			 0); /* a restart of the queue has no pause to make of them */
		due[i] = j->g.rcpt[k].due - loop_clock();
		CHECK(due[i] > 5000 && due[i] < 12 * 1000);
	}
	CHECK(llabs(due[0] - due[1]) > 100);
	k = j->g.letter[newest()].first;
	for (unsigned i = 0; i < 2; i++, k = j->g.rcpt[k].next)
		ledger_wait(&j->g, k, 0);
	for (unsigned i = 0; i < 2; i++) {
		CHECK(until(&w.ndeliver, 5 + i, 5000));
		say(4 + i, 250);
	}
	CHECK(until(&w.nack, 2, 5000));
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
	uint64_t id;

	boot(".");
	c = &w.q->courier;
	send_letter(&two);
	CHECK(until(&w.ndeliver, 2, 5000));
	say(0, 451);
	say(1, 451);
	CHECK(!until(&w.ndeliver, 3, 200));
	id = w.q->journal.g.letter[newest()].r.letter;
	CHECK(clerk_show(c, id, &l) && l.id == id);
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
			reported(1, "Action: delayed\r\nStatus: 4.0.0\r\nDiagnostic-Code: "
				    "x-tinpost; said the far side\r\nWill-Retry-Until: ");
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
	CHECK(w.q->courier.parcels.small.octets > 0);
	say(0, 451);
	CHECK(!until(&w.ndeliver, 2, 200));
	CHECK_EQ(w.q->courier.parcels.small.octets, 0);
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
	test_crashes();
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
