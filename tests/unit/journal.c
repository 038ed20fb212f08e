/* SPDX-License-Identifier: ISC */
/* The journal on a disk that loses what was not flushed. Without argument: the table of states in
 * smtpd/queue/README.md and a few random histories. `suite`: the last record torn at every octet,
 * many histories, and each flush taken away, one line `ok` or `not ok` each. */
#include "tests/unit/test.h"

#include <fcntl.h>
#include <unistd.h>

#include "smtpd/lib/memfd.h"
#include "smtpd/queue/journal.h"
#include "tests/unit/fakedisk.h"

/* tests/power/filedisk.c puts the disk of files between. */
#ifndef FAKE_DISK
#	define FAKE_DISK(f)  (&(f)->disk)
#	define FAKE_START(f) ((void)(f))
#endif

enum { MODEL = 512, SEG = 256 * 1024 };

struct model {
	bool offered, accepted, over, refused; /* refused: answered 451, and came back */
	uint64_t id;
	unsigned nrcpt, known, kept; /* bits of recipients: result given, result on disk */
	int head, text;
	uint32_t size;
	unsigned failed, told; /* of those known: that failed, that the sender was told of */
	unsigned about,
		covers; /* a report: model of the letter, + 1, and which recipients it tells of */
};

static struct world {
	struct fake fake;
	struct journal j;
	struct job job;
	struct model m[MODEL];
	unsigned n, bad, taken[3], probed[3];
	bool reports;
	const char *why;
} w;

static void wrong(const char *why)
{
	if (!w.bad++)
		w.why = why;
}

static void on_taken(void *ctx, uint32_t tag, enum taken how, uint64_t id)
{
	struct model *m = &w.m[tag];

	(void)ctx;
	w.taken[how]++;
	m->accepted = how == TAKEN_OK;
	m->over = how != TAKEN_OK;
	m->offered = false;
	m->id = id;
	if (m->about)
		journal_report_end(&w.j, how == TAKEN_OK);
	if (m->about && how == TAKEN_OK)
		w.m[m->about - 1].told |= m->covers;
	memfd_close(&m->head);
	memfd_close(&m->text);
}

static struct model *model_of(uint64_t id)
{
	for (unsigned i = 0; i < w.n; i++)
		if (w.m[i].accepted && w.m[i].id == id)
			return &w.m[i];
	return NULL;
}

static void on_kept(void *ctx, uint64_t id, uint32_t no)
{
	struct model *m = model_of(id);

	(void)ctx;
	if (!m || !(m->known & 1u << no))
		wrong("a result nobody gave");
	else
		m->kept |= 1u << no;
}

static void on_probed(void *ctx, enum taken how)
{
	(void)ctx;
	w.probed[how]++;
}

static void start(void)
{
	uint8_t *buf = w.job.buf;
	struct ledger g = w.j.g;
	int64_t now = w.j.now;

	memset(&w.j, 0, sizeof w.j);
	w.j.g = g;
	w.j.wanted = 3;
	w.j.seg_size = SEG;
	w.j.taken = on_taken;
	w.j.kept = on_kept;
	w.j.probed = on_probed;
	w.j.reports = w.reports;
	w.job.buf = buf ? buf : malloc(JOB_BUF);
	FAKE_START(&w.fake);
	w.fake.recovering = true;
	journal_init(&w.j, FAKE_DISK(&w.fake), now + 1000, 1000000 + (uint64_t)now / 1000);
	w.fake.recovering = false;
}

static void begin(uint32_t random)
{
	for (unsigned i = 0; i < w.n; i++) {
		if (w.m[i].offered)
			memfd_close(&w.m[i].head);
		if (w.m[i].offered)
			memfd_close(&w.m[i].text);
	}
	w.n = w.bad = 0;
	w.why = NULL;
	memset(w.m, 0, sizeof w.m);
	memset(w.taken, 0, sizeof w.taken);
	memset(w.probed, 0, sizeof w.probed);
	fake_init(&w.fake, random);
	start();
}

/* One job, if there is one. */
static bool step(void)
{
	if (!journal_job(&w.j, &w.job))
		return false;
	job_run(FAKE_DISK(&w.fake), &w.job);
	if (w.fake.cut_in == 0)
		return false; /* nobody lives to see the result */
	journal_done(&w.j, &w.job);
	return true;
}

static void settle_all(void)
{
	w.j.now += JOURNAL_RESULT_MS;
	for (int i = 0; i < 1000 && step(); i++)
		w.j.now += 1;
}

