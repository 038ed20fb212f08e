/* SPDX-License-Identifier: ISC */
/* The rows of the table in smtpd/queue/README.md; part of journal.c. */

static unsigned letters(void)
{
	return w.j.g.letters;
}

/* Two letters in one segment, each flushed by itself; returns the segment. */
static unsigned two_letters(uint32_t random)
{
	begin(random);
	offer(1, 3000);
	settle_all();
	offer(1, 500);
	settle_all();
	CHECK(w.m[0].accepted && w.m[1].accepted && letters() == 2);
	return (unsigned)w.j.current;
}

static uint64_t place_of(unsigned i)
{
	return w.j.g.letter[ledger_find(&w.j.g, w.m[i].id)].r.at;
}

static void flip(unsigned seg, uint64_t at)
{
	w.fake.seg[seg].now[at] ^= 0x10;
	w.fake.seg[seg].disk[at] ^= 0x10;
}

static void row_new(void)
{
	begin(1);
	CHECK_EQ(w.j.seg[0].state, SEG_ABSENT);
	CHECK_EQ(offer(1, 100), 0);
	/* The first segment is enough to begin with. */
	while (!w.m[0].accepted && step())
		;
	CHECK(w.m[0].accepted);
	CHECK_EQ(w.j.seg[1].state, SEG_ABSENT);
	settle_all();
	CHECK_EQ(w.j.seg[1].state, SEG_FREE);
	CHECK_EQ(w.j.seg[2].state, SEG_FREE);
	restart(true);
	CHECK_EQ(w.j.seg[0].state, SEG_LIVE);
	CHECK_EQ(w.j.seg[1].state, SEG_FREE);
	CHECK_EQ(letters(), 1);
	result(0, 0);
	settle_all();
	restart(true);
	CHECK_EQ(letters(), 0);
	CHECK(!w.bad);
}

static void row_damage(bool in_header)
{
	unsigned seg = two_letters(2);

	flip(seg, place_of(0) + (in_header ? 9 : 1000));
	start();
	CHECK_EQ(letters(), 1);
	CHECK(ledger_find(&w.j.g, w.m[1].id) != LEDGER_NONE);
	CHECK(w.j.seg[seg].damaged);
	/* It is not written over before a lifetime has passed. */
	w.m[0].accepted = false;
	result(1, 0);
	settle_all();
	CHECK_EQ(letters(), 0);
	w.j.current = -1;
	settle_all();
	CHECK_EQ(w.j.seg[seg].state, SEG_LIVE);
	w.j.wall += JOURNAL_LIFETIME + 1;
	settle_all();
	CHECK_EQ(w.j.seg[seg].state, SEG_FREE);
}

/* The end of the log is torn, not damaged: nothing is reported. */
static void row_torn_end(void)
{
	unsigned seg = two_letters(3);

	flip(seg, place_of(1) + 300);
	start();
	CHECK_EQ(letters(), 1);
	CHECK(!w.j.seg[seg].damaged);
}

static void row_headers(void)
{
	static uint8_t before[SEG];
	unsigned seg = two_letters(4);

	flip(seg, 20);
	start();
	CHECK_EQ(letters(), 2);
	flip(seg, JR_BLOCK + 20);
	start();
	CHECK_EQ(letters(), 0);
	CHECK_EQ(w.j.seg[seg].state, SEG_ASIDE);
	memcpy(before, w.fake.seg[seg].now, SEG);
	for (unsigned i = 0; i < 20; i++) {
		unsigned n = offer(1, 20000);

		settle_all();
		CHECK(w.m[n].accepted);
		result(n, 0);
		settle_all();
	}
	CHECK(!memcmp(before, w.fake.seg[seg].now, SEG));
}

static void row_short(void)
{
	unsigned seg = two_letters(5);

	w.fake.seg[seg].size -= JR_BLOCK;
	start();
	CHECK_EQ(w.j.seg[seg].state, SEG_ASIDE);
	CHECK_EQ(letters(), 0);
}

static void row_abandoned(void)
{
	unsigned seg = two_letters(6), n;

	w.fake.fail_flush = 1;
	n = offer(1, 100);
	settle_all();
	CHECK(!w.m[n].accepted && w.taken[TAKEN_BROKEN] == 1);
	CHECK_EQ(w.j.seg[seg].state, SEG_RETIRED);
	CHECK_EQ(letters(), 2);
	n = offer(1, 100);
	settle_all();
	CHECK(w.m[n].accepted);
	verify();
	restart(true);
	CHECK_EQ(letters(), 3);
	CHECK(!w.bad);
}

