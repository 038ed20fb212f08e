/* SPDX-License-Identifier: ISC */
/* Letters that are read again from the journal while the memory for that is used up by others. */
#define _GNU_SOURCE
#include "tests/unit/queueworld.h"

/* Two large ones are more than PARCEL_LARGE_OCTETS, and fit on the disk. */
enum { LARGE = CONFIG_SMTPD_MAX_SIZE / 8 * 5, SMALL = 4096 };

static char text[LARGE + 1];

static uint64_t send_to(const char *rcpt, size_t octets)
{
	struct letter_in in = { .rcpts = { rcpt }, .text = text };

	memset(text, 'x', sizeof text);
	memcpy(text + octets - 2, "\r\n", 3);
	send_letter(&in);
	CHECK_EQ(w.code, 250);
	return w.q->journal.g.letter[newest()].r.letter;
}

/* Nothing is due, and of no letter is there more than what the disk has. */
static void on_disk_only(void)
{
	struct parcels *s = &w.q->courier.parcels;

	for (unsigned i = 0; i < PARCELS; i++)
		s->slot[i].since -= s->slot[i].id && !s->slot[i].refs ? PARCEL_MS : 0;
	s->age_due = 0;
	parcels_age(s);
	CHECK_EQ(s->idle, 0);
}

static void out_goes(void)
{
	w.out.rules = NULL;
	chan_wire(&w.out, dup(w.out.watch.fd), ++w.generation);
}

static void out_comes(void)
{
	on_disk_only();
	w.ndeliver = 0;
	w.out.rules = out_rules;
	wire(&w.out, &w.p.chan[1]);
}

static bool given(uint64_t id)
{
	for (unsigned i = 0; i < w.ndeliver && i < SEEN; i++)
		if (w.deliver[i].seq == id)
			return true;
	return false;
}

static bool comes(uint64_t id, int64_t ms)
{
	int64_t end = loop_clock() + ms;

	while (!given(id) && loop_clock() < end) {
		unsigned more = w.ndeliver + 1;

		until(&w.ndeliver, more, 20);
	}
	return given(id);
}

/* All that was not answered yet is delivered, and nothing stays in memory. */
static void end_all(unsigned done)
{
	while (w.q->journal.g.letters && until(&w.ndeliver, done + 1, 20000))
		while (done < w.ndeliver)
			say(done++ % SEEN, 250);
	CHECK(until(&w.nack, w.ndeliver, 5000));
	CHECK_EQ(w.q->journal.g.letters, 0);
	CHECK(!w.q->courier.parcels.large.octets && !w.q->courier.parcels.small.octets);
}

/* A large letter is with a destination that says nothing; another large one has no place beside it. Small letters go,
 * those of the same account to the same place too. */
static void test_slow_large(void)
{
	uint64_t slow, large, small, behind;

	boot(".");
	out_goes();
	slow = send_to("a@slow.example", LARGE);
	large = send_to("a@fast.example", LARGE);
	small = send_to("a@other.example", SMALL);
	behind = send_to("b@fast.example", SMALL);
	out_comes();
	CHECK(comes(slow, 5000));
	CHECK(comes(small, 5000));
	CHECK(comes(behind, 5000));
	CHECK(!given(large));
	end_all(0);
	CHECK(given(large));
}

/* A destination that took many at a time gets no more than its share of the memory. */
static void test_share(void)
{
	enum { SIZE = PARCEL_SMALL - 4096, OF = 6 };
	unsigned slow;

	boot(".");
	out_goes();
	for (unsigned i = 0; i < OF; i++)
		send_to("a@slow.example", SIZE);
	send_to("a@other.example", SIZE);
	out_comes();
	CHECK(until(&w.ndeliver, 2, 5000));
	slow = !memmem(w.head[0], sizeof w.head[0], "a@slow.example", 14);
	w.q->courier.delivery[0].slot.dest->gate.most = OF;
	w.q->courier.delivery[1].slot.dest->gate.most = OF;
	say(slow, 250);
	CHECK(until(&w.ndeliver, 3, 5000));
	CHECK(!until(&w.ndeliver, 4, 1000));
	say(!slow, 250);
	say(2, 250);
	end_all(3);
}

