/* SPDX-License-Identifier: ISC */
#include "smtpd/queue/bounce.h"

#include <string.h>
#include <sys/random.h>

#include "smtpd/lib/arena.h"
#include "smtpd/lib/log.h"
#include "smtpd/lib/memfd.h"
#include "smtpd/lib/owner.h"
#include "smtpd/msg/check.h"
#include "smtpd/proto/envelope.h"
#include "smtpd/proto/header.h"
#include "smtpd/proto/path.h"

/*
 * NOTES. journal_report_begin() marks what is told; from there to journal_report_end() the letter
 * does not move. The end is called once: by bounce_taken() when the report came back as a letter,
 * by the answer when it did not, or was a notice; at once when there is nothing to tell.
 */
enum {
	ASK_MS = 330 * 1000, /* longer than check's own questions */
	AGAIN_MS = 10 * 1000,
	AGAIN_MAX_MS = 600 * 1000,
	FULL = CONFIG_SMTPD_REPORT_FULL * 1024,
	RCPTS = CONFIG_SMTPD_MAX_RCPTS,
	OCTETS = REPORT_OCTETS(RCPTS, FULL),
	WAIT_MS = CONFIG_SMTPD_REPORT_WAIT * 1000,
};

static const struct want want_reported = { CHECK_REPORT, sizeof(struct answer), ANSWER_TEXT };

void bounce_init(struct bounce *b, struct journal *j, struct chan *check, struct watch *timer,
		 const struct reasons *reasons, uint8_t *head)
{
	*b = (struct bounce){
		.j = j, .check = check, .timer = timer, .reasons = reasons, .head = head
	};
	b->body = arena_reserve(FULL + 2);
	b->notes = arena_reserve((size_t)RCPTS * JR_SMALL);
	b->rcpt = arena_reserve(RCPTS * sizeof *b->rcpt);
	b->text = (struct buf){ .p = arena_reserve(OCTETS), .cap = OCTETS };
	j->reports = true;
}

bool bounce_notify(struct slice said, struct slice word)
{
	if (!said.n)
		return !slice_ieq(word, SLICE("SUCCESS"));
	while (said.n) {
		size_t n = slice_find(said, ',');

		if (slice_ieq(slice_head(said, n), word))
			return true;
		said = slice_from(said, n + 1);
	}
	return false;
}

/* ---- what is told ---- */

struct telling { /* one report in the making */
	struct bounce *b;
	struct letter *e;
	bool delay;
	struct report r;
	size_t n; /* recipients in it */
	struct slice account;
	uint8_t postmaster[PATH_OCTETS];
};

/* out names the host in its text; a report has a field for it. */
static struct slice words_of(const struct jr_note *n)
{
	uint8_t bytes[16 + UINT8_MAX];
	struct buf said = BUF(bytes);

	buf_put(&said, SLICE("host "));
	buf_put(&said, n->host);
	buf_put(&said, SLICE(" said: "));
	return n->host.n && slice_iprefix(n->text, buf_slice(&said))
		       ? slice_from(n->text, said.len)
		       : n->text;
}

/* What was heard last, as long as it is remembered. */
static void why_late(const struct reason *r, struct report_rcpt *o)
{
	o->action = REPORT_DELAYED;
	if (!r)
		return;
	o->code = r->code;
	o->text = (struct slice){ r->text, r->n };
	memcpy(o->enhanced, r->enhanced, sizeof o->enhanced);
}

/* What is to be said of a recipient; false: nothing. */
static bool tell(struct telling *t, uint32_t rcpt, struct slice notify, struct report_rcpt *o)
{
	struct journal *j = t->b->j;
	const struct rcpt *k = &j->g.rcpt[rcpt];
	struct jr_note note;

	if (t->delay) {
		why_late(reason_get(t->b->reasons, k->reason), o);
		return k->state != RCPT_DONE && k->state != RCPT_KNOWN &&
		       bounce_notify(notify, SLICE("DELAY"));
	}
	if (!k->told || !journal_note(j, rcpt, t->b->notes + t->n * JR_SMALL, &note))
		return false;
	o->action = note.flags & NOTE_FAILED ? REPORT_FAILED : REPORT_RELAYED;
	o->host = note.host;
	o->text = words_of(&note);
	o->code = note.code;
	o->time = note.time;
	memcpy(o->enhanced, note.enhanced, sizeof o->enhanced);
	return bounce_notify(notify,
			     note.flags & NOTE_FAILED ? SLICE("FAILURE") : SLICE("SUCCESS"));
}

