/* SPDX-License-Identifier: ISC */
/* Messages of RFC 5424, octet for octet; the lengths at their bounds; nothing that is not printable gets through. */
#include "init/log/syslogmsg.h"

#include "smtpd/lib/log.h"
#include "tests/unit/test.h"

static uint8_t mem[SYSLOGMSG_MAX];

static struct slice message(int64_t s, unsigned ms, struct slice host, struct slice name,
			    struct slice line)
{
	struct buf b = BUF(mem);

	syslogmsg_put(&(struct syslogmsg){ s, ms, host, name, line }, &b);
	CHECK(!b.bad);
	return buf_slice(&b);
}

#define M(s, ms, line) message(s, ms, SLICE("mail.example"), SLICE("front.mx"), SLICE(line))

int main(void)
{
	static uint8_t longest[LOG_LINE + 100];
	struct slice all = { longest, sizeof longest }, got;

	CHECK_SLICE(
		M(1795305600, 7, "ev=connect id=1"),
		"<22>1 2026-11-22T00:00:00.007Z mail.example front.mx - connect - ev=connect id=1");
	CHECK_SLICE(
		M(0, 999, "ev=alarm x"),
		"<17>1 1970-01-01T00:00:00.999Z mail.example front.mx - alarm - ev=alarm x");
	CHECK_SLICE(M(-1, 0, "ev=died"), "<19>1 - mail.example front.mx - died - ev=died");
	CHECK_SLICE(M(-1, 0, "ready t=1"), "<22>1 - mail.example front.mx - - - ready t=1");
	CHECK_SLICE(M(-1, 0, "ev="), "<22>1 - mail.example front.mx - - - ev=");
	CHECK_SLICE(M(-1, 0, ""), "<22>1 - mail.example front.mx - - -");
	CHECK_SLICE(M(-1, 0, "ev=a\n<1>1 - x\0\x80\x7f"),
		    "<22>1 - mail.example front.mx - a?<1>1 - ev=a?<1>1 - x???");
	CHECK_SLICE(message(-1, 0, SLICE("a b"), SLICE(""), SLICE("x")),
		    "<22>1 - a?b - - - - x");
	memset(longest, 'x', sizeof longest);
	memcpy(longest, "ev=", 3);
	got = message(253402300799, 999, all, all, all);
	CHECK_EQ(got.n, 6 + 25 + 256 + 49 + 2 + 33 + 2 + LOG_LINE);
	TEST_END();
}
