/* SPDX-License-Identifier: ISC */
/* check.mx keeps what out.mx was told: RCPT says it, and the next out.mx hears it. A letter for several destinations
 * gets one answer. */
#define _GNU_SOURCE
#include "smtpd/check/check.h"

#include <sys/mman.h>

#include "smtpd/lib/memfd.h"
#include "smtpd/msg/out.h"
#include "tests/unit/fakedns.h"
#include "tests/unit/test.h"
#include "tests/unit/wires.h"

enum { OPERATOR = 77, STOP_MS = 600000 };

static char domain[256]; /* the first mail domain of this configuration */
static struct check c;
static uint32_t next_id;
static uint8_t key[32];
static union {
	struct msg h;
	struct answer answer;
	struct out_deliver deliver;
	struct out_stop stop;
	struct holder_reply holder;
	uint8_t b[MSG_MAX];
} got;
static size_t got_n;

static int make_map(void)
{
	static const struct {
		const char *name, *to;
	} rows[] = { { "hello", "box@gmail.com" },
		     { "twin", "box@GMAIL.com" },
		     { "also", "second@GMAIL.com" },
		     { "other", "box@other.example" },
		     { "three", "a@gmail.com b@other.example c@third.example" },
		     { "closed", ":5.1.6 Has moved to example.net" },
		     { "postmaster", "box@gmail.com" } };
	int fd = memfd_create("map", 0);
	struct cdb_make m;
	char k[300];

	cdb_make_start(&m, fd);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		snprintf(k, sizeof k, "%s@%s", rows[i].name, domain);
		cdb_make_add(&m, k, (unsigned)strlen(k), rows[i].to,
			     (unsigned)strlen(rows[i].to));
	}
	cdb_make_finish(&m);
	return fd;
}

static uint8_t text_mem[4096], head_mem[4096];
static struct slice got_text, got_head; /* of what came last */

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

static const char *sender = ""; /* of rcpt() */

static unsigned rcpt(const char *local)
{
	uint8_t bytes[600];
	struct buf b = BUF(bytes);
	struct check_rcpt m = { .h = { .type = CHECK_RCPT, .id = ++next_id } };

	buf_put(&b, slice_of(sender));
	m.sender_len = (uint16_t)b.len;
	buf_put(&b, slice_of(local));
	buf_u8(&b, '@');
	buf_put(&b, slice_of(domain));
	m.rcpt_len = (uint16_t)(b.len - m.sender_len);
	wires_put(CH_FRONT_MX_CHECK_MX, &m, sizeof m, buf_slice(&b), -1, -1);
	return get(CH_FRONT_MX_CHECK_MX) ? got.answer.code : 0;
}

static uint32_t same; /* letters are all the same one; 0: each is another */

static const char *twice; /* the letters' second recipient; NULL: none */

/* A bounce for `local`. */
static void give(const char *local, const char *text)
{
	struct check_letter m = { .h = { .type = CHECK_LETTER, .id = ++next_id },
				  .text_size = (uint32_t)strlen(text) };
	uint8_t bytes[900];
	struct buf b = BUF(bytes);
	char to[300];
	uint32_t which = same ? same : next_id;
	int t = wires_sealed(slice_of(text)), h;

	memcpy(m.sha256, &which, sizeof which);
	snprintf(to, sizeof to, "%s@%s", local, domain);
	envelope_put(&b, ENV_SENDER, SLICE(""));
	envelope_put(&b, ENV_RCPT, slice_of(to));
	if (twice)
		envelope_put(&b, ENV_RCPT, slice_of(twice));
	envelope_put(&b, ENV_HELO, SLICE("client.example"));
	envelope_put(&b, ENV_PEER, SLICE("192.0.2.1"));
	envelope_put(&b, ENV_WITH, SLICE("ESMTP"));
	envelope_put_header(&b, SLICE(""));
	h = wires_sealed(buf_slice(&b));
	wires_put(CH_FRONT_MX_CHECK_MX, &m, sizeof m, SLICE(""), t, h);
	close(t);
	close(h);
}

