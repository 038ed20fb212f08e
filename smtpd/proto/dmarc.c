/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/dmarc.h"

#include <string.h>

#include "smtpd/proto/header.h"
#include "smtpd/proto/taglist.h"
#include "smtpd/proto/utf8.h"

enum { SHORT = 7 /* labels from which on each step of a walk takes one away */ };

static void judge(struct dmarc *d, enum dmarc_verdict verdict, struct slice reason)
{
	d->verdict = verdict;
	d->reason = reason;
}

/* --- a record --- */

enum { P, SP, NP, ASPF, ADKIM, PSD, T, RUA, TAGS };

static const struct slice tags[TAGS] = {
	[P] = SLICE("p"),	[SP] = SLICE("sp"),	  [NP] = SLICE("np"),
	[ASPF] = SLICE("aspf"), [ADKIM] = SLICE("adkim"), [PSD] = SLICE("psd"),
	[T] = SLICE("t"),	[RUA] = SLICE("rua"),
};

static const struct slice policies[] = {
	[DMARC_NO_POLICY] = SLICE(""),
	[DMARC_P_NONE] = SLICE("none"),
	[DMARC_P_QUARANTINE] = SLICE("quarantine"),
	[DMARC_P_REJECT] = SLICE("reject"),
};

/* "name = value" up to the next ';'. */
static bool tag_take(struct slice *rest, struct tag *t)
{
	struct slice one;
	size_t at;

	if (!taglist_word(rest, ';', &one))
		return false;
	at = slice_find(one, '=');
	t->name = slice_trim(slice_head(one, at));
	t->value = slice_trim(slice_from(one, at + 1));
	return true;
}

static bool is_scheme(uint8_t c)
{
	return byte_alpha(c) || byte_digit(c) || c == '+' || c == '-' || c == '.';
}

static bool is_uri(uint8_t c)
{
	return c > ' ' && c <= '~';
}

/* Is there a URI (RFC 3986 3) in the list? What it may lead to is not our concern. */
static bool uri_in(struct slice list)
{
	struct slice one;

	while (taglist_word(&list, ',', &one)) {
		struct cur c = CUR(one);

		c.bad = !one.n || !byte_alpha(one.p[0]);
		cur_span(&c, is_scheme, SIZE_MAX);
		cur_lit(&c, ':');
		cur_span(&c, is_uri, SIZE_MAX);
		if (cur_done(&c))
			return true;
	}
	return false;
}

/* False: it is there and means nothing. */
static bool policy_get(const struct tag *t, enum dmarc_policy *out)
{
	for (int i = DMARC_P_NONE; i <= DMARC_P_REJECT; i++)
		if (slice_ieq(t->value, policies[i]))
			*out = i;
	return !t->name.n || *out;
}

static uint8_t letter_of(const struct tag *t)
{
	return t->value.n == 1 ? byte_lower(t->value.p[0]) : 0;
}

bool dmarc_record_parse(struct slice text, struct dmarc_record *r)
{
	struct tag seen[TAGS] = { 0 }, t;
	bool good;

	if (!tag_take(&text, &t) || !slice_ieq(t.name, SLICE("v")) ||
	    !slice_eq(t.value, SLICE("DMARC1")))
		return false;
	while (tag_take(&text, &t))
		for (int i = 0; i < TAGS; i++)
			if (slice_ieq(t.name, tags[i]) && !seen[i].name.n)
				seen[i] = t;
	*r = (struct dmarc_record){ .there = true,
				    .psd = letter_of(&seen[PSD]),
				    .domain = r->domain };
	if (r->psd != 'y' && r->psd != 'n')
		r->psd = 'u';
	r->testing = letter_of(&seen[T]) == 'y';
	r->strict[DMARC_SPF] = letter_of(&seen[ASPF]) == 's';
	r->strict[DMARC_DKIM] = letter_of(&seen[ADKIM]) == 's';
	good = policy_get(&seen[P], &r->p);
	good &= policy_get(&seen[SP], &r->sp);
	good &= policy_get(&seen[NP], &r->np);
	if (!good)
		r->p = r->sp = r->np = DMARC_NO_POLICY;
	if (!r->p)
		r->p = DMARC_P_NONE;
	r->unusable = !good && !uri_in(seen[RUA].value);
	return true;
}

