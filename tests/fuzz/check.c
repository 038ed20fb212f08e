/* SPDX-License-Identifier: ISC */
/* check.mx and check.sub as message receivers: whatever front sends, they answer once or close the wire; whatever a
 * letter holds, they refuse it or pass it on. */
#define _GNU_SOURCE
#include "smtpd/check/check.h"

#include "smtpd/lib/memfd.h"
#include "tests/unit/wires.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static const uint8_t key[32];
static struct check c;
static uint8_t answer[MSG_MAX];

static void start(enum proc_id me)
{
	wires_reserve();
	wires_start(me, 0, key, NULL, 0);
	proc_start(&c.proc, PROG_CHECK, 4);
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
	envelope_put(b, ENV_SENDER, SLICE("a@example.org"));
	envelope_put(b, ENV_RCPT, SLICE("b@example.net"));
	envelope_put(b, ENV_GRANT, buf_slice(&grant));
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

static void drain(void)
{
	int fd[2] = { -1, -1 };

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
		start(getenv("FUZZ_MX") ? P_CHECK_MX : P_CHECK_SUB);
	started = true;
	ch = c.mx ? CH_FRONT_MX_CHECK_MX : CH_FRONT_SUB_CHECK_SUB;
	if (in.bad || n > 60000)
		return 0;
	if (kind & 1)
		send_letter(ch, &in, h);
	else if (in.s.n && in.s.n <= MSG_MAX)
		wires_put(ch, in.s.p, in.s.n, SLICE(""), -1, -1);
	loop_round(&c.proc.loop);
	drain();
	return 0;
}
