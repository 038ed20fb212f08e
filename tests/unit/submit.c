/* SPDX-License-Identifier: ISC */
/* check.sub: which letters of an account are taken, one case a line. */
#define _GNU_SOURCE
#include "smtpd/check/check.h"

#include <sys/mman.h>

#include "smtpd/lib/memfd.h"
#include "smtpd/msg/queue.h"
#include "smtpd/proto/dkim_key.h"
#include "tests/unit/test.h"
#include "tests/unit/wires.h"

static char domain[256]; /* the first mail domain of this configuration */
static struct check c;
static uint32_t next_id;
static const uint8_t key[32] = { 7 };
static union {
	struct msg h;
	struct answer answer;
	uint8_t b[MSG_MAX];
} got;
static size_t got_n;
static int got_fd[2];

static bool get(enum chan_id ch)
{
	memfd_close(&got_fd[0]);
	memfd_close(&got_fd[1]);
	got_n = wires_get(&c.proc, ch, &got, sizeof got, got_fd, 20);
	return got_n != 0;
}

static struct slice with_domain(const char *format, char *out, size_t cap)
{
	snprintf(out, cap, format, domain);
	return slice_of(out);
}

static struct slice grant(void)
{
	static uint8_t bytes[512];
	struct buf b = BUF(bytes);
	char r[300];
	struct grant g = { .account = SLICE("app1"), .expires = INT64_MAX };

	g.rights = with_domain("me@%s", r, sizeof r);
	grant_put(&g, key, &b);
	return buf_slice(&b);
}

static unsigned rcpt(const char *sender)
{
	uint8_t bytes[2048];
	struct buf b = BUF(bytes);
	struct slice g = grant();
	char s[300];
	struct slice from = with_domain(sender, s, sizeof s), to = SLICE("any@b.example");
	struct check_rcpt m = { .h = { .type = CHECK_RCPT, .id = ++next_id },
				.sender_len = (uint16_t)from.n,
				.rcpt_len = (uint16_t)to.n,
				.grant_len = (uint16_t)g.n };

	buf_put(&b, from);
	buf_put(&b, to);
	buf_put(&b, g);
	wires_put(CH_FRONT_SUB_CHECK_SUB, &m, sizeof m, buf_slice(&b), -1, -1);
	return get(CH_FRONT_SUB_CHECK_SUB) ? got.answer.code : 0;
}

static const char *const any[] = { "any@b.example", NULL };
static const char *const *named = any; /* with %s for the domain */

static void give(const char *sender, struct slice text)
{
	struct check_letter m = { .h = { .type = CHECK_LETTER, .id = ++next_id },
				  .text_size = text.n };
	uint8_t bytes[2048];
	struct buf b = BUF(bytes);
	char s[300];
	int t = wires_sealed(text), h;

	envelope_put(&b, ENV_SENDER, with_domain(sender, s, sizeof s));
	for (const char *const *to = named; *to; to++)
		envelope_put(&b, ENV_RCPT, with_domain(*to, s, sizeof s));
	envelope_put(&b, ENV_HELO, SLICE("client.example"));
	envelope_put(&b, ENV_PEER, SLICE("192.0.2.1"));
	envelope_put(&b, ENV_WITH, SLICE("ESMTPSA"));
	envelope_put(&b, ENV_GRANT, grant());
	envelope_put_header(&b, SLICE(""));
	h = wires_sealed(buf_slice(&b));
	wires_put(CH_FRONT_SUB_CHECK_SUB, &m, sizeof m, SLICE(""), t, h);
	close(t);
	close(h);
}

/* The refusal's code; 0: it goes to be signed. */
static unsigned letter(const char *sender, const char *text)
{
	char t[4096];

	give(sender, with_domain(text, t, sizeof t));
	if (get(CH_CHECK_SUB_HOLDER_DKIM))
		return 0;
	return get(CH_FRONT_SUB_CHECK_SUB) ? got.answer.code : 1;
}

/* Read receipts and what says that somebody is on holiday have no sender; they have an author. */
static void null_sender(void)
{
	static const char receipt[] = "From: me@%s\r\nTo: x@b.example\r\n\r\nread\r\n";
	struct holder_reply r = { .h = { .type = HOLDER_DKIM_SIGN }, .result = HOLDER_DONE };
	struct answer a = { .h = { .type = QUEUE_LETTER }, .code = 250 };
	static uint8_t bytes[8192];
	uint32_t letters, rcpts;
	struct slice head = { bytes, 0 }, v;
	uint64_t n;

	CHECK_EQ(rcpt(""), 250);
	CHECK_EQ(letter("", "From: you@%s\r\n\r\nx\r\n"), 550);
	CHECK_EQ(letter("", receipt), 0);
	r.h.id = got.h.id;
	wires_put(CH_CHECK_SUB_HOLDER_DKIM, &r, sizeof r, SLICE("signature"), -1, -1);
	CHECK(get(CH_CHECK_SUB_QUEUE) && got.h.type == QUEUE_LETTER);
	CHECK(memfd_check(got_fd[1], sizeof bytes, &n) && memfd_read(got_fd[1], 0, bytes, n));
	head.n = (size_t)n;
	CHECK(envelope_get(head, ENV_SENDER, &v) && !v.n);
	CHECK(envelope_get(head, ENV_ACCOUNT, &v));
	CHECK_SLICE(v, "app1");
	CHECK(!envelope_get(head, ENV_REPORT, &v)); /* it is no report of ours */
	CHECK(envelope_get(head, ENV_HEADER, &v) &&
	      slice_iprefix(v, SLICE("DKIM-Signature: ")));
	a.h.id = got.h.id;
	wires_put(CH_CHECK_SUB_QUEUE, &a, sizeof a, SLICE("queued"), -1, -1);
	CHECK(get(CH_FRONT_SUB_CHECK_SUB) && got.answer.code == 250);
	quota_used(&c.quota, SLICE("app1"), loop_clock(), &letters, &rcpts);
	CHECK_EQ(letters, 1);
	CHECK_EQ(rcpts, 1);
}

