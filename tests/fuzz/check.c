/* SPDX-License-Identifier: ISC */
/* check.sub as a message receiver, and with FUZZ_MX (judge.c) check.mx: whatever front sends, they answer once or close
 * the wire; whatever a letter holds, and whatever dns says of it, they refuse it or pass it on. */
#define _GNU_SOURCE
#include "smtpd/check/check.h"

#include <stdio.h>

#include "smtpd/lib/memfd.h"
#include "smtpd/msg/dns.h"
#include "tests/unit/wires.h"

#ifndef FUZZ_MX
#	define FUZZ_MX 0
#endif

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static const uint8_t key[32];
static struct check c;
static uint8_t answer[MSG_MAX];
static struct cur names; /* what dns says, one answer after the other */

/* Everything in the first domain goes to one place. */
static int make_map(void)
{
	int fd = fcntl(memfd_make("map"), F_DUPFD, 100);
	struct cdb_make m;
	char k[300];

	snprintf(k, sizeof k, "@%.*s", (int)slice_find(SLICE(CONFIG_SMTPD_DOMAINS), ' '),
		 CONFIG_SMTPD_DOMAINS);
	cdb_make_start(&m, fd);
	cdb_make_add(&m, k, (unsigned)strlen(k), "box@gmail.com", 13);
	cdb_make_finish(&m);
	return fd;
}

static void start(enum proc_id me)
{
	int map = FUZZ_MX ? make_map() : -1;

	wires_reserve();
	wires_start(me, 0, key, &map, FUZZ_MX);
	proc_start(&c.proc, PROG_CHECK, 16); /* old wires of a round are still there */
	check_init(&c);
	wires_connect(&c.proc);
}

static int sealed(struct slice s)
{
	int fd = memfd_make("t");

	if (!memfd_append(fd, 0, s) || !memfd_seal(fd))
		abort();
	return fd;
}

/* A grant that opens, so that the code behind it is reached. */
static void put_head(struct buf *b, struct slice raw)
{
	uint8_t bytes[256];
	struct buf grant = BUF(bytes);
	struct grant g = { .account = SLICE("a"),
			   .rights = SLICE("@example.org"),
			   .expires = INT64_MAX };

	grant_put(&g, key, &grant);
	envelope_put(b, ENV_SENDER, FUZZ_MX ? SLICE("a@b.example") : SLICE("a@example.org"));
	envelope_put(b, ENV_RCPT, FUZZ_MX ? SLICE("b@example.org") : SLICE("b@example.net"));
	if (FUZZ_MX) {
		envelope_put(b, ENV_HELO, SLICE("c.example"));
		envelope_put(b, ENV_PEER, SLICE("192.0.2.1"));
	} else {
		envelope_put(b, ENV_GRANT, buf_slice(&grant));
	}
	buf_put(b, raw);
	envelope_put_header(b, SLICE(""));
}

static void send_letter(enum chan_id ch, struct cur *in, struct msg h)
{
	static uint8_t bytes[128 * 1024];
	struct buf head = BUF(bytes);
	struct check_letter m = { .h = h };
	bool raw = cur_u8(in) & 1;
	struct slice records = cur_take(in, cur_u8(in));
	int t, e;

	if (FUZZ_MX)
		names = CUR(cur_take(in, cur_be16(in)));

	if (raw)
		buf_put(&head, records);
	else
		put_head(&head, records);
	m.text_size = in->s.n;
	t = sealed(in->s);
	e = sealed(buf_slice(&head));
	wires_put(ch, &m, sizeof m, SLICE(""), t, e);
	close(t);
	close(e);
}

/* A result, then a record after its length, as long as there are any. */
static void answer_names(void)
{
	const struct msg *h = (const struct msg *)(const void *)answer;

	while (wires_get(&c.proc, CH_CHECK_MX_DNS, answer, sizeof answer, NULL, 0)) {
		struct dns_reply r = { .h = *h, .result = cur_u8(&names) & 3 };
		struct slice one = cur_take(&names, cur_u8(&names));
		uint8_t bytes[300];
		struct buf b = BUF(bytes);

		r.n = one.n > 0;
		if (one.n) {
			buf_be16(&b, (uint16_t)one.n);
			buf_put(&b, one);
		}
		wires_put(CH_CHECK_MX_DNS, &r, sizeof r, buf_slice(&b), -1, -1);
		loop_round(&c.proc.loop);
	}
}

static void drain(void)
{
	int fd[2] = { -1, -1 };

	while (recv(wires_control, answer, sizeof answer, MSG_DONTWAIT) > 0)
		; /* what init is told must not pile up */
	for (size_t id = 0; id < CH_MAX; id++) {
		if (wires_far[id] < 0)
			continue;
		while (wires_get(&c.proc, (enum chan_id)id, answer, sizeof answer, fd, 0))
			for (int i = 0; i < 2; i++) {
				if (fd[i] >= 0)
					close(fd[i]);
				fd[i] = -1;
			}
		wires_renew(&c.proc, (enum chan_id)id, c.proc.chan[0].generation + 1);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct cur in = CUR(((struct slice){ p, n }));
	static bool started;
	uint8_t kind = cur_u8(&in);
	struct msg h = { .type = CHECK_LETTER, .id = 7 };
	enum chan_id ch;

	if (!started)
		start(FUZZ_MX ? P_CHECK_MX : P_CHECK_SUB);
	started = true;
	ch = c.mx ? CH_FRONT_MX_CHECK_MX : CH_FRONT_SUB_CHECK_SUB;
	if (c.mx && kind & 2) { /* a notice of queue.mx */
		ch = CH_QUEUE_MX_CHECK_MX;
		h.type = CHECK_REPORT;
	}
	if (in.bad || n > 60000)
		return 0;
	if (kind & 1)
		send_letter(ch, &in, h);
	else if (in.s.n && in.s.n <= MSG_MAX)
		wires_put(ch, in.s.p, in.s.n, SLICE(""), -1, -1);
	loop_round(&c.proc.loop);
	if (FUZZ_MX)
		answer_names();
	drain();
	return 0;
}
