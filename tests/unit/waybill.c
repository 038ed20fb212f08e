/* SPDX-License-Identifier: ISC */
#include "tests/unit/test.h"

#include "smtpd/queue/waybill.h"

static uint8_t head[4096], made[WAYBILL_ENVELOPE];
static struct waybill w;

static struct slice letter(const char *const *to, unsigned n)
{
	struct buf b = BUF(head);

	envelope_put(&b, ENV_SENDER, SLICE("app@example.org"));
	envelope_put(&b, ENV_ACCOUNT, SLICE("app"));
	for (unsigned i = 0; i < n; i++) {
		envelope_put(&b, ENV_RCPT, slice_of(to[i]));
		envelope_put(&b, ENV_NOTIFY, i % 2 ? SLICE("NEVER") : SLICE("DELAY"));
	}
	envelope_put(&b, ENV_RET, SLICE("HDRS"));
	envelope_put_header(&b, SLICE("Subject: x\r\n"));
	return buf_slice(&b);
}

static bool make(struct slice in, const uint32_t *want, uint32_t n, uint32_t must,
		 struct slice *out)
{
	struct buf b = BUF(made);
	struct slice header;
	bool ok = waybill_make(&w, in, want, n, must, &b, &header);

	if (ok)
		CHECK_SLICE(header, "Subject: x\r\n");
	*out = buf_slice(&b);
	return ok;
}

int main(void)
{
	static const char *const to[] = { "a@x.example", "b@y.example", "c@X.EXAMPLE",
					  "d@x.example", "postmaster",	"e@[192.0.2.1]" };
	struct slice in = letter(to, 6), out, v;
	size_t n;

	/* Same domain, however it is written; the others stay behind. */
	CHECK(make(in, (const uint32_t[]){ 0, 1, 2 }, 3, 2, &out));
	CHECK_EQ(w.n, 2);
	CHECK(w.no[0] == 0 && w.no[1] == 2 && !w.all);
	CHECK_SLICE(w.to[1], "c@X.EXAMPLE");
	CHECK(envelope_check(out, &n) && n == 2);
	CHECK(envelope_get(out, ENV_RET, &v) && envelope_get(out, ENV_ACCOUNT, &v));
	CHECK(envelope_get(out, ENV_NOTIFY, &v) && slice_eq(v, SLICE("DELAY")));
	CHECK(make(in, (const uint32_t[]){ 1 }, 1, 1, &out) && w.n == 1 && !w.all);
	CHECK(envelope_get(out, ENV_NOTIFY, &v) && slice_eq(v, SLICE("NEVER")));
	CHECK(make(in, (const uint32_t[]){ 5 }, 1, 5, &out) && w.n == 1);
	CHECK(make(in, (const uint32_t[]){ 4 }, 1, 4, &out) && w.n == 1);
	CHECK(!make(in, (const uint32_t[]){ 6 }, 1, 6, &out)); /* there is no such one */
	CHECK(!make(slice_head(in, in.n - 20), (const uint32_t[]){ 0 }, 1, 0, &out));
	in = letter(to, 1);
	CHECK(make(in, (const uint32_t[]){ 0 }, 1, 0, &out) && w.all);
	CHECK(slice_eq(out, slice_head(in, in.n - 12)));
	TEST_END();
}