static int fd_of(uint8_t first, size_t n)
{
	static uint8_t p[SEG];
	int fd = memfd_make("test");

	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(first + i * 7 + (i >> 8));
	if (fd < 0 || !memfd_append(fd, 0, (struct slice){ p, n }) || !memfd_seal(fd))
		abort();
	return fd;
}

static unsigned offer_as(unsigned nrcpt, uint32_t size, const struct jr_letter *as)
{
	struct model *m = &w.m[w.n];
	struct jr_letter l = *as;

	l.text_size = size;
	l.head_size = 100;
	l.nrcpt = nrcpt;
	*m = (struct model){ .offered = true, .nrcpt = nrcpt, .size = size };
	m->head = fd_of((uint8_t)(w.n >> 8), 100);
	m->text = fd_of((uint8_t)w.n, size);
	if (!journal_offer(&w.j, w.n, m->head, m->text, &l)) {
		memfd_close(&m->head);
		memfd_close(&m->text);
		m->offered = false;
		m->over = true;
	}
	return w.n++;
}

static unsigned offer(unsigned nrcpt, uint32_t size)
{
	return offer_as(nrcpt, size, &(struct jr_letter){ .flags = w.reports ? JR_SENDER : 0 });
}

static uint32_t entry(const struct model *m, unsigned no)
{
	uint32_t n = ledger_find(&w.j.g, m->id);

	return n == LEDGER_NONE ? LEDGER_NONE : ledger_rcpt(&w.j.g, n, no);
}

static void result_as(unsigned i, unsigned no, bool failed)
{
	const struct jr_note note = { .code = failed ? 550 : 250,
				      .flags = failed ? NOTE_FAILED : 0,
				      .host = SLICE("mx.example"),
				      .enhanced = { 2, 0, 0 },
				      .text = SLICE("fine") };
	uint32_t k = entry(&w.m[i], no);

	if (k == LEDGER_NONE || w.j.g.rcpt[k].state != RCPT_WAIT)
		return;
	if (!journal_result(&w.j, k, &note))
		return;
	w.m[i].known |= 1u << no;
	w.m[i].failed |= (unsigned)failed << no;
}

static void result(unsigned i, unsigned no)
{
	result_as(i, no, false);
}

/* A report about letter i as far as it is known on disk, offered to the journal. */
static bool report(unsigned i, bool delay)
{
	uint32_t n = ledger_find(&w.j.g, w.m[i].id);
	struct jr_letter l = { 0 };
	unsigned r;

	if (n == LEDGER_NONE || w.n == MODEL || !journal_report_begin(&w.j, n, delay))
		return false;
	if (!journal_report_letter(&w.j, w.m[i].id, &l))
		wrong("a report that nobody asked for");
	r = offer_as(1, 700, &l);
	w.m[r].about = i + 1;
	for (uint32_t k = w.j.g.letter[n].first; k != LEDGER_NONE; k = w.j.g.rcpt[k].next)
		w.m[r].covers |= (unsigned)w.j.g.rcpt[k].told << w.j.g.rcpt[k].no;
	if (w.m[r].over)
		journal_report_end(&w.j, false);
	return true;
}

struct content {
	const struct model *m;
	uint64_t text_at;
	unsigned tag;
	bool same;
};

static bool compare(void *ctx, uint64_t off, struct slice piece)
{
	struct content *c = ctx;

	for (size_t i = 0; i < piece.n; i++) {
		uint64_t at = off + i;

		if (at >= c->text_at) {
			uint64_t t = at - c->text_at;

			c->same &= piece.p[i] == (uint8_t)(c->tag + t * 7 + (t >> 8));
		} else if (at == c->text_at - 100) {
			c->same &= piece.p[i] == (uint8_t)(c->tag >> 8);
		}
	}
	return true;
}

static bool intact(const struct letter *e, unsigned tag)
{
	struct content c = { &w.m[tag], jr_letter_head(&e->l) + e->l.head_size, tag, true };

	return e->l.nrcpt == w.m[tag].nrcpt && e->l.text_size == w.m[tag].size &&
	       jr_walk(FAKE_DISK(&w.fake), &w.j.seg[e->seg].use, &e->r, compare, &c) && c.same;
}

