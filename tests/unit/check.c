/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "smtpd/check/check.h"

#include <sys/mman.h>
#include <sys/wait.h>

#include "smtpd/lib/memfd.h"
#include "smtpd/msg/out.h"
#include "smtpd/msg/queue.h"
#include "tests/unit/fakedns.h"
#include "tests/unit/test.h"
#include "tests/unit/wires.h"

static char domain[256]; /* the first mail domain of this configuration */

static struct check c;
static uint32_t next_id;
static uint8_t key[32] = { 1, 2, 3 };

static union {
	struct msg h;
	struct answer answer;
	struct holder_reply holder;
	uint8_t b[MSG_MAX];
} got;
static size_t got_n;
static int got_fd[2];

static int make_map(void)
{
	int fd = memfd_create("map", 0);
	struct cdb_make m;
	char k[300];

	cdb_make_start(&m, fd);
	snprintf(k, sizeof k, "hello@%s", domain);
	cdb_make_add(&m, k, (unsigned)strlen(k), "box@gmail.com", 13);
	snprintf(k, sizeof k, "other@%s", domain);
	cdb_make_add(&m, k, (unsigned)strlen(k), "second@gmail.com", 16);
	snprintf(k, sizeof k, "same@%s", domain);
	cdb_make_add(&m, k, (unsigned)strlen(k), "box@gmail.com", 13);
	cdb_make_finish(&m);
	return fd;
}

static void start(enum proc_id me)
{
	int map = make_map();

	memset(&c, 0, sizeof c);
	wires_start(me, 0, key, &map, 1);
	close(map);
	proc_start(&c.proc, PROG_CHECK, 4);
	check_init(&c);
	wires_connect(&c.proc);
	wires_meanwhile = fakedns_serve;
}

static bool get(enum chan_id ch)
{
	got_fd[0] = got_fd[1] = -1;
	got_n = wires_get(&c.proc, ch, &got, sizeof got, got_fd, 20);
	return got_n != 0;
}

static struct slice with_domain(const char *format, char *out, size_t cap)
{
	snprintf(out, cap, format, domain);
	return slice_of(out);
}

static void ask_rcpt(enum chan_id ch, struct slice sender, struct slice rcpt,
		     struct slice grant)
{
	static uint8_t bytes[4096];
	struct buf b = BUF(bytes);
	struct check_rcpt m = { .h = { .type = CHECK_RCPT, .id = ++next_id },
				.sender_len = (uint16_t)sender.n,
				.rcpt_len = (uint16_t)rcpt.n,
				.grant_len = (uint16_t)grant.n };

	buf_put(&b, sender);
	buf_put(&b, rcpt);
	buf_put(&b, grant);
	wires_put(ch, &m, sizeof m, buf_slice(&b), -1, -1);
}

/* Sends a RCPT to check.mx and gives the reply code; 0 when it asked another process first. */
static unsigned mx_rcpt(const char *sender, const char *rcpt)
{
	char s[300], r[300];

	ask_rcpt(CH_FRONT_MX_CHECK_MX, with_domain(sender, s, sizeof s),
		 with_domain(rcpt, r, sizeof r), SLICE(""));
	return get(CH_FRONT_MX_CHECK_MX) && !got.h.status ? got.answer.code : 0;
}

static void test_mx_rcpt(void)
{
	uint64_t route;

	start(P_CHECK_MX);
	CHECK_EQ(mx_rcpt("a@b.example", "hello@%s"), 250);
	CHECK(got.answer.flags == ANSWER_ROUTE && got_n > sizeof(struct answer));
	route = got.answer.route;
	CHECK_EQ(mx_rcpt("a@b.example", "HELLO+tag@%s"), 250);
	CHECK(got.answer.route == route);
	CHECK_EQ(mx_rcpt("", "same@%s"), 250);
	CHECK(got.answer.route == route);
	CHECK_EQ(mx_rcpt("a@b.example", "other@%s"), 250);
	CHECK(got.answer.route != route);
	CHECK_EQ(mx_rcpt("a@b.example", "nobody@%s"), 550);
	CHECK(got.answer.enhanced[1] == 1 && got.answer.enhanced[2] == 1);
	CHECK_EQ(mx_rcpt("a@b.example", "hello@elsewhere.example"), 550);
	CHECK(got.answer.enhanced[1] == 7 && got.answer.enhanced[2] == 1);
	CHECK_EQ(mx_rcpt("a@b.example", "hello%%elsewhere.example@%s"), 550);
	CHECK_EQ(mx_rcpt("a@b.example", "\"x@elsewhere.example\"@%s"), 550);
	CHECK_EQ(mx_rcpt("a@b.example", "\"\"@%s"), 550);
	CHECK_EQ(mx_rcpt("a@b.example", "not an address"), 0);
	CHECK(got.h.status == MSG_FAILED);
}