/* The records of one recipient are together: ENV_RCPT, and what belongs to it. */
struct person {
	struct slice final, named, notify, orcpt;
};

static void person_done(struct telling *t, struct person *p, uint32_t *rcpt)
{
	struct report_rcpt *o = &t->b->rcpt[t->n];

	if (!p->final.n || *rcpt == LEDGER_NONE)
		return;
	*o = (struct report_rcpt){ .final = p->final, .named = p->named, .orcpt = p->orcpt };
	t->n += tell(t, *rcpt, p->notify, o);
	*rcpt = t->b->j->g.rcpt[*rcpt].next;
	*p = (struct person){ { NULL, 0 }, { NULL, 0 }, { NULL, 0 }, { NULL, 0 } };
}

static void read_envelope(struct telling *t, struct slice head, bool *full)
{
	struct cur in = CUR(head);
	uint32_t rcpt = t->e->first;
	struct person p = { { NULL, 0 }, { NULL, 0 }, { NULL, 0 }, { NULL, 0 } };
	enum env_tag tag;
	struct slice v;

	while (envelope_next(&in, &tag, &v)) {
		if (tag == ENV_RCPT)
			person_done(t, &p, &rcpt);
		switch ((unsigned)tag) {
		case ENV_SENDER:
			t->r.to = v;
			break;
		case ENV_RCPT:
			p.final = v;
			break;
		case ENV_ORIGINAL:
			p.named = v;
			break;
		case ENV_NOTIFY:
			p.notify = v;
			break;
		case ENV_ORCPT:
			p.orcpt = v;
			break;
		case ENV_ENVID:
			t->r.envid = v;
			break;
		case ENV_ACCOUNT:
			t->account = v;
			break;
		case ENV_RET:
			*full = slice_ieq(v, SLICE("FULL"));
			break;
		case ENV_HEADER:
			t->r.header = v;
			break;
		}
	}
	person_done(t, &p, &rcpt);
}

/* Head and the text that is not replaced, as they come from the disk. */
struct reading {
	struct bounce *b;
	uint64_t head, text, end; /* where they begin in the content */
};

static bool read_piece(void *ctx, uint64_t off, struct slice s)
{
	struct reading *r = ctx;

	for (size_t i = 0; i < s.n; i++, off++)
		if (off >= r->text && off - r->text < FULL)
			r->b->body[off - r->text] = s.p[i];
		else if (off >= r->head && off < r->end)
			r->b->head[off - r->head] = s.p[i];
	return true;
}

/* *body: what is left of the text, when it is not too long to be returned. False: the letter is damaged. */
static bool read_letter(struct bounce *b, const struct letter *e, struct slice *body)
{
	uint64_t at = jr_letter_head(&e->l), left = e->l.text_size - e->l.skip;
	struct reading r = { b, at, at + e->l.head_size + e->l.skip, at + e->l.head_size };
	struct disk *d = b->j->disk;

	if (e->l.head_size > ENV_HEAD_MAX)
		return false;
	*body = (struct slice){ NULL, 0 };
	if (left > FULL)
		return d->read(d, e->seg, e->r.at + JR_HEAD + at, b->head, e->l.head_size);
	*body = (struct slice){ b->body, (size_t)left };
	return jr_walk(d, &b->j->seg[e->seg].use, &e->r, read_piece, &r);
}

/* The domain that writes: the sender's own, or the first one. */
static struct slice writer(struct slice to)
{
	struct slice words = SLICE(CONFIG_SMTPD_DOMAINS), first = slice_word(&words), w = first;
	struct slice domain = slice_from(to, slice_rfind(to, '@') + 1);

	while (w.n && !slice_ieq(w, domain))
		w = slice_word(&words);
	return w.n ? w : first;
}

/* ---- asking ---- */

static void log_report(const char *event, uint64_t id, struct slice to, unsigned code,
		       struct slice reply)
{
	struct logline l;

	log_begin(&l, event);
	log_num(&l, "about", (int64_t)id);
	if (to.n)
		log_bytes(&l, "to", to);
	log_num(&l, "code", code);
	log_bytes(&l, "reply", reply);
	log_send(&l);
}

static void later(struct bounce *b)
{
	int64_t ms = AGAIN_MS;

	for (unsigned i = 0; i < b->failures && ms < AGAIN_MAX_MS; i++)
		ms *= 2;
	b->failures++;
	b->again = b->j->now + (ms < AGAIN_MAX_MS ? ms : AGAIN_MAX_MS);
}

