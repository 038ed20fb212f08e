/* SPDX-License-Identifier: ISC */
#include "smtpd/check/verdict.h"

enum { LOGGED_NAME = 64 /* octets */ };

/* ---- the refusal ---- */

static const struct say forged = { 550,
				   { 5, 7, 1 },
				   "Authentication-Results of the letter are under our name" };
static const struct say missing = {
	550, { 5, 7, 27 }, "The domain of the sender has no mail exchanger and no address"
};
static const struct say null_mx = { 550,
				    { 5, 7, 27 },
				    "The domain of the sender takes no mail (null MX)" };
static const struct say spf_fail = { 550,
				     { 5, 7, 23 },
				     "SPF of the sender's domain does not allow this client" };
static const struct say unknown = {
	451, { 4, 4, 3 }, "A name of the sender could not be looked up, please try again later"
};

/* "Not accepted: before NAME after" */
static struct say with_name(struct buf *text, const char *before, struct slice name,
			    const char *after)
{
	buf_put(text, slice_of(before));
	buf_put(text, name);
	buf_put(text, slice_of(after));
	return say_made(550, 7, 1, text, "Refused by policy");
}

static struct say no_author(struct buf *text, struct slice reason)
{
	buf_put(text, SLICE("No author to be judged: "));
	buf_put(text, reason);
	return say_made(550, 6, 0, text, "From: has no domain that can be looked up");
}

/* Could DMARC want the letter rejected, if all names could be looked up? */
static bool may_reject(const struct dmarc *d)
{
	return !d->record.there || (!d->record.testing && (d->policy == DMARC_P_REJECT ||
							   d->record.np == DMARC_P_REJECT));
}

bool verdict_passes(const struct judge *v, const struct verdict_rules *r, bool ours,
		    struct buf *text, struct say *s)
{
	const struct dmarc *d = &v->dmarc;
	bool spf = (r->spf || ours) && d->verdict != DMARC_PASS;

	if (v->forged)
		*s = forged;
	else if (v->listed.n)
		*s = with_name(text, "The client is listed by ", v->listed, "");
	else if (v->domain == SENDER_MISSING)
		*s = missing;
	else if (v->domain == SENDER_NULL_MX)
		*s = null_mx;
	else if (d->verdict == DMARC_PERMERROR)
		*s = no_author(text, d->reason);
	else if (r->dmarc && d->verdict == DMARC_FAIL && d->disposition == DMARC_P_REJECT)
		*s = with_name(text, "Neither SPF nor DKIM vouches for ", d->author,
			       ", whose DMARC policy is to reject then");
	else if (spf && v->mail_from == SPF_FAIL)
		*s = spf_fail;
	else if (v->domain == SENDER_UNKNOWN ||
		 (r->dmarc && d->verdict == DMARC_TEMPERROR && may_reject(d)) ||
		 (spf && v->mail_from == SPF_TEMPERROR))
		*s = unknown;
	else
		return true;
	return false;
}

/* ---- what is told ---- */

static struct slice spf_text(enum spf_result r)
{
	return r == SPF_PENDING ? SLICE("none") : spf_result_text(r);
}

/* The signature that tells most: one that passes, for the domain in From: if there is one. NULL: none. */
static const struct dkim_signature *signature(const struct judge *v)
{
	const struct dkim_signature *best = NULL;

	for (const struct dkim_signature *s = v->dkim.sig; s < v->dkim.sig + v->dkim.n; s++)
		if (!best ||
		    (s->verdict == DKIM_PASS &&
		     (best->verdict != DKIM_PASS || slice_ieq(s->domain, v->dmarc.author))))
			best = s;
	return best;
}

/* What strangers chose; a long one must not crowd out the rest of the line. */
static void put_name(struct logline *l, const char *key, struct slice name)
{
	log_bytes(l, key, slice_head(name, LOGGED_NAME));
}