static void test_mx_return(void)
{
	struct holder_reply r = { .result = HOLDER_DONE };

	start(P_CHECK_MX);
	CHECK_EQ(mx_rcpt("a@b.example", "SRS0=x=y=b.example=a@%s"),
		 550); /* only bounces go there */
	CHECK_EQ(mx_rcpt("", "SRS0=x=y=b.example=a@%s"), 0);
	CHECK(get(CH_CHECK_MX_HOLDER_SRS) && got.h.type == HOLDER_SRS_REVERSE);
	r.h = (struct msg){ .type = HOLDER_SRS_REVERSE, .id = got.h.id };
	wires_put(CH_CHECK_MX_HOLDER_SRS, &r, sizeof r, SLICE("a@b.example"), -1, -1);
	CHECK(get(CH_FRONT_MX_CHECK_MX) && got.answer.code == 250 &&
	      got.answer.flags == ANSWER_ROUTE);
	CHECK_EQ(mx_rcpt("", "SRS0=x=y=b.example=a@%s"), 0);
	CHECK(get(CH_CHECK_MX_HOLDER_SRS));
	r.h.id = got.h.id;
	r.result = HOLDER_REFUSED;
	wires_put(CH_CHECK_MX_HOLDER_SRS, &r, sizeof r, SLICE(""), -1, -1);
	CHECK(get(CH_FRONT_MX_CHECK_MX) && got.answer.code == 550);
	/* holder dies while we wait */
	CHECK_EQ(mx_rcpt("", "SRS0=x=y=b.example=a@%s"), 0);
	wires_renew(&c.proc, CH_CHECK_MX_HOLDER_SRS, 2);
	CHECK(get(CH_FRONT_MX_CHECK_MX) && got.answer.code == 451);
}

static const char *second_rcpt;		/* of the next letters; NULL: none */
static struct slice of_letter, of_rcpt; /* further records of the next letters */
static uint64_t size_lie;		/* added to the size that front tells */

static void give_letter(enum chan_id ch, struct slice text, const char *sender,
			const char *rcpt, struct slice grant)
{
	static uint8_t bytes[4096];
	struct buf b = BUF(bytes);
	struct check_letter m = { .h = { .type = CHECK_LETTER, .id = ++next_id },
				  .text_size = text.n + size_lie };
	char s[300], r[300];
	int t = wires_sealed(text), h;

	envelope_put(&b, ENV_SENDER, with_domain(sender, s, sizeof s));
	buf_put(&b, of_letter);
	envelope_put(&b, ENV_RCPT, with_domain(rcpt, r, sizeof r));
	buf_put(&b, of_rcpt);
	if (second_rcpt)
		envelope_put(&b, ENV_RCPT, with_domain(second_rcpt, r, sizeof r));
	envelope_put(&b, ENV_HELO, SLICE("client.example"));
	envelope_put(&b, ENV_PEER, SLICE("192.0.2.1"));
	envelope_put(&b, ENV_WITH, SLICE("ESMTP"));
	if (grant.n)
		envelope_put(&b, ENV_GRANT, grant);
	envelope_put_header(&b, SLICE(""));
	h = wires_sealed(buf_slice(&b));
	wires_put(ch, &m, sizeof m, SLICE(""), t, h);
	close(t);
	close(h);
}

static struct slice read_all(int fd, uint8_t *out, size_t cap)
{
	uint64_t n = 0;

	CHECK(memfd_check(fd, cap, &n) && memfd_read(fd, 0, out, n));
	return (struct slice){ out, n };
}

static const char plain_letter[] = "From: a@b.example\r\nTo: x\r\n\r\nHello\r\n";

static void out_says(uint32_t id, uint16_t code)
{
	struct out_result m = { .h = { .type = OUT_DELIVER, .id = id }, .host_len = 2 };
	struct out_verdict v = { code, { (uint8_t)(code / 100), 0, 0 }, 0, 2 };
	uint8_t tail[64];
	struct buf b = BUF(tail);

	buf_put(&b, SLICE("mx"));
	buf_put(&b, (struct slice){ (const uint8_t *)&v, sizeof v });
	buf_put(&b, SLICE("Ok"));
	wires_put(CH_CHECK_MX_OUT_MX, &m, sizeof m, buf_slice(&b), -1, -1);
}

static void test_forward(void)
{
	struct holder_reply r = { .h = { .type = HOLDER_SRS_FORWARD }, .result = HOLDER_DONE };
	uint32_t id;
	static uint8_t bytes[8192];
	struct slice head, v;
	size_t n;

	start(P_CHECK_MX);
	give_letter(CH_FRONT_MX_CHECK_MX, slice_of(plain_letter), "a@b.example", "hello@%s",
		    SLICE(""));
	CHECK(get(CH_CHECK_MX_HOLDER_SRS) && got.h.type == HOLDER_SRS_FORWARD);
	CHECK_SLICE(slice_head(((struct slice){ got.b + sizeof(struct holder_srs),
						got_n - sizeof(struct holder_srs) }),
			       10),
		    "ab.example");
	r.h.id = got.h.id;
	wires_put(CH_CHECK_MX_HOLDER_SRS, &r, sizeof r, SLICE("SRS0=h=t=b.example=a"), -1, -1);
	CHECK(get(CH_CHECK_MX_OUT_MX) && got.h.type == OUT_DELIVER);
	CHECK_SLICE(read_all(got_fd[0], bytes, sizeof bytes),
		    "From: a@b.example\r\nTo: x\r\n\r\nHello\r\n");
	head = read_all(got_fd[1], bytes, sizeof bytes);
	CHECK(envelope_check(head, &n) && n == 1);
	CHECK(envelope_get(head, ENV_SENDER, &v) &&
	      slice_iprefix(v, SLICE("SRS0=h=t=b.example=a@")));
	CHECK(envelope_get(head, ENV_RCPT, &v));
	CHECK_SLICE(v, "box@gmail.com");
	CHECK(envelope_get(head, ENV_HEADER, &v) &&
	      slice_iprefix(v, SLICE("Delivered-To: hello@")));
	/* RULES N10 */
	CHECK(header_count(v, SLICE("Received")) == 1 &&
	      header_count(v, SLICE("X-Forwarded-To")) == 1);
	id = got.h.id;
	close(got_fd[0]);
	close(got_fd[1]);
	out_says(id, 250);
	CHECK(get(CH_FRONT_MX_CHECK_MX) && got.answer.code == 250 && got.answer.flags == 0);
}

