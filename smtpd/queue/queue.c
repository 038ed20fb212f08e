/* SPDX-License-Identifier: ISC */
#include "smtpd/queue/queue.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "smtpd/lib/arena.h"
#include "smtpd/lib/log.h"
#include "smtpd/lib/memfd.h"
#include "smtpd/lib/owner.h"
#include "smtpd/queue/desk.h"

static void queue_pump(struct queue *q);

enum reply { REPLY_FULL, REPLY_ACCOUNT, REPLY_BROKEN, REPLY_NODATA, REPLY_BAD, REPLY_BIG };

static const struct {
	uint16_t code;
	uint8_t enhanced[3];
	const char *text;
} replies[] = {
	[REPLY_FULL] = { 452, { 4, 3, 1 }, "Queue is full, try again later" },
	[REPLY_ACCOUNT] = { 452,
			    { 4, 3, 1 },
			    "Too many letters of this account wait in the queue, try again later" },
	[REPLY_BROKEN] = { 451, { 4, 3, 0 }, "Letter could not be written to the disk" },
	[REPLY_NODATA] = { 451, { 4, 3, 0 }, "There is no disk for the queue" },
	[REPLY_BAD] = { 451, { 4, 3, 0 }, "Letter did not arrive in the queue as it should" },
	[REPLY_BIG] = { 552, { 5, 3, 4 }, "Letter is too big" },
};

static void answer(const struct token *t, enum reply r)
{
	struct answer m = { .code = replies[r].code };

	memcpy(m.enhanced, replies[r].enhanced, 3);
	chan_answer(t, &m, sizeof m, slice_of(replies[r].text));
}

static void answer_kept(const struct token *t, uint64_t id)
{
	struct answer m = { .code = 250, .enhanced = { 2, 0, 0 } };
	uint8_t text[64], be[8];
	struct buf b = BUF(text);

	for (unsigned i = 0; i < 8; i++)
		be[i] = (uint8_t)(id >> (56 - 8 * i));
	buf_put(&b, SLICE("Ok: queued as "));
	buf_hex(&b, (struct slice){ be + 2, 6 });
	chan_answer(t, &m, sizeof m, buf_slice(&b));
}

/* Whether reports may be sent about a letter, and of what: enum jr_flag. Never about a report, and
 * never to <>. */
static uint32_t flags_of(struct slice head)
{
	struct cur c = CUR(head);
	uint32_t flags = 0, curious = 0; /* recipients of whom something may be said */
	enum env_tag tag;
	struct slice v;

	while (envelope_next(&c, &tag, &v)) {
		if ((tag == ENV_SENDER && !v.n) || tag == ENV_REPORT)
			return 0;
		if (tag == ENV_SENDER)
			flags |= JR_SENDER;
		curious += tag == ENV_RCPT;
		curious -= tag == ENV_NOTIFY && slice_ieq(v, SLICE("NEVER"));
		if (tag == ENV_NOTIFY && bounce_notify(v, SLICE("SUCCESS")))
			flags |= JR_SUCCESS;
	}
	return curious ? flags : 0;
}

enum queue_shape queue_check(const struct queue_letter *m, int text, int head, uint8_t *scratch,
			     struct jr_letter *l)
{
	uint64_t text_size, head_size;
	struct slice s, grant;
	size_t nrcpt;

	if (!memfd_check(text, UINT32_MAX / 2, &text_size) || text_size != m->text_size ||
	    m->skip > text_size || !memfd_check(head, ENV_HEAD_MAX, &head_size) ||
	    !memfd_read(head, 0, scratch, (size_t)head_size))
		return QUEUE_MALFORMED;
	if (text_size > CONFIG_SMTPD_MAX_SIZE)
		return QUEUE_TOO_BIG;
	s = (struct slice){ scratch, (size_t)head_size };
	/* A grant is a secret of a session; it has no business on a disk. */
	if (!envelope_check(s, &nrcpt) || nrcpt > CONFIG_SMTPD_MAX_RCPTS ||
	    envelope_get(s, ENV_GRANT, &grant))
		return QUEUE_MALFORMED;
	*l = (struct jr_letter){ .text_size = text_size,
				 .head_size = (uint32_t)head_size,
				 .skip = m->skip,
				 .nrcpt = (uint32_t)nrcpt,
				 .flags = flags_of(s) };
	return QUEUE_GOOD;
}

/* Letters that wait for the disk do not count: there are few. */
static bool account_full(struct queue *q, uint64_t key)
{
	const struct account *a = account_find(&q->courier.sched.accounts, key);
	const struct journal *j = &q->journal;
	uint64_t octets = (j->wanted - 1) * j->seg_size / 100 * CONFIG_SMTPD_QUEUE_ACCOUNT;

	return a && (a->letters >= ACCOUNT_LETTERS || a->octets >= octets);
}

