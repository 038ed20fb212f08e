/* SPDX-License-Identifier: ISC */
#include "smtpd/selfcheck/rowcheck.h"

#include <string.h>

#include "smtpd/proto/dkim_key.h"
#include "smtpd/proto/sts.h"
#include "smtpd/proto/taglist.h"

static const struct slice none = { NULL, 0 };

/* As much as fits. */
static void see(struct rowcheck *r, struct slice s)
{
	buf_put(&r->seen, slice_head(s, buf_room(&r->seen)));
}

void rowcheck_say(struct rowcheck *r, enum rowcheck_verdict verdict, struct slice seen)
{
	r->over = true;
	r->verdict = verdict;
	if (seen.n && r->seen.len)
		see(r, SLICE("; "));
	see(r, seen);
}

static void see_address(struct rowcheck *r, struct slice record)
{
	uint8_t mem[IPADDR_TEXT];
	struct buf b = BUF(mem);
	struct ipaddr a = { .b = { 0 } };

	if (record.n == 4)
		a = ipaddr_of4(record.p);
	else if (record.n == sizeof a.b)
		memcpy(a.b, record.p, sizeof a.b);
	ipaddr_put(&b, &a);
	if (r->seen.len)
		see(r, SLICE(" "));
	see(r, buf_slice(&b));
}

/* ---- addresses ---- */

static bool is_own(struct slice record, const struct ipaddr *own)
{
	return record.n == 4 ? ipaddr_v4(own) && memcmp(record.p, own->b + 12, 4) == 0
			     : record.n == 16 && memcmp(record.p, own->b, 16) == 0;
}

static void judge_address(struct rowcheck *r, struct slice records)
{
	bool six = r->at.what == PUBLISH_AAAA, all = true;
	const struct ipaddr *own = six ? &r->site->v6 : &r->site->v4;
	struct cur c = CUR(records);
	struct slice one;

	while (dnsmsg_record(&c, &one)) {
		see_address(r, one);
		all &= is_own(one, own);
	}
	if (!records.n && six && (!publish_known(own) || ON(CONFIG_OUT_IPV4)))
		rowcheck_say(r, ROWCHECK_NONE, none);
	else if (!records.n)
		rowcheck_say(r, ROWCHECK_WRONG, SLICE("no record"));
	else if (!publish_known(own))
		rowcheck_say(r, ROWCHECK_UNKNOWN,
			     SLICE("our own address is not known: set INIT_PUBLIC_ADDRESS"));
	else
		rowcheck_say(r, all ? ROWCHECK_OK : ROWCHECK_WRONG, none);
}

/* Some names of a PTR record may be others; that ours leads back, the rows A and AAAA say. */
static void judge_ptr(struct rowcheck *r, struct slice records)
{
	struct cur c = CUR(records);
	struct slice one;
	bool ours = false;

	while (dnsmsg_record(&c, &one)) {
		if (r->seen.len)
			see(r, SLICE(" "));
		see(r, one);
		ours |= slice_ieq(one, r->site->host);
	}
	rowcheck_say(r, ours ? ROWCHECK_OK : ROWCHECK_WRONG,
		     records.n ? none : SLICE("no record"));
}

/* ---- mail exchangers ---- */

struct mx {
	uint16_t preference;
	struct slice host;
};

static bool mx_next(struct cur *c, struct mx *mx)
{
	struct slice one;
	struct cur in;

	if (!dnsmsg_record(c, &one))
		return false;
	in = CUR(one);
	mx->preference = cur_be16(&in);
	mx->host = in.s;
	return true;
}

static bool mx_best(struct slice records, struct mx *best)
{
	struct cur c = CUR(records);
	struct mx mx;
	bool any = false;

	while (mx_next(&c, &mx)) {
		if (!any || mx.preference < best->preference)
			*best = mx;
		any = true;
	}
	return any;
}

static void judge_mx(struct rowcheck *r, struct slice records)
{
	struct cur c = CUR(records);
	struct mx mx, best = { .preference = 0 };
	bool ours = false;

	mx_best(records, &best);
	while (mx_next(&c, &mx)) {
		if (r->seen.len)
			see(r, SLICE(", "));
		buf_dec(&r->seen, mx.preference);
		see(r, SLICE(" "));
		see(r, mx.host.n ? mx.host : SLICE("."));
		ours |= mx.preference == best.preference && slice_ieq(mx.host, r->site->host);
	}
	rowcheck_say(r, ours ? ROWCHECK_OK : ROWCHECK_WRONG,
		     !records.n ? SLICE("no record")
		     : ours	? none
				: SLICE("letters go to another host first"));
}

