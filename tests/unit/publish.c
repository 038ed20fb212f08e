/* SPDX-License-Identifier: ISC */
#include "tests/unit/test.h"

#include "smtpd/proto/dkim_key.h"
#include "smtpd/proto/dmarc.h"
#include "smtpd/proto/publish.h"

static struct publish_site site(const char *host, const char *domains, const char *srs)
{
	return (struct publish_site){ .host = slice_of(host),
				      .domains = slice_of(domains),
				      .srs = slice_of(srs),
				      .selector = SLICE("s1"),
				      .ca = SLICE("ca.example") };
}

/* All of them, "name TYPE value" a line; what is not known is `?`. */
static struct slice all(const struct publish_site *s, struct buf *out)
{
	struct publish_at at = { .begun = false };

	while (publish_next(s, &at)) {
		size_t before = out->len;

		publish_name(s, &at, out);
		if (out->len == before)
			buf_u8(out, '?');
		buf_u8(out, ' ');
		buf_put(out, slice_of(publish_type(at.what)));
		buf_u8(out, ' ');
		before = out->len;
		publish_value(s, &at, out);
		if (out->len == before)
			buf_u8(out, '?');
		buf_u8(out, '\n');
	}
	CHECK(!publish_next(s, &at));
	CHECK(!out->bad);
	return buf_slice(out);
}

static void every_record(void)
{
	struct publish_site s = site("mail.a.example", "a.example b.example", "srs.a.example");
	uint8_t mem[8192];
	struct buf b = BUF(mem);

	CHECK(ipaddr_parse(SLICE("192.0.2.10"), &s.v4));
	CHECK(ipaddr_parse(SLICE("2001:db8::1"), &s.v6));
	s.dkim = SLICE("v=DKIM1; p=AAAA");
	s.ca_account = SLICE("https://ca.example/1");
	CHECK_SLICE(
		all(&s, &b),
		"mail.a.example A 192.0.2.10\n"
		"mail.a.example AAAA 2001:db8::1\n"
		"10.2.0.192.in-addr.arpa PTR mail.a.example\n"
		"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa PTR "
		"mail.a.example\n"
		"mail.a.example CAA 0 issue ca.example; accounturi=https://ca.example/1\n"
		"mail.a.example TXT v=spf1 a -all\n"
		"srs.a.example MX 10 mail.a.example\n"
		"srs.a.example TXT v=spf1 a:mail.a.example -all\n"
		"a.example MX 10 mail.a.example\n"
		"a.example TXT v=spf1 a:mail.a.example -all\n"
		"s1._domainkey.a.example TXT v=DKIM1; p=AAAA\n"
		"_dmarc.a.example TXT v=DMARC1; p=none; rua=mailto:postmaster@a.example\n"
		"_smtp._tls.a.example TXT v=TLSRPTv1; rua=mailto:postmaster@a.example\n"
		"b.example MX 10 mail.a.example\n"
		"b.example TXT v=spf1 a:mail.a.example -all\n"
		"s1._domainkey.b.example TXT v=DKIM1; p=AAAA\n"
		"_dmarc.b.example TXT v=DMARC1; p=none; rua=mailto:postmaster@b.example\n"
		"_smtp._tls.b.example TXT v=TLSRPTv1; rua=mailto:postmaster@b.example\n");
}

/* Each key under its own name; the text is what the caller asked of that key. */
static void keys_by_number(void)
{
	struct publish_site s = site("mail.a.example", "a.example", "");
	uint8_t mem[4096];
	struct buf b = BUF(mem);

	s.second = true;
	s.dkim_number = 2;
	s.dkim = SLICE("text");
	all(&s, &b);
	buf_u8(&b, 0);
	CHECK(strstr((char *)mem, "\ns1-2._domainkey.a.example TXT text\n"
				  "s1-ed25519-2._domainkey.a.example TXT text\n_dmarc."));
}

