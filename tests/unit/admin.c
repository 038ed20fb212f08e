/* SPDX-License-Identifier: ISC */
/* The operator's process between a keyboard and a queue that the test plays. */
#include "tests/unit/test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "init/topology.h"
#include "smtpd/admin/admin.h"
#include "smtpd/msg/selfcheck.h"

static struct world {
	struct loop loop;
	struct chan near, far;
	struct chan other_near, other_far; /* queue.mx */
	struct chan check_near, check_far; /* to a selfcheck that has the numbers of `done` */
	struct selfcheck_done done;
	unsigned checks;
	uint8_t rx[2][MSG_MAX];
	struct admin a;
	int keys, screen; /* the test's ends */
	struct queue_list list;
	char filter[QUEUE_FILTER + 1];
	struct queue_show show;
	struct queue_act act;
	unsigned asked;
	uint32_t how, more;
	bool spool;	  /* queue.mx was asked */
	bool odd, silent; /* answers nonsense; does not answer yet */
} w;

static void page(const struct token *t, uint64_t first)
{
	struct queue_row r = { .letter = first, .sender_len = w.odd ? 9 : 1 };
	struct queue_page m = { .letters = 3, .more = w.more };
	uint8_t rows[sizeof r + 1];
	struct buf b = BUF(rows);

	buf_put(&b, (struct slice){ (const uint8_t *)&r, sizeof r });
	buf_u8(&b, 'x');
	chan_answer(t, &m, sizeof m, first ? buf_slice(&b) : (struct slice){ NULL, 0 });
}

static void on_list(void *ctx, struct call *c)
{
	(void)ctx;
	w.spool = c->token.chan == &w.other_far;
	memcpy(&w.list, c->msg, sizeof w.list);
	CHECK(slice_cstr(c->tail, w.filter, sizeof w.filter));
	w.asked++;
	page(&c->token, w.list.after + 1);
}

static void on_show(void *ctx, struct call *c)
{
	(void)ctx;
	memcpy(&w.show, c->msg, sizeof w.show);
	w.asked++;
	page(&c->token, w.show.letter == 404 ? 0 : w.show.letter);
}

static void on_act(void *ctx, struct call *c)
{
	struct queue_acted m = { .how = w.how };

	(void)ctx;
	w.spool = c->token.chan == &w.other_far;
	memcpy(&w.act, c->msg, sizeof w.act);
	w.asked++;
	if (!w.silent)
		chan_answer(&c->token, &m, sizeof m, (struct slice){ NULL, 0 });
}

static const struct rule rules[QUEUE_TYPES] = {
	[QUEUE_LIST] = { 1u << P_ADMIN, sizeof(struct queue_list), QUEUE_FILTER, 0, on_list },
	[QUEUE_SHOW] = { 1u << P_ADMIN, sizeof(struct queue_show), 0, 0, on_show },
	[QUEUE_ACT] = { 1u << P_ADMIN, sizeof(struct queue_act), 0, 0, on_act },
};

static void on_run(void *ctx, struct call *c)
{
	(void)ctx;
	w.checks++;
	if (!w.silent)
		chan_answer(&c->token, &w.done, sizeof w.done, (struct slice){ NULL, 0 });
}

static const struct rule check_rules[SELFCHECK_TYPES] = {
	[SELFCHECK_RUN] = { 1u << P_ADMIN, sizeof(struct selfcheck_run), 0, 0, on_run },
};

static void wire(void)
{
	static uint32_t generation;
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sv))
		abort();
	generation++;
	chan_wire(&w.near, sv[0], generation);
	chan_wire(&w.far, sv[1], generation);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sv))
		abort();
	chan_wire(&w.other_near, sv[0], generation);
	chan_wire(&w.other_far, sv[1], generation);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sv))
		abort();
	chan_wire(&w.check_near, sv[0], generation);
	chan_wire(&w.check_far, sv[1], generation);
}

static void boot(void)
{
	int in[2], out[2];

	memset(&w, 0, sizeof w);
	if (pipe(in) || pipe2(out, O_NONBLOCK))
		abort();
	w.keys = in[1];
	w.screen = out[0];
	loop_init(&w.loop, 16);
	chan_init(&w.near, &w.loop, P_QUEUE, 1, w.rx[0]);
	chan_init(&w.far, &w.loop, P_ADMIN, 1, w.rx[1]);
	w.far.rules = rules;
	w.far.nrules = QUEUE_TYPES;
	chan_init(&w.other_near, &w.loop, P_QUEUE_MX, 1, w.rx[0]);
	chan_init(&w.other_far, &w.loop, P_ADMIN, 1, w.rx[1]);
	w.other_far.rules = rules;
	w.other_far.nrules = QUEUE_TYPES;
	chan_init(&w.check_near, &w.loop, P_SELFCHECK, 1, w.rx[0]);
	chan_init(&w.check_far, &w.loop, P_ADMIN, 1, w.rx[1]);
	w.check_far.rules = check_rules;
	w.check_far.nrules = SELFCHECK_TYPES;
	wire();
	admin_init(&w.a, &w.loop, &w.near, &w.check_near, in[0], out[1]);
}

static void on_tick(struct watch *t, short got)
{
	(void)got;
	t->due = LOOP_NEVER;
}

static void rounds(int n)
{
	struct watch tick = { .fd = -1, .ready = on_tick };

	loop_add(&w.loop, &tick);
	while (n--) {
		tick.due = loop_clock() + 1;
		loop_round(&w.loop);
	}
	loop_drop(&w.loop, &tick);
}