static void route_mx(struct rowcheck *r, struct slice records)
{
	struct mx best = { .host = r->at.domain };

	mx_best(records, &best);
	if (!best.host.n) {
		rowcheck_say(r, ROWCHECK_WRONG, SLICE("the destination takes no mail"));
		return;
	}
	r->name_n = (uint8_t)best.host.n;
	memcpy(r->name, best.host.p, best.host.n);
	see(r, best.host);
}

static void route_address(struct rowcheck *r, struct slice records)
{
	struct cur c = CUR(records);
	struct slice one;

	if (dnsmsg_record(&c, &one)) {
		if (one.n == 4)
			r->v4 = ipaddr_of4(one.p);
		else if (one.n == sizeof r->v6.b)
			memcpy(r->v6.b, one.p, sizeof r->v6.b);
	}
	if (r->step == 3 && !publish_known(&r->v4) && !publish_known(&r->v6))
		rowcheck_say(r, ROWCHECK_UNKNOWN, SLICE("it has no address"));
}

/* ---- TXT ---- */

static void judge_dkim(struct rowcheck *r, struct slice records)
{
	struct dkim_key want = { .modulus_n = 0 }, got = { .modulus_n = 0 };
	struct cur c = CUR(records);
	struct slice one, more;

	if (!dnsmsg_record(&c, &one))
		rowcheck_say(r, ROWCHECK_WRONG, SLICE("no record"));
	else if (dnsmsg_record(&c, &more))
		rowcheck_say(r, ROWCHECK_WRONG, SLICE("more than one record"));
	else if (dkim_key_parse(one, &got) != DKIM_KEY_OK)
		rowcheck_say(r, ROWCHECK_WRONG, SLICE("not the record of a key"));
	else if (dkim_key_parse(r->site->dkim, &want) != DKIM_KEY_OK ||
		 got.ed25519 != want.ed25519 || got.modulus_n != want.modulus_n ||
		 memcmp(got.modulus, want.modulus, want.modulus_n) != 0 ||
		 got.exponent_n != want.exponent_n ||
		 memcmp(got.exponent, want.exponent, want.exponent_n) != 0)
		rowcheck_say(r, ROWCHECK_WRONG, SLICE("another key than the one in use"));
	else
		rowcheck_say(r, ROWCHECK_OK, SLICE("the key in use"));
}

/* RFC 8460 3: one record, and it says where reports go. */
static void judge_tlsrpt(struct rowcheck *r, struct slice records)
{
	struct cur c = CUR(records), tags;
	struct slice one;
	struct tag t;
	unsigned n = 0;
	bool rua = false;

	while (dnsmsg_record(&c, &one)) {
		if (!slice_iprefix(one, SLICE("v=TLSRPTv1")))
			continue;
		n++;
		see(r, one);
		tags = CUR(one);
		while (taglist_next(&tags, &t))
			rua |= slice_eq(t.name, SLICE("rua")) &&
			       (slice_iprefix(t.value, SLICE("mailto:")) ||
				slice_iprefix(t.value, SLICE("https://")));
	}
	rowcheck_say(r,
		     !n		     ? ROWCHECK_NONE
		     : n == 1 && rua ? ROWCHECK_OK
				     : ROWCHECK_WRONG,
		     n > 1	 ? SLICE("more than one record")
		     : n && !rua ? SLICE("it names no place for reports")
				 : none);
}

/* What is announced is fetched and compared by others than this. */
static void judge_sts(struct rowcheck *r, struct slice records)
{
	struct slice id;

	if (sts_record(records, &id))
		rowcheck_say(r, ROWCHECK_OK, none);
	else
		rowcheck_say(r, ROWCHECK_NONE, none);
}

static void judge_dmarc(struct rowcheck *r)
{
	const struct dmarc *d = &r->u.dmarc;

	if (d->verdict == DMARC_TEMPERROR)
		rowcheck_say(r, ROWCHECK_UNKNOWN, d->reason);
	else if (!d->record.there)
		rowcheck_say(r, ROWCHECK_WRONG, SLICE("no record"));
	else if (d->record.unusable || d->policy == DMARC_NO_POLICY)
		rowcheck_say(r, ROWCHECK_WRONG, SLICE("a record without a meaning"));
	else {
		see(r, SLICE("p="));
		see(r, dmarc_policy_text(d->policy));
		rowcheck_say(r, ROWCHECK_OK, none);
	}
}

/* ---- SPF, against our own addresses ---- */

static bool spf_begin(struct rowcheck *r, const struct ipaddr *own)
{
	struct spf_who who = { .ip = *own, .helo = r->site->host };

	if (!slice_ieq(r->at.domain, r->site->host)) /* else the name in HELO is judged */
		who.domain = r->at.domain;
	if (!publish_known(own))
		return false;
	spf_init(&r->u.spf, &who);
	return true;
}

