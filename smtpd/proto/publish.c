/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/publish.h"

#include "smtpd/proto/dkim_key.h"

enum role { HOST = 1, SRS = 2, MAIL = 4 };

static const struct {
	const char *word, *type, *prefix;
	unsigned roles;
} rows[] = {
	[PUBLISH_A] = { "A", "A", "", HOST },
	[PUBLISH_AAAA] = { "AAAA", "AAAA", "", HOST },
	[PUBLISH_PTR] = { "PTR", "PTR", "", HOST },
	[PUBLISH_PTR6] = { "PTR6", "PTR", "", HOST },
	[PUBLISH_CAA] = { "CAA", "CAA", "", HOST },
	[PUBLISH_MX] = { "MX", "MX", "", SRS | MAIL },
	[PUBLISH_SPF] = { "SPF", "TXT", "", HOST | SRS | MAIL },
	[PUBLISH_DKIM] = { "DKIM", "TXT", "._domainkey.", MAIL },
	[PUBLISH_DKIM_SECOND] = { "DKIM", "TXT", "._domainkey.", MAIL },
	[PUBLISH_DMARC] = { "DMARC", "TXT", "_dmarc.", MAIL },
	[PUBLISH_TLSRPT] = { "TLSRPT", "TXT", "_smtp._tls.", MAIL },
};

_Static_assert(sizeof rows / sizeof *rows == PUBLISH_WHATS, "row missing");

bool publish_known(const struct ipaddr *a)
{
	static const struct ipaddr none;

	return !ipaddr_eq(a, &none);
}

void publish_configured(struct publish_site *s)
{
	struct slice words = slice_of(CONFIG_INIT_PUBLIC_ADDRESS), word;
	struct slice own = slice_of(ON(CONFIG_INIT_NET_STATIC) ? CONFIG_INIT_ADDRESS : "");
	struct ipaddr_net net;
	struct ipaddr a;

	*s = (struct publish_site){
		.host = slice_of(CONFIG_SMTPD_HOSTNAME),
		.domains = slice_of(CONFIG_SMTPD_DOMAINS),
		.srs = slice_of(CONFIG_FORWARD_SRS_DOMAIN),
		.selector = slice_of(CONFIG_KEYS_DKIM_SELECTOR),
		.second = ON(CONFIG_KEYS_DKIM_SECOND),
		.ca = slice_of(CONFIG_KEYS_CAA),
	};
	while (!words.n && (word = slice_word(&own)).n)
		if (ipaddr_net_parse(word, &net) && ipaddr_public(&net.addr) &&
		    !publish_known(ipaddr_v4(&net.addr) ? &s->v4 : &s->v6))
			*(ipaddr_v4(&net.addr) ? &s->v4 : &s->v6) = net.addr;
	while ((word = slice_word(&words)).n)
		if (ipaddr_parse(word, &a))
			*(ipaddr_v4(&a) ? &s->v4 : &s->v6) = a;
}

/* Names by number: the host, the SRS domain, the mail domains; what stands twice counts where it stands first. */
static bool name_at(const struct publish_site *s, unsigned slot, struct slice *out)
{
	struct slice words = s->domains;

	if (slot == 0) {
		*out = s->host;
		return true;
	}
	if (slot == 1) {
		*out = s->srs.n ? s->srs : slice_word(&words);
		return true;
	}
	for (unsigned i = 2; i < slot; i++)
		slice_word(&words);
	*out = slice_word(&words);
	return out->n;
}

/* 0: it stood before. */
static unsigned roles(const struct publish_site *s, unsigned slot, struct slice name)
{
	unsigned all = 0;
	struct slice other;

	for (unsigned i = 0; name_at(s, i, &other); i++) {
		if (!slice_ieq(name, other))
			continue;
		if (i < slot)
			return 0;
		all |= i == 0 ? HOST : i == 1 ? SRS : MAIL;
	}
	return all;
}

bool publish_next(const struct publish_site *s, struct publish_at *at)
{
	unsigned what = at->begun ? at->what + 1u : 0;

	at->begun = true;
	for (; name_at(s, at->slot, &at->domain); at->slot++, what = 0)
		for (; what < PUBLISH_WHATS; what++)
			if (rows[what].roles & roles(s, at->slot, at->domain) &&
			    (what != PUBLISH_CAA || s->ca.n) &&
			    (what != PUBLISH_DKIM_SECOND || s->second)) {
				at->what = (enum publish_what)what;
				return true;
			}
	return false;
}

