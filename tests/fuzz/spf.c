/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/spf.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

enum { OK = '=', SERVFAIL = '!' };

static struct slice line_take(struct slice *rest)
{
	struct slice line = slice_head(*rest, slice_find(*rest, '\n'));

	*rest = slice_from(*rest, line.n + 1);
	return line;
}

static void address_put(struct slice text, bool four, struct buf *out)
{
	struct ipaddr a;

	if (four ? ipaddr_parse4(text, &a) : ipaddr_parse6(text, &a))
		buf_put(out, (struct slice){ a.b + (four ? 12 : 0), four ? 4 : 16 });
	else
		buf_put(out, text);
}

/* Records are separated by NUL. */
static void records_put(struct slice line, uint16_t type, struct buf *out)
{
	while (line.n) {
		struct slice one = slice_head(line, slice_find(line, 0));
		uint8_t mem[512];
		struct buf data = BUF(mem);

		line = slice_from(line, one.n + 1);
		if (type == DNSMSG_MX)
			buf_be16(&data, 10);
		if (type == DNSMSG_A || type == DNSMSG_AAAA)
			address_put(one, type == DNSMSG_A, &data);
		else
			buf_put(&data, one);
		buf_be16(out, (uint16_t)data.len);
		buf_put(out, buf_slice(&data));
	}
}

static void law(const struct spf *s)
{
	if (s->result == SPF_PENDING || !s->reason.n || !spf_result_text(s->result).n)
		abort();
	if (s->explanation.n && s->result != SPF_FAIL)
		abort();
	for (size_t i = 0; i < s->explanation.n; i++)
		if (s->explanation.p[i] < ' ' || s->explanation.p[i] > '~')
			abort();
	if (s->terms > SPF_TERMS || s->depth > SPF_DEPTH || s->matched.n > sizeof s->text)
		abort();
}

/* Lines: client, HELO, local part, domain; then the answers, each '=' and its records, '!' or '-', and again from the
 * first of them when they are used up. It ends within SPF_ASKS questions, each a name that DNS can be asked for, with a
 * result and a reason; what is shown of it is printable. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct spf s;
	static uint8_t mem[1 << 16];
	struct slice rest = { p, n }, name, answers, line;
	struct spf_who who = { .receiver = SLICE("mx.example.net"), .now = 1795369300 };
	uint16_t type;
	int asks = 0;

	if (n > sizeof mem / 4 || !ipaddr_parse(line_take(&rest), &who.ip))
		return 0;
	who.helo = line_take(&rest);
	who.local = line_take(&rest);
	who.domain = line_take(&rest);
	answers = rest;
	spf_init(&s, &who);
	while (spf_ask(&s, &name, &type)) {
		struct buf records = BUF(mem);
		enum dnsmsg_kind kind = DNSMSG_NXDOMAIN;

		if (!dnsmsg_question_ok(name) || s.result || ++asks > SPF_ASKS)
			abort();
		line = line_take(&rest);
		if (!rest.n)
			rest = answers;
		if (line.n && line.p[0] == OK) {
			kind = DNSMSG_OK;
			records_put(slice_from(line, 1), type, &records);
		} else if (line.n) {
			kind = line.p[0] == SERVFAIL ? DNSMSG_SERVFAIL : DNSMSG_NODATA;
		}
		spf_answer(&s, kind, records.bad ? SLICE("") : buf_slice(&records));
	}
	law(&s);
	return 0;
}