/* After a crash: what was neither answered nor refused may exist or not. */
static void adopt(void)
{
	for (uint32_t n = 0; n < w.j.g.top_letter; n++) {
		struct letter *e = &w.j.g.letter[n];
		unsigned i = 0;

		if (!e->r.letter || model_of(e->r.letter))
			continue;
		while (i < w.n && !(w.m[i].offered && intact(e, i)))
			i++;
		if (i == w.n) {
			/* A letter that was answered 451 may come back: that is a duplicate at most. */
			for (i = 0; i < w.n && !(w.m[i].over && intact(e, i)); i++)
				;
		}
		if (i == w.n) {
			wrong("a letter that nobody offered");
			continue;
		}
		w.m[i].accepted = true;
		w.m[i].refused = w.m[i].over;
		if (w.m[i].about)
			w.m[w.m[i].about - 1].told |= w.m[i].covers;
		w.m[i].over = w.m[i].offered = false;
		w.m[i].id = e->r.letter;
	}
	for (unsigned i = 0; i < w.n; i++)
		if (w.m[i].offered) {
			w.m[i].offered = false;
			w.m[i].over = true;
		}
}

/* Of a failure that is on disk the sender was told, or he will be; not both. */
static void verify_note(const struct model *m, unsigned no, uint32_t k)
{
	uint8_t scratch[JR_SMALL];
	struct jr_note note;

	if (m->refused || !(m->kept & m->failed & 1u << no))
		return;
	if (m->told & 1u << no) {
		if (k != LEDGER_NONE && w.j.g.rcpt[k].note)
			wrong("a sender is told twice");
	} else if (k == LEDGER_NONE || !journal_note(&w.j, k, scratch, &note) ||
		   note.code != 550 || !slice_eq(note.text, SLICE("fine")) ||
		   !slice_eq(note.host, SLICE("mx.example"))) {
		wrong("a sender is never told");
	}
}

static void verify(void)
{
	for (unsigned i = 0; i < w.n; i++) {
		struct model *m = &w.m[i];
		uint32_t n = m->accepted ? ledger_find(&w.j.g, m->id) : LEDGER_NONE;

		if (!m->accepted)
			continue;
		if (n != LEDGER_NONE && !intact(&w.j.g.letter[n], i))
			wrong("a letter is not what was accepted");
		for (unsigned no = 0; no < m->nrcpt; no++) {
			uint32_t k = n == LEDGER_NONE ? n : ledger_rcpt(&w.j.g, n, no);
			bool done = k == LEDGER_NONE || w.j.g.rcpt[k].state == RCPT_DONE;

			if (done && !m->refused && !((m->known | m->kept) & 1u << no))
				wrong("an accepted letter is lost");
			if (!done && m->kept & 1u << no)
				wrong("a finished delivery comes back");
			if (done) /* recovered as finished, or told so */
				m->kept |= 1u << no;
			verify_note(m, no, k);
		}
	}
	for (unsigned i = 0; i < 3; i++) {
		if (w.j.seg[i].state == SEG_ASIDE)
			wrong("a segment is lost");
		if (w.j.seg[i].damaged)
			wrong("damage where there is none");
	}
}

static void restart(bool power)
{
	if (power)
		fake_power_cut(&w.fake);
	w.fake.cut_in = -1;
	for (unsigned i = 0; i < w.n; i++)
		if (w.m[i].offered) {
			memfd_close(&w.m[i].head);
			memfd_close(&w.m[i].text);
		}
	start();
	adopt();
	verify();
	for (unsigned i = 0; i < w.n; i++)
		w.m[i].failed &= w.m[i].known &= w.m[i].kept;
}

/* ---- histories ---- */

static void random_op(unsigned dice)
{
	struct fake *f = &w.fake;
	unsigned i = w.n ? fake_random(f) % w.n : 0;

	if (dice < 6 && w.n < MODEL) {
		offer(1 + fake_random(f) % 3,
		      fake_random(f) % (fake_random(f) % 4 ? 6000 : 60000));
	} else if (dice < 20 && w.n) {
		/* Old ones end too, but some stay for long. */
		for (unsigned k = 0; k < 6; k++, i = (i + 1) % w.n)
			if (w.m[i].accepted && i % 16)
				result_as(i, fake_random(f) % w.m[i].nrcpt,
					  w.reports && !w.m[i].about && fake_random(f) % 2);
	} else if (dice < 23 && w.n && w.m[i].accepted) {
		uint32_t k = entry(&w.m[i], 0);

		if (k != LEDGER_NONE && w.j.g.rcpt[k].state == RCPT_WAIT) {
			w.j.g.rcpt[k].attempts++;
			journal_attempt(&w.j, k);
		}
	} else if (dice < 29 && w.reports) {
		uint32_t n = w.j.g.owe_first[fake_random(f) % 2 ? OWES_NOW : OWES_SOON];
		const struct model *m = n == LEDGER_NONE ? NULL
							 : model_of(w.j.g.letter[n].r.letter);

		if (m)
			report((unsigned)(m - w.m), false);
	} else if (dice == 29) {
		journal_probe(&w.j);
	} else {
		w.j.now += dice;
	}
}