/* RFC 9989 4.10: exactly one record counts. */
static void record_find(enum dnsmsg_kind kind, struct slice records, struct slice domain,
			struct dmarc_record *out)
{
	struct dmarc_record r = { .domain = domain };
	struct cur c = CUR(records);
	struct slice one;
	unsigned n = 0;

	while (kind == DNSMSG_OK && dnsmsg_record(&c, &one))
		n += dmarc_record_parse(one, &r);
	*out = n == 1 ? r : (struct dmarc_record){ 0 };
}

/* --- names --- */

/* The next name of a walk: RFC 9989 4.10, steps 4 and 7. Empty: there is none. */
static struct slice up(struct slice name)
{
	size_t labels = 1;

	for (size_t i = 0; i < name.n; i++)
		labels += name.p[i] == '.';
	do
		name = slice_from(name, slice_find(name, '.') + 1);
	while (--labels > SHORT);
	return name;
}

/* The name one label below `top` on the way to `name`. */
static struct slice one_below(struct slice name, struct slice top)
{
	struct slice rest = slice_head(name, name.n - top.n - 1);
	size_t dot = slice_rfind(rest, '.');

	return slice_from(name, dot == rest.n ? 0 : dot + 1);
}

/* --- the author domain --- */

void dmarc_init_domain(struct dmarc *d, struct slice author)
{
	struct buf b = BUF(d->name);

	memset(d, 0, sizeof *d);
	buf_lower(&b, author);
	if (b.bad || !dnsmsg_name_ok(buf_slice(&b))) {
		judge(d, DMARC_PERMERROR, SLICE("From: has no domain that can be looked up"));
		return;
	}
	d->author = d->at = buf_slice(&b);
}

/* RFC 9989 5.3.1. */
void dmarc_init(struct dmarc *d, struct slice header)
{
	static const struct slice from = SLICE("From");
	struct header_addr a[DMARC_AUTHORS];
	struct slice reason = { NULL, 0 };
	uint8_t first[DNSMSG_NAME], other[DNSMSG_NAME];
	struct buf domain = BUF(first);
	struct header_field f;
	size_t n = header_count(header, from);

	if (n != 1 || !header_find(header, from, &f))
		reason = n ? SLICE("there are several From:") : SLICE("there is no From:");
	else if (!header_authors(f.body, a, DMARC_AUTHORS, &n))
		reason = SLICE("From: is malformed");
	else
		utf8_domain(&domain, a[0].domain);
	for (size_t i = 1; !reason.n && i < n; i++) {
		struct buf b = BUF(other);

		utf8_domain(&b, a[i].domain);
		if (b.bad || !slice_ieq(buf_slice(&b), buf_slice(&domain)))
			reason = SLICE("the addresses in From: are of several domains");
	}
	dmarc_init_domain(d, domain.bad ? SLICE("") : buf_slice(&domain));
	if (reason.n)
		judge(d, DMARC_PERMERROR, reason);
}

void dmarc_add(struct dmarc *d, enum dmarc_means means, struct slice domain, bool passed)
{
	if (d->n < DMARC_IDENTIFIERS && dnsmsg_name_ok(domain))
		d->identifier[d->n++] = (struct dmarc_identifier){ means, passed, domain };
}

/* --- the verdict --- */

static bool is_author(const struct dmarc *d, const struct dmarc_identifier *id)
{
	return slice_ieq(id->domain, d->author);
}

static void pass(struct dmarc *d, const struct dmarc_identifier *id)
{
	d->by = id->domain;
	d->means = id->means;
	judge(d, DMARC_PASS,
	      id->means == DMARC_SPF ? SLICE("SPF vouches for the domain")
				     : SLICE("DKIM vouches for the domain"));
}