static void judge_spf(struct rowcheck *r)
{
	const struct spf *s = &r->u.spf;

	see_address(r,
		    ipaddr_v4(&s->who.ip)
			    ? slice_from((struct slice){ s->who.ip.b, sizeof s->who.ip.b }, 12)
			    : (struct slice){ s->who.ip.b, sizeof s->who.ip.b });
	see(r, SLICE(" "));
	see(r, spf_result_text(s->result));
	if (s->result == SPF_PASS && !r->step++ && !ON(CONFIG_OUT_IPV4) &&
	    spf_begin(r, &r->site->v6))
		return;
	rowcheck_say(r,
		     s->result == SPF_PASS	  ? ROWCHECK_OK
		     : s->result == SPF_TEMPERROR ? ROWCHECK_UNKNOWN
						  : ROWCHECK_WRONG,
		     s->result == SPF_PASS ? none
		     : s->matched.n	   ? s->matched
					   : s->reason);
}

/* ---- CAA, RFC 8659 ---- */

/* "ca.example; accounturi=..." Is it ours? An account is compared where we know ours (RFC 8657 3). */
static bool issuer_is_ours(const struct publish_site *s, struct slice value)
{
	struct slice rest = value, word;

	if (!taglist_word(&rest, ';', &word) || !slice_ieq(word, s->ca))
		return false;
	while (taglist_word(&rest, ';', &word))
		if (s->ca_account.n && slice_iprefix(word, SLICE("accounturi=")) &&
		    !slice_eq(slice_from(word, 11), s->ca_account))
			return false;
	return true;
}

static void judge_caa(struct rowcheck *r, struct slice records)
{
	enum { CRITICAL = 128 };
	struct cur c = CUR(records), in;
	struct slice one, tag;
	bool limited = false, ours = false, strange = false;

	while (dnsmsg_record(&c, &one)) {
		in = CUR(one);
		uint8_t flags = cur_u8(&in);

		tag = cur_take(&in, cur_u8(&in));
		if (r->seen.len)
			see(r, SLICE(", "));
		see(r, tag);
		see(r, SLICE(" "));
		see(r, in.s);
		if (slice_ieq(tag, SLICE("issue"))) {
			limited = true;
			ours |= issuer_is_ours(r->site, in.s);
		} else {
			strange |= flags & CRITICAL && !slice_ieq(tag, SLICE("issuewild")) &&
				   !slice_ieq(tag, SLICE("iodef"));
		}
	}
	rowcheck_say(r, strange || (limited && !ours) ? ROWCHECK_WRONG : ROWCHECK_OK,
		     strange ? SLICE("a critical property that authorities do not know")
			     : none);
}

/* The record of a name above counts where the name has none. */
static void answer_caa(struct rowcheck *r, struct slice records)
{
	struct slice name = { r->name, r->name_n };

	if (records.n) {
		judge_caa(r, records);
		return;
	}
	name = slice_from(name, slice_find(name, '.') + 1);
	if (!name.n) {
		rowcheck_say(r, ROWCHECK_NONE, SLICE("any authority may"));
		return;
	}
	memmove(r->name, name.p, name.n);
	r->name_n = (uint8_t)name.n;
}

/* ---- asking ---- */

static bool needs_own_address(enum publish_what what)
{
	return what == PUBLISH_PTR || what == PUBLISH_PTR6 || what == PUBLISH_SPF;
}

void rowcheck_init(struct rowcheck *r, const struct publish_site *site,
		   const struct publish_at *at, enum rowcheck_kind kind)
{
	const struct ipaddr *own = at->what == PUBLISH_PTR6 || ON(CONFIG_OUT_IPV6) ? &site->v6
										   : &site->v4;

	memset(r, 0, sizeof *r);
	r->seen = BUF(r->seen_text);
	r->site = site;
	r->at = *at;
	r->kind = kind;
	if (kind != ROWCHECK_RECORD)
		return;
	if (at->what == PUBLISH_PTR)
		own = &site->v4;
	if (needs_own_address(at->what) && !publish_known(own))
		rowcheck_say(r, at->what == PUBLISH_PTR6 ? ROWCHECK_NONE : ROWCHECK_UNKNOWN,
			     SLICE("our own address is not known"));
	else if (publish_dkim(at->what) && !site->dkim.n)
		rowcheck_say(r, ROWCHECK_UNKNOWN, SLICE("there is no key yet"));
	else if (at->what == PUBLISH_SPF)
		spf_begin(r, own);
	else if (at->what == PUBLISH_DMARC)
		dmarc_init_domain(&r->u.dmarc, at->domain);
	r->name_n = (uint8_t)at->domain.n;
	memcpy(r->name, at->domain.p, at->domain.n);
}

