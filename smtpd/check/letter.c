/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "smtpd/check/check.h"

#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "smtpd/check/judge.h"
#include "smtpd/lib/arena.h"
#include "smtpd/lib/log.h"
#include "smtpd/lib/memfd.h"
#include "smtpd/lib/owner.h"
#include "smtpd/proto/utf8.h"

enum {
	FAULT_NAME = 80, /* octets of a field's name in a reply */
	REPLY_ROOM = sizeof " reply=\"\"" - 1,
};

/* log_letter() has at most so much before the job's own fields: ev, id, size, code, ms */
_Static_assert(160 + JOB_LOG + REPLY_ROOM < LOG_LINE, "the reply is always told");

const struct say say_trouble = { 451,
				 { 4, 3, 0 },
				 "Temporary trouble here, please try again later" };
const struct say say_busy = { 451, { 4, 3, 2 }, "Too busy, please try again later" };
const struct say say_stopped = {
	451, { 4, 4, 5 }, "The destination takes nothing for now, please try again later"
};
const struct say say_unknown = { 550, { 5, 1, 1 }, "No such user here" };
static const struct say forged = { 550,
				   { 5, 1, 1 },
				   "This return address is not valid or has expired" };
const struct say say_no_grant = { 451,
				  { 4, 7, 0 },
				  "Authentication has expired, please log in again" };
static const struct say large_header = { 552,
					 { 5, 3, 4 },
					 "The header of the letter is too large" };

void say_token(const struct token *t, const struct say *s, uint8_t flags, uint64_t route)
{
	struct answer a = { .code = s->code, .flags = flags, .route = route };

	memcpy(a.enhanced, s->enhanced, sizeof a.enhanced);
	chan_answer(t, &a, sizeof a, slice_of(s->text));
}

struct say say_made(uint16_t code, uint8_t subject, uint8_t detail, struct buf *text,
		    const char *otherwise)
{
	struct say s = { code, { (uint8_t)(code / 100), subject, detail }, otherwise };

	buf_u8(text, 0);
	if (!text->bad && text->len > 1)
		s.text = (const char *)text->p;
	return s;
}

bool account_may(struct check *c, const struct grant *g, uint32_t rcpts, struct buf *text,
		 struct say *s)
{
	uint32_t day = grant_quota(g, c->quota.rcpts);
	enum quota_word word = quota_ask(&c->quota, g->account, day, rcpts, loop_clock(), text);

	if (word != QUOTA_FINE)
		*s = say_made(word == QUOTA_LATER ? 452 : 550, 7, 1, text,
			      "The limit of this account is reached, please try again later");
	return word == QUOTA_FINE;
}

struct job *job_new(struct check *c, struct call *call)
{
	struct job *j = c->jobs;

	while (j < c->jobs + JOBS && j->token.chan)
		j++;
	if (j == c->jobs + JOBS) {
		chan_fail(&call->token);
		return NULL;
	}
	j->token = call->token;
	j->check = c;
	j->text = call->fd[0];
	j->head = -1;
	call->fd[0] = -1;
	j->env.len = j->header.len = 0;
	j->env.bad = j->header.bad = false;
	j->skip = 0;
	j->queued = j->prepared = j->returned = false;
	j->account_n = 0;
	memset(j->rate_key, 0, sizeof j->rate_key);
	j->log.b = (struct buf){ .p = j->log.line, .cap = JOB_LOG };
	j->nlegs = j->nrcpt = 0;
	j->time = time(NULL);
	if (getrandom(j->id, sizeof j->id, 0) != sizeof j->id)
		bug("getrandom");
	return j;
}

/* accepted: what was counted for the account stays counted. */
static void job_free(struct job *j, bool accepted)
{
	if (j->account_n && !accepted)
		quota_back(&j->check->quota, (struct slice){ j->account, j->account_n },
			   j->rcpts, j->taken, loop_clock());
	if (j->judge)
		judge_drop(j->judge);
	legs_drop(j);
	memfd_close(&j->text);
	memfd_close(&j->head);
	j->token.chan = NULL;
}

static void log_letter(const struct job *j, unsigned code, const uint8_t enhanced[3],
		       struct slice text)
{
	struct logline l;
	uint8_t hex[16];
	struct buf b = BUF(hex);