/* Crashes of the process, of the power, of flushes. */
static void history(uint32_t random, unsigned ops, int without, bool fails)
{
	w.reports = random % 2;
	begin(random);
	w.fake.without = without;
	for (unsigned n = 0; n < ops && !w.bad; n++) {
		unsigned dice = fake_random(&w.fake) % 32;

		random_op(dice);
		if (fake_random(&w.fake) % 40 == 0)
			w.fake.cut_in = 1 + (int)(fake_random(&w.fake) % 6);
		if (fails && fake_random(&w.fake) % 200 == 0)
			w.fake.fail_flush = 1;
		while (step() && fake_random(&w.fake) % 4)
			;
		if (w.fake.cut_in == 0 || fake_random(&w.fake) % 60 == 0)
			restart(fake_random(&w.fake) % 4 != 0);
	}
	w.fake.fail_flush = -1;
	restart(true);
	w.reports = false;
}

static bool histories(unsigned count, int without, bool fails)
{
	for (unsigned i = 1; i <= count; i++) {
		history(i * 7919, 300, without, fails);
		if (w.bad) {
			if (without < 0)
				fprintf(stderr, "history %u: %s\n", i * 7919, w.why);
			return false;
		}
	}
	return true;
}

/* One operation after the other fails, alone or with all that follow, in one history; then the power goes. */
static bool each_failure(bool broken)
{
	unsigned n = 1;

	for (bool reached = true; reached && !w.bad; n++) {
		begin(4242);
		settle_all();
		w.fake.fail_in = (int)n;
		w.fake.broken = broken;
		for (unsigned i = 0; i < 250; i++) {
			random_op(fake_random(&w.fake) % 32);
			while (step() && fake_random(&w.fake) % 4)
				;
		}
		settle_all();
		reached = !w.fake.fail_in;
		w.fake.fail_in = -1;
		restart(true);
		settle_all();
		restart(true);
	}
	if (w.bad)
		fprintf(stderr, "failure of operation %u: %s\n", n - 1, w.why);
	return !w.bad && n > 100;
}

/* A segment whose flush failed, and that cannot be renewed either, is removed: it stays away, also when what was moved
 * out of it is long over and forgotten. */
static bool removed(void)
{
	for (unsigned n = 0; n < 24 && !w.bad; n++) {
		unsigned a;

		begin(31 + n);
		settle_all();
		a = offer(1, 500);
		settle_all();
		w.fake.fail_in = 1; /* the batch; then the header that is to end the segment */
		offer(1, 600);
		step();
		w.fake.fail_in = -1;
		for (unsigned i = 0; i < 20; i++) {
			while (journal_job(&w.j, &w.job)) {
				w.fake.fail_in = w.job.kind == JOB_HEADER && w.job.final ? 1
											 : -1;
				job_run(FAKE_DISK(&w.fake), &w.job);
				w.fake.fail_in = -1;
				journal_done(&w.j, &w.job);
			}
			w.j.now += JOURNAL_RESULT_MS;
			result(a, 0);
			a = i % 2 ? offer(1, 60000) : a;
		}
		restart(true);
	}
	return !w.bad;
}

/* A segment is renewed again and again while the power goes: it is never lost. */
static bool headers(int without)
{
	begin(4711);
	settle_all();
	w.fake.without = without;
	for (unsigned n = 0; n < 3000 && !w.bad; n++) {
		/* Once, or twice with nothing between. */
		for (unsigned left = 1 + n % 2; left--;) {
			w.job.kind = JOB_HEADER;
			w.job.final = false;
			w.job.use = w.j.seg[2].use;
			w.job.use.seg = 2;
			w.job.use.use = w.j.use++;
			w.job.use.salt[n % JR_SALT]++;
			w.fake.cut_in = left ? -1 : 1 + (int)(fake_random(&w.fake) % 5);
			job_run(FAKE_DISK(&w.fake), &w.job);
		}
		restart(true);
	}
	return !w.bad;
}

