/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "init/log/syslogmsg.h"
#include "smtpd/lib/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void field(struct cur *c, size_t max)
{
	size_t len = 0;

	while (c->s.n && cur_u8(c) != ' ')
		len++;
	if (!len || len > max || !c->s.n)
		abort();
}

/* Whatever a process writes is one message: a header of seven fields, and printable text. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	uint8_t mem[SYSLOGMSG_MAX];
	struct buf b = BUF(mem);
	struct slice in = { p, n };
	struct syslogmsg m = { .s = n ? (int64_t)p[0] << 30 : -1, .ms = (unsigned)n };
	static const size_t max[] = { 5, 24, 255, 48, 128, 32 };
	struct cur c;

	m.host = slice_head(in, slice_find(in, ';'));
	in = slice_from(in, m.host.n + 1);
	m.name = slice_head(in, slice_find(in, ';'));
	m.line = slice_from(in, m.name.n + 1);
	syslogmsg_put(&m, &b);
	if (b.bad)
		abort();
	for (size_t i = 0; i < b.len; i++)
		if (mem[i] < ' ' || mem[i] > '~')
			abort();
	c = (struct cur)CUR(buf_slice(&b));
	for (size_t i = 0; i < sizeof max / sizeof *max; i++)
		field(&c, max[i]);
	if (cur_u8(&c) != '-' || (c.s.n && cur_u8(&c) != ' ') || c.s.n > LOG_LINE)
		abort();
	return 0;
}
