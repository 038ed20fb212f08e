/* SPDX-License-Identifier: ISC */
/* Whatever replies, addresses, parameters and the letter say: the shape of the report stands. */
#include <stdlib.h>

#include "tests/unit/reportlaw.h"

static struct slice piece(struct cur *c)
{
	return cur_take(c, cur_u8(c) % 128);
}

/* A header and a body as they were accepted: only CRLF ends a line. */
static struct slice lines(struct cur *c, uint8_t *room, size_t cap)
{
	struct slice in = piece(c);
	struct buf b = { .p = room, .cap = cap };

	for (size_t i = 0; i < in.n; i++) {
		if (in.p[i] == '\n')
			buf_u8(&b, '\r');
		if (in.p[i] == 0xff) /* many of one octet: long lines */
			for (int k = 0; k < 600; k++)
				buf_u8(&b, 'x');
		else if (in.p[i] != '\r' && in.p[i])
			buf_u8(&b, in.p[i]);
	}
	buf_put(&b, SLICE("\r\n"));
	return buf_slice(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static uint8_t header[128 * 1024], body[128 * 1024], room[1024 * 1024];
	struct cur c = CUR(((struct slice){ p, n }));
	struct report_rcpt t[3] = { 0 };
	struct report r = { .hostname = SLICE("mail.example.org"),
			    .domain = SLICE("example.org") };
	struct buf out = BUF(room);
	uint8_t kind = cur_u8(&c);
	bool eight, full = kind & 1;

	r.to = piece(&c);
	r.notice = kind & 2;
	r.sender = r.to;
	r.untold = kind / 4;
	r.envid = piece(&c);
	r.now = cur_be32(&c);
	r.arrived = cur_be32(&c) * 256ull;
	for (unsigned i = 0; i < 3; i++) {
		t[i].action = (enum report_action)(1 + cur_u8(&c) % 3);
		t[i].final = piece(&c);
		t[i].named = piece(&c);
		t[i].orcpt = piece(&c);
		t[i].host = piece(&c);
		t[i].text = piece(&c);
		t[i].code = cur_be16(&c) % 1000;
		t[i].enhanced[0] = cur_u8(&c);
		t[i].enhanced[1] = cur_u8(&c);
	}
	r.header = lines(&c, header, sizeof header);
	if (full)
		r.body = lines(&c, body, sizeof body);
	if (!report_put(&r, t, 3, &out, &eight)) {
		if (out.bad)
			abort(); /* there is room for all of it */
		return 0;
	}
	if (report_law(&r, buf_slice(&out), eight))
		abort();
	return 0;
}
