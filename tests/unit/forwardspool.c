/* SPDX-License-Identifier: ISC */
/* check.mx with FORWARD_SPOOL: what may do better later is offered to queue.mx, and 250 is said when that took it. */
#define _GNU_SOURCE
#include "smtpd/check/check.h"

#include <sys/mman.h>

#include "smtpd/lib/memfd.h"
#include "smtpd/msg/queue.h"
#include "tests/unit/fakedns.h"
#include "tests/unit/test.h"
#include "tests/unit/wires.h"

#define TEXT "From: a@b.example\r\n\r\nHello\r\n"

static char domain[256]; /* the first mail domain of this configuration */
static struct check c;
static uint32_t next_id;
static uint8_t key[32];
static union {
	struct msg h;
	struct answer answer;
	struct out_deliver deliver;
	struct queue_letter letter;
	uint8_t b[MSG_MAX];
} got;
static size_t got_n;
static uint8_t text_mem[4096], head_mem[4096], first_head[4096];
static struct slice got_text, got_head;

static int make_map(void)
{
	static const char *const rows[][2] = { { "hello", "box@gmail.com" },
					       { "pair", "a@gmail.com b@other.example" },
					       { "postmaster", "box@gmail.com" } };
	int fd = memfd_create("map", 0);
	struct cdb_make m;
	char k[300];

	cdb_make_start(&m, fd);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		snprintf(k, sizeof k, "%s@%s", rows[i][0], domain);
		cdb_make_add(&m, k, (unsigned)strlen(k), rows[i][1],
			     (unsigned)strlen(rows[i][1]));
	}
	cdb_make_finish(&m);
	return fd;
}

static struct slice read_all(int *fd, uint8_t *mem, size_t cap)
{
	uint64_t size = 0;

	if (*fd >= 0)
		CHECK(memfd_check(*fd, cap, &size) && memfd_read(*fd, 0, mem, size));
	memfd_close(fd);
	return (struct slice){ mem, size };
}

static bool get(enum chan_id ch)
{
	int fd[2] = { -1, -1 };

	got_n = wires_get(&c.proc, ch, &got, sizeof got, fd, 20);
	got_text = read_all(&fd[0], text_mem, sizeof text_mem);
	got_head = read_all(&fd[1], head_mem, sizeof head_mem);
	return got_n != 0;
}

static unsigned rcpt(const char *local)
{
	struct check_rcpt m = { .h = { .type = CHECK_RCPT, .id = ++next_id } };
	char to[300];

	snprintf(to, sizeof to, "%s@%s", local, domain);
	m.rcpt_len = (uint16_t)strlen(to);
	wires_put(CH_FRONT_MX_CHECK_MX, &m, sizeof m, slice_of(to), -1, -1);
	return get(CH_FRONT_MX_CHECK_MX) ? got.answer.code : 0;
}

static void put(enum chan_id ch, uint16_t type, const char *text, const char *to,
		const char *report, uint32_t which)
{
	struct check_letter m = { .h = { .type = type, .id = ++next_id },
				  .text_size = (uint32_t)strlen(text) };
	uint8_t bytes[900];
	struct buf b = BUF(bytes);
	int t = wires_sealed(slice_of(text)), h;

	memcpy(m.sha256, &which, sizeof which);
	envelope_put(&b, ENV_SENDER, SLICE(""));
	if (report)
		envelope_put(&b, ENV_REPORT, slice_of(report));
	envelope_put(&b, ENV_RCPT, slice_of(to));
	if (!report) {
		envelope_put(&b, ENV_HELO, SLICE("client.example"));
		envelope_put(&b, ENV_PEER, SLICE("192.0.2.1"));
		envelope_put(&b, ENV_WITH, SLICE("ESMTP"));
	}
	envelope_put_header(&b, SLICE(""));
	h = wires_sealed(buf_slice(&b));
	wires_put(ch, &m, sizeof m, SLICE(""), t, h);
	close(t);
	close(h);
}

static void give(const char *local, uint32_t which)
{
	char to[300];

	snprintf(to, sizeof to, "%s@%s", local, domain);
	put(CH_FRONT_MX_CHECK_MX, CHECK_LETTER, TEXT, to, NULL, which ? which : next_id + 1);
}

/* out.mx has the letter, and says this of it. */
static void out_says(uint16_t code, uint32_t stop_ms)
{
	struct out_result r = { .h = { .type = OUT_DELIVER }, .op = 77, .stop_ms = stop_ms };
	struct out_verdict v = { code, { (uint8_t)(code / 100), 4, 1 }, 0, 4 };
	uint8_t bytes[64];
	struct buf b = BUF(bytes);

	CHECK(get(CH_CHECK_MX_OUT_MX) && got.h.type == OUT_DELIVER);
	CHECK(got.deliver.ms <= OUT_MX_MS - SPOOL_MS);
	memcpy(first_head, head_mem, sizeof first_head);
	r.h.id = got.h.id;
	buf_put(&b, (struct slice){ (const uint8_t *)&v, sizeof v });
	buf_put(&b, SLICE("that"));
	wires_put(CH_CHECK_MX_OUT_MX, &r, sizeof r, buf_slice(&b), -1, -1);
}

