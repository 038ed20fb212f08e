/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/ipaddr.h"

#include <arpa/inet.h>
#include <string.h>

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

struct ipaddr ipaddr_of4(const uint8_t b[4])
{
	struct ipaddr a;

	memcpy(a.b, mapped, sizeof mapped);
	memcpy(a.b + sizeof mapped, b, 4);
	return a;
}

bool ipaddr_v4(const struct ipaddr *a)
{
	return memcmp(a->b, mapped, sizeof mapped) == 0;
}

bool ipaddr_parse4(struct slice in, struct ipaddr *out)
{
	struct cur c = CUR(in);
	struct ipaddr a;

	memcpy(a.b, mapped, sizeof mapped);
	for (int i = 0; i < 4; i++) {
		struct slice digits;
		uint64_t v = 0;

		if (i)
			cur_lit(&c, '.');
		digits = cur_span(&c, byte_digit, 3);
		if (!slice_u64(digits, 255, &v) || (digits.n > 1 && digits.p[0] == '0'))
			return false;
		a.b[12 + i] = (uint8_t)v;
	}
	if (!cur_done(&c))
		return false;
	*out = a;
	return true;
}

bool ipaddr_parse6(struct slice in, struct ipaddr *out)
{
	char z[IPADDR_TEXT + 1];
	struct in6_addr a;

	if (!slice_cstr(in, z, sizeof z) || inet_pton(AF_INET6, z, &a) != 1)
		return false;
	memcpy(out->b, a.s6_addr, sizeof out->b);
	return true;
}

bool ipaddr_parse(struct slice in, struct ipaddr *out)
{
	return ipaddr_parse4(in, out) || ipaddr_parse6(in, out);
}

static void put_group(struct buf *b, unsigned v)
{
	static const char digit[] = "0123456789abcdef";

	for (int shift = 12; shift >= 0; shift -= 4)
		if (v >> shift || !shift)
			buf_u8(b, (uint8_t)digit[v >> shift & 15]);
}

/* RFC 5952 4.2: the first of the longest runs of two or more zero groups becomes "::". */
static void put6(struct buf *b, const uint8_t *o)
{
	unsigned group[8], run = 0, at = 8, best = 1;

	for (unsigned i = 0; i < 8; i++) {
		group[i] = (unsigned)(o[2 * i] << 8 | o[2 * i + 1]);
		run = group[i] ? 0 : run + 1;
		if (run > best) {
			best = run;
			at = i + 1 - run;
		}
	}
	for (unsigned i = 0; i < 8; i++) {
		if (i == at) {
			buf_put(b, SLICE("::"));
			i += best - 1;
			continue;
		}
		if (i && i != at + best)
			buf_u8(b, ':');
		put_group(b, group[i]);
	}
}

void ipaddr_put(struct buf *b, const struct ipaddr *a)
{
	if (!ipaddr_v4(a)) {
		put6(b, a->b);
		return;
	}
	for (int i = 12; i < 16; i++) {
		if (i > 12)
			buf_u8(b, '.');
		buf_dec(b, a->b[i]);
	}
}

unsigned ipaddr_net_length(const struct ipaddr_net *net)
{
	return net->bits - (ipaddr_v4(&net->addr) ? IPADDR_V4_BITS : 0);
}

bool ipaddr_net_parse(struct slice in, struct ipaddr_net *out)
{
	size_t slash = slice_find(in, '/');
	struct slice len = slice_from(in, slash + 1);
	struct slice text = slice_head(in, slash);
	struct ipaddr_net net;
	bool four = ipaddr_parse4(text, &net.addr);
	uint64_t bits;

	if (!four && !ipaddr_parse6(text, &net.addr))
		return false;
	if (len.n > 3 || (len.n > 1 && len.p[0] == '0') ||
	    !slice_u64(len, four ? 32 : 128, &bits))
		return false;
	net.bits = (unsigned)bits + (four ? IPADDR_V4_BITS : 0);
	*out = net;
	return true;
}

bool ipaddr_in(const struct ipaddr *a, const struct ipaddr_net *net)
{
	unsigned whole = net->bits / 8, rest = net->bits % 8;

	if (memcmp(a->b, net->addr.b, whole) != 0)
		return false;
	return !rest || (a->b[whole] ^ net->addr.b[whole]) >> (8 - rest) == 0;
}

bool ipaddr_eq(const struct ipaddr *a, const struct ipaddr *b)
{
	return memcmp(a->b, b->b, sizeof a->b) == 0;
}

bool ipaddr_public(const struct ipaddr *a)
{
	static const char *const no[] = {
		"0.0.0.0/8",	  "10.0.0.0/8",	    "100.64.0.0/10",  "127.0.0.0/8",
		"169.254.0.0/16", "172.16.0.0/12",  "192.168.0.0/16", "224.0.0.0/3",
		"::/96",	  "64:ff9b:1::/48", "fc00::/7",	      "fe80::/9",
		"ff00::/8",
	};
	struct ipaddr_net net;

	for (size_t i = 0; i < sizeof no / sizeof *no; i++)
		if (ipaddr_net_parse(slice_of(no[i]), &net) && ipaddr_in(a, &net))
			return false;
	return true;
}

void ipaddr_put_arpa(struct buf *b, const struct ipaddr *a)
{
	static const char digit[] = "0123456789abcdef";
	bool four = ipaddr_v4(a);

	for (int i = 15; i >= (four ? 12 : 0); i--) {
		if (four) {
			buf_dec(b, a->b[i]);
		} else {
			buf_u8(b, (uint8_t)digit[a->b[i] & 15]);
			buf_u8(b, '.');
			buf_u8(b, (uint8_t)digit[a->b[i] >> 4]);
		}
		buf_u8(b, '.');
	}
	buf_put(b, four ? SLICE("in-addr.arpa") : SLICE("ip6.arpa"));
}

bool ipaddr_literal(struct slice in, struct ipaddr *out)
{
	struct slice s = slice_head(slice_from(in, 1), in.n > 2 ? in.n - 2 : 0);

	if (in.n < 2 || in.p[0] != '[' || in.p[in.n - 1] != ']')
		return false;
	if (slice_iprefix(s, SLICE("IPv6:")))
		return ipaddr_parse6(slice_from(s, 5), out);
	return ipaddr_parse4(s, out);
}