	buf_hex(&b, (struct slice){ j->id, sizeof j->id });
	log_begin(&l, "letter");
	log_bytes(&l, "id", buf_slice(&b));
	log_num(&l, "size", (int64_t)j->size);
	log_num(&l, "code", code);
	if (j->check->mx) {
		b.len = 0;
		buf_dots(&b, enhanced);
		log_bytes(&l, "enhanced", buf_slice(&b));
		log_num(&l, "ms", j->check->proc.loop.now - j->taken);
	}
	if (j->log.b.len) { /* it fits */
		buf_u8(&l.b, ' ');
		buf_put(&l.b, buf_slice(&j->log.b));
	}
	if (j->account_n) {
		struct slice account = { j->account, j->account_n };
		uint32_t letters, rcpts;

		quota_used(&j->check->quota, account, loop_clock(), &letters, &rcpts);
		log_bytes(&l, "account", account);
		log_num(&l, "hour", letters);
		log_num(&l, "day", rcpts);
	}
	log_bytes(&l, "reply", slice_head(text, buf_room(&l.b) - REPLY_ROOM));
	log_send(&l);
}

void job_say(struct job *j, const struct say *s)
{
	if (j->token.type != CHECK_RCPT)
		log_letter(j, s->code, s->enhanced, slice_of(s->text));
	say_token(&j->token, s, 0, 0);
	job_free(j, false);
}

void job_fault(struct job *j, enum header_fault fault, struct slice name)
{
	struct slice t = header_fault_text(fault); /* "5.x.y words" */
	struct say s = { 550, { 5, t.p[2] - '0', t.p[4] - '0' }, NULL };
	char words[ANSWER_TEXT + 1];
	uint8_t bytes[ANSWER_TEXT];
	struct buf b = BUF(bytes);

	if (s.enhanced[1] == 3) /* a size */
		s.code = 552;
	if (name.n) {
		buf_put(&b, slice_head(name, FAULT_NAME));
		buf_put(&b, SLICE(": "));
	}
	buf_put(&b, slice_from(t, 6));
	s.text = !b.bad && slice_cstr(buf_slice(&b), words, sizeof words) ? words : "malformed";
	job_say(j, &s);
}

void job_pass(struct job *j, const struct answer *a, struct slice text, bool inside)
{
	struct answer out = { .code = 451,
			      .enhanced = { 4, 3, 0 },
			      .flags = inside ? ANSWER_CRASHED : 0 };

	if (a) {
		out.code = a->code;
		memcpy(out.enhanced, a->enhanced, sizeof out.enhanced);
		out.flags = a->flags & ANSWER_CRASHED;
		out.route = j->check->mx ? a->route : 0;
	} else {
		text = slice_of(say_trouble.text);
	}
	log_letter(j, out.code, out.enhanced, text);
	chan_answer(&j->token, &out, sizeof out, text);
	job_free(j, out.code / 100 == 2);
}

bool job_returns(struct job *j, const struct holder_reply *r, struct slice address)
{
	struct path p;

	if (!r || r->result == HOLDER_NOT_YET)
		job_say(j, &say_trouble);
	else if (r->result != HOLDER_DONE || !path_addr(address, PATH_UTF8, &p))
		job_say(j, &forged);
	else
		return true;
	return false;
}

void job_ask_srs(struct job *j, const struct path *p, struct slice domain,
		 void (*done)(struct ask *, const void *, struct slice))
{
	static const struct want forward = { HOLDER_SRS_FORWARD, sizeof(struct holder_reply),
					     PATH_LOCAL };
	static const struct want reverse = { HOLDER_SRS_REVERSE, sizeof(struct holder_reply),
					     HOLDER_SRS_TAIL + 1 };
	struct holder_srs m = { 0 };
	uint8_t bytes[HOLDER_SRS_TAIL];
	struct buf b = BUF(bytes);

	path_local(p, &b);
	m.local_len = (uint16_t)b.len;
	buf_put(&b, domain);
	j->ask.done = done;
	if (b.bad || !chan_ask(j->check->holder, &j->ask, &m, sizeof m, buf_slice(&b), NULL, 0,
			       domain.n ? &forward : &reverse, HOLDER_MS))
		job_say(j, &say_busy);
}

static bool needs_utf8(const struct job *j)
{
	struct cur c = CUR(buf_slice(&j->env));
	bool needed = j->utf8;
	enum env_tag tag;
	struct slice v;

	while (!needed && envelope_next(&c, &tag, &v))
		needed = utf8_needed(v);
	return needed;
}

