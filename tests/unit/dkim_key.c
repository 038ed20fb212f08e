/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/dkim_key.h"

#include "smtpd/proto/der.h"
#include "tests/unit/test.h"

/* A record made from a modulus of `bits` bits is parsed back to it, or refused for its size. */
static void round_trip(unsigned bits, enum dkim_key_fault want)
{
	static const uint8_t e[] = { 0, 1, 0, 1 };
	uint8_t n[520] = { 0 }, spki[640], text[DKIM_KEY_TEXT + 100];
	struct buf der = BUF(spki), out = BUF(text);
	struct dkim_key k = { 0 };
	size_t len = (bits + 7) / 8;

	memset(n + 1, 0xa5, len);
	n[1] = (1u << (bits - 1) % 8) | ((0xa5 & ((1u << (bits - 1) % 8) - 1)));
	dkim_key_spki((struct slice){ n, len + 1 }, (struct slice){ e, sizeof e }, &der);
	dkim_key_text(buf_slice(&der), &out);
	CHECK(!out.bad && slice_iprefix(buf_slice(&out), SLICE("v=DKIM1; k=rsa; p=MI")));
	CHECK_EQ(dkim_key_parse(buf_slice(&out), &k), want);
	if (want != DKIM_KEY_OK)
		return;
	CHECK(out.len <= DKIM_KEY_TEXT);
	CHECK(k.modulus_n == len && !memcmp(k.modulus, n + 1, len));
	CHECK(k.exponent_n == 3 && !memcmp(k.exponent, e + 1, 3));
	CHECK(!k.ed25519 && !k.testing && !k.strict);
	for (size_t cut = 1; cut < der.len; cut++) {
		struct dkim_key same = k;
		struct buf less = BUF(text);

		dkim_key_text(slice_head(buf_slice(&der), der.len - cut), &less);
		CHECK_EQ(dkim_key_parse(buf_slice(&less), &k), DKIM_KEY_SYNTAX);
		CHECK(!memcmp(&same, &k, sizeof k));
	}
}

static void quoted(size_t n, const char *pattern)
{
	uint8_t in[600], mem[700];
	struct buf out = BUF(mem);

	memset(in, 'x', sizeof in);
	dkim_key_quoted((struct slice){ in, n }, &out);
	CHECK(!out.bad);
	for (size_t at = 0; *pattern; pattern++) {
		size_t len = *pattern == 'F' ? 255 : *pattern == 'x' ? 1 : 0;

		CHECK(mem[at] == '"' && mem[at + len + 1] == '"');
		CHECK(len == 0 || (mem[at + 1] == 'x' && mem[at + len] == 'x'));
		at += len + 3;
		CHECK(pattern[1] ? mem[at - 1] == ' ' : at - 1 == out.len);
	}
}

int main(void)
{
	round_trip(1016, DKIM_KEY_SIZE);
	round_trip(1023, DKIM_KEY_SIZE);
	round_trip(1024, DKIM_KEY_OK);
	round_trip(2048, DKIM_KEY_OK);
	round_trip(4096, DKIM_KEY_OK);
	round_trip(4097, DKIM_KEY_SIZE);
	quoted(0, "-");
	quoted(1, "x");
	quoted(255, "F");
	quoted(256, "Fx");
	quoted(511, "FFx");
	TEST_END();
}