/* One that has an answer of 451 and this about its operator. */
static void letter(const char *local, uint32_t stop_ms)
{
	struct out_result r = { .op = OPERATOR, .stop_ms = stop_ms };
	struct out_verdict v = { 451, { 4, 7, 28 }, 0, 4 };
	uint8_t bytes[900];
	struct buf b = BUF(bytes);

	give(local, "From: a@b.example\r\n\r\nHello\r\n");
	CHECK(get(CH_CHECK_MX_OUT_MX) && got.h.type == OUT_DELIVER);
	r.h = (struct msg){ .type = OUT_DELIVER, .id = got.h.id };
	buf_put(&b, (struct slice){ (const uint8_t *)&v, sizeof v });
	buf_put(&b, SLICE("slow"));
	wires_put(CH_CHECK_MX_OUT_MX, &r, sizeof r, buf_slice(&b), -1, -1);
	CHECK(get(CH_FRONT_MX_CHECK_MX) && got.answer.code == 451);
}

static void answer_with(uint32_t id, uint16_t code, const char *text)
{
	struct out_result r = { .h = { .type = OUT_DELIVER, .id = id } };
	struct out_verdict v = {
		code, { (uint8_t)(code / 100), 1, 2 }, 0, (uint16_t)strlen(text)
	};
	uint8_t bytes[64];
	struct buf b = BUF(bytes);

	buf_put(&b, (struct slice){ (const uint8_t *)&v, sizeof v });
	buf_put(&b, slice_of(text));
	wires_put(CH_CHECK_MX_OUT_MX, &r, sizeof r, buf_slice(&b), -1, -1);
}

static void answer(uint32_t id)
{
	answer_with(id, 250, "ok");
}

static struct slice text_of(void)
{
	return (struct slice){ got.b + sizeof got.answer, got_n - sizeof got.answer };
}

/* What would go on with our own last field, and our marker on a second line. */
static void refused(void)
{
	struct holder_reply r = { .h = { .type = HOLDER_SRS_REVERSE }, .result = HOLDER_DONE };
	char text[400];

	give("hello", " by mx.example with ESMTPS\r\nFrom: a@b.example\r\n\r\n");
	CHECK(get(CH_FRONT_MX_CHECK_MX) && got.answer.code == 550 &&
	      got.answer.enhanced[1] == 6);
	give("hello", "\tx\r\n\r\n");
	CHECK(get(CH_FRONT_MX_CHECK_MX) && got.answer.code == 550);
	snprintf(text, sizeof text, "Delivered-To:\r\n hello@%s\r\n\r\n", domain);
	give("hello", text);
	CHECK(get(CH_FRONT_MX_CHECK_MX) && got.answer.code == 554);
	/* RULES F7: marked for another alias of the same box; not for one of another's, and not elsewhere */
	snprintf(text, sizeof text, "Delivered-To: twin@%s\r\nFrom: a@b.example\r\n\r\n",
		 domain);
	give("hello", text);
	CHECK(get(CH_FRONT_MX_CHECK_MX) && got.answer.code == 554);
	snprintf(
		text, sizeof text,
		"Delivered-To: other@%s\r\nDelivered-To: box@gmail.com\r\nFrom: a@b.example\r\n\r\n",
		domain);
	give("hello", text);
	CHECK(get(CH_CHECK_MX_OUT_MX) && got.h.type == OUT_DELIVER);
	answer(got.h.id);
	CHECK(get(CH_FRONT_MX_CHECK_MX) && got.answer.code == 250);
	/* RULES S4, S6: with the field's name; a bounce that finds its way back is not asked for this. */
	give("hello", "From: a@b.example\r\nSubject: x\r\nSubject: y\r\n\r\n");
	CHECK(get(CH_FRONT_MX_CHECK_MX) && got.answer.code == 550 &&
	      got.answer.enhanced[1] == 6 && slice_iprefix(text_of(), SLICE("Subject: ")));
	give("hello", "To: a@b.example\r\n\r\n");
	CHECK(get(CH_FRONT_MX_CHECK_MX) && got.answer.code == 550);
	/* Two addresses that front found to lead to one; it gets one copy. */
	snprintf(text, sizeof text, "SRS0=x=z=b.example=a@%s", domain);
	twice = text;
	give("SRS0=x=y=b.example=a", "To: a@b.example\r\n\r\n");
	twice = NULL;
	CHECK(get(CH_CHECK_MX_HOLDER_SRS));
	r.h.id = got.h.id;
	wires_put(CH_CHECK_MX_HOLDER_SRS, &r, sizeof r, SLICE("a@b.example"), -1, -1);
	CHECK(get(CH_CHECK_MX_OUT_MX) && got.h.type == OUT_DELIVER);
	answer(got.h.id);
	CHECK(get(CH_FRONT_MX_CHECK_MX) && got.answer.code == 250);
}