bool letter_head(struct job *j, struct slice first)
{
	uint64_t at;

	if (needs_utf8(j))
		envelope_put(&j->env, ENV_UTF8, SLICE("1"));
	at = j->env.len;
	if (j->env.bad || j->header.bad)
		return false;
	j->head = memfd_make("head");
	if (j->head < 0 || !memfd_append(j->head, 0, buf_slice(&j->env)) ||
	    !memfd_append(j->head, at, SLICE("H")) || !memfd_append(j->head, at + 1, first) ||
	    !memfd_append(j->head, at + 1 + first.n, buf_slice(&j->header)))
		return false;
	return memfd_seal(j->head);
}

static bool read_head(struct check *c, int fd, struct letter *l)
{
	uint64_t size;

	if (!memfd_check(fd, ENV_HEAD_MAX, &size) || !memfd_read(fd, 0, c->head, size))
		return false;
	l->head = (struct slice){ c->head, size };
	return envelope_check(l->head, &l->nrcpt);
}

/* Reads the text up to its first empty line. False: there is none within HEADER_SCRATCH octets. */
static bool read_header(struct check *c, const struct job *j, struct letter *l)
{
	size_t have = 0, want = 8 * 1024;
	struct slice body;

	for (;;) {
		size_t n = j->size < want ? j->size : want;

		if (!memfd_read(j->text, have, c->header + have, n - have))
			return false;
		have = n;
		/* The empty line belongs to neither part. */
		if (header_split((struct slice){ c->header, have }, &l->header, &body)) {
			l->body = l->header.n + 2;
			return true;
		}
		if (have == j->size || want == HEADER_SCRATCH)
			break;
		want = want * 8 < HEADER_SCRATCH ? want * 8 : HEADER_SCRATCH;
	}
	l->body = have;
	return have == j->size;
}

/* Reads text and head; a place to judge a stranger's letter is there. */
static void letter_begin(struct job *j)
{
	struct check *c = j->check;
	uint64_t size = j->size;
	struct letter l = { 0 };
	struct slice sender, octets;

	memfd_mark(j->text, true);
	if (!memfd_check(j->text, CONFIG_SMTPD_MAX_SIZE, &j->size) || j->size != size ||
	    !read_head(c, j->head, &l) || !envelope_get(l.head, ENV_SENDER, &sender) ||
	    !path_addr(sender, PATH_NULL | PATH_UTF8, &l.sender)) {
		job_say(j, &say_trouble);
		return;
	}
	memfd_close(&j->head); /* the next one will be ours */
	l.size = j->size;
	l.utf8 = envelope_get(l.head, ENV_UTF8, &octets);
	if (!read_header(c, j, &l) || l.header.n > HEADER_OCTETS) {
		job_say(j, &large_header);
		return;
	}
	j->utf8 = l.utf8 && utf8_needed(l.header);
	if (j->token.type == CHECK_REPORT)
		(c->mx ? notice_letter : dsn_letter)(j, &l);
	else
		(c->mx ? forward_letter : submit_letter)(j, &l);
	if (j->judge)
		judge_run(j->judge);
}

void letter_ask(void *ctx, struct call *call)
{
	struct check *c = ctx;
	const struct check_letter *m = call->msg;
	struct job *j = job_new(c, call);

	if (!j)
		return;
	j->head = call->fd[1];
	call->fd[1] = -1;
	j->size = m->text_size;
	memcpy(j->sha256, m->sha256, sizeof j->sha256);
	j->taken = c->proc.loop.now;
	j->queued = c->mx && m->h.type == CHECK_LETTER && !judge_take(c, j);
	if (!j->queued)
		letter_begin(j);
}

void letter_more(struct check *c)
{
	for (;;) {
		struct job *oldest = NULL;

		for (struct job *j = c->jobs; j < c->jobs + JOBS; j++)
			if (j->token.chan && j->queued && (!oldest || j->taken < oldest->taken))
				oldest = j;
		if (!oldest || !judge_take(c, oldest))
			return;
		oldest->queued = false;
		letter_begin(oldest);
	}
}

static void on_unheard(void *ctx, struct call *call)
{
	struct check *c = ctx;
	const struct check_unheard *m = call->msg;
	struct check_noted done = { 0 };

	seen_keep(&c->seen, m->number, time(NULL));
	chan_answer(&call->token, &done, sizeof done, SLICE(""));
}