static void test_crash_below(void)
{
	start(P_CHECK_MX);
	give_letter(CH_FRONT_MX_CHECK_MX, slice_of(plain_letter), "", "hello@%s", SLICE(""));
	CHECK(get(CH_CHECK_MX_OUT_MX) && memfd_mark(got_fd[0], true));
	close(wires_far[CH_CHECK_MX_OUT_MX]);
	wires_far[CH_CHECK_MX_OUT_MX] = -1;
	CHECK(get(CH_FRONT_MX_CHECK_MX) && got.answer.code == 451 &&
	      got.answer.flags == ANSWER_CRASHED);
	wires_renew(&c.proc, CH_CHECK_MX_OUT_MX, 2);
	give_letter(CH_FRONT_MX_CHECK_MX, slice_of(plain_letter), "", "hello@%s", SLICE(""));
	CHECK(get(CH_CHECK_MX_OUT_MX) && got.h.type == OUT_DELIVER);
}

static void test_loops(void)
{
	static char text[16 * 1024];
	char *at = text;

	start(P_CHECK_MX);
	snprintf(text, sizeof text, "Delivered-To: hello@%s\r\n\r\n", domain);
	give_letter(CH_FRONT_MX_CHECK_MX, slice_of(text), "", "hello@%s", SLICE(""));
	CHECK(get(CH_FRONT_MX_CHECK_MX) && got.answer.code == 554 &&
	      got.answer.enhanced[1] == 4);
	for (int i = 0; i < CONFIG_FORWARD_MAX_HOPS; i++)
		at += snprintf(at, 64, "Received: by x%d\r\n", i);
	snprintf(at, 64, "From: a@b.example\r\n\r\nx\r\n");
	give_letter(CH_FRONT_MX_CHECK_MX, slice_of(text), "", "hello@%s", SLICE(""));
	CHECK(get(CH_FRONT_MX_CHECK_MX) && got.answer.code == 554);
	give_letter(CH_FRONT_MX_CHECK_MX, slice_from(slice_of(text), 18), "", "hello@%s",
		    SLICE("")); /* one less */
	CHECK(get(CH_CHECK_MX_OUT_MX));
}

static struct slice grant(const char *rights, int64_t expires)
{
	static uint8_t bytes[512];
	struct buf b = BUF(bytes);
	char r[300];
	struct grant g = { .account = SLICE("app1"), .expires = expires };

	g.rights = with_domain(rights, r, sizeof r);
	grant_put(&g, key, &b);
	return buf_slice(&b);
}

static unsigned sub_rcpt(const char *sender, const char *rcpt, struct slice g)
{
	char s[300], r[300];

	ask_rcpt(CH_FRONT_SUB_CHECK_SUB, with_domain(sender, s, sizeof s),
		 with_domain(rcpt, r, sizeof r), g);
	return get(CH_FRONT_SUB_CHECK_SUB) ? got.answer.code : 0;
}

static void test_sub_rcpt(void)
{
	struct slice g;
	uint8_t forged[512];

	start(P_CHECK_SUB);
	g = grant("@%s", INT64_MAX);
	CHECK_EQ(sub_rcpt("me@%s", "any@elsewhere.example", g), 250);
	CHECK_EQ(sub_rcpt("me@%s", "hello@%s", g), 250);
	CHECK_EQ(sub_rcpt("me@%s", "nobody@%s", g), 550);
	CHECK_EQ(sub_rcpt("me@elsewhere.example", "any@elsewhere.example", g), 550);
	CHECK_EQ(sub_rcpt("", "any@elsewhere.example", g), 250);
	CHECK_EQ(sub_rcpt("me@%s", "SRS0=h=t=b.example=a@%s", g), 550);
	CHECK_EQ(sub_rcpt("me@%s", "any@elsewhere.example", SLICE("")), 451);
	CHECK_EQ(sub_rcpt("me@%s", "any@elsewhere.example", grant("@%s", 1)), 451);
	g = grant("@%s", INT64_MAX);
	memcpy(forged, g.p, g.n);
	forged[g.n - 1] ^= 1;
	CHECK_EQ(sub_rcpt("me@%s", "any@elsewhere.example", (struct slice){ forged, g.n }),
		 451);
}

/* Gives a letter to check.sub; the reply code, or 0 when it asks holder.dkim. */
static unsigned sub_letter(const char *text_format, const char *rights)
{
	char text[2048];

	give_letter(CH_FRONT_SUB_CHECK_SUB, with_domain(text_format, text, sizeof text),
		    "me@%s", "any@elsewhere.example", grant(rights, INT64_MAX));
	return get(CH_FRONT_SUB_CHECK_SUB) ? got.answer.code : 0;
}