/* One name in several parts has each record once: two SPF records would be none (RFC 7208 4.5). */
static void one_name_for_all(void)
{
	struct publish_site s = site("a.example", "a.example a.example", "");
	uint8_t mem[8192];
	struct buf b = BUF(mem);

	s.ca = SLICE("");
	CHECK_SLICE(all(&s, &b),
		    "a.example A ?\n"
		    "a.example AAAA ?\n"
		    "? PTR a.example\n"
		    "? PTR a.example\n"
		    "a.example MX 10 a.example\n"
		    "a.example TXT v=spf1 a -all\n"
		    "s1._domainkey.a.example TXT ?\n"
		    "_dmarc.a.example TXT v=DMARC1; p=none; rua=mailto:postmaster@a.example\n"
		    "_smtp._tls.a.example TXT v=TLSRPTv1; rua=mailto:postmaster@a.example\n");
}

static void dmarc_means_what_it_says(void)
{
	struct publish_site s = site("m.a.example", "a.example", "");
	struct publish_at at = { .begun = false };
	struct dmarc_record r = { .there = false };
	uint8_t mem[PUBLISH_VALUE];
	struct buf b = BUF(mem);

	while (publish_next(&s, &at) && at.what != PUBLISH_DMARC)
		;
	publish_value(&s, &at, &b);
	CHECK(dmarc_record_parse(buf_slice(&b), &r));
	CHECK_EQ(r.p, DMARC_P_NONE);
	CHECK(!r.unusable);
}

/* The line of a TXT record with n octets has strings of at most 255, and all octets in their order. */
static void cut(size_t n, size_t strings)
{
	uint8_t text[800], line[PUBLISH_LINE], joined[800];
	struct buf b = BUF(line), j = BUF(joined);
	struct slice rest;
	size_t found = 0;

	for (size_t i = 0; i < n; i++)
		text[i] = (uint8_t)('a' + i % 26);
	publish_line(SLICE("n"), SLICE("TXT"), (struct slice){ text, n }, &b);
	rest = slice_from(buf_slice(&b), SLICE("n. 3600 IN TXT ").n);
	for (; rest.n; found++) {
		struct slice one;

		CHECK_EQ(rest.p[0], '"');
		rest = slice_from(rest, 1);
		one = slice_head(rest, slice_find(rest, '"'));
		CHECK(one.n <= 255);
		buf_put(&j, one);
		rest = slice_trim(slice_from(rest, one.n + 1));
	}
	CHECK(!b.bad && slice_eq(buf_slice(&j), (struct slice){ text, n }));
	CHECK_EQ(found, strings);
}

static void lines(void)
{
	static const struct {
		const char *type, *value, *line;
	} rows[] = {
		{ "A", "192.0.2.1", "n.x. 3600 IN A 192.0.2.1" },
		{ "MX", "10 h.x", "n.x. 3600 IN MX 10 h.x." },
		{ "PTR", "h.x", "n.x. 3600 IN PTR h.x." },
		{ "TXT", "a \"b\" \\", "n.x. 3600 IN TXT \"a \\\"b\\\" \\\\\"" },
		{ "CAA", "0 issue c.x; a=b", "n.x. 3600 IN CAA 0 issue \"c.x; a=b\"" },
	};
	uint8_t mem[PUBLISH_LINE];

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buf b = BUF(mem);

		publish_line(SLICE("n.x"), slice_of(rows[i].type), slice_of(rows[i].value), &b);
		CHECK_ROW(slice_eq(buf_slice(&b), slice_of(rows[i].line)), rows[i].type);
	}
	cut(1, 1);
	cut(254, 1);
	cut(255, 1);
	cut(256, 2);
	cut(510, 2);
	cut(511, 3);
	cut(DKIM_KEY_TEXT, 4);
}

int main(void)
{
	every_record();
	keys_by_number();
	one_name_for_all();
	dmarc_means_what_it_says();
	lines();
	TEST_END();
}
