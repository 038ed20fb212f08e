/* SPDX-License-Identifier: ISC */
/* queue.mx (FORWARD_SPOOL): strangers' letters that were tried once, and of whose end postmaster alone hears. */
#define _GNU_SOURCE
#include "tests/unit/queueworld.h"

#include "smtpd/proto/header.h"

static const struct letter_in stranger = {
	.rcpts = { "box@gmail.com" },
	.alias = "hello@example.org",
	.sender = "SRS0=x=y=far.example=ann@example.org",
	.text = "From: ann@far.example\r\nSubject: the one\r\n\r\nhello\r\n",
};
static const struct letter_in bounce = {
	.rcpts = { "box@gmail.com" },
	.alias = "hello@example.org",
	.sender = "",
	.text = "From: <>\r\n\r\nhello\r\n",
};

static unsigned letters(void)
{
	return w.q->journal.g.letters;
}

/* The newest letter's next try is due now. */
static void hurry(void)
{
	struct ledger *g = &w.q->journal.g;
	uint32_t k = g->letter[newest()].first;

	CHECK_EQ(g->rcpt[k].state, RCPT_WAIT);
	ledger_wait(g, k, w.q->journal.now);
}

/* Kept, not tried at once, and then the destination says this. */
static void kept(const struct letter_in *in, uint16_t code)
{
	unsigned before = w.ndeliver;

	send_letter(in);
	CHECK_EQ(w.code, 250);
	CHECK(!until(&w.ndeliver, before + 1, 300)); /* check.mx's was its first try */
	hurry();
	CHECK(until(&w.ndeliver, before + 1, 5000));
	CHECK(!strcmp(w.text[before % SEEN], in->text) && !w.deliver[before % SEEN].skip);
	say(before % SEEN, code);
}

static void until_none(void)
{
	int64_t end = loop_clock() + 5000;
	const unsigned never = 0;

	while (letters() && loop_clock() < end)
		until(&never, 1, 20);
	CHECK_EQ(letters(), 0);
}

static void comes_back(void)
{
	kept(&stranger, 451);
	CHECK_EQ(letters(), 1);
	until(&w.nreport, 1, 100);
	CHECK_EQ(w.q->journal.g.rcpt[w.q->journal.g.letter[newest()].first].attempts, 2);
	/* Nobody is told that it is late. */
	w.q->journal.g.letter[newest()].born -= CONFIG_SMTPD_QUEUE_WARN * 1000ll + 1000;
	hurry();
	CHECK(until(&w.ndeliver, 2, 5000));
	say(1, 451);
	CHECK(!until(&w.nreport, 1, 300));
	hurry();
	CHECK(until(&w.ndeliver, 3, 5000));
	say(2, 250);
	until_none();
	CHECK_EQ(w.nreport, 0);
}

static void notice(uint64_t more)
{
	struct slice head = { (uint8_t *)w.report_head, sizeof w.report_head }, v, header, body;
	char said[40];
	struct header_field f;

	CHECK(envelope_get(head, ENV_SENDER, &v) && !v.n);
	CHECK(envelope_get(head, ENV_RCPT, &v) && slice_iprefix(v, SLICE("postmaster@")));
	header_split(slice_of(w.report), &header, &body);
	CHECK(header_find(header, SLICE("To"), &f) &&
	      slice_iprefix(slice_trim(f.body), SLICE("<postmaster@")));
	CHECK(header_find(header, SLICE("From"), &f) &&
	      memmem(f.body.p, f.body.n, "@" CONFIG_SMTPD_HOSTNAME,
		     sizeof CONFIG_SMTPD_HOSTNAME));
	CHECK(strstr(w.report, "Subject: Lost: "));
	snprintf(said, sizeof said, "more such letters: %u.", (unsigned)more);
	CHECK(!more == !strstr(w.report, "more such letters: "));
	CHECK(!more || strstr(w.report, said));
}