static void test_submit_refusals(void)
{
	start(P_CHECK_SUB);
	CHECK_EQ(sub_letter("From: someone@elsewhere.example\r\n\r\nx\r\n", "@%s"), 550);
	CHECK_EQ(sub_letter("Subject: none\r\n\r\nx\r\n", "@%s"), 550);
	CHECK_EQ(sub_letter("From: me@%s\r\nSender: boss@elsewhere.example\r\n\r\nx\r\n",
			    "@%s"),
		 550);
	CHECK_EQ(sub_letter("From: me@%s\r\nSubject: a\r\nSubject: b\r\n\r\nx\r\n", "@%s"),
		 550);
	CHECK_EQ(sub_letter("From: me@%s\r\nno colon here\r\n\r\nx\r\n", "@%s"), 550);
	CHECK_EQ(sub_letter("From: me@%s\r\n\r\nx\r\n", "other@%s"), 550);
}

/* A refusal names the field and what to change; a size is 552. */
static void test_submit_words(void)
{
	static const char long_subject[] = "From: me@%s\r\nSubject: ";
	char text[2048];
	size_t n;

	start(P_CHECK_SUB);
	CHECK_EQ(sub_letter("From: me@%s\r\nSubject: a\r\nSubject: b\r\n\r\nx\r\n", "@%s"),
		 550);
	CHECK(memmem(&got, got_n, "Subject: this field may stand only once", 39) != NULL);
	n = (size_t)snprintf(text, sizeof text, long_subject, domain);
	memset(text + n, 's', 999);
	strcpy(text + n + 999, "\r\n\r\nx\r\n");
	give_letter(CH_FRONT_SUB_CHECK_SUB, slice_of(text), "me@%s", "any@elsewhere.example",
		    grant("@%s", INT64_MAX));
	CHECK(get(CH_FRONT_SUB_CHECK_SUB) && got.answer.code == 552 &&
	      got.answer.enhanced[1] == 3 && got.answer.enhanced[2] == 4);
	CHECK(memmem(&got, got_n, "Subject: this field may have at most 998 octets", 47) !=
	      NULL);
}

static bool got_text(const char *part)
{
	return memmem(got.b + sizeof(struct answer), got_n - sizeof(struct answer), part,
		      strlen(part)) != NULL;
}

/* S5: the refusal names the address and the account, at RCPT and after DATA. */
static void test_submit_names_address(void)
{
	start(P_CHECK_SUB);
	CHECK_EQ(sub_rcpt("me@elsewhere.example", "any@elsewhere.example",
			  grant("@%s", INT64_MAX)),
		 550);
	CHECK(got_text("Sender <me@elsewhere.example> is not allowed for account app1"));
	CHECK_EQ(sub_letter("From: a@b.example\r\n\r\n", "@%s"), 550);
	CHECK(got_text("From <a@b.example> is not allowed for account app1"));
	CHECK_EQ(sub_letter("From: me@%s\r\nResent-From: a@b.example\r\n\r\n", "@%s"), 550);
	CHECK(got_text("Resent-From <a@b.example>"));
}

/* Letters in an hour: said at RCPT and after DATA; a letter that was not taken does not count. */
static void test_quota(void)
{
	struct slice g = grant("@%s", INT64_MAX);

	start(P_CHECK_SUB);
	c.quota.letters = 2;
	c.quota.rcpts = 3;
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(sub_rcpt("me@%s", "any@elsewhere.example", g), 250);
		CHECK_EQ(sub_letter("From: me@%s\r\n\r\n", "@%s"), 0);
		CHECK(get(CH_CHECK_SUB_HOLDER_DKIM));
	}
	CHECK_EQ(sub_letter("From: me@%s\r\n\r\n", "@%s"), 452);
	CHECK(got.answer.enhanced[1] == 7 && got_text("limit of 2 letters in an hour"));
	CHECK_EQ(sub_rcpt("me@%s", "any@elsewhere.example", g), 452);
	wires_renew(&c.proc, CH_CHECK_SUB_HOLDER_DKIM, 2);
	for (int i = 0; i < 2; i++)
		CHECK(get(CH_FRONT_SUB_CHECK_SUB) && got.answer.code == 451);
	CHECK_EQ(sub_rcpt("me@%s", "any@elsewhere.example", g), 250);
	second_rcpt = "more@elsewhere.example"; /* the account's own limit */
	CHECK_EQ(sub_letter("From: me@%s\r\n\r\n", "quota=1 @%s"), 550);
	CHECK(got_text("more recipients than account app1"));
	second_rcpt = NULL;
}