bool publish_dkim(enum publish_what what)
{
	return what == PUBLISH_DKIM || what == PUBLISH_DKIM_SECOND;
}

const char *publish_type(enum publish_what what)
{
	return rows[what].type;
}

const char *publish_word(enum publish_what what)
{
	return rows[what].word;
}

void publish_name(const struct publish_site *s, const struct publish_at *at, struct buf *out)
{
	const struct ipaddr *a = at->what == PUBLISH_PTR ? &s->v4 : &s->v6;

	if (at->what == PUBLISH_PTR || at->what == PUBLISH_PTR6) {
		if (publish_known(a))
			ipaddr_put_arpa(out, a);
		return;
	}
	if (publish_dkim(at->what))
		dkim_key_selector(s->selector, at->what == PUBLISH_DKIM_SECOND, s->dkim_number,
				  out);
	buf_put(out, slice_of(rows[at->what].prefix));
	buf_put(out, at->domain);
}

static void spf(const struct publish_site *s, struct slice domain, struct buf *out)
{
	buf_put(out, SLICE("v=spf1 a"));
	if (!slice_ieq(domain, s->host)) {
		buf_u8(out, ':');
		buf_put(out, s->host);
	}
	buf_put(out, SLICE(" -all"));
}

/* postmaster exists in every mail domain, and reports to the domain itself need nobody's consent (RFC 9990). */
static void reports(struct slice tags, struct slice domain, struct buf *out)
{
	buf_put(out, tags);
	buf_put(out, SLICE(" rua=mailto:postmaster@"));
	buf_put(out, domain);
}

static void caa(const struct publish_site *s, struct buf *out)
{
	buf_put(out, SLICE("0 issue "));
	buf_put(out, s->ca);
	if (s->ca_account.n) {
		buf_put(out, SLICE("; accounturi="));
		buf_put(out, s->ca_account);
	}
}

void publish_value(const struct publish_site *s, const struct publish_at *at, struct buf *out)
{
	switch (at->what) {
	case PUBLISH_A:
	case PUBLISH_AAAA:
		if (publish_known(at->what == PUBLISH_A ? &s->v4 : &s->v6))
			ipaddr_put(out, at->what == PUBLISH_A ? &s->v4 : &s->v6);
		break;
	case PUBLISH_PTR:
	case PUBLISH_PTR6:
		buf_put(out, s->host);
		break;
	case PUBLISH_CAA:
		caa(s, out);
		break;
	case PUBLISH_MX:
		buf_put(out, SLICE("10 "));
		buf_put(out, s->host);
		break;
	case PUBLISH_SPF:
		spf(s, at->domain, out);
		break;
	case PUBLISH_DKIM:
	case PUBLISH_DKIM_SECOND:
		buf_put(out, s->dkim);
		break;
	case PUBLISH_DMARC:
		reports(SLICE("v=DMARC1; p=none;"), at->domain, out);
		break;
	case PUBLISH_TLSRPT:
		reports(SLICE("v=TLSRPTv1;"), at->domain, out);
		break;
	case PUBLISH_WHATS:
		break;
	}
}

static void quoted(struct slice text, struct buf *out)
{
	do {
		struct slice piece = slice_head(text, PUBLISH_STRING);

		text = slice_from(text, piece.n);
		buf_u8(out, '"');
		for (size_t i = 0; i < piece.n; i++) {
			if (piece.p[i] == '"' || piece.p[i] == '\\')
				buf_u8(out, '\\');
			buf_u8(out, piece.p[i]);
		}
		buf_put(out, text.n ? SLICE("\" ") : SLICE("\""));
	} while (text.n);
}

void publish_line(struct slice name, struct slice type, struct slice value, struct buf *out)
{
	buf_put(out, name);
	buf_put(out, SLICE(". "));
	buf_dec(out, PUBLISH_TTL);
	buf_put(out, SLICE(" IN "));
	buf_put(out, type);
	buf_u8(out, ' ');
	if (slice_eq(type, SLICE("CAA"))) /* flags and tag stand before the quotes */
		for (int i = 0; i < 2; i++) {
			buf_put(out, slice_word(&value));
			buf_u8(out, ' ');
			value = slice_trim(value);
		}
	if (slice_eq(type, SLICE("CAA")) || slice_eq(type, SLICE("TXT")))
		quoted(value, out);
	else
		buf_put(out, value);
	if (slice_eq(type, SLICE("MX")) || slice_eq(type, SLICE("PTR")))
		buf_u8(out, '.');
}
