/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/base64.h"

/* The last two are for base64url. */
static const char digit[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_";

enum { NOT_A_DIGIT = 64 };

static unsigned value_of(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (byte_digit(c))
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : NOT_A_DIGIT;
}

bool base64_get(struct slice in, struct buf *out)
{
	struct buf b = *out;
	size_t pad = 0;

	while (pad < 2 && pad < in.n && in.p[in.n - 1 - pad] == '=')
		pad++;
	if (in.n % 4)
		return false;
	for (size_t i = 0; i < in.n; i += 4) {
		size_t digits = i + 4 == in.n ? 4 - pad : 4;
		uint32_t v = 0;

		for (size_t j = 0; j < 4; j++) {
			unsigned d = j < digits ? value_of(in.p[i + j]) : 0;

			if (d == NOT_A_DIGIT)
				return false;
			v = v << 6 | d;
		}
		if (v & ((1u << 8 * (4 - digits)) - 1))
			return false;
		for (size_t j = 0; j + 1 < digits; j++)
			buf_u8(&b, v >> (16 - 8 * j) & 255);
	}
	if (b.bad)
		return false;
	*out = b;
	return true;
}

static void put(struct buf *b, struct slice s, unsigned beyond, bool pad)
{
	for (size_t i = 0; i < s.n; i += 3) {
		size_t n = s.n - i < 3 ? s.n - i : 3;
		uint32_t v = (uint32_t)s.p[i] << 16;

		if (n > 1)
			v |= (uint32_t)s.p[i + 1] << 8;
		if (n > 2)
			v |= s.p[i + 2];
		for (size_t j = 0; j < 4 && (pad || j <= n); j++) {
			unsigned d = v >> (18 - 6 * j) & 63;

			buf_u8(b, j > n ? '=' : (uint8_t)digit[d < 62 ? d : d + beyond]);
		}
	}
}

void base64_put(struct buf *b, struct slice s)
{
	put(b, s, 0, true);
}

void base64_put_url(struct buf *b, struct slice s)
{
	put(b, s, 2, false);
}