/* S6: To: and Cc: may be long. The preimage goes to the holder as a memfd when no message holds it. */
static void test_long_to(void)
{
	static uint8_t bytes[300 * 1024], preimage[300 * 1024];
	char from[300];

	start(P_CHECK_SUB);
	for (int i = 0; i < 3; i++) {
		struct buf b = BUF(bytes);
		static const size_t size[] = { 10 * 1024, 13 * 1024, 200 * 1024 };
		struct slice p;

		buf_put(&b, with_domain("From: me@%s\r\nTo: x@y.example", from, sizeof from));
		while (b.len < size[i])
			buf_put(&b, SLICE(",\r\n \"A name\" <somebody@elsewhere.example>"));
		buf_put(&b, SLICE("\r\n\r\nbody\r\n"));
		give_letter(CH_FRONT_SUB_CHECK_SUB, buf_slice(&b), "me@%s",
			    "any@elsewhere.example", grant("@%s", INT64_MAX));
		CHECK(get(CH_CHECK_SUB_HOLDER_DKIM));
		CHECK_EQ(got.h.type, i ? HOLDER_DKIM_LONG : HOLDER_DKIM_SIGN);
		if (!i)
			continue;
		p = read_all(got_fd[0], preimage, sizeof preimage);
		CHECK(p.n > size[i] / 10 * 9);
		CHECK_EQ(((struct holder_dkim_long *)(void *)&got)->size, p.n);
		close(got_fd[0]);
	}
}

static void test_submit(void)
{
	struct holder_reply r = { .h = { .type = HOLDER_DKIM_SIGN }, .result = HOLDER_DONE };
	struct answer a = { .h = { .type = QUEUE_LETTER },
			    .code = 250,
			    .enhanced = { 2, 0, 0 } };
	static uint8_t bytes[8192];
	struct slice v;
	uint32_t skip;

	start(P_CHECK_SUB);
	CHECK_EQ(
		sub_letter(
			"From: me@%s\r\nBcc: secret@x.example\r\nResent-Bcc: y@x.example\r\nReturn-Path: <z@x.example>\r\nSubject: s\r\n\r\nbody\r\n",
			"@%s"),
		0);
	CHECK(get(CH_CHECK_SUB_HOLDER_DKIM) && got.h.type == HOLDER_DKIM_SIGN);
	r.h.id = got.h.id;
	wires_put(CH_CHECK_SUB_HOLDER_DKIM, &r, sizeof r, SLICE("signature"), -1, -1);
	CHECK(get(CH_CHECK_SUB_QUEUE) && got.h.type == QUEUE_LETTER);
	skip = ((struct queue_letter *)(void *)&got)->skip;
	v = read_all(got_fd[0], bytes, sizeof bytes);
	CHECK_SLICE(slice_from(v, skip), "\r\nbody\r\n");
	v = read_all(got_fd[1], bytes, sizeof bytes);
	CHECK(envelope_get(v, ENV_ACCOUNT, &v));
	CHECK_SLICE(v, "app1");
	v = read_all(got_fd[1], bytes, sizeof bytes);
	CHECK(envelope_get(v, ENV_HEADER, &v) && slice_iprefix(v, SLICE("DKIM-Signature: ")));
	CHECK(header_count(v, SLICE("Date")) == 1 && header_count(v, SLICE("Message-ID")) == 1);
	CHECK(header_count(v, SLICE("Resent-Bcc")) == 0 &&
	      header_count(v, SLICE("Return-Path")) == 0);
	CHECK(header_count(v, SLICE("Bcc")) == 0 && header_count(v, SLICE("Received")) == 1);
	a.h.id = got.h.id;
	wires_put(CH_CHECK_SUB_QUEUE, &a, sizeof a, SLICE("queued"), -1, -1);
	CHECK(get(CH_FRONT_SUB_CHECK_SUB) && got.answer.code == 250);
	/* No key yet. */
	CHECK_EQ(sub_letter("From: me@%s\r\n\r\nx\r\n", "@%s"), 0);
	CHECK(get(CH_CHECK_SUB_HOLDER_DKIM));
	r.h.id = got.h.id;
	r.result = HOLDER_NOT_YET;
	wires_put(CH_CHECK_SUB_HOLDER_DKIM, &r, sizeof r, SLICE(""), -1, -1);
	CHECK(get(CH_FRONT_SUB_CHECK_SUB) && got.answer.code == 451);
}

/* What the client said about reports (RFC 3461) goes on to the queue; an alias that was given no ORCPT gets one. */
static void test_submit_dsn(void)
{
	struct holder_reply r = { .h = { .type = HOLDER_DKIM_SIGN }, .result = HOLDER_DONE };
	static uint8_t bytes[8192], want_mem[2048], records[256];
	struct buf want = BUF(want_mem), b = BUF(records);
	struct slice head, v;
	char text[64], orcpt[300];
	size_t n;

	start(P_CHECK_SUB);
	envelope_put(&b, ENV_RET, SLICE("HDRS"));
	envelope_put(&b, ENV_ENVID, SLICE("one+2Btwo"));
	of_letter = buf_slice(&b);
	envelope_put(&b, ENV_NOTIFY, SLICE("NEVER"));
	envelope_put(&b, ENV_ORCPT, SLICE("rfc822;as@said"));
	of_rcpt = slice_from(buf_slice(&b), of_letter.n);
	for (int twice = 0; twice < 2; twice++) {
		second_rcpt = twice ? "hello+a=b@%s" : NULL;
		give_letter(CH_FRONT_SUB_CHECK_SUB,
			    with_domain("From: me@%s\r\n\r\n", text, sizeof text), "me@%s",
			    twice ? "other@%s" : "any@elsewhere.example",
			    grant("@%s", INT64_MAX));
		CHECK(get(CH_CHECK_SUB_HOLDER_DKIM));
		r.h.id = got.h.id;
		wires_put(CH_CHECK_SUB_HOLDER_DKIM, &r, sizeof r, SLICE("signature"), -1, -1);
		CHECK(get(CH_CHECK_SUB_QUEUE) && got.h.type == QUEUE_LETTER);
		head = read_all(got_fd[1], bytes, sizeof bytes);
		CHECK(envelope_check(head, &n) && n == (twice ? 2u : 1u));
		CHECK(envelope_get(head, ENV_RET, &v));
		CHECK_SLICE(v, "HDRS");
		CHECK(envelope_get(head, ENV_ENVID, &v));
		CHECK_SLICE(v, "one+2Btwo");
	}
	envelope_put(&want, ENV_RCPT, SLICE("second@gmail.com"));
	envelope_put(&want, ENV_ORIGINAL, with_domain("other@%s", orcpt, sizeof orcpt));
	buf_put(&want, of_rcpt);
	envelope_put(&want, ENV_RCPT, SLICE("box@gmail.com"));
	envelope_put(&want, ENV_ORIGINAL, with_domain("hello+a=b@%s", orcpt, sizeof orcpt));
	envelope_put(&want, ENV_ORCPT,
		     with_domain("rfc822;hello+2Ba+3Db@%s", orcpt, sizeof orcpt));
	CHECK(memmem(head.p, head.n, want.p, want.len) != NULL);
	second_rcpt = NULL;
	of_letter = of_rcpt = SLICE("");
}

