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
	dkim_key_text(false, buf_slice(&der), &out);
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

		dkim_key_text(false, slice_head(buf_slice(&der), der.len - cut), &less);
		CHECK_EQ(dkim_key_parse(buf_slice(&less), &k), DKIM_KEY_SYNTAX);
		CHECK(!memcmp(&same, &k, sizeof k));
	}
}

/* RFC 8463 A.2; one octet less or more is no key. */
static void ed25519(void)
{
	static const uint8_t key[33] = { 0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7,
					 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a,
					 0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25,
					 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a };
	uint8_t text[DKIM_KEY_TEXT];
	struct dkim_key k;

	for (size_t n = 31; n <= sizeof key; n++) {
		struct buf out = BUF(text);

		dkim_key_text(true, (struct slice){ key, n }, &out);
		CHECK_EQ(dkim_key_parse(buf_slice(&out), &k),
			 n == 32 ? DKIM_KEY_OK : DKIM_KEY_SYNTAX);
		if (n != 32)
			continue;
		CHECK_SLICE(buf_slice(&out), "v=DKIM1; k=ed25519; "
					     "p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=");
		CHECK(k.ed25519 && k.modulus_n == 32 && !memcmp(k.modulus, key, 32));
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
	ed25519();
	TEST_END();
}