static void on_letter(void *ctx, struct call *c)
{
	struct queue *q = ctx;
	struct queue_entry *e = q->entry;
	struct jr_letter l;
	struct keys keys;

	if (!q->journal.disk) {
		answer(&c->token, REPLY_NODATA);
		return;
	}
	switch (queue_check(c->msg, c->fd[0], c->fd[1], q->head, &l)) {
	case QUEUE_MALFORMED:
		log_event("badletter", "from", proc_name((enum proc_id)c->from));
		answer(&c->token, REPLY_BAD);
		return;
	case QUEUE_TOO_BIG:
		answer(&c->token, REPLY_BIG);
		return;
	case QUEUE_GOOD:
		break;
	}
	if (q->spool)
		l.flags = JR_SENDER; /* postmaster is told, whoever sent it */
	if (!bounce_letter(&q->bounce, (struct slice){ q->head, l.head_size }, &l)) {
		log_event("badreport", "from", proc_name((enum proc_id)c->from));
		answer(&c->token, REPLY_BAD);
		return;
	}
	sched_keys(&q->courier.sched, (struct slice){ q->head, l.head_size }, &keys);
	if (!l.about && account_full(q, keys.account)) {
		answer(&c->token, REPLY_ACCOUNT);
		return;
	}
	/* Letters of an earlier wire may still wait for the disk. */
	while (e < q->entry + JOURNAL_WAITING && e->used)
		e++;
	if (e == q->entry + JOURNAL_WAITING ||
	    !journal_offer(&q->journal, (uint32_t)(e - q->entry), c->fd[1], c->fd[0], &l)) {
		answer(&c->token, REPLY_FULL);
		return;
	}
	*e = (struct queue_entry){ .used = true,
				   .token = c->token,
				   .text = c->fd[0],
				   .head = c->fd[1],
				   .size = l.text_size,
				   .nrcpt = l.nrcpt,
				   .keys = keys,
				   .report = l.about };
	if (l.about)
		bounce_offered(&q->bounce);
	c->fd[0] = c->fd[1] = -1;
	queue_pump(q);
}

static void answer_page(const struct call *c, struct queue_page *m, const struct buf *rows)
{
	if (rows->bad)
		bug("a page is too small");
	chan_answer(&c->token, m, sizeof *m, buf_slice(rows));
}

static void on_list(void *ctx, struct call *c)
{
	struct queue *q = ctx;
	const struct queue_list *m = c->msg;
	struct queue_page page = { .letters = 0 };
	struct buf rows = BUF(q->rows);

	q->journal.now = loop_clock();
	desk_list(&q->courier, m->after, c->tail, &rows, &page);
	answer_page(c, &page, &rows);
}

static void on_show(void *ctx, struct call *c)
{
	struct queue *q = ctx;
	const struct queue_show *m = c->msg;
	struct queue_page page = { .letters = 0 };
	struct buf rows = BUF(q->rows);

	q->journal.now = loop_clock();
	desk_show(&q->courier, m->letter, m->from, &rows, &page);
	answer_page(c, &page, &rows);
}

static void on_act(void *ctx, struct call *c)
{
	struct queue *q = ctx;
	const struct queue_act *m = c->msg;
	struct queue_acted reply = { .letters = 0 };
	enum queue_how how;

	q->journal.now = loop_clock();
	if (!desk_act(&q->courier, m->letter, m->what, &how)) {
		chan_fail(&c->token);
		return;
	}
	reply.how = how;
	reply.letters = q->journal.g.letters;
	chan_answer(&c->token, &reply, sizeof reply, (struct slice){ NULL, 0 });
}

static void tell_probe(const struct token *t, enum queue_probe_result result)
{
	struct queue_probed m = { .result = result };

	chan_answer(t, &m, sizeof m, (struct slice){ NULL, 0 });
}

static void on_probe(void *ctx, struct call *c)
{
	struct queue *q = ctx;
	const struct queue_probe *m = c->msg;

	if (!q->journal.disk) {
		tell_probe(&c->token, QUEUE_PROBE_NONE);
	} else if (!m->write) {
		tell_probe(&c->token, QUEUE_PROBE_SERVES);
	} else {
		q->probe = c->token; /* an earlier one was of a requester that is gone */
		journal_probe(&q->journal);
		queue_pump(q);
	}
}

static void on_probed(void *ctx, enum taken how)
{
	static const enum queue_probe_result results[] = {
		[TAKEN_OK] = QUEUE_PROBE_KEPT,
		[TAKEN_FULL] = QUEUE_PROBE_SERVES,
		[TAKEN_BROKEN] = QUEUE_PROBE_BROKEN,
	};

	tell_probe(&((struct queue *)ctx)->probe, results[how]);
}

const struct rule queue_rules[QUEUE_TYPES] = {
	[QUEUE_LETTER] = { .from = 1u << P_CHECK_SUB | 1u << P_CHECK_MX,
			   .size = sizeof(struct queue_letter),
			   .nfd = 2,
			   .run = on_letter },
	[QUEUE_LIST] = { .from = 1u << P_ADMIN,
			 .size = sizeof(struct queue_list),
			 .tail_max = QUEUE_FILTER,
			 .run = on_list },
	[QUEUE_SHOW] = { .from = 1u << P_ADMIN,
			 .size = sizeof(struct queue_show),
			 .run = on_show },
	[QUEUE_PROBE] = { .from = 1u << P_HEALTH,
			  .size = sizeof(struct queue_probe),
			  .run = on_probe },
	[QUEUE_ACT] = { .from = 1u << P_ADMIN, .size = sizeof(struct queue_act), .run = on_act },
};