/* ---- the last record torn at every octet ---- */

/* The log is cut at `cut`: what follows is what the blocks held before. */
static void cut_at(unsigned seg, const uint8_t *before, const uint8_t *after, uint64_t cut)
{
	memcpy(w.fake.seg[seg].now, after, cut);
	memcpy(w.fake.seg[seg].now + cut, before + cut, SEG - cut);
	memcpy(w.fake.seg[seg].disk, w.fake.seg[seg].now, SEG);
}

static bool torn(enum jr_type type)
{
	static uint8_t before[SEG], after[SEG];
	struct model saved;
	uint64_t from, to;
	unsigned seg;

	begin(77 + type);
	offer(2, 1000);
	settle_all();
	seg = (unsigned)w.j.current;
	memcpy(before, w.fake.seg[seg].now, SEG);
	from = w.j.seg[seg].end;
	if (type == JR_LETTER)
		offer(1, 3000);
	else
		result(0, 1);
	settle_all();
	memcpy(after, w.fake.seg[seg].now, SEG);
	to = from + 64 + 3200;
	saved = w.m[1];
	for (uint64_t cut = from; cut <= to && !w.bad; cut++) {
		bool whole = !memcmp(after + cut, before + cut, SEG - cut);

		cut_at(seg, before, after, cut);
		w.m[0] = (struct model){ .accepted = true,
					 .id = w.m[0].id,
					 .nrcpt = 2,
					 .size = 1000,
					 .known = type == JR_RESULT ? 2 : 0 };
		w.m[1] = saved;
		w.m[1].accepted = whole && type == JR_LETTER;
		w.m[1].over = !w.m[1].accepted;
		w.n = 2;
		start();
		verify();
		if (w.j.g.letters != (type == JR_LETTER && whole ? 2u : 1u))
			wrong("torn: letters");
		if (type == JR_RESULT && whole != (w.m[0].kept == 2))
			wrong("torn: result");
		/* And the log goes on behind it. */
		w.m[0].known = w.m[0].kept;
		offer(1, 500);
		settle_all();
		if (!w.m[2].accepted)
			wrong("torn: nothing more is taken");
		restart(true);
		w.n = 2;
	}
	if (w.bad)
		fprintf(stderr, "torn: %s\n", w.why);
	return !w.bad;
}

#include "tests/unit/journalrows.h"

static int suite(void)
{
	static const char *const names[FLUSHES] = {
		[FLUSH_HEADER_A] = "first header copy",
		[FLUSH_HEADER_B] = "second header copy",
		[FLUSH_BATCH] = "batch",
		[FLUSH_RECOVERY] = "recovery",
		[FLUSH_MADE] = "zeros of a new segment",
		[FLUSH_NAMES] = "name of a new segment",
	};
	int bad = 0;

#define SAY(x, name, arg)                                                       \
	do {                                                                    \
		bool ok_ = (x);                                                 \
		bad += !ok_;                                                    \
		printf("%s journal: %s%s\n", ok_ ? "ok" : "not ok", name, arg); \
		fflush(stdout);                                                 \
	} while (0)
	SAY(torn(JR_LETTER), "letter torn at every octet", "");
	SAY(torn(JR_RESULT), "result torn at every octet", "");
	SAY(headers(-1), "renewal of a segment", "");
	SAY(histories(150, -1, false), "power cuts and crashes", "");
	SAY(histories(150, -1, true), "failing flushes", "");
	SAY(each_failure(false), "each write and flush fails in turn", "");
	SAY(each_failure(true), "the disk breaks at each operation in turn", "");
	SAY(removed(), "a removed segment stays away", "");
	for (int i = 0; i < FLUSHES; i++)
		SAY(!headers(i) || !histories(300, i, false),
		    "does not survive without flush: ", names[i]);
	return bad != 0;
}

int main(int argc, char **argv)
{
	int log = open("/dev/null", O_WRONLY);
	const char *loud = getenv("V");

	/* The journal's log lines are not the point here. */
	if (log >= 0 && (!loud || !*loud)) {
		int err = dup(2);

		dup2(log, 2);
		stderr = fdopen(err, "w");
	}
	if (argc > 1 && !strcmp(argv[1], "suite"))
		return suite();
	rows();
	CHECK(torn(JR_LETTER));
	CHECK(torn(JR_RESULT));
	CHECK(headers(-1));
	CHECK(histories(10, -1, false));
	CHECK(histories(10, -1, true));
	TEST_END();
}