static void fail(struct dmarc *d)
{
	d->disposition = d->policy;
	if (d->record.testing && d->policy > DMARC_P_NONE)
		d->disposition = d->policy - 1;
	judge(d, DMARC_FAIL,
	      d->n ? SLICE("what SPF or DKIM vouch for is not aligned with the domain")
		   : SLICE("neither SPF nor DKIM vouches for anything"));
}

/* Is it certain what is there? */
static bool certain(enum dnsmsg_kind kind)
{
	return kind == DNSMSG_OK || kind == DNSMSG_NODATA || kind == DNSMSG_NXDOMAIN;
}

/* The author domain's name itself was asked for, because the record that counts is of a domain above it and has np=. */
static void at_existence(struct dmarc *d, enum dnsmsg_kind kind)
{
	if (!certain(kind)) {
		judge(d, DMARC_TEMPERROR,
		      SLICE("whether the domain exists could not be looked up"));
		return;
	}
	if (kind == DNSMSG_NXDOMAIN) /* RFC 9989 3.2.13 */
		d->policy = d->record.np;
	fail(d);
}

/* None of the identifiers is aligned. */
static void none_aligned(struct dmarc *d)
{
	if (d->temp)
		judge(d, DMARC_TEMPERROR, SLICE("SPF, DKIM or alignment could not be judged"));
	else if (d->exists || !d->record.np || d->record.np == d->policy ||
		 slice_eq(d->record.domain, d->author))
		fail(d);
	else
		d->step = DMARC_AT_EXISTENCE;
}

static void aligned(struct dmarc *d, const struct dmarc_identifier *id)
{
	d->temp |= !id->passed;
	if (id->passed)
		pass(d, id);
}

/* RFC 9989 4.10.2, without a walk where the one of the author domain has told enough: the two organisational domains
 * can only be the same when the identifier is that domain or below it, and from there on upwards both walks see the
 * same. What remains to be looked at is whether a record with psd= stands between. False: *id is not aligned, as far
 * as is known. */
static bool align_begin(struct dmarc *d, const struct dmarc_identifier *id)
{
	/* A public suffix that writes letters is an organisation of its own: step 2 passes over the start of a walk. */
	bool alone = d->record.psd == 'y' && slice_eq(d->record.domain, d->author);

	if (is_author(d, id) || d->record.strict[id->means] || alone)
		return is_author(d, id);
	if (slice_ieq(id->domain, d->org))
		return true;
	if (dnsmsg_name_below(id->domain, d->org) && d->asked <= DMARC_ASKS - DMARC_WALK)
		d->at = id->domain;
	return false;
}

/* Goes on with the identifiers from d->i on, until a name must be asked for or the verdict is there. */
static void align(struct dmarc *d)
{
	d->step = DMARC_AT_IDENTIFIER;
	for (d->at.n = 0; !d->verdict && d->i < d->n; d->i++) {
		if (align_begin(d, &d->identifier[d->i]))
			aligned(d, &d->identifier[d->i]);
		else if (d->at.n)
			return;
	}
	if (!d->verdict)
		none_aligned(d);
}

/* The walk of an identifier has come to d->at. */
static void at_identifier(struct dmarc *d, enum dnsmsg_kind kind, struct slice records)
{
	const struct dmarc_identifier *id = &d->identifier[d->i];
	struct dmarc_record r;
	/* From a public suffix straight above the organisational domain both walks come down to that again. */
	bool same = d->above.psd == 'y' && !slice_eq(d->above.domain, d->org);

	record_find(kind, records, d->at, &r);
	if (certain(kind)) {
		if (r.there && r.psd != 'u') {
			d->at.n = 0;
		} else {
			d->at = up(d->at);
			if (dnsmsg_name_below(d->at, d->org))
				return;
			if (same || slice_ieq(d->at, d->org))
				aligned(d, id);
		}
	} else {
		d->temp = true;
	}
	d->i++;
	if (!d->verdict)
		align(d);
}

/* Is there anything that a walk beyond the author domain could align? */
static bool worth_walking(const struct dmarc *d)
{
	for (size_t i = 0; i < d->n; i++)
		if (!is_author(d, &d->identifier[i]) &&
		    !d->record.strict[d->identifier[i].means])
			return true;
	return false;
}