static void queue_answers(uint32_t id, uint16_t code)
{
	struct answer a = { .h = { .type = QUEUE_LETTER, .id = id },
			    .code = code,
			    .enhanced = { (uint8_t)(code / 100), 0, 0 } };

	wires_put(CH_CHECK_MX_QUEUE_MX, &a, sizeof a, SLICE("Ok: queued as 1"), -1, -1);
}

/* queue.mx is asked to keep what out.mx had, octet for octet, and says this. */
static void queue_says(uint16_t code)
{
	CHECK(get(CH_CHECK_MX_QUEUE_MX) && got.h.type == QUEUE_LETTER);
	CHECK_SLICE(got_text, TEXT);
	CHECK(got.letter.text_size == sizeof TEXT - 1 && !got.letter.skip);
	CHECK(got_head.n && !memcmp(got_head.p, first_head, got_head.n));
	queue_answers(got.h.id, code);
}

static char heard[ANSWER_TEXT + 1];

static void client_hears(uint16_t code)
{
	CHECK(get(CH_FRONT_MX_CHECK_MX));
	CHECK_EQ(got.answer.code, code);
	CHECK_EQ(got.answer.enhanced[0], code / 100);
	memset(heard, 0, sizeof heard);
	memcpy(heard, got.b + sizeof got.answer, got_n - sizeof got.answer);
	CHECK(!get(CH_CHECK_MX_OUT_MX) && !get(CH_CHECK_MX_QUEUE_MX));
}

static void first_word(void)
{
	give("hello", 0);
	out_says(250, 0);
	client_hears(250);
	give("hello", 0);
	out_says(550, 0);
	client_hears(550);
	give("hello", 0);
	out_says(451, 0);
	CHECK(!get(CH_FRONT_MX_CHECK_MX)); /* nothing is promised before it is on disk */
	queue_says(250);
	client_hears(250);
	CHECK(!strcmp(heard, "Ok: queued as 1"));
}

/* No disk, a full one, a queue that is not there, that dies: 451, with the destination's words while it lives. */
static void not_kept(void)
{
	static const uint16_t codes[] = { 451, 452, 552 };

	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
		give("hello", 0);
		out_says(421, 0);
		queue_says(codes[i]);
		client_hears(421);
		CHECK(!strcmp(heard, "that"));
	}
	give("hello", 0);
	out_says(451, 0);
	CHECK(get(CH_CHECK_MX_QUEUE_MX));
	close(wires_far[CH_CHECK_MX_QUEUE_MX]);
	wires_far[CH_CHECK_MX_QUEUE_MX] = -1;
	CHECK(get(CH_FRONT_MX_CHECK_MX) && got.answer.code == 451);
	CHECK_EQ(got.answer.flags, ANSWER_CRASHED);
	give("hello", 0);
	out_says(451, 0);
	CHECK(get(CH_FRONT_MX_CHECK_MX) && got.answer.code == 451);
	CHECK_EQ(got.answer.flags, 0);
	wires_renew(&c.proc, CH_CHECK_MX_QUEUE_MX, 2);
	give("hello", 0);
	out_says(451, 0);
	queue_says(250);
	client_hears(250);
}

/* Died with the letter inside: it is not given to the next one. A letter that had not its turn is. */
static void inside(void)
{
	give("hello", 0);
	for (int began = 1; began >= 0; began--) {
		int fd[2];

		CHECK(wires_get(&c.proc, CH_CHECK_MX_OUT_MX, &got, sizeof got, fd, 20));
		memfd_mark(fd[0], began);
		read_all(&fd[1], first_head, sizeof first_head);
		close(fd[0]);
		close(wires_far[CH_CHECK_MX_OUT_MX]);
		wires_far[CH_CHECK_MX_OUT_MX] = -1;
		if (began) {
			CHECK(get(CH_FRONT_MX_CHECK_MX) && got.answer.code == 451);
			CHECK_EQ(got.answer.flags, ANSWER_CRASHED);
			give("hello", 0);
		} else {
			queue_says(250);
			CHECK(get(CH_FRONT_MX_CHECK_MX) && got.answer.code == 250);
		}
		wires_renew(&c.proc, CH_CHECK_MX_OUT_MX, began ? 2 : 3);
	}
}

/* A leg that was spooled counts as delivered: with the others, and when the letter comes again. */
static void legs(void)
{
	uint32_t id;

	give("pair", 7);
	out_says(451, 0);
	queue_says(250);
	out_says(250, 0);
	client_hears(250);
	give("pair", 8); /* the other one cannot be kept */
	out_says(451, 0);
	queue_says(250);
	out_says(451, 0);
	queue_says(452);
	client_hears(451);
	give("pair", 8);
	out_says(250, 0);
	CHECK(memmem(first_head, sizeof first_head, "b@other.example", 15));
	client_hears(250);
	give("pair", 10); /* the disk is slower than the other destination */
	out_says(451, 0);
	CHECK(get(CH_CHECK_MX_QUEUE_MX));
	id = got.h.id;
	out_says(250, 0);
	CHECK(!get(CH_FRONT_MX_CHECK_MX));
	queue_answers(id, 250);
	client_hears(250);
	/* One spooled, one refused: postmaster is told, as of one that was delivered. */
	give("pair", 9);
	out_says(451, 0);
	queue_says(250);
	out_says(554, 0);
	CHECK(get(CH_FRONT_MX_CHECK_MX) && got.answer.code == 250);
	out_says(451, 0);
	CHECK(memmem(text_mem, sizeof text_mem, "was taken by\r\n    a@gmail.com: 250", 33));
	CHECK(!get(CH_CHECK_MX_QUEUE_MX));
}