/* Refused later: one notice with the letter's own header; nothing for the sender. */
static void refused(void)
{
	unsigned before = w.ndeliver;

	w.refuse = 250;
	kept(&stranger, 550);
	CHECK(until(&w.nreport, 1, 5000));
	notice(0);
	CHECK(strstr(w.report, "Subject: the one\r\n") && strstr(w.report, "550"));
	CHECK(strstr(w.report, "from <SRS0=x=y=far.example=ann@example.org>"));
	CHECK(!strstr(w.report, "Please") && !strstr(w.report, "hello\r\n.\r\n"));
	until_none();
	CHECK_EQ(w.ndeliver, before + 1); /* nothing else goes out from here */
	/* The next ones within ten minutes are counted; the notice after that says so. Bounces, too. */
	kept(&stranger, 550);
	until_none();
	kept(&bounce, 554);
	until_none();
	CHECK_EQ(w.nreport, 1);
	w.q->bounce.quiet = 0;
	kept(&bounce, 550);
	CHECK(until(&w.nreport, 2, 5000));
	notice(2);
	CHECK(strstr(w.report, "from <>"));
	until_none();
	w.q->bounce.quiet = 0;
	kept(&stranger, 550);
	CHECK(until(&w.nreport, 3, 5000));
	notice(0);
	until_none();
}

/* Its time is over, and postmaster cannot be told now: a restart does not forget it. */
static void too_late(void)
{
	struct ledger *g;

	boot(".");
	w.refuse = 451;
	send_letter(&stranger);
	g = &w.q->journal.g;
	g->letter[newest()].born -= JOURNAL_LIFETIME * 1000ll;
	hurry();
	CHECK(until(&w.ndeliver, 1, 5000));
	say(0, 451);
	CHECK(until(&w.nreport, 1, 5000));
	CHECK(strstr(w.report, "too long"));
	until(&w.nreport, 2, 100);
	CHECK_EQ(letters(), 1);
	boot(".");
	CHECK_EQ(letters(), 1);
	w.refuse = 250;
	CHECK(until(&w.nreport, 1, 5000));
	notice(0);
	until_none();
	CHECK_EQ(w.ndeliver, 0);
	/* Postmaster's destination will not have it: that is said in the log, and it is over. */
	w.refuse = 550;
	w.q->bounce.quiet = 0;
	kept(&stranger, 550);
	CHECK(until(&w.nreport, 2, 5000));
	until_none();
}

/* On disk when 250 was said. After a restart it is tried at once. */
static void restart(void)
{
	boot(".");
	send_letter(&stranger);
	CHECK_EQ(w.code, 250);
	boot(".");
	CHECK_EQ(letters(), 1);
	CHECK(until(&w.ndeliver, 1, 5000));
	CHECK(!strcmp(w.text[0], stranger.text));
	say(0, 250);
	until_none();
}

/* The operator is stopped, says out.mx: the other letters for it wait without being asked for. */
static void stopped(void)
{
	struct out_result m = { .op = 7, .stop_ms = 60000, .host_len = 2 };
	struct out_verdict v = { 451, { 4, 4, 5 }, 0, 1 };
	uint8_t tail[64];
	struct buf b = BUF(tail);
	unsigned before = w.ndeliver;

	send_letter(&stranger);
	hurry();
	CHECK(until(&w.ndeliver, before + 1, 5000));
	buf_put(&b, SLICE("mx"));
	buf_put(&b, (struct slice){ (const uint8_t *)&v, sizeof v });
	buf_u8(&b, 'x');
	chan_answer(&w.token[before % SEEN], &m, sizeof m, buf_slice(&b));
	until(&w.nreport, UINT32_MAX, 100);
	send_letter(&bounce);
	hurry();
	CHECK(!until(&w.ndeliver, before + 2, 300));
	CHECK_EQ(letters(), 2);
}

static void no_disk(void)
{
	boot(NULL);
	send_letter(&stranger);
	CHECK_EQ(w.code, 451);
}

int main(void)
{
	alarm(110);
	w.spool = true;
	boot(".");
	comes_back();
	refused();
	too_late();
	restart();
	stopped();
	no_disk();
	TEST_END();
}