/* The record that counts is known, if there is one. */
static void policy_of(struct dmarc *d)
{
	if (!d->record.there)
		judge(d, DMARC_NONE, SLICE("there is no record"));
	else if (d->record.unusable)
		judge(d, DMARC_NONE, SLICE("the policy of the record is not one"));
	if (d->verdict)
		return;
	d->policy = d->record.p;
	if (d->record.sp && !slice_eq(d->record.domain, d->author))
		d->policy = d->record.sp;
	align(d);
}

/* RFC 9989 4.10.2: the organisational domain; 4.10.1: the record of the author domain, of the organisational one or
 * of the public suffix, in this order. */
static void walked(struct dmarc *d)
{
	d->org = d->above.there ? d->above.domain : d->author;
	if (d->above.psd == 'y' && !slice_eq(d->above.domain, d->author))
		d->org = one_below(d->author, d->above.domain);
	if (!d->record.there)
		d->record = d->below.there && slice_eq(d->below.domain, d->org) ? d->below
										: d->above;
	policy_of(d);
}

/* The first name of the walk: with a record, and an identifier that is the same domain, it is the last one, too. */
static void at_author(struct dmarc *d, const struct dmarc_record *r, enum dnsmsg_kind kind)
{
	/* RFC 8020: nothing is below what does not exist */
	d->exists = kind != DNSMSG_NXDOMAIN;
	d->record = *r;
	d->policy = r->p;
	for (size_t i = 0; r->there && !r->unusable && !d->verdict && i < d->n; i++)
		if (d->identifier[i].passed && is_author(d, &d->identifier[i])) {
			d->org = d->author;
			pass(d, &d->identifier[i]);
		}
}

static void at_walk(struct dmarc *d, enum dnsmsg_kind kind, struct slice records)
{
	struct dmarc_record r;

	if (!certain(kind)) {
		judge(d, DMARC_TEMPERROR, SLICE("the record could not be looked up"));
		return;
	}
	record_find(kind, records, d->at, &r);
	if (slice_eq(d->at, d->author))
		at_author(d, &r, kind);
	if (r.there) {
		d->below = d->above;
		d->above = r;
	}
	d->at = up(d->at);
	if (d->verdict)
		return;
	if (!d->at.n || (r.there && r.psd != 'u'))
		walked(d);
	else if (d->record.there && (d->record.unusable || !worth_walking(d)))
		policy_of(d);
}

bool dmarc_ask(struct dmarc *d, struct buf *name)
{
	static const struct slice label = SLICE("_dmarc.");

	/* A name that leaves no room for the label has no record. */
	while (!d->verdict && d->step != DMARC_AT_EXISTENCE && d->at.n + label.n > DNSMSG_NAME)
		dmarc_answer(d, DNSMSG_NXDOMAIN, (struct slice){ NULL, 0 });
	if (d->verdict)
		return false;
	d->asked++;
	if (d->step != DMARC_AT_EXISTENCE)
		buf_put(name, label);
	buf_put(name, d->step == DMARC_AT_EXISTENCE ? d->author : d->at);
	return true;
}

void dmarc_answer(struct dmarc *d, enum dnsmsg_kind kind, struct slice records)
{
	if (d->verdict)
		return;
	if (d->step == DMARC_AT_AUTHOR)
		at_walk(d, kind, records);
	else if (d->step == DMARC_AT_IDENTIFIER)
		at_identifier(d, kind, records);
	else
		at_existence(d, kind);
}

struct slice dmarc_verdict_text(enum dmarc_verdict verdict)
{
	static const struct slice text[] = {
		[DMARC_PENDING] = SLICE("none"),	[DMARC_NONE] = SLICE("none"),
		[DMARC_PASS] = SLICE("pass"),		[DMARC_FAIL] = SLICE("fail"),
		[DMARC_TEMPERROR] = SLICE("temperror"), [DMARC_PERMERROR] = SLICE("permerror"),
	};

	return text[verdict];
}

struct slice dmarc_policy_text(enum dmarc_policy policy)
{
	return policies[policy];
}