static bool ask_record(struct rowcheck *r, struct buf *name, uint16_t *type)
{
	static const uint16_t types[PUBLISH_WHATS] = {
		[PUBLISH_A] = DNSMSG_A,
		[PUBLISH_AAAA] = DNSMSG_AAAA,
		[PUBLISH_PTR] = DNSMSG_PTR,
		[PUBLISH_PTR6] = DNSMSG_PTR,
		[PUBLISH_CAA] = DNSMSG_CAA,
		[PUBLISH_MX] = DNSMSG_MX,
		[PUBLISH_SPF] = DNSMSG_TXT,
		[PUBLISH_DKIM] = DNSMSG_TXT,
		[PUBLISH_DKIM_SECOND] = DNSMSG_TXT,
		[PUBLISH_DMARC] = DNSMSG_TXT,
		[PUBLISH_TLSRPT] = DNSMSG_TXT,
	};
	struct slice s;

	*type = types[r->at.what];
	if (r->at.what == PUBLISH_SPF) {
		while (!r->over && !spf_ask(&r->u.spf, &s, type))
			judge_spf(r);
		if (!r->over)
			buf_put(name, s);
	} else if (r->at.what == PUBLISH_DMARC) {
		if (!dmarc_ask(&r->u.dmarc, name))
			judge_dmarc(r);
	} else if (r->at.what == PUBLISH_CAA) {
		buf_put(name, (struct slice){ r->name, r->name_n });
	} else {
		publish_name(r->site, &r->at, name);
	}
	return !r->over;
}

bool rowcheck_ask(struct rowcheck *r, struct buf *name, uint16_t *type)
{
	static const uint16_t route[] = { DNSMSG_MX, DNSMSG_A, DNSMSG_AAAA };

	if (r->over)
		return false;
	if (r->kind == ROWCHECK_RECORD)
		return ask_record(r, name, type);
	if (r->kind == ROWCHECK_STS) {
		*type = DNSMSG_TXT;
		buf_put(name, SLICE("_mta-sts."));
		buf_put(name, r->at.domain);
		return true;
	}
	if (r->step == sizeof route / sizeof *route)
		return false;
	*type = route[r->step];
	buf_put(name, r->step ? (struct slice){ r->name, r->name_n } : r->at.domain);
	return true;
}

static void answer_record(struct rowcheck *r, struct slice records)
{
	switch (r->at.what) {
	case PUBLISH_A:
	case PUBLISH_AAAA:
		judge_address(r, records);
		break;
	case PUBLISH_PTR:
	case PUBLISH_PTR6:
		judge_ptr(r, records);
		break;
	case PUBLISH_CAA:
		answer_caa(r, records);
		break;
	case PUBLISH_MX:
		judge_mx(r, records);
		break;
	case PUBLISH_DKIM:
	case PUBLISH_DKIM_SECOND:
		judge_dkim(r, records);
		break;
	case PUBLISH_TLSRPT:
		judge_tlsrpt(r, records);
		break;
	default:
		break;
	}
}

void rowcheck_answer(struct rowcheck *r, enum dnsmsg_kind kind, struct slice records)
{
	if (kind != DNSMSG_OK)
		records = none;
	if (r->kind == ROWCHECK_RECORD && r->at.what == PUBLISH_SPF) {
		spf_answer(&r->u.spf, kind, records);
	} else if (r->kind == ROWCHECK_RECORD && r->at.what == PUBLISH_DMARC) {
		dmarc_answer(&r->u.dmarc, kind, records);
	} else if (kind < DNSMSG_NXDOMAIN) {
		rowcheck_say(r, ROWCHECK_UNKNOWN, SLICE("the name servers failed"));
	} else if (r->kind == ROWCHECK_RECORD) {
		answer_record(r, records);
	} else if (r->kind == ROWCHECK_STS) {
		judge_sts(r, records);
	} else if (r->step++ == 0) {
		route_mx(r, records);
	} else {
		route_address(r, records);
	}
}

const char *rowcheck_word(const struct rowcheck *r)
{
	return r->kind == ROWCHECK_RECORD ? publish_word(r->at.what)
	       : r->kind == ROWCHECK_STS  ? "MTA-STS"
					  : "port25";
}

const char *rowcheck_verdict_text(enum rowcheck_verdict verdict)
{
	static const char *const text[ROWCHECK_VERDICTS] = { "unknown", "ok", "none", "wrong" };

	return text[verdict];
}