/* What found no room gets it before letters that came later and would leave none. */
static void test_claim(void)
{
	struct parcels *s;
	struct journal *j;
	struct letter e = { .r.letter = 7, .l.text_size = PARCEL_LARGE_OCTETS };
	struct letter less = { .r.letter = 8, .l.text_size = PARCEL_LARGE_OCTETS / 4 };

	boot(".");
	s = &w.q->courier.parcels;
	j = &w.q->journal;
	s->large.octets = PARCEL_LARGE_OCTETS / 2; /* somebody has it */
	CHECK(parcels_room(s, &less, 0));
	CHECK(!parcels_room(s, &e, 0));
	CHECK(!parcels_room(s, &less, 0));
	/* not for ever: who has it may be slow */
	j->now += PARCEL_CLAIM_MS;
	CHECK(!parcels_room(s, &e, 0));
	CHECK(parcels_room(s, &less, 0));
	j->now += PARCEL_CLAIM_MS;
	CHECK(!parcels_room(s, &e, 0));
	CHECK(!parcels_room(s, &less, 0));
	s->large.octets = 0;
	CHECK(parcels_room(s, &e, 0));
	CHECK(parcels_room(s, &less, 0));
	e.l.text_size++; /* alone it may be larger */
	CHECK(parcels_room(s, &e, 0));
	/* Half of its lifetime is over: now it is for ever, or it could wait for ever. */
	s->large.octets = PARCEL_LARGE_OCTETS / 2;
	j->now += 2 * PARCEL_CLAIM_MS;
	e.born = j->now - JOURNAL_LIFETIME * 1000ll / 2;
	less.born = j->now;
	for (int i = 0; i < 9; i++) {
		CHECK(!parcels_room(s, &e, 0));
		CHECK(!parcels_room(s, &less, 0));
		j->now += PARCEL_CLAIM_MS / 2;
	}
	s->large.octets = 0;
	CHECK(parcels_room(s, &e, 0));
	CHECK(parcels_room(s, &less, 0));
}

/* A letter that is open already costs nothing more; what nobody delivers gives way to what somebody does. */
static void test_room(void)
{
	struct letter e = { .r.letter = 7, .l.text_size = PARCEL_LARGE_OCTETS };
	struct parcels *s;

	boot(".");
	s = &w.q->courier.parcels;
	s->slot[0] = (struct parcel){ .id = 7, .refs = 1, .text = -1, .head = -1 };
	s->large.octets = s->slot[0].octets = PARCEL_LARGE_OCTETS;
	CHECK(parcels_room(s, &e, PARCEL_LARGE_OCTETS));
	e.r.letter = 8;
	CHECK(!parcels_room(s, &e, 0));
	s->slot[0].refs = 0;
	s->idle = 1;
	CHECK(parcels_room(s, &e, 0));
	CHECK(!s->slot[0].id && !s->idle && !s->large.octets);
	/* One that is here and waits is not kept out by another's claim, but by its destination's share. */
	s->slot[0] = (struct parcel){ .id = 8, .text = -1, .head = -1, .octets = 1 };
	s->large.claim = 9;
	s->large.claim_until = w.q->journal.now + PARCEL_CLAIM_MS;
	CHECK(parcels_room(s, &e, 0));
	CHECK(!parcels_room(s, &e, 1));
	s->slot[0].id = 0;
	CHECK(!parcels_room(s, &e, 0));
}

/* out.sub says when an operator wants nothing for now, whatever the code is; nothing else means that. */
static void test_told_to_stop(void)
{
	static const uint16_t code[] = { 451, 550 };
	char to[] = "x@0.example";
	struct letter_in in = { .rcpts = { to }, .text = "x\r\n", .notify = "NEVER" };

	boot(".");
	for (unsigned i = 0; i < 4; i++) {
		const struct dest *d;
		bool stop = i < 2;

		to[2]++;
		send_letter(&in);
		CHECK(until(&w.ndeliver, i + 1, 5000));
		d = w.q->courier.delivery[0].slot.dest;
		say_each(i, &code[i % 2], stop ? OUT_RATE : 0);
		while (w.q->courier.active)
			until(&w.ndeliver, i + 2, 20);
		CHECK_EQ(d->until > loop_clock() + OUT_RATE_MS / 2, stop);
	}
}

int main(void)
{
	alarm(110);
	test_slow_large();
	test_share();
	test_claim();
	test_room();
	test_told_to_stop();
	TEST_END();
}