static void on_reported(struct ask *a, const void *reply, struct slice tail)
{
	struct bounce *b = OWNER(struct bounce, ask, a);
	const struct answer *m = reply;
	bool asked = b->j->report.state == REPORT_ASKED;
	unsigned class = m ? m->code / 100 : 4;

	b->j->now = loop_clock();
	b->timer->due = 0;
	if (!asked || b->offered)
		return; /* told, or the disk has the last word */
	if (class == 5)
		log_report("reportfailed", b->j->report.id, (struct slice){ NULL, 0 }, m->code,
			   tail);
	if (b->spool && class == 2) {
		b->quiet = b->j->now + BOUNCE_NOTICE_MS;
		b->untold = b->failures = 0;
	} else if (class != 5) {
		class = 4;
		later(b);
	}
	journal_report_end(b->j, class != 4);
}

static int seal(struct slice s, const char *name)
{
	int fd = memfd_make(name);

	if (fd >= 0 && (!memfd_append(fd, 0, s) || !memfd_seal(fd)))
		memfd_close(&fd);
	return fd;
}

static int make_head(const struct telling *t, bool eight)
{
	uint8_t bytes[4 * (ENV_RECORD_MAX + 3)], number[48];
	struct buf head = BUF(bytes), about = BUF(number);

	buf_dec(&about, t->e->r.letter);
	buf_u8(&about, '.');
	buf_dec(&about, t->b->j->report.covers);
	envelope_put(&head, ENV_SENDER, SLICE(""));
	envelope_put(&head, ENV_REPORT, buf_slice(&about));
	if (t->account.n)
		envelope_put(&head, ENV_ACCOUNT, t->account);
	envelope_put(&head, ENV_BODY, eight ? SLICE("8") : SLICE("7"));
	for (size_t i = 0, utf8 = 0; i < t->r.to.n && !utf8; i++)
		if ((utf8 = t->r.to.p[i] & 0x80))
			envelope_put(&head, ENV_UTF8, SLICE("1"));
	envelope_put(&head, ENV_RCPT, t->r.to);
	envelope_put_header(&head, (struct slice){ NULL, 0 });
	return head.bad ? -1 : seal(buf_slice(&head), "head");
}

static bool ask_check(struct telling *t, bool eight)
{
	struct bounce *b = t->b;
	struct check_letter m = { .h.type = CHECK_REPORT, .text_size = b->text.len };
	int fd[2] = { seal(buf_slice(&b->text), "report"), make_head(t, eight) };
	bool ok;

	b->ask.done = on_reported;
	ok = fd[0] >= 0 && fd[1] >= 0 &&
	     chan_ask(b->check, &b->ask, &m, sizeof m, (struct slice){ NULL, 0 }, fd, 2,
		      &want_reported, ASK_MS);
	memfd_close(&fd[0]);
	memfd_close(&fd[1]);
	return ok;
}

/* False: not now. */
static bool write_report(struct telling *t, bool *eight)
{
	struct bounce *b = t->b;
	struct journal *j = b->j;
	uint64_t age = j->now > t->e->born ? (uint64_t)(j->now - t->e->born) / 1000 : 0;

	t->r.hostname = SLICE(CONFIG_SMTPD_HOSTNAME);
	t->r.domain = b->spool ? t->r.hostname : writer(t->r.to);
	t->r.now = j->wall;
	t->r.arrived = j->wall > age ? j->wall - age : 0;
	t->r.until = t->r.arrived + JOURNAL_LIFETIME;
	if (getrandom(t->r.id, sizeof t->r.id, 0) != sizeof t->r.id)
		bug("no random octets");
	b->text.len = 0;
	b->text.bad = false;
	return report_put(&t->r, b->rcpt, t->n, &b->text, eight);
}

/* A stranger's own header lies in the text: what there is room for goes behind our fields in b->head. */
static void add_header(struct bounce *b, const struct letter *e, struct slice *header)
{
	struct disk *d = b->j->disk;
	uint64_t at = jr_letter_head(&e->l) + e->l.head_size, n = ENV_HEAD_MAX - e->l.head_size;
	struct slice text = { b->head + e->l.head_size, 0 }, whole, body;

	n = n < REPORT_HEADER ? n : REPORT_HEADER;
	text.n = (size_t)(n < e->l.text_size ? n : e->l.text_size);
	if (!d->read(d, e->seg, e->r.at + JR_HEAD + at, b->head + e->l.head_size, text.n))
		return;
	header->n += header_split(text, &whole, &body)
			     ? whole.n
			     : slice_head(text, slice_rfind(text, '\n') + 1).n;
}