/* A full or paused route is no reason to say no at RCPT, as long as the journal takes letters. */
static void routes(void)
{
	uint32_t id[CONFIG_FORWARD_MAX_HELD];

	give("hello", 0);
	out_says(451, 600000);
	queue_says(250);
	client_hears(250);
	CHECK_EQ(rcpt("hello"), 250);
	give("hello", 0);
	out_says(451, 600000);
	queue_says(452);
	client_hears(451);
	CHECK_EQ(rcpt("hello"), 451);
	give("hello", 0);
	out_says(451, 0);
	queue_says(250);
	client_hears(250);
	for (size_t i = 0; i < CONFIG_FORWARD_MAX_HELD; i++) {
		give("hello", 0);
		CHECK(get(CH_CHECK_MX_OUT_MX));
		id[i] = got.h.id;
	}
	memcpy(first_head, head_mem, sizeof first_head);
	CHECK_EQ(rcpt("hello"), 250);
	give("hello", 0);
	CHECK(!get(CH_CHECK_MX_OUT_MX));
	for (size_t i = 0; i < JOBS; i++)
		if (c.jobs[i].token.chan && c.jobs[i].leg->waits)
			c.jobs[i].leg->waits -= ROOM_MS;
	c.room.due = 0;
	CHECK(get(CH_CHECK_MX_QUEUE_MX) && got.h.type == QUEUE_LETTER);
	wires_renew(&c.proc, CH_CHECK_MX_QUEUE_MX, 3);
	CHECK(get(CH_FRONT_MX_CHECK_MX) && got.answer.code == 451);
	for (size_t i = 0; i < CONFIG_FORWARD_MAX_HELD; i++) {
		struct out_result r = { .h = { .type = OUT_DELIVER, .id = id[i] } };
		struct out_verdict v = { 550, { 5, 1, 1 }, 0, 1 };
		uint8_t bytes[64];
		struct buf b = BUF(bytes);

		buf_put(&b, (struct slice){ (const uint8_t *)&v, sizeof v });
		buf_u8(&b, 'x');
		wires_put(CH_CHECK_MX_OUT_MX, &r, sizeof r, buf_slice(&b), -1, -1);
		CHECK(get(CH_FRONT_MX_CHECK_MX) && got.answer.code == 550);
	}
}

/* queue.mx's notices go where postmaster's letters go, from <>, are answered with what is said there, and each is
 * another one. */
static void notices(void)
{
	static const uint16_t codes[] = { 250, 250, 451, 550 };
	struct slice v;

	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
		put(CH_QUEUE_MX_CHECK_MX, CHECK_REPORT, "Subject: Lost\r\n\r\n",
		    "postmaster@elsewhere.example", "5.9", 0);
		out_says(codes[i], 0);
		CHECK_SLICE(got_text, "Subject: Lost\r\n\r\n");
		CHECK(envelope_get(got_head, ENV_SENDER, &v) && !v.n);
		CHECK(envelope_get(got_head, ENV_RCPT, &v));
		CHECK_SLICE(v, "box@gmail.com");
		CHECK(!envelope_get(got_head, ENV_REPORT, &v));
		CHECK(get(CH_QUEUE_MX_CHECK_MX) && got.h.type == CHECK_REPORT);
		CHECK_EQ(got.answer.code, codes[i]);
		CHECK(!get(CH_CHECK_MX_QUEUE_MX));
		if (!i) /* a new front changes nothing about them, nor does a new queue.mx */
			wires_renew(&c.proc, CH_FRONT_MX_CHECK_MX, 2);
		if (i == 1)
			wires_renew(&c.proc, CH_QUEUE_MX_CHECK_MX, 2);
	}
}

int main(void)
{
	int map;

	wires_reserve();
	snprintf(domain, sizeof domain, "%.*s",
		 (int)slice_find(SLICE(CONFIG_SMTPD_DOMAINS), ' '), CONFIG_SMTPD_DOMAINS);
	map = make_map();
	wires_start(P_CHECK_MX, 0, key, &map, 1);
	close(map);
	proc_start(&c.proc, PROG_CHECK, CHECK_WATCHES + 1);
	check_init(&c);
	c.spool = proc_chan_to(&c.proc, P_QUEUE_MX);
	c.spools = true;
	wires_connect(&c.proc);
	wires_meanwhile = fakedns_serve;
	first_word();
	not_kept();
	inside();
	legs();
	routes();
	notices();
	TEST_END();
}