static struct job *waiting_since(int64_t ago)
{
	for (size_t i = 0; i < JOBS; i++)
		if (c.jobs[i].token.chan && c.jobs[i].nlegs && c.jobs[i].leg->waits) {
			c.jobs[i].leg->waits -= ago;
			c.jobs[i].taken -= ago;
			return &c.jobs[i];
		}
	return NULL;
}

/* With out.mx full a letter waits; one that waited too long is not delivered behind front's back. */
static void full(void)
{
	uint32_t id[CONFIG_FORWARD_MAX_HELD];

	for (size_t i = 0; i < CONFIG_FORWARD_MAX_HELD; i++) {
		give("hello", "From: a@b.example\r\n\r\n");
		CHECK(get(CH_CHECK_MX_OUT_MX));
		id[i] = got.h.id;
	}
	give("hello", "From: late@b.example\r\n\r\n");
	CHECK(!get(CH_CHECK_MX_OUT_MX));
	CHECK(waiting_since(ROOM_MS - 1000) != NULL);
	answer(id[0]);
	CHECK(get(CH_FRONT_MX_CHECK_MX) && got.answer.code == 250);
	CHECK(get(CH_CHECK_MX_OUT_MX) && got.h.type == OUT_DELIVER);
	/* RULES P3: of the five minutes from the dot what is left */
	CHECK(got.deliver.ms <= OUT_MX_MS - ROOM_MS + 1000 &&
	      got.deliver.ms > OUT_MX_MS - ROOM_MS - 20000);
	id[0] = got.h.id;
	give("hello", "From: later@b.example\r\n\r\n");
	CHECK(!get(CH_CHECK_MX_OUT_MX));
	CHECK(c.room.due != LOOP_NEVER && c.room.due > c.proc.loop.now);
	CHECK(waiting_since(ROOM_MS + 1000) != NULL);
	c.room.due -= ROOM_MS + 1000;
	/* nobody had to come back from out.mx for that */
	CHECK(get(CH_FRONT_MX_CHECK_MX) && got.answer.code == 451);
	CHECK_EQ(c.room.due, LOOP_NEVER);
	answer(id[1]);
	CHECK(get(CH_FRONT_MX_CHECK_MX) && got.answer.code == 250);
	CHECK(!get(CH_CHECK_MX_OUT_MX));
	for (size_t i = 0; i < CONFIG_FORWARD_MAX_HELD; i++)
		if (i != 1) {
			answer(id[i]);
			CHECK(get(CH_FRONT_MX_CHECK_MX) && got.answer.code == 250);
		}
}

/* out.mx dies twice with a letter that it had not begun with: that is nothing against the letter. */
static void bystander(void)
{
	for (uint32_t i = 0; i < 2; i++) {
		give("hello", "From: a@b.example\r\n\r\n");
		CHECK(get(CH_CHECK_MX_OUT_MX) && got.h.type == OUT_DELIVER);
		close(wires_far[CH_CHECK_MX_OUT_MX]);
		wires_far[CH_CHECK_MX_OUT_MX] = -1;
		CHECK(get(CH_FRONT_MX_CHECK_MX) && got.answer.code == 451);
		CHECK_EQ(got.answer.flags, 0);
		wires_renew(&c.proc, CH_CHECK_MX_OUT_MX, 10 + i);
	}
}

static void count_one(const char *address)
{
	uint8_t k[RATES_KEY];
	struct path p;

	CHECK(path_addr(slice_of(address), 0, &p) && rate_key(RATE_SENDER, &p, k));
	rates_count(&c.rates, k, c.proc.loop.now, 1);
}