static void on_taken(void *ctx, uint32_t tag, enum taken how, uint64_t id)
{
	struct queue *q = ctx;
	struct queue_entry *e = &q->entry[tag];
	struct logline l;

	if (how == TAKEN_OK)
		courier_accepted(&q->courier, id, &e->keys, &e->text, &e->head);
	memfd_close(&e->text);
	memfd_close(&e->head);
	e->used = false;
	if (e->report)
		bounce_taken(&q->bounce, how == TAKEN_OK);
	if (how != TAKEN_OK) {
		answer(&e->token, how == TAKEN_FULL ? REPLY_FULL : REPLY_BROKEN);
		return;
	}
	answer_kept(&e->token, id);
	log_begin(&l, "queued");
	log_num(&l, "letter", (int64_t)id);
	log_num(&l, "size", (int64_t)e->size);
	log_num(&l, "rcpts", e->nrcpt);
	log_send(&l);
}

static void on_kept(void *ctx, uint64_t id, uint32_t no)
{
	courier_kept(&((struct queue *)ctx)->courier, id, no);
}

/* Starts whatever can be started, and sets the clock for the rest. */
static void queue_pump(struct queue *q)
{
	struct journal *j = &q->journal;
	struct timespec now = { 0, 0 };
	int64_t due;

	clock_gettime(CLOCK_REALTIME, &now);
	j->now = loop_clock();
	j->wall = now.tv_sec > 0 ? (uint64_t)now.tv_sec : 0;
	if (!q->stopping) {
		courier_run(&q->courier);
		bounce_run(&q->bounce);
	}
	if (!q->flusher.busy && journal_job(j, &q->job))
		flusher_run(&q->flusher);
	else if (!q->flusher.busy && q->stopping)
		_exit(0);
	due = courier_due(&q->courier);
	if (bounce_due(&q->bounce) < due)
		due = bounce_due(&q->bounce);
	if (!q->flusher.busy && j->disk && journal_due(j) < due)
		due = journal_due(j);
	q->timer.due = due;
}

static void on_timer(struct watch *w, short got)
{
	(void)got;
	queue_pump(OWNER(struct queue, timer, w));
}

static void on_flushed(struct flusher *f)
{
	struct queue *q = OWNER(struct queue, flusher, f);

	q->journal.now = loop_clock();
	journal_done(&q->journal, &q->job);
	queue_pump(q);
}

/* Results that are known are written first: each one that is not is a letter delivered twice. */
static void on_stop(struct proc *p)
{
	struct queue *q = p->chan[0].ctx;

	for (size_t i = 0; i < p->nchan && !q; i++)
		q = p->chan[i].ctx;
	if (!q)
		_exit(0);
	q->stopping = true;
	for (unsigned i = 0; i < JOURNAL_RESULTS; i++)
		q->journal.result[i].due = 0;
	queue_pump(q);
}

static void on_check_wired(struct chan *c)
{
	queue_pump(c->ctx);
}

static void on_wired(struct chan *c)
{
	struct queue *q = c->ctx;

	courier_wired(&q->courier);
	queue_pump(q);
}

void queue_init(struct queue *q, struct proc *p, const char *dir)
{
	struct chan *out = proc_chan(p, PROG_OUT), *check = proc_chan(p, PROG_CHECK);
	struct timespec now = { 0, 0 };
	bool disk = dir && disk_open(&q->files, dir);

	q->proc = p;
	q->spool = p->me == P_QUEUE_MX;
	q->head = arena_reserve(ENV_HEAD_MAX);
	q->job.buf = arena_reserve(JOB_BUF);
	q->journal.taken = on_taken;
	q->journal.kept = on_kept;
	q->journal.probed = on_probed;
	q->journal.ctx = q;
	clock_gettime(CLOCK_REALTIME, &now);
	if (!disk)
		log_event("nodata", "why",
			  dir ? "the journal cannot be opened" : "there is no data device");
	journal_init(&q->journal, disk ? &q->files.disk : NULL, loop_clock(),
		     now.tv_sec > 0 ? (uint64_t)now.tv_sec : 0);
	courier_init(&q->courier, &q->journal, out, &q->timer);
	q->courier.spool = q->spool;
	bounce_init(&q->bounce, &q->journal, check, &q->timer, &q->courier.reasons, q->head);
	q->bounce.spool = q->spool;
	out->ctx = check->ctx = q;
	out->wired = on_wired;
	check->wired = on_check_wired;
	p->stop = on_stop;
	q->timer = (struct watch){ .fd = -1, .due = 0, .ready = on_timer };
	loop_add(&p->loop, &q->timer);
	flusher_start(&q->flusher, &p->loop, &q->files.disk, &q->job, on_flushed);
}
