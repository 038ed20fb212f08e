/* SPDX-License-Identifier: ISC */
#include "smtpd/admin/admin.h"

#include <string.h>
#include <unistd.h>

#include "smtpd/lib/log.h"
#include "smtpd/lib/owner.h"
#include "smtpd/msg/selfcheck.h"

/*
 * NOTES. While the queue is asked, nothing is read: `want` of the input is 0. `sure` lives for one
 * line, and for SURE_MS.
 */
enum {
	ASK_MS = 10 * 1000,
	SURE_MS = 60 * 1000,
	PAUSE_MS = 1000,
	PAUSE_MAX_MS = 60 * 60 * 1000,
};

static const struct want want_list = { QUEUE_LIST, sizeof(struct queue_page), QUEUE_PAGE };
static const struct want want_show = { QUEUE_SHOW, sizeof(struct queue_page), QUEUE_PAGE };
static const struct want want_check = { SELFCHECK_RUN, sizeof(struct selfcheck_done), 0 };
static const struct want want_act = { QUEUE_ACT, sizeof(struct queue_acted), 0 };

static const uint8_t what_of[WORD_VERBS] = {
	[WORD_HOLD] = QUEUE_HOLD,	[WORD_RELEASE] = QUEUE_RELEASE,
	[WORD_RETRY] = QUEUE_RETRY,	[WORD_REMOVE] = QUEUE_REMOVE,
	[WORD_DISCARD] = QUEUE_DISCARD, [WORD_FLUSH] = QUEUE_FLUSH,
};

static const struct slice none = { NULL, 0 };

/* One write, or what a console that is gone takes of it. */
static void print(struct admin *a, struct slice s)
{
	while (s.n) {
		ssize_t n = write(a->output, s.p, s.n);

		if (n <= 0)
			return;
		s = slice_from(s, (size_t)n);
	}
}

static void say(struct admin *a, const char *text)
{
	uint8_t line[128];
	struct buf b = BUF(line);

	buf_put(&b, SLICE("  "));
	buf_put(&b, slice_of(text));
	buf_u8(&b, '\n');
	print(a, buf_slice(&b));
}

/* ---- answers ---- */

static void listen(struct admin *a)
{
	a->input.want = POLLIN;
	a->input.due = a->rest.n ? 0 : a->sure.verb ? loop_clock() + SURE_MS : LOOP_NEVER;
}

static void on_page(struct ask *ask, const void *reply, struct slice tail)
{
	struct admin *a = OWNER(struct admin, ask, ask);
	struct buf b = BUF(a->text);
	bool list = a->word.verb == WORD_LIST;
	bool ok = reply && (list ? screen_list(&b, reply, tail, &a->next)
				 : screen_show(&b, reply, tail, a->from, &a->next));

	if (!ok) {
		a->next.letter = 0;
		say(a, reply ? "The queue gave an answer that makes no sense."
			     : "The queue does not answer.");
	} else {
		print(a, buf_slice(&b));
	}
	if (ok && tail.n && (a->word.verb == WORD_REMOVE || a->word.verb == WORD_DISCARD)) {
		a->sure = (struct word){ .verb = a->word.verb, .letter = a->word.letter };
		say(a, a->word.verb == WORD_DISCARD ? "End it, and tell NOBODY? y"
		       : a->spool		    ? "End it, and tell postmaster? y"
						    : "End it, and tell the sender? y");
	}
	listen(a);
}

static void on_acted(struct ask *ask, const void *reply, struct slice tail)
{
	struct admin *a = OWNER(struct admin, ask, ask);
	static const char *const how[QUEUE_HOWS] = {
		[QUEUE_DONE] = "Done.",
		[QUEUE_UNKNOWN] = "There is no such letter.",
		[QUEUE_NOT_NOW] = "Not possible now: show says how the letter stands.",
	};
	const struct queue_acted *m = reply;

	(void)tail;
	say(a, !m		     ? "The queue does not answer."
	       : m->how < QUEUE_HOWS ? how[m->how]
				     : "The queue gave an answer that makes no sense.");
	listen(a);
}

static void on_checked(struct ask *ask, const void *reply, struct slice tail)
{
	struct admin *a = OWNER(struct admin, check, ask);
	const struct selfcheck_done *m = reply;
	const struct {
		const char *what;
		uint16_t n;
	} part[] = { { " as they should be, ", m ? m->ok : 0 },
		     { " not needed, ", m ? m->none : 0 },
		     { " wrong, ", m ? m->wrong : 0 },
		     { " could not be told.\n", m ? m->unknown : 0 } };
	struct buf b = BUF(a->text);

	(void)tail;
	if (!m) {
		say(a, "The check did not come to its end.");
		return;
	}
	buf_put(&b, SLICE("  Records: "));
	for (size_t i = 0; i < sizeof part / sizeof *part; i++) {
		buf_dec(&b, part[i].n);
		buf_put(&b, slice_of(part[i].what));
	}
	print(a, buf_slice(&b));
}

/* ---- questions ---- */

static void asked(struct admin *a, bool ok)
{
	if (!ok) {
		say(a, "The queue is not there now; try again.");
		return;
	}
	a->input.want = 0;
	a->input.due = LOOP_NEVER;
}

static void ask_list(struct admin *a, uint64_t after)
{
	struct queue_list m = { .after = after };

	a->word.verb = WORD_LIST;
	a->ask.done = on_page;
	asked(a,
	      chan_ask(a->queue, &a->ask, &m, sizeof m,
		       (struct slice){ a->filter, a->filter_n }, NULL, 0, &want_list, ASK_MS));
}