/* What the destination took counts, and nothing else does. */
static void rates(void)
{
	memset(&c.rates, 0, sizeof c.rates);
	c.hourly[RATE_RCPT] = 2;
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(rcpt("hello"), 250);
		letter("hello", 0); /* 451 */
	}
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(rcpt(i ? "hello+tag" : "HELLO"), 250);
		give(i ? "hello+tag" : "HELLO", "From: a@b.example\r\n\r\n");
		CHECK(get(CH_CHECK_MX_OUT_MX));
		answer(got.h.id);
		CHECK(get(CH_FRONT_MX_CHECK_MX) && got.answer.code == 250);
	}
	CHECK_EQ(rcpt("hello"), 450);
	CHECK(got.answer.enhanced[1] == 7 && got.answer.enhanced[2] == 1);
	CHECK_EQ(rcpt("also"), 250);
	c.hourly[RATE_RCPT] = 0;
	CHECK_EQ(rcpt("hello"), 250);
	/* The same by sender; <> is nobody. */
	c.hourly[RATE_SENDER] = 1;
	sender = "a@b.example";
	CHECK_EQ(rcpt("also"), 250);
	count_one("x+1@b.example");
	CHECK_EQ(rcpt("also"), 250);
	count_one("A+news@B.example");
	CHECK_EQ(rcpt("also"), 450);
	sender = "";
	CHECK_EQ(rcpt("also"), 250);
	c.hourly[RATE_SENDER] = 0;
}

static bool holds(struct slice s, const char *part)
{
	return memmem(s.p, s.n, part, strlen(part)) != NULL;
}

/* One head for each destination, which does not see the others. Answers in the order of rows, from the last on. */
static void three(const uint16_t code[3])
{
	static const char *const to[] = { "a@gmail.com", "b@other.example", "c@third.example" };
	uint32_t id[3];
	struct slice v;
	size_t n;

	give("three", "From: a@b.example\r\n\r\nHello\r\n");
	for (int i = 0; i < 3; i++) {
		CHECK(get(CH_CHECK_MX_OUT_MX) && got.h.type == OUT_DELIVER);
		id[i] = got.h.id;
		CHECK(envelope_check(got_head, &n) && n == 1);
		CHECK(envelope_get(got_head, ENV_RCPT, &v));
		CHECK(slice_eq(v, slice_of(to[i])));
		CHECK(envelope_get(got_head, ENV_ORIGINAL, &v) &&
		      slice_iprefix(v, SLICE("three@")));
		CHECK(envelope_get(got_head, ENV_HEADER, &v) && holds(v, to[i]));
		CHECK(holds(v, "X-Forwarded-To: ") && !holds(v, to[(i + 1) % 3]));
	}
	for (int i = 2; i >= 0; i--) {
		CHECK(!get(CH_FRONT_MX_CHECK_MX));
		answer_with(id[i], code[i], to[i]);
	}
	CHECK(get(CH_FRONT_MX_CHECK_MX));
}

static void several(void)
{
	static const struct {
		uint16_t code[3], want;
		int whose; /* which one's words are told */
	} rows[] = {
		{ { 250, 250, 250 }, 250, 0 }, { { 250, 451, 250 }, 451, 1 },
		{ { 451, 550, 250 }, 451, 0 }, { { 550, 554, 550 }, 550, 0 },
		{ { 554, 550, 421 }, 421, 2 },
	};

	CHECK_EQ(rcpt("three"), 250);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		three(rows[i].code);
		CHECK_EQ(got.answer.code, rows[i].want);
		CHECK_EQ(got.b[sizeof got.answer], "abc"[rows[i].whose]);
		CHECK(!get(CH_CHECK_MX_OUT_MX));
	}
}

/* Some took it, some never will: 250, and one letter to postmaster, about whose fate nobody hears. */
static void partly(void)
{
	static const uint16_t code[] = { 554, 250, 550 };
	struct slice v;

	three(code);
	CHECK_EQ(got.answer.code, 250);
	CHECK(get(CH_CHECK_MX_OUT_MX) && got.h.type == OUT_DELIVER);
	CHECK(envelope_get(got_head, ENV_SENDER, &v) && !v.n);
	CHECK(envelope_get(got_head, ENV_RCPT, &v));
	CHECK_SLICE(v, "box@gmail.com");
	CHECK(holds(got_text, "Auto-Submitted: ") && holds(got_text, "a@gmail.com: 554 5.1.2"));
	CHECK(holds(got_text, "c@third.example: 550 5.1.2") && holds(got_text, "three@"));
	answer_with(got.h.id, 550, "no");
	CHECK(!get(CH_CHECK_MX_OUT_MX) && !get(CH_FRONT_MX_CHECK_MX));
}

static void unheard(uint64_t number)
{
	struct check_unheard m = { { .type = CHECK_UNHEARD, .id = ++next_id }, number };

	wires_put(CH_FRONT_MX_CHECK_MX, &m, sizeof m, SLICE(""), -1, -1);
	CHECK(get(CH_FRONT_MX_CHECK_MX) && got.h.type == CHECK_UNHEARD);
}