/* The power goes between the copies that the cleaner made and the renewal of what they came from. */
static void row_stale(void)
{
	unsigned seg = two_letters(7);

	w.j.seg[seg].stale = true;
	w.j.current = -1;
	for (int i = 0; i < 20 && w.j.g.letter[ledger_find(&w.j.g, w.m[0].id)].seg == seg; i++)
		step();
	CHECK_EQ(w.j.seg[seg].letters, 0);
	restart(true);
	CHECK_EQ(letters(), 2);
	CHECK(w.j.seg[seg].stale);
	/* The copies end; the originals do not come back. */
	result(0, 0);
	result(1, 0);
	settle_all();
	CHECK(!w.j.seg[seg].stale);
	restart(true);
	CHECK_EQ(letters(), 0);
	CHECK(!w.bad);
}

/* Octets of a true record inside of a letter, at the start of a block, are not one. */
static void row_planted(void)
{
	unsigned seg = two_letters(8), n;
	struct jr_letter l = { .text_size = 3 * JR_BLOCK, .head_size = 100, .nrcpt = 1 };
	static uint8_t text[3 * JR_BLOCK];
	uint64_t at = place_of(1);
	size_t skip = JR_BLOCK - JR_HEAD - JR_PREFIX - JR_RCPT - 100;
	int head = fd_of(0, 100), fd = memfd_make("t");

	memcpy(text + skip, w.fake.seg[seg].now + at, JR_BLOCK);
	CHECK(memfd_append(fd, 0, (struct slice){ text, sizeof text }));
	n = w.n++;
	w.m[n] = (struct model){ .offered = true, .nrcpt = 1, .head = head, .text = fd };
	CHECK(journal_offer(&w.j, n, head, fd, &l));
	settle_all();
	CHECK(w.m[n].accepted);
	at = place_of(n);
	CHECK(!memcmp(w.fake.seg[seg].now + at + JR_BLOCK, text + skip, JR_HEAD));
	offer(1, 100);
	settle_all();
	flip(seg, at + 8);
	start();
	CHECK_EQ(letters(), 3);
	CHECK(ledger_find(&w.j.g, w.m[n].id) == LEDGER_NONE);
}

/* Full: letters are refused, and everything that is known of the others still fits. */
static void row_full(void)
{
	begin(9);
	for (unsigned i = 0; i < 60; i++) {
		offer(2, 9000);
		settle_all();
	}
	CHECK(w.taken[TAKEN_FULL] > 5 && w.taken[TAKEN_OK] > 10);
	for (unsigned k = 0; k < 2; k++)
		for (unsigned i = 0; i < 60; i++) {
			if (w.m[i].accepted)
				result(i, k);
			settle_all();
		}
	CHECK_EQ(letters(), 0);
	w.taken[TAKEN_OK] = 0;
	offer(2, 9000);
	settle_all();
	CHECK_EQ(w.taken[TAKEN_OK], 1);
	restart(true);
	CHECK_EQ(letters(), 1);
	CHECK(!w.bad);
}

/* A letter that nobody wants does not hold its segment. */
static void row_stuck(void)
{
	begin(10);
	offer(1, 2000);
	settle_all();
	for (unsigned i = 1; i < 200; i++) {
		offer(1, 20000);
		settle_all();
		CHECK(w.m[i].accepted);
		result(i, 0);
		settle_all();
	}
	CHECK_EQ(letters(), 1);
	verify();
	restart(true);
	CHECK_EQ(letters(), 1);
	CHECK(!w.bad);
}

/* The clock goes wrong while the machine is off: an eighth of a lifetime is lost at most. */
static void row_clock(void)
{
	static const struct {
		int64_t jump, age;
	} jumps[] = {
		{ -900000, 0 }, { 0, 0 }, { 100, 100 }, { 1000000000, JOURNAL_LIFETIME / 8 }
	};

	for (unsigned i = 0; i < sizeof jumps / sizeof *jumps; i++) {
		struct letter *e;

		begin(11);
		offer(1, 10);
		settle_all();
		w.j.wanted = 3;
		w.j.current = w.j.cleaning = w.j.making = -1;
		memset(w.j.seg, 0, sizeof w.j.seg);
		e = &w.j.g.letter[ledger_find(&w.j.g, w.m[0].id)];
		w.j.wall = (uint64_t)((int64_t)e->r.time + jumps[i].jump);
		ledger_init(&w.j.g);
		recover_segments(&w.j);
		CHECK_EQ(letters(), 1);
		CHECK_EQ((w.j.now - w.j.g.letter[0].born) / 1000, jumps[i].age);
	}
}