static void ask_show(struct admin *a, uint64_t letter, uint32_t from)
{
	struct queue_show m = { .letter = letter, .from = from };

	a->from = from;
	a->ask.done = on_page;
	asked(a, chan_ask(a->queue, &a->ask, &m, sizeof m, none, NULL, 0, &want_show, ASK_MS));
}

static void ask_act(struct admin *a, enum word_verb verb, uint64_t letter)
{
	struct queue_act m = { .letter = letter, .what = what_of[verb] };

	a->ask.done = on_acted;
	asked(a, chan_ask(a->queue, &a->ask, &m, sizeof m, none, NULL, 0, &want_act, ASK_MS));
}

static void ask_more(struct admin *a)
{
	if (!a->next.letter)
		say(a, "Nothing follows.");
	else if (a->next.rcpts)
		ask_show(a, a->next.letter, a->next.rcpt);
	else
		ask_list(a, a->next.letter);
}

static void ask_check(struct admin *a)
{
	struct selfcheck_run m = { .h = { .type = 0 } };

	a->check.done = on_checked;
	if (a->check.chan)
		say(a, "It is under way.");
	else if (chan_ask(a->selfcheck, &a->check, &m, sizeof m, none, NULL, 0, &want_check,
			  SELFCHECK_MS))
		say(a,
		    "Each record will be a line ev=record; what to publish instead, ev=publish.");
	else
		say(a, "The check is not there now; try again.");
}

static void change(struct admin *a)
{
	struct chan *other = a->other;

	if (!other) {
		say(a, "There is no other queue.");
		return;
	}
	a->other = a->queue;
	a->queue = other;
	a->spool = !a->spool;
	a->next.letter = 0;
	say(a, a->spool ? "From here on: forwarded letters that were kept."
			: "From here on: submitted letters.");
}

static void help(struct admin *a)
{
	struct buf b = BUF(a->text);

	word_help(&b);
	print(a, buf_slice(&b));
}

static void run(struct admin *a)
{
	struct slice filter = slice_head(a->word.filter, QUEUE_FILTER);
	struct word sure = a->sure;

	a->sure.verb = WORD_NONE;
	if (sure.verb && a->word.verb != WORD_YES)
		say(a, "It stays.");
	switch (a->word.verb) {
	case WORD_NONE:
	case WORD_VERBS:
		break;
	case WORD_HELP:
		help(a);
		break;
	case WORD_LIST:
		if (filter.n)
			memcpy(a->filter, filter.p, filter.n);
		a->filter_n = filter.n;
		ask_list(a, 0);
		break;
	case WORD_MORE:
		ask_more(a);
		break;
	case WORD_SHOW:
	case WORD_REMOVE:
	case WORD_DISCARD:
		ask_show(a, a->word.letter, 0);
		break;
	case WORD_HOLD:
	case WORD_RELEASE:
	case WORD_RETRY:
	case WORD_FLUSH:
		ask_act(a, a->word.verb, a->word.letter);
		break;
	case WORD_CHECK:
		ask_check(a);
		break;
	case WORD_OTHER:
		change(a);
		break;
	case WORD_YES:
		if (sure.verb)
			ask_act(a, sure.verb, sure.letter);
		else
			say(a, "There is nothing to say yes to.");
		break;
	}
}

/* ---- input ---- */

static void line(struct admin *a)
{
	const char *fault = "That was no text, or too long; ? lists the commands.";
	bool sure = a->sure.verb;

	if (!a->line.bad)
		fault = word_parse((struct slice){ a->line.p, a->line.n }, &a->word);
	if (!fault) {
		run(a);
	} else {
		a->sure.verb = WORD_NONE;
		say(a, fault);
		if (sure)
			say(a, "It stays.");
	}
	wordline_next(&a->line);
}

static void lines(struct admin *a)
{
	listen(a);
	while (a->input.want && a->rest.n)
		if (wordline_feed(&a->line, &a->rest))
			line(a);
	if (a->input.want)
		listen(a);
}

/* Nobody types: a container without input, or a terminal that hung up. Looks again, ever more seldom. */
static void wait_long(struct admin *a)
{
	a->input.want = 0;
	a->input.due = loop_clock() + a->pause;
	a->pause = a->pause < PAUSE_MAX_MS / 2 ? 2 * a->pause : PAUSE_MAX_MS;
}

static void on_input(struct watch *w, short got)
{
	struct admin *a = OWNER(struct admin, input, w);
	ssize_t n;

	if (!got && a->sure.verb && !a->rest.n) {
		a->sure.verb = WORD_NONE;
		say(a, "It stays.");
	}
	if (got && !a->rest.n) {
		n = read(w->fd, a->chunk, sizeof a->chunk);
		if (n <= 0) {
			wait_long(a);
			return;
		}
		a->pause = PAUSE_MS;
		a->rest = (struct slice){ a->chunk, (size_t)n };
	}
	lines(a);
}

void admin_init(struct admin *a, struct loop *l, struct chan *queue, struct chan *selfcheck,
		int input, int output)
{
	a->queue = queue;
	a->selfcheck = selfcheck;
	a->output = output;
	a->pause = PAUSE_MS;
	a->input = (struct watch){
		.fd = input, .want = POLLIN, .due = LOOP_NEVER, .ready = on_input
	};
	loop_add(l, &a->input);
	log_event("console", "help", "?");
}