/* SMTPUTF8: what needs it says so to the next process, and what does not need it does not (RFC 6531 3.4). */
static void test_utf8(void)
{
	static uint8_t bytes[8192], records[16];
	struct holder_reply r = { .result = HOLDER_DONE };
	struct buf b = BUF(records);
	struct slice head, v;
	char text[256];
	size_t n;

	envelope_put(&b, ENV_UTF8, SLICE("1"));
	of_letter = buf_slice(&b);
	start(P_CHECK_SUB);
	for (int needed = 0; needed < 2; needed++) {
		give_letter(CH_FRONT_SUB_CHECK_SUB,
			    with_domain(needed ? "From: J\xc3\xb6rg <me@%s>\r\n\r\n"
					       : "From: me@%s\r\n\r\nJ\xc3\xb6rg\r\n",
					text, sizeof text),
			    "me@%s", "any@elsewhere.example", grant("@%s", INT64_MAX));
		CHECK(get(CH_CHECK_SUB_HOLDER_DKIM));
		r.h = (struct msg){ .type = HOLDER_DKIM_SIGN, .id = got.h.id };
		wires_put(CH_CHECK_SUB_HOLDER_DKIM, &r, sizeof r, SLICE("signature"), -1, -1);
		CHECK(get(CH_CHECK_SUB_QUEUE));
		head = read_all(got_fd[1], bytes, sizeof bytes);
		CHECK(envelope_check(head, &n) && envelope_get(head, ENV_UTF8, &v) == needed);
	}
	give_letter(CH_FRONT_SUB_CHECK_SUB,
		    with_domain("From: \xe4 <me@%s>\r\n\r\n", text, sizeof text), "me@%s",
		    "any@elsewhere.example", grant("@%s", INT64_MAX));
	CHECK(get(CH_FRONT_SUB_CHECK_SUB) && got.answer.code == 550 &&
	      got.answer.enhanced[1] == 6 && got.answer.enhanced[2] == 7);
	of_letter = SLICE("");
	give_letter(CH_FRONT_SUB_CHECK_SUB,
		    with_domain("From: J\xc3\xb6rg <me@%s>\r\n\r\n", text, sizeof text),
		    "me@%s", "any@elsewhere.example", grant("@%s", INT64_MAX));
	CHECK(get(CH_FRONT_SUB_CHECK_SUB) && got.answer.code == 550);

	/* A stranger's sender keeps its characters in the rewritten one, and the next hop must take them. */
	start(P_CHECK_MX);
	of_letter = buf_slice(&b);
	give_letter(CH_FRONT_MX_CHECK_MX, slice_of(plain_letter), "j\xc3\xb6rg@b.example",
		    "hello@%s", SLICE(""));
	CHECK(get(CH_CHECK_MX_HOLDER_SRS));
	r.h = (struct msg){ .type = HOLDER_SRS_FORWARD, .id = got.h.id };
	wires_put(CH_CHECK_MX_HOLDER_SRS, &r, sizeof r, SLICE("SRS0=h=t=b.example=j\xc3\xb6rg"),
		  -1, -1);
	CHECK(get(CH_CHECK_MX_OUT_MX));
	head = read_all(got_fd[1], bytes, sizeof bytes);
	CHECK(envelope_check(head, &n) && envelope_get(head, ENV_UTF8, &v));
	give_letter(CH_FRONT_MX_CHECK_MX, slice_of(plain_letter), "", "hello@%s", SLICE(""));
	CHECK(get(CH_CHECK_MX_OUT_MX));
	head = read_all(got_fd[1], bytes, sizeof bytes);
	CHECK(envelope_check(head, &n) && !envelope_get(head, ENV_UTF8, &v));
	of_letter = SLICE("");
}