static void row_attempts(void)
{
	uint32_t k;

	begin(12);
	offer(1, 10);
	settle_all();
	k = entry(&w.m[0], 0);
	w.j.g.rcpt[k].attempts = 3;
	journal_attempt(&w.j, k);
	/* It has no flush of its own, until it has waited for very long. */
	CHECK(!step());
	offer(1, 10);
	settle_all();
	restart(true);
	k = entry(&w.m[0], 0);
	CHECK_EQ(w.j.g.rcpt[k].attempts, 3);
	CHECK(w.j.g.rcpt[k].due > w.j.now + journal_pause(3) - 60000);
	CHECK_EQ(w.j.g.rcpt[entry(&w.m[1], 0)].attempts, 0);
	w.j.g.rcpt[k].attempts = 4;
	journal_attempt(&w.j, k);
	w.j.now += JOURNAL_LIFETIME * 1000ll / 8;
	CHECK(step());
	restart(true);
	CHECK_EQ(w.j.g.rcpt[entry(&w.m[0], 0)].attempts, 4);
	CHECK_EQ(journal_pause(1), CONFIG_SMTPD_QUEUE_RETRY * 1000ll);
	CHECK(journal_pause(200) <= 3600000 || journal_pause(200) == journal_pause(1));
}

/* A letter that owes a report: what is found of the two at a start, and what is done. */
static unsigned failed_letter(uint32_t random)
{
	begin(random);
	w.reports = true;
	w.j.reports = true;
	offer(2, 300);
	settle_all();
	result_as(0, 0, true);
	settle_all();
	CHECK_EQ(letters(), 1);
	CHECK(w.j.g.owe_first[OWES_SOON] != LEDGER_NONE);
	result_as(0, 1, false);
	settle_all();
	CHECK_EQ(letters(), 1); /* decided, not over */
	CHECK(w.j.g.owe_first[OWES_SOON] == LEDGER_NONE);
	return w.j.g.owe_first[OWES_NOW];
}

static void row_report(void)
{
	/* nothing of the report */
	CHECK(failed_letter(13) != LEDGER_NONE);
	restart(true);
	CHECK_EQ(letters(), 1);
	CHECK(w.j.g.owe_first[OWES_NOW] != LEDGER_NONE);
	/* begun and forgotten: it is begun again */
	CHECK(journal_report_begin(&w.j, w.j.g.owe_first[OWES_NOW], false));
	CHECK(w.j.g.owe_first[OWES_NOW] == LEDGER_NONE);
	journal_report_end(&w.j, false);
	CHECK(w.j.g.owe_first[OWES_NOW] != LEDGER_NONE);
	/* the report on disk, its letter's REPORT not */
	CHECK(report(0, false));
	CHECK(step());
	CHECK_EQ(letters(), 2);
	restart(true);
	CHECK(w.j.g.owe_first[OWES_NOW] == LEDGER_NONE);
	settle_all();
	CHECK_EQ(letters(), 1);
	CHECK(ledger_find(&w.j.g, w.m[0].id) == LEDGER_NONE);
	/* both on disk */
	failed_letter(14);
	CHECK(report(0, false));
	settle_all();
	CHECK_EQ(letters(), 1);
	result(1, 0);
	settle_all();
	restart(true);
	CHECK_EQ(letters(), 0);
	/* the report itself fails: it ends */
	failed_letter(15);
	CHECK(report(0, false));
	settle_all();
	result_as(1, 0, true);
	w.m[1].failed = 0;
	settle_all();
	CHECK_EQ(letters(), 0);
	/* one recipient is told of, the other one later */
	begin(16);
	w.j.reports = true;
	offer(2, 300);
	settle_all();
	result_as(0, 1, true);
	settle_all();
	CHECK(report(0, false));
	settle_all();
	result(1, 0);
	result_as(0, 0, true);
	settle_all();
	restart(true);
	CHECK_EQ(letters(), 1);
	CHECK_EQ(w.j.g.letter[ledger_find(&w.j.g, w.m[0].id)].notes, 1);
	/* nothing to tell after all */
	CHECK(journal_report_begin(&w.j, w.j.g.owe_first[OWES_NOW], false));
	journal_report_end(&w.j, true);
	w.m[0].told = 3;
	settle_all();
	CHECK_EQ(letters(), 0);
	CHECK(!w.bad);
	w.reports = false;
}

