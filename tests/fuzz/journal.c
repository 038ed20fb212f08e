/* SPDX-License-Identifier: ISC */
/* Recovery of arbitrary segments: records of any kind with true checksums, in any order, then
 * octets that are changed. Afterwards the journal must take a letter and find it again. */
#include "smtpd/queue/journal.h"

#include <stdlib.h>

#include "smtpd/lib/memfd.h"
#include "tests/unit/fakedisk.h"

enum { SIZE = 64 * 1024 };

static struct fake fake;
static struct journal j;
static struct job job;
static uint64_t taken_id;

static void on_taken(void *ctx, uint32_t tag, enum taken how, uint64_t id)
{
	(void)ctx;
	(void)tag;
	taken_id = how == TAKEN_OK ? id : 0;
}

static void on_kept(void *ctx, uint64_t id, uint32_t no)
{
	(void)ctx;
	(void)id;
	(void)no;
}

/* One record as the input says, at a place that is legal or not. */
static void put_record(struct cur *c, const struct jr_use *u, uint8_t *seg)
{
	uint8_t head[JR_HEAD], sum[JR_SUM];
	struct jr r = { .type = (enum jr_type)(cur_u8(c) % (JR_TYPES + 1)),
			.at = JR_DATA + cur_u8(c) * 64u,
			.seq = cur_u8(c),
			.letter = cur_u8(c),
			.mark = cur_u8(c) * 256u,
			.time = cur_u8(c),
			.gap = cur_u8(c) };
	struct slice content = cur_take(c, cur_u8(c));
	struct jr_sum s;

	r.len = (uint32_t)content.n;
	if (c->bad || r.at + jr_length(&r) > SIZE)
		return;
	jr_put(u, &r, head);
	jr_sum_begin(&s, u, head, r.at);
	jr_sum_add(&s, content);
	jr_sum_end(&s, sum);
	memcpy(seg + r.at, head, JR_HEAD);
	if (content.n)
		memcpy(seg + r.at + JR_HEAD, content.p, content.n);
	memcpy(seg + r.at + JR_HEAD + r.len, sum, JR_SUM);
}

static void start(void)
{
	struct ledger g = j.g;

	memset(&j, 0, sizeof j);
	j.g = g;
	j.wanted = 3;
	j.seg_size = SIZE;
	j.taken = on_taken;
	j.kept = on_kept;
	journal_init(&j, &fake.disk, 1000, 1000);
}

static void one_letter(void)
{
	struct jr_letter l = { .text_size = 5, .head_size = 5, .nrcpt = 1 };
	int fd = memfd_make("fuzz");

	if (!memfd_append(fd, 0, SLICE("hello")) || !journal_offer(&j, 0, fd, fd, &l))
		abort();
	for (int i = 0; i < 200 && journal_job(&j, &job); i++) {
		job_run(&fake.disk, &job);
		journal_done(&j, &job);
	}
	memfd_close(&fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct cur c = CUR(((struct slice){ p, n }));
	uint32_t found;

	if (!job.buf)
		job.buf = malloc(JOB_BUF);
	fake_init(&fake, 1);
	for (unsigned i = 0; i < 2; i++) {
		struct fake_seg *s = &fake.seg[i];
		struct jr_use u = { .size = SIZE, .use = 1 + i, .seg = i };
		unsigned records = cur_u8(&c) % 16, changes = cur_u8(&c) % 8;

		s->there = s->named = true;
		s->size = SIZE;
		jr_use_put(&u, s->now);
		while (records--)
			put_record(&c, &u, s->now);
		while (changes--)
			s->now[(size_t)cur_be16(&c) % SIZE] ^= cur_u8(&c);
	}
	start();
	taken_id = 0;
	one_letter();
	if (!taken_id)
		return 0; /* refused: full of what was found */
	start();
	found = ledger_find(&j.g, taken_id);
	if (found == LEDGER_NONE)
		abort();
	if (!jr_walk(&fake.disk, &j.seg[j.g.letter[found].seg].use, &j.g.letter[found].r, NULL,
		     NULL))
		abort();
	return 0;
}