/* The sender does not fit into an SRS address: a fixed one of ours stands for it. */
static void test_long_sender(void)
{
	struct holder_reply r = { .h = { .type = HOLDER_SRS_FORWARD },
				  .result = HOLDER_REFUSED };
	static uint8_t bytes[8192];
	struct slice v;

	start(P_CHECK_MX);
	give_letter(CH_FRONT_MX_CHECK_MX, slice_of(plain_letter),
		    "bounces+123-ab-hello=example.org@em1.shop.example", "hello@%s", SLICE(""));
	CHECK(get(CH_CHECK_MX_HOLDER_SRS));
	r.h.id = got.h.id;
	wires_put(CH_CHECK_MX_HOLDER_SRS, &r, sizeof r, SLICE(""), -1, -1);
	CHECK(get(CH_CHECK_MX_OUT_MX) && got.h.type == OUT_DELIVER);
	CHECK(envelope_get(read_all(got_fd[1], bytes, sizeof bytes), ENV_SENDER, &v));
	CHECK(slice_iprefix(v, SLICE("forwarded@")));
}

/* front says more than it may: check has its own eyes. */
static void test_lying_front(void)
{
	struct slice g;

	start(P_CHECK_MX);
	second_rcpt = "other@%s";
	give_letter(CH_FRONT_MX_CHECK_MX, slice_of(plain_letter), "", "hello@%s", SLICE(""));
	CHECK(get(CH_FRONT_MX_CHECK_MX) && got.answer.code == 451 &&
	      got.answer.enhanced[1] == 5);
	second_rcpt = "same@%s";
	give_letter(CH_FRONT_MX_CHECK_MX, slice_of(plain_letter), "", "hello@%s", SLICE(""));
	CHECK(get(CH_CHECK_MX_OUT_MX));
	second_rcpt = NULL;
	size_lie = 1;
	give_letter(CH_FRONT_MX_CHECK_MX, slice_of(plain_letter), "", "hello@%s", SLICE(""));
	CHECK(get(CH_FRONT_MX_CHECK_MX) && got.answer.code == 451);
	size_lie = 0;

	start(P_CHECK_SUB);
	g = grant("other@%s", INT64_MAX);
	give_letter(CH_FRONT_SUB_CHECK_SUB, slice_of("From: other@example.org\r\n\r\n"),
		    "me@%s", "any@elsewhere.example", g);
	CHECK(get(CH_FRONT_SUB_CHECK_SUB) && got.answer.code == 550 &&
	      got.answer.enhanced[1] == 7);
	for (int i = 0; i < 2; i++) {
		char text[512];

		give_letter(CH_FRONT_SUB_CHECK_SUB,
			    with_domain("From: me@%s\r\n\r\n", text, sizeof text), "me@%s",
			    i ? "SRS0=h=t=b.example=a@%s" : "nobody@%s",
			    grant("@%s", INT64_MAX));
		CHECK(get(CH_FRONT_SUB_CHECK_SUB) && got.answer.code == 451);
	}
}

/* A full route is said at RCPT; a letter that is here already waits, also for an out that is being restarted. */
static void test_full_route(void)
{
	uint32_t id;

	start(P_CHECK_MX);
	for (int i = 0; i < CONFIG_FORWARD_MAX_HELD; i++) {
		CHECK_EQ(mx_rcpt("a@b.example", "hello@%s"), 250);
		give_letter(CH_FRONT_MX_CHECK_MX, slice_of(plain_letter), "", "hello@%s",
			    SLICE(""));
		CHECK(get(CH_CHECK_MX_OUT_MX));
	}
	id = got.h.id;
	CHECK_EQ(mx_rcpt("a@b.example", "hello@%s"), 451);
	CHECK_EQ(mx_rcpt("a@b.example", "nobody@%s"), 550);
	give_letter(CH_FRONT_MX_CHECK_MX, slice_of(plain_letter), "", "hello@%s", SLICE(""));
	give_letter(CH_FRONT_MX_CHECK_MX, slice_of(plain_letter), "", "hello@%s", SLICE(""));
	CHECK(!get(CH_CHECK_MX_OUT_MX));
	out_says(id, 250);
	CHECK(get(CH_FRONT_MX_CHECK_MX) && got.answer.code == 250);
	CHECK(get(CH_CHECK_MX_OUT_MX) && got.h.type == OUT_DELIVER);
	CHECK(!get(CH_CHECK_MX_OUT_MX));
	wires_renew(&c.proc, CH_CHECK_MX_OUT_MX, 2);
	CHECK(get(CH_CHECK_MX_OUT_MX) && got.h.type == OUT_DELIVER);
}

/* front dies while all places are taken: its successor is told to come again, and nobody dies of it. */
static void test_front_restarts(void)
{
	char text[512];

	start(P_CHECK_SUB);
	for (int i = 0; i <= JOBS; i++) {
		if (i == CONFIG_SMTPD_MAX_SESSIONS)
			wires_renew(&c.proc, CH_FRONT_SUB_CHECK_SUB, 2);
		give_letter(CH_FRONT_SUB_CHECK_SUB,
			    with_domain("From: me@%s\r\n\r\n", text, sizeof text), "me@%s",
			    "any@elsewhere.example", grant("@%s", INT64_MAX));
		CHECK(get(CH_CHECK_SUB_HOLDER_DKIM) == (i < JOBS));
	}
	CHECK(get(CH_FRONT_SUB_CHECK_SUB) && got.h.status == MSG_FAILED);
}