/* Takes the letters that go out, to these destinations alone, with these codes. */
static void go_out(const char *const to[], const uint16_t code[])
{
	struct slice v;

	for (; *to; to++, code++) {
		CHECK(get(CH_CHECK_MX_OUT_MX) && got.h.type == OUT_DELIVER);
		CHECK(envelope_get(got_head, ENV_RCPT, &v) && slice_eq(v, slice_of(*to)));
		answer_with(got.h.id, *code, *to);
	}
	CHECK(!get(CH_CHECK_MX_OUT_MX));
	CHECK(get(CH_FRONT_MX_CHECK_MX));
}

/* What arrived is not delivered again when the letter comes again: to those of several that took it, and where the
 * client may not have heard the 250. Another letter, or the same for somebody else, is. */
static void again(void)
{
	static const char
		*const all[] = { "a@gmail.com", "b@other.example", "c@third.example", NULL },
		       *const last[] = { "c@third.example", NULL }, *const none[] = { NULL },
		       *const box[] = { "box@gmail.com", NULL },
		       *const second[] = { "second@GMAIL.com", NULL };
	static const uint16_t two[] = { 250, 250, 451 }, good[] = { 250 }, bad[] = { 451 };
	uint64_t number;

	same = 1000000;
	give("three", "From: a@b.example\r\n\r\n");
	go_out(all, two);
	CHECK_EQ(got.answer.code, 451);
	give("three", "From: a@b.example\r\n\r\n");
	go_out(last, bad);
	CHECK_EQ(got.answer.code, 451);
	give("three", "From: a@b.example\r\n\r\n");
	go_out(last, good);
	CHECK_EQ(got.answer.code, 250);
	same++;
	give("hello", "From: a@b.example\r\n\r\n");
	go_out(box, good);
	number = got.answer.route;
	CHECK(got.answer.code == 250 && number);
	give("hello", "From: a@b.example\r\n\r\n"); /* the client heard it: another letter */
	go_out(box, good);
	CHECK(got.answer.route != number);
	unheard(number + 1000);
	give("hello", "From: a@b.example\r\n\r\n");
	go_out(box, good);
	unheard(got.answer.route);
	give("hello", "From: a@b.example\r\n\r\n");
	go_out(none, NULL);
	CHECK_EQ(got.answer.code, 250);
	give("also", "From: a@b.example\r\n\r\n");
	go_out(second, good);
	same = 0;
}

/* front dies: what it said last, and what it was to say, may not have been heard. */
static void front_dies(void)
{
	uint32_t id;

	same = 2000000;
	give("hello", "From: a@b.example\r\n\r\n");
	CHECK(get(CH_CHECK_MX_OUT_MX));
	answer(got.h.id);
	CHECK(get(CH_FRONT_MX_CHECK_MX) && got.answer.code == 250);
	same++;
	give("hello", "From: a@b.example\r\n\r\n");
	CHECK(get(CH_CHECK_MX_OUT_MX));
	id = got.h.id;
	wires_renew(&c.proc, CH_FRONT_MX_CHECK_MX, 2);
	answer(id);
	CHECK(!get(CH_FRONT_MX_CHECK_MX));
	for (; same >= 2000000; same--) {
		give("hello", "From: a@b.example\r\n\r\n");
		CHECK(get(CH_FRONT_MX_CHECK_MX) && got.answer.code == 250);
		CHECK(!get(CH_CHECK_MX_OUT_MX));
	}
	same = 0;
}

static void closed(void)
{
	CHECK_EQ(rcpt("closed"), 550);
	CHECK(got.answer.enhanced[0] == 5 && got.answer.enhanced[1] == 1 &&
	      got.answer.enhanced[2] == 6);
	CHECK_SLICE(((struct slice){ got.b + sizeof got.answer, got_n - sizeof got.answer }),
		    "Has moved to example.net");
	CHECK_EQ(rcpt("closed+tag"), 550);
	give("closed", "From: a@b.example\r\n\r\n");
	CHECK(get(CH_FRONT_MX_CHECK_MX) && got.answer.code == 550);
}