/* A report becomes a notice. */
static void tell_postmaster(struct telling *t)
{
	struct slice words = SLICE(CONFIG_SMTPD_DOMAINS);
	struct buf to = BUF(t->postmaster);

	path_join(SLICE("postmaster"), slice_word(&words), &to);
	t->r.notice = true;
	t->r.sender = t->r.to;
	t->r.to = buf_slice(&to);
	t->r.untold = t->b->untold;
	add_header(t->b, t->e, &t->r.header);
}

static void start(struct bounce *b, uint32_t n)
{
	struct letter *e = &b->j->g.letter[n];
	struct telling t = { .b = b, .e = e, .delay = e->open && e->late };
	bool full = false, eight;
	struct slice body;

	if (!journal_report_begin(b->j, n, t.delay)) {
		ledger_owe(&b->j->g, n, (enum owes)e->owes,
			   b->j->now); /* the next one's turn */
		return;
	}
	if (b->spool && b->j->now < b->quiet) {
		b->untold++;
		journal_report_end(b->j, true);
		return;
	}
	if (!read_letter(b, e, &body)) {
		journal_report_end(b->j, false);
		journal_aside(b->j, n);
		return;
	}
	read_envelope(&t, (struct slice){ b->head, e->l.head_size }, &full);
	if (b->spool)
		tell_postmaster(&t);
	if (full && body.p)
		t.r.body = body;
	if (!t.n || !t.r.to.n) {
		journal_report_end(b->j, true);
		return;
	}
	if (!write_report(&t, &eight) || !ask_check(&t, eight)) {
		journal_report_end(b->j, false);
		later(b);
		return;
	}
	log_report(t.delay ? "warning" : "report", e->r.letter, t.r.to, 0, SLICE(""));
}

static uint32_t next(const struct bounce *b)
{
	const struct ledger *g = &b->j->g;
	uint32_t n = g->owe_first[OWES_NOW];

	if (n == LEDGER_NONE && g->owe_first[OWES_SOON] != LEDGER_NONE &&
	    b->j->now - g->letter[g->owe_first[OWES_SOON]].owed_since >= WAIT_MS)
		n = g->owe_first[OWES_SOON];
	return n;
}

static bool ready(const struct bounce *b)
{
	return b->j->disk && !b->j->busy && !b->ask.chan && !b->offered &&
	       b->j->report.state == REPORT_NONE && b->j->now >= b->again &&
	       chan_ready(b->check);
}

void bounce_run(struct bounce *b)
{
	uint32_t n;

	if (ready(b) && (n = next(b)) != LEDGER_NONE)
		start(b, n);
}

int64_t bounce_due(const struct bounce *b)
{
	const struct ledger *g = &b->j->g;
	int64_t due = LOOP_NEVER;

	if (!b->j->disk || b->ask.chan || b->offered || !chan_ready(b->check))
		return due;
	if (g->owe_first[OWES_SOON] != LEDGER_NONE)
		due = g->letter[g->owe_first[OWES_SOON]].owed_since + WAIT_MS;
	if (g->owe_first[OWES_NOW] != LEDGER_NONE)
		due = b->j->now + 1000; /* looked at after each job anyway */
	return due < b->again ? b->again : due;
}

/* ---- the report comes back ---- */

bool bounce_letter(struct bounce *b, struct slice head, struct jr_letter *l)
{
	uint64_t about, covers;
	struct slice v;
	size_t dot;

	if (!envelope_get(head, ENV_REPORT, &v))
		return true;
	dot = slice_find(v, '.');
	return slice_u64(slice_head(v, dot), UINT64_MAX, &about) &&
	       slice_u64(slice_from(v, dot + 1), UINT64_MAX, &covers) && !b->offered &&
	       journal_report_letter(b->j, about, l) && l->covers == covers;
}

void bounce_offered(struct bounce *b)
{
	b->offered = true;
}

void bounce_taken(struct bounce *b, bool ok)
{
	b->offered = false;
	journal_report_end(b->j, ok);
	if (ok)
		b->failures = 0;
	else
		later(b);
}