/* Gives check.sub a report of queue's; the reply code, or 0 when it asks holder.dkim. */
static unsigned give_report(const char *sender, const char *rcpt, const char *from, bool number)
{
	static uint8_t bytes[1024];
	struct buf b = BUF(bytes);
	struct check_letter m = { .h = { .type = CHECK_REPORT, .id = ++next_id } };
	char s[300], r[300], text[500], f[300];
	int fd[2];

	snprintf(f, sizeof f, from, domain);
	snprintf(text, sizeof text,
		 "From: %s\r\nTo: <x@y.example>\r\nSubject: x\r\n\r\nHello\r\n", f);
	m.text_size = strlen(text);
	envelope_put(&b, ENV_SENDER, with_domain(sender, s, sizeof s));
	if (number)
		envelope_put(&b, ENV_REPORT, SLICE("77.88"));
	envelope_put(&b, ENV_RCPT, with_domain(rcpt, r, sizeof r));
	envelope_put_header(&b, SLICE(""));
	fd[0] = wires_sealed(slice_of(text));
	fd[1] = wires_sealed(buf_slice(&b));
	wires_put(CH_QUEUE_CHECK_SUB, &m, sizeof m, SLICE(""), fd[0], fd[1]);
	close(fd[0]);
	close(fd[1]);
	return get(CH_QUEUE_CHECK_SUB) ? got.answer.code : 0;
}

static void test_report(void)
{
	static const char daemon[] = "MAILER-DAEMON@%s";
	static const struct {
		const char *sender, *rcpt, *from;
		bool number;
		uint16_t code;
	} rows[] = {
		{ "me@%s", "x@y.example", daemon, true, 550 },
		{ "", "x@y.example", daemon, false, 550 },
		{ "", "x@y.example", "boss@%s", true, 550 },
		{ "", "x@y.example", "MAILER-DAEMON@elsewhere.example", true, 550 },
		{ "", "x@y.example", "MAILER-DAEMON@%s, boss@elsewhere.example", true, 550 },
		{ "", "nobody@%s", daemon, true, 550 },
		{ "", "SRS0=h=t=b.example=a@%s", daemon, true, 550 },
	};
	struct holder_reply r = { .h = { .type = HOLDER_DKIM_SIGN }, .result = HOLDER_DONE };
	struct answer a = { .h.type = QUEUE_LETTER, .code = 250, .enhanced = { 2, 0, 0 } };
	static uint8_t bytes[4096];
	struct slice head, v;
	size_t n;

	start(P_CHECK_SUB);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		CHECK_EQ(give_report(rows[i].sender, rows[i].rcpt, rows[i].from,
				     rows[i].number),
			 rows[i].code);
	/* No key yet: later. */
	CHECK_EQ(give_report("", "x@y.example", daemon, true), 0);
	CHECK(get(CH_CHECK_SUB_HOLDER_DKIM));
	r.h.id = got.h.id;
	r.result = HOLDER_NOT_YET;
	wires_put(CH_CHECK_SUB_HOLDER_DKIM, &r, sizeof r, SLICE(""), -1, -1);
	CHECK(get(CH_QUEUE_CHECK_SUB) && got.answer.code == 451);
	r.result = HOLDER_DONE;
	/* A sender of ours is where the map says. */
	CHECK_EQ(give_report("", "hello@%s", daemon, true), 0);
	CHECK(get(CH_CHECK_SUB_HOLDER_DKIM) && got.h.type == HOLDER_DKIM_SIGN);
	r.h.id = got.h.id;
	wires_put(CH_CHECK_SUB_HOLDER_DKIM, &r, sizeof r, SLICE("signature"), -1, -1);
	CHECK(get(CH_CHECK_SUB_QUEUE) && got.h.type == QUEUE_LETTER);
	head = read_all(got_fd[1], bytes, sizeof bytes);
	CHECK(envelope_check(head, &n) && n == 1);
	CHECK(envelope_get(head, ENV_SENDER, &v) && !v.n);
	CHECK(envelope_get(head, ENV_REPORT, &v));
	CHECK_SLICE(v, "77.88");
	CHECK(envelope_get(head, ENV_RCPT, &v));
	CHECK_SLICE(v, "box@gmail.com");
	CHECK(envelope_get(head, ENV_HEADER, &v) && slice_iprefix(v, SLICE("DKIM-Signature:")));
	a.h.id = got.h.id;
	wires_put(CH_CHECK_SUB_QUEUE, &a, sizeof a, SLICE("Ok"), -1, -1);
	CHECK(get(CH_QUEUE_CHECK_SUB) && got.answer.code == 250);
}

int main(void)
{
	wires_reserve();
	snprintf(domain, sizeof domain, "%.*s",
		 (int)slice_find(SLICE(CONFIG_SMTPD_DOMAINS), ' '), CONFIG_SMTPD_DOMAINS);
	test_mx_rcpt();
	test_mx_return();
	test_forward();
	test_crash_below();
	test_loops();
	test_sub_rcpt();
	test_submit_refusals();
	test_submit_words();
	test_submit();
	test_submit_names_address();
	test_quota();
	test_long_to();
	test_submit_dsn();
	test_utf8();
	test_report();
	test_long_sender();
	test_lying_front();
	test_full_route();
	test_front_restarts();
	TEST_END();
}