static void stopped(void)
{
	struct holder_reply r = { .h = { .type = HOLDER_SRS_REVERSE }, .result = HOLDER_DONE };

	CHECK_EQ(rcpt("hello"), 250);
	letter("hello", STOP_MS);
	CHECK_EQ(rcpt("hello"), 451);
	CHECK(got.answer.enhanced[1] == 4 && got.answer.enhanced[2] == 5);
	CHECK_EQ(rcpt("also"), 451); /* the same domain */
	CHECK_EQ(rcpt("other"), 250);
	CHECK_EQ(rcpt("three"), 250); /* two of them get it */
	CHECK_EQ(rcpt("nobody"), 550);
	/* A return address that leads there. */
	CHECK_EQ(rcpt("SRS0=x=y=gmail.com=a"), 0);
	CHECK(get(CH_CHECK_MX_HOLDER_SRS));
	r.h.id = got.h.id;
	wires_put(CH_CHECK_MX_HOLDER_SRS, &r, sizeof r, SLICE("a@gmail.com"), -1, -1);
	CHECK(get(CH_FRONT_MX_CHECK_MX) && got.answer.code == 451);
}

static void handed_on(void)
{
	struct out_stopped done = { .h = { .type = OUT_STOP } };
	struct out_stop_row row;

	wires_renew(&c.proc, CH_CHECK_MX_OUT_MX, 22);
	CHECK(get(CH_CHECK_MX_OUT_MX) && got.h.type == OUT_STOP);
	CHECK_EQ(got_n, sizeof got.stop + sizeof row);
	memcpy(&row, got.b + sizeof got.stop, sizeof row);
	CHECK_EQ(row.op, OPERATOR);
	CHECK(row.ms > 0 && row.ms <= STOP_MS);
	done.h.id = got.h.id;
	wires_put(CH_CHECK_MX_OUT_MX, &done, sizeof done, SLICE(""), -1, -1);
	CHECK_EQ(rcpt("hello"), 451);
	letter("hello", 0); /* came before; and the stop is over, says out */
	CHECK_EQ(rcpt("hello"), 250);
	wires_renew(&c.proc, CH_CHECK_MX_OUT_MX, 23);
	letter("other", 0); /* nothing was to be told first */
}

/* Letters that wait for a new out.mx go in the order of their coming; what it is told first has one of the places. */
static void behind_the_stops(void)
{
	struct out_stopped done = { .h = { .type = OUT_STOP } };
	uint32_t id[CONFIG_FORWARD_MAX_HELD], told;

	letter("other", STOP_MS);
	close(wires_far[CH_CHECK_MX_OUT_MX]);
	wires_far[CH_CHECK_MX_OUT_MX] = -1;
	for (size_t i = 0; i < CONFIG_FORWARD_MAX_HELD; i++) {
		char text[64];

		snprintf(text, sizeof text, "From: a@b.example\r\n\r\n%0*d\r\n", (int)i + 1, 0);
		give("hello", text);
		CHECK(!get(CH_FRONT_MX_CHECK_MX));
	}
	wires_renew(&c.proc, CH_CHECK_MX_OUT_MX, 24);
	CHECK(get(CH_CHECK_MX_OUT_MX) && got.h.type == OUT_STOP);
	told = got.h.id;
	for (size_t i = 0; i < CONFIG_FORWARD_MAX_HELD; i++) {
		if (i == CONFIG_FORWARD_MAX_HELD - 1) {
			CHECK(!get(CH_CHECK_MX_OUT_MX));
			done.h.id = told;
			wires_put(CH_CHECK_MX_OUT_MX, &done, sizeof done, SLICE(""), -1, -1);
		}
		CHECK(get(CH_CHECK_MX_OUT_MX) && got.h.type == OUT_DELIVER);
		CHECK_EQ(got.deliver.text_size,
			 sizeof "From: a@b.example\r\n\r\n0\r\n" - 1 + i);
		id[i] = got.h.id;
	}
	for (size_t i = 0; i < CONFIG_FORWARD_MAX_HELD; i++) {
		answer(id[i]);
		CHECK(get(CH_FRONT_MX_CHECK_MX) && got.answer.code == 250);
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
	proc_start(&c.proc, PROG_CHECK, 4);
	check_init(&c);
	wires_connect(&c.proc);
	wires_meanwhile = fakedns_serve;
	refused();
	full();
	bystander();
	rates();
	several();
	partly();
	again();
	front_dies();
	closed();
	stopped();
	handed_on();
	behind_the_stops();
	TEST_END();
}