void verdict_put(const struct judge *v, int64_t now, struct logline *l)
{
	const struct dkim_signature *sig = signature(v);
	uint8_t mem[IPADDR_TEXT];
	struct buf b = BUF(mem);

	ipaddr_put(&b, &v->client);
	log_bytes(l, "client", buf_slice(&b));
	log_bytes(l, "spf", spf_text(v->sender.domain.n ? v->mail_from : v->by_helo));
	put_name(l, "sender", v->sender.domain);
	log_bytes(l, "helo", spf_text(v->by_helo));
	log_bytes(l, "dkim", sig ? dkim_verdict_text(sig->verdict) : SLICE("none"));
	if (sig) {
		put_name(l, "signer", sig->domain);
		log_bytes(l, "signature", sig->reason);
	}
	log_bytes(l, "dmarc", dmarc_verdict_text(v->dmarc.verdict));
	put_name(l, "from", v->dmarc.author);
	log_bytes(l, "policy", dmarc_policy_text(v->dmarc.policy));
	log_bytes(l, "why", v->dmarc.reason);
	if (v->listed.n)
		put_name(l, "listed", v->listed);
	log_num(l, "judged", now - v->began);
}

/* "; \r\n\tmethod=result property=value"; no property when the value is empty. */
static void put_result(struct buf *b, const char *method, struct slice result,
		       const char *property, struct slice value)
{
	buf_put(b, SLICE(";\r\n\t"));
	buf_put(b, slice_of(method));
	buf_put(b, result);
	if (value.n) {
		buf_put(b, slice_of(property));
		buf_put(b, value);
	}
}

void verdict_field(const struct judge *v, struct slice host, struct buf *b)
{
	struct slice domain = path_name(v->sender.domain) ? v->sender.domain : SLICE("");

	buf_put(b, SLICE("Authentication-Results: "));
	buf_put(b, host);
	if (v->mail_from != SPF_PENDING)
		put_result(b, "spf=", spf_text(v->mail_from), " smtp.mailfrom=", domain);
	if (v->helo.n)
		put_result(b, "spf=", spf_text(v->by_helo), " smtp.helo=", v->helo);
	for (size_t i = 0; i < v->dkim.n; i++) {
		const struct dkim_signature *s = &v->dkim.sig[i];

		put_result(b, "dkim=", dkim_verdict_text(s->verdict), " header.d=", s->domain);
		if (s->domain.n) {
			buf_put(b, SLICE(" header.s="));
			buf_put(b, s->selector);
		}
	}
	if (!v->dkim.n)
		put_result(b, "dkim=", SLICE("none"), "", SLICE(""));
	put_result(b, "dmarc=", dmarc_verdict_text(v->dmarc.verdict),
		   " header.from=", v->dmarc.author);
	buf_put(b, SLICE("\r\n"));
}

/* ---- the field in other hands ---- */

static bool is_space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* RFC 5322 3.2.2: folding white space and comments, one inside the other. */
static void skip_cfws(struct cur *c)
{
	size_t depth = 0;

	while (!cur_end(c)) {
		uint8_t b = c->s.p[0];

		if (!depth && !is_space(b) && b != '(')
			return;
		cur_u8(c);
		if (b == '\\' && depth)
			cur_u8(c);
		else if (b == '(')
			depth++;
		else if (b == ')')
			depth--;
	}
}

/* The authserv-id: RFC 8601 2.2, a token or a quoted string. */
static bool is_id(struct slice body, struct slice host)
{
	struct cur c = CUR(body);
	bool quoted;
	size_t n = 0;

	skip_cfws(&c);
	quoted = cur_try(&c, '"');
	while (!cur_end(&c)) {
		uint8_t b = cur_u8(&c);

		if (quoted ? b == '"' : is_space(b) || b == ';' || b == '(')
			break;
		if (quoted && b == '\\')
			b = cur_u8(&c);
		if (n == host.n || byte_lower(b) != byte_lower(host.p[n]))
			return false;
		n++;
	}
	return n == host.n;
}

bool verdict_forged(struct slice header, struct slice host)
{
	struct header_field f;

	while (header_next(&header, &f))
		if (slice_ieq(f.name, SLICE("Authentication-Results")) && is_id(f.body, host))
			return true;
	return false;
}