/* RULES S4 and F7: what Gmail would refuse is refused here, with the reason. */
static void malformed(void)
{
	static char text[32 * 1024];
	char *at = text;

	CHECK_EQ(letter("me@%s", "From: me@%s\r\nDate: hello\r\n\r\n"), 550);
	CHECK_EQ(got.answer.enhanced[1], 6);
	CHECK(memmem(&got, got_n, "Date: it must be like", 21) != NULL);
	CHECK_EQ(letter("me@%s", "From: me@%s\r\nMessage-ID: <a b@c>\r\n\r\n"), 550);
	CHECK_EQ(letter("me@%s",
			"From: me@%s\r\nDate: Fri, 27 Nov 2026 19:57:03 +0000 (UTC)\r\n"
			"Message-ID: <a@b>\r\n\r\n"),
		 0);
	for (int i = 0; i < CONFIG_FORWARD_MAX_HOPS; i++)
		at += snprintf(at, 64, "Received: by x%03d\r\n", i);
	snprintf(at, 400, "From: me@%s\r\n\r\n", domain);
	give("me@%s", slice_of(text));
	CHECK(get(CH_FRONT_SUB_CHECK_SUB) && got.answer.code == 554 &&
	      got.answer.enhanced[1] == 4 && got.answer.enhanced[2] == 6);
	give("me@%s", slice_from(slice_of(text), 20)); /* one less */
	CHECK(get(CH_CHECK_SUB_HOLDER_DKIM));
}

/* Two aliases that lead to the same addresses: one copy for each, and so many are counted. */
static void same_twice(void)
{
	static const char *const both[] = { "one@%s", "two@%s", "bob@b.example", NULL };
	const struct job *j = c.jobs;

	named = both;
	CHECK_EQ(letter("me@%s", "From: me@%s\r\n\r\n"), 0);
	while (j < c.jobs + JOBS - 1 && !(j->token.chan && j->token.id == next_id))
		j++;
	CHECK_EQ(j->nrcpt, 2);
	CHECK_EQ(j->rcpts, 2);
	named = any;
}

static void put_alias(struct cdb_make *m, const char *name, const char *to)
{
	char k[300];

	cdb_make_add(m, k, (unsigned)with_domain(name, k, sizeof k).n, to,
		     (unsigned)strlen(to));
}

static void answer(enum holder_result result, uint32_t number)
{
	struct holder_reply r = { .h = { .type = HOLDER_DKIM_SIGN, .id = got.h.id },
				  .result = (uint8_t)result,
				  .number = number };

	wires_put(CH_CHECK_SUB_HOLDER_DKIM, &r, sizeof r,
		  result == HOLDER_DONE ? SLICE("signature") : SLICE(""), -1, -1);
}

/* The number that holder.dkim is asked for; the selector in the preimage is that number's. */
static uint32_t number_asked(void)
{
	const struct holder_dkim_sign *m = (const void *)&got;
	struct slice preimage = { got.b + sizeof *m, got_n - sizeof *m };
	uint8_t mem[300];
	struct buf s = BUF(mem);
	size_t at = slice_rfind(preimage, '\n'), i = at;

	CHECK_EQ(got.h.type, HOLDER_DKIM_SIGN);
	buf_put(&s, SLICE("; s="));
	dkim_key_selector(SLICE(CONFIG_KEYS_DKIM_SELECTOR), false, m->number, &s);
	buf_put(&s, SLICE("; "));
	while (i < preimage.n && !slice_iprefix(slice_from(preimage, i), buf_slice(&s)))
		i++;
	CHECK(i < preimage.n);
	return m->number;
}

/* Another key signs than was asked for: it is asked once more, for that one, and so is every later letter. */
static void another_key(void)
{
	static const char text[] = "From: me@%s\r\nTo: x@b.example\r\n\r\nx\r\n";

	CHECK_EQ(letter("me@%s", text), 0);
	CHECK_EQ(number_asked(), 1);
	answer(HOLDER_OTHER_KEY, 7);
	CHECK(get(CH_CHECK_SUB_HOLDER_DKIM));
	CHECK_EQ(number_asked(), 7);
	answer(HOLDER_OTHER_KEY, 8); /* one that never agrees */
	CHECK(get(CH_FRONT_SUB_CHECK_SUB) && got.answer.code == 451);
	CHECK_EQ(letter("me@%s", text), 0);
	CHECK_EQ(number_asked(), 7);
	answer(HOLDER_NOT_YET, 0);
	CHECK(get(CH_FRONT_SUB_CHECK_SUB) && got.answer.code == 451);
}

int main(void)
{
	struct cdb_make m;
	int map;

	wires_reserve();
	got_fd[0] = got_fd[1] = -1;
	snprintf(domain, sizeof domain, "%.*s",
		 (int)slice_find(SLICE(CONFIG_SMTPD_DOMAINS), ' '), CONFIG_SMTPD_DOMAINS);
	map = memfd_create("map", 0);
	cdb_make_start(&m, map);
	put_alias(&m, "one@%s", "ann@b.example bob@b.example");
	put_alias(&m, "two@%s", "bob@b.example ann@b.example");
	cdb_make_finish(&m);
	wires_start(P_CHECK_SUB, 0, key, &map, 1);
	close(map);
	proc_start(&c.proc, PROG_CHECK, 4);
	check_init(&c);
	wires_connect(&c.proc);
	null_sender();
	malformed();
	same_twice();
	another_key();
	TEST_END();
}