static void row_warned(void)
{
	uint32_t n;

	begin(17);
	w.reports = w.j.reports = true;
	offer(1, 300);
	settle_all();
	journal_late(&w.j, ledger_find(&w.j.g, w.m[0].id));
	CHECK(w.j.g.owe_first[OWES_NOW] != LEDGER_NONE);
	CHECK(report(0, true));
	CHECK(step());
	/* the warning on disk and not the REPORT; then both; then moved */
	for (unsigned i = 0; i < 3; i++) {
		restart(true);
		n = ledger_find(&w.j.g, w.m[0].id);
		CHECK(w.j.g.letter[n].l.flags & JR_WARNED);
		journal_late(&w.j, n);
		CHECK(w.j.g.owe_first[OWES_NOW] == LEDGER_NONE);
		w.j.seg[w.j.g.letter[n].seg].stale = i == 1;
		w.j.current = i == 1 ? -1 : w.j.current;
		if (!i)
			result(1, 0);
		settle_all();
	}
	CHECK_EQ(letters(), 1);
	CHECK(!w.bad);
	w.reports = false;
}

/* Notes move with their letter. */
static void row_notes(void)
{
	unsigned seg;

	begin(18);
	w.reports = w.j.reports = true;
	offer(3, 2000);
	settle_all();
	for (unsigned i = 0; i < 3; i++) {
		seg = (unsigned)w.j.current;
		result_as(0, i, i != 1);
		settle_all();
		w.j.seg[seg].stale = true;
		w.j.current = -1;
		settle_all();
		CHECK(w.j.g.letter[ledger_find(&w.j.g, w.m[0].id)].seg != seg);
		verify();
		restart(true);
	}
	CHECK_EQ(w.j.g.letter[ledger_find(&w.j.g, w.m[0].id)].notes, 2);
	CHECK(report(0, false));
	settle_all();
	CHECK_EQ(letters(), 1);
	CHECK(!w.bad);
	w.reports = false;
}

static void probe(void)
{
	journal_probe(&w.j);
	settle_all();
}

/* Whether the disk takes a record: one block, one flush, none where a letter's serves; what is there stays as it is. */
static void row_probe(void)
{
	unsigned flushes;

	begin(19);
	probe();
	CHECK_EQ(w.probed[TAKEN_OK], 1);
	CHECK_EQ(w.j.seg[w.j.current].end, JR_DATA + JR_BLOCK);
	flushes = w.fake.flushes[FLUSH_BATCH];
	CHECK_EQ(flushes, 1);
	offer(1, 500);
	probe();
	CHECK_EQ(w.probed[TAKEN_OK], 2);
	CHECK_EQ(w.fake.flushes[FLUSH_BATCH], flushes + 1);
	probe();
	CHECK_EQ(w.probed[TAKEN_OK], 3);
	CHECK_EQ(w.fake.flushes[FLUSH_BATCH], flushes + 2);
	restart(true);
	CHECK_EQ(letters(), 1);
	w.fake.fail_flush = 1;
	probe();
	CHECK_EQ(w.probed[TAKEN_BROKEN], 1);
	probe(); /* in another segment */
	CHECK_EQ(w.probed[TAKEN_OK], 4);
	settle_all();
	CHECK_EQ(w.probed[TAKEN_OK] + w.probed[TAKEN_BROKEN] + w.probed[TAKEN_FULL], 5);
	CHECK_EQ(letters(), 1);
	CHECK(!w.bad);
}

/* Letters everywhere: probes take no octet that those may need, and then say that there is no room. */
static void row_probe_full(void)
{
	begin(20);
	for (unsigned i = 0; i < 60; i++) {
		offer(2, 9000);
		settle_all();
	}
	w.fake.flushes[FLUSH_HEADER_A] = 0;
	for (unsigned i = 0; i < 200; i++)
		probe();
	CHECK_EQ(w.fake.flushes[FLUSH_HEADER_A], 0); /* and nothing moves for them */
	CHECK(w.probed[TAKEN_FULL] > 100);
	for (unsigned i = 0; i < 3; i++)
		CHECK(w.j.seg[i].state != SEG_LIVE ||
		      w.j.seg[i].use.size - w.j.seg[i].end >= w.j.seg[i].reserved);
	CHECK_EQ(w.probed[TAKEN_BROKEN], 0);
	for (unsigned k = 0; k < 2; k++)
		for (unsigned i = 0; i < 60; i++) {
			if (w.m[i].accepted)
				result(i, k);
			settle_all();
		}
	CHECK_EQ(letters(), 0);
	probe();
	CHECK(w.probed[TAKEN_OK] > 0);
	restart(true);
	CHECK(!w.bad);
}

static void rows(void)
{
	row_new();
	row_damage(false);
	row_damage(true);
	row_torn_end();
	row_headers();
	row_short();
	row_abandoned();
	row_stale();
	row_planted();
	row_full();
	row_stuck();
	row_clock();
	row_attempts();
	row_report();
	row_warned();
	row_notes();
	row_probe();
	row_probe_full();
}