static const struct rule mx_rules[CHECK_TYPES] = {
	[CHECK_RCPT] = { 1u << P_FRONT_MX, sizeof(struct check_rcpt), CHECK_RCPT_TAIL, 0,
			 rcpt_ask },
	[CHECK_LETTER] = { 1u << P_FRONT_MX, sizeof(struct check_letter), 0, 2, letter_ask },
	[CHECK_REPORT] = { 1u << P_QUEUE_MX, sizeof(struct check_letter), 0, 2, letter_ask },
	[CHECK_UNHEARD] = { 1u << P_FRONT_MX, sizeof(struct check_unheard), 0, 0, on_unheard },
};
static const struct rule sub_rules[CHECK_TYPES] = {
	[CHECK_RCPT] = { 1u << P_FRONT_SUB, sizeof(struct check_rcpt), CHECK_RCPT_TAIL, 0,
			 rcpt_ask },
	[CHECK_LETTER] = { 1u << P_FRONT_SUB, sizeof(struct check_letter), 0, 2, letter_ask },
	[CHECK_REPORT] = { 1u << P_QUEUE, sizeof(struct check_letter), 0, 2, letter_ask },
};

static void on_down_wired(struct chan *down)
{
	struct proc *p = down->owner;

	legs_wired(OWNER(struct check, proc, p));
}

/* front is a new one: what the one before it said last may not have been heard. */
static void on_front_wired(struct chan *front)
{
	struct check *c = front->ctx;

	seen_keep_fresh(&c->seen, c->proc.loop.now, time(NULL));
}

void check_init(struct check *c)
{
	c->mx = c->proc.me == P_CHECK_MX;
	c->down = proc_chan(&c->proc, c->mx ? PROG_OUT : PROG_QUEUE);
	c->holder = proc_chan(&c->proc, PROG_HOLDER);
	if (c->mx) {
		c->down->wired = on_down_wired;
		if (ON(CONFIG_FORWARD_SPOOL))
			c->spool = proc_chan(&c->proc, PROG_QUEUE);
		c->spools = c->spool;
		legs_init(c);
		judge_init(c);
	}
	c->head = arena_reserve(ENV_HEAD_MAX);
	c->header = arena_reserve(HEADER_SCRATCH);
	c->jobs = arena_reserve(JOBS * sizeof *c->jobs);
	for (size_t i = 0; i < JOBS; i++) {
		c->jobs[i].text = c->jobs[i].head = -1;
		c->jobs[i].env = (struct buf){ .p = arena_reserve(JOB_ENV), .cap = JOB_ENV };
		c->jobs[i].header =
			(struct buf){ .p = arena_reserve(JOB_HEADER), .cap = JOB_HEADER };
	}
	c->hourly[RATE_SENDER] = CONFIG_FORWARD_SENDER_LETTERS;
	c->hourly[RATE_RCPT] = CONFIG_FORWARD_RCPT_LETTERS;
	c->refuse_dmarc = ON(CONFIG_FORWARD_DMARC_REFUSE);
	c->refuse_spf = ON(CONFIG_FORWARD_SPF_REFUSE);
	c->authres = ON(CONFIG_FORWARD_AUTHRES);
	c->lists = SLICE(CONFIG_FORWARD_DNSBL);
	c->quota.letters = CONFIG_SMTPD_ACCOUNT_LETTERS;
	c->quota.rcpts = CONFIG_SMTPD_ACCOUNT_RCPTS;
	c->domains.mail = SLICE(CONFIG_SMTPD_DOMAINS);
	c->domains.srs = SLICE(CONFIG_FORWARD_SRS_DOMAIN);
	if (!c->domains.srs.n)
		c->domains.srs = slice_head(c->domains.mail, slice_find(c->domains.mail, ' '));
	if (!map_open(&c->aliases, c->proc.grant[GRANT_VIRTUAL_CDB]))
		bug("virtual.cdb is damaged"); /* an empty map would refuse every letter for good */
	proc_serve(&c->proc, c->mx ? mx_rules : sub_rules, CHECK_TYPES, c);
	if (!c->mx)
		return;
	seen_init(&c->seen, c->proc.grant[GRANT_SEEN], time(NULL));
	for (size_t i = 0; i < c->proc.nchan; i++)
		if (c->proc.chan[i].peer == P_FRONT_MX)
			c->proc.chan[i].wired = on_front_wired;
}