/* Everything that is on the screen after this was typed. */
static const char *says(const char *line)
{
	static char text[SCREEN_TEXT + 1];
	ssize_t n;

	CHECK(write(w.keys, line, strlen(line)) == (ssize_t)strlen(line));
	rounds(12);
	n = read(w.screen, text, sizeof text - 1);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

#define SAYS(typed, part) CHECK_ROW(strstr(says(typed), part) != NULL, typed)

static const struct {
	const char *typed;
	enum queue_what what;
} deeds[] = {
	{ "h 7\n", QUEUE_HOLD }, { "r 7\n", QUEUE_RELEASE },   { "t 7\n", QUEUE_RETRY },
	{ "f\n", QUEUE_FLUSH },	 { "v 7\ny\n", QUEUE_REMOVE }, { "V 7\ny\n", QUEUE_DISCARD },
};

static void test_deeds(void)
{
	boot();
	for (size_t i = 0; i < sizeof deeds / sizeof *deeds; i++) {
		SAYS(deeds[i].typed, "Done.");
		CHECK_EQ(w.act.what, deeds[i].what);
		CHECK_EQ(w.act.letter, deeds[i].what == QUEUE_FLUSH ? 0 : 7);
	}
	w.how = QUEUE_UNKNOWN;
	SAYS("h 8\n", "no such letter");
	w.how = QUEUE_NOT_NOW;
	SAYS("h 8\n", "Not possible now");
	w.how = 77;
	SAYS("h 8\n", "no sense");
}

/* Removing asks first, and only a `y` that follows at once is a yes. */
static void test_sure(void)
{
	boot();
	SAYS("v 7\n", "tell the sender? y");
	CHECK_EQ(w.act.what, 0);
	SAYS("\n", "It stays.");
	SAYS("y\n", "nothing to say yes to");
	SAYS("V 7\n", "tell NOBODY? y");
	SAYS("what\n", "It stays.");
	SAYS("y\n", "nothing to say yes to");
	SAYS("v 404\n", "no such letter");
	SAYS("y\n", "nothing to say yes to");
	SAYS("v 7\n", "? y");
	w.a.input.due = 0; /* a minute later */
	SAYS("", "It stays.");
	SAYS("y\n", "nothing to say yes to");
	CHECK_EQ(w.act.what, 0);
}

static void test_pages(void)
{
	boot();
	SAYS("m\n", "Nothing follows.");
	w.more = 2;
	SAYS("l gmail.com\n", "and 2 more: m");
	CHECK(!strcmp(w.filter, "gmail.com") && w.list.after == 0);
	SAYS("m\n", "and 2 more: m");
	CHECK(!strcmp(w.filter, "gmail.com") && w.list.after == 1);
	w.more = 0;
	SAYS("more\n", "3 letters");
	CHECK_EQ(w.list.after, 2);
	SAYS("m\n", "Nothing follows.");
	SAYS("l\n", "3 letters");
	CHECK(!*w.filter);
	w.odd = true;
	SAYS("l\n", "no sense");
	SAYS("s 7\n", "no sense");
}

/* Several lines that come at once are run one after the other; a queue that is away is said. */
static void test_flow(void)
{
	unsigned before;

	boot();
	SAYS("l\ns 7\nh 7\nbad\n?\n", "flush");
	CHECK_EQ(w.asked, 3);
	w.silent = true;
	SAYS("h 7\nl\n", "");
	before = w.asked;
	wire(); /* the queue died */
	SAYS("", "does not answer");
	rounds(10);
	CHECK_EQ(w.asked, before + 1);
}

/* The check goes on beside the queue's words, once at a time. */
static void test_check(void)
{
	boot();
	w.done = (struct selfcheck_done){ .ok = 12, .none = 3, .unknown = 4, .wrong = 5 };
	SAYS("c\n",
	     "Records: 12 as they should be, 3 not needed, 5 wrong, 4 could not be told.");
	w.silent = true;
	SAYS("check\n", "ev=record");
	SAYS("c\nl\n", "It is under way.");
	CHECK_EQ(w.checks, 2);
	CHECK_EQ(w.asked, 1);
	wire(); /* selfcheck died */
	SAYS("", "did not come to its end");
	CHECK(!w.a.check.chan);
}

/* With two queues the words are for one at a time. */
static void test_other(void)
{
	boot();
	SAYS("o\n", "no other queue");
	SAYS("l\n", "3 letters");
	CHECK(!w.spool);
	w.a.other = &w.other_near;
	w.more = 2;
	SAYS("l\n", "and 2 more: m");
	SAYS("other\n", "forwarded letters that were kept");
	SAYS("m\n", "Nothing follows.");
	SAYS("l\n", "and 2 more: m");
	CHECK(w.spool);
	w.more = 0;
	SAYS("v 7\n", "tell postmaster? y");
	SAYS("o\n", "submitted letters"); /* after "It stays." */
	SAYS("y\n", "nothing to say yes to");
	SAYS("h 7\n", "Done.");
	CHECK(!w.spool);
	SAYS("v 7\n", "tell the sender? y");
	SAYS("o\n", "forwarded letters that were kept");
	SAYS("V 7\ny\n", "Done.");
	CHECK(w.spool && w.act.what == QUEUE_DISCARD);
}

/* A keyboard that ended is looked at now and then, not all the time. */
static void test_end(void)
{
	boot();
	close(w.keys);
	rounds(3);
	CHECK_EQ(w.a.input.want, 0);
	CHECK(w.a.input.due > loop_clock() && w.a.pause > 1000);
	w.a.input.due = 0;
	rounds(3);
	CHECK_EQ(w.a.input.want, 0);
	CHECK_EQ(w.a.pause, 4000);
}

int main(void)
{
	alarm(60);
	test_deeds();
	test_sure();
	test_pages();
	test_flow();
	test_check();
	test_other();
	test_end();
	TEST_END();
}
