/* SPDX-License-Identifier: ISC */
/* RFC 9989 4.10 step by step, with a whole walk for every domain and nothing saved: what dmarc.h must agree with, up to
 * DMARC_ASKS names. */
#ifndef TESTS_UNIT_DMARCLAW_H
#define TESTS_UNIT_DMARCLAW_H

#include "smtpd/proto/dmarc.h"

enum { LAW_ENTRIES = 16, LAW_IDS = 4 };

struct law { /* records are those under "_dmarc.DOMAIN"; an empty one: the domain exists */
	size_t n, ids;
	struct slice domain[LAW_ENTRIES], txt[LAW_ENTRIES];
	struct slice author;
	struct dmarc_identifier id[LAW_IDS];
};

/* The TXT records of a name, as a name server that has nothing else answers. */
static enum dnsmsg_kind law_answer(const struct law *l, struct slice name, struct buf *out)
{
	struct slice domain = slice_iprefix(name, SLICE("_dmarc.")) ? slice_from(name, 7)
								    : name;
	bool records = domain.n < name.n, there = false;

	for (size_t i = 0; i < l->n; i++) {
		if (records && l->txt[i].n && slice_ieq(l->domain[i], domain)) {
			buf_be16(out, l->txt[i].n);
			buf_put(out, l->txt[i]);
		}
		there |= !records && (slice_ieq(l->domain[i], domain) ||
				      dnsmsg_name_below(l->domain[i], domain));
	}
	return out->len ? DNSMSG_OK : there ? DNSMSG_NODATA : DNSMSG_NXDOMAIN;
}

static bool law_record(const struct law *l, struct slice domain, struct dmarc_record *out)
{
	unsigned n = 0;

	for (size_t i = 0; i < l->n; i++)
		if (slice_ieq(l->domain[i], domain))
			n += dmarc_record_parse(l->txt[i], out);
	if (n != 1)
		*out = (struct dmarc_record){ 0 };
	out->domain = domain;
	return n == 1;
}

/* 4.10 and 4.10.2. The record of the organisational domain and that of the public suffix go to *org and *suffix. */
static struct slice law_walk(const struct law *l, struct slice start, struct dmarc_record *org,
			     struct dmarc_record *suffix)
{
	struct dmarc_record none = { 0 }, found[DMARC_WALK], r = none;
	struct slice name = start, result = start;
	size_t n = 0, labels = 1;

	*org = *suffix = none;
	for (size_t i = 0; i < start.n; i++)
		labels += start.p[i] == '.';
	while (labels) {
		r = none;
		if (law_record(l, name, &r))
			found[n++] = r;
		if (r.there && (r.psd == 'y' || r.psd == 'n'))
			break;
		size_t want = labels > 7 ? 7 : labels - 1;

		for (; labels > want; labels--)
			name = slice_from(name, slice_find(name, '.') + 1);
	}
	if (n)
		result = found[n - 1].domain;
	if (n && found[n - 1].psd == 'y' && !slice_ieq(result, start)) {
		*suffix = found[n - 1];
		for (name = start; !slice_ieq(name, result);
		     name = slice_from(name, slice_find(name, '.') + 1))
			org->domain = name;
		result = org->domain;
		*org = none;
	}
	for (size_t i = 0; i < n; i++)
		if (slice_ieq(found[i].domain, result))
			*org = found[i];
	return result;
}

static bool law_aligned(const struct law *l, const struct dmarc_record *r, struct slice org,
			const struct dmarc_identifier *id)
{
	struct dmarc_record a, b;

	if (r->strict[id->means] || slice_ieq(id->domain, l->author))
		return slice_ieq(id->domain, l->author);
	return slice_ieq(law_walk(l, id->domain, &a, &b), org);
}

/* Is this the verdict, and this what is to be done? */
static bool law_holds(const struct law *l, const struct dmarc *d)
{
	struct dmarc_record own = { 0 }, of_org, suffix, *r = &own;
	struct slice org = law_walk(l, l->author, &of_org, &suffix);
	bool passes = false, exists, mine;
	uint8_t mem[8];
	struct buf b = BUF(mem);
	enum dmarc_policy p;

	if (!law_record(l, l->author, &own))
		r = of_org.there ? &of_org : &suffix;
	if (!r->there || r->unusable)
		return d->verdict == DMARC_NONE;
	for (size_t i = 0; i < l->ids; i++)
		passes |= l->id[i].passed && law_aligned(l, r, org, &l->id[i]);
	if (passes || d->verdict == DMARC_PASS)
		return passes && d->verdict == DMARC_PASS && !d->disposition;
	mine = slice_ieq(r->domain, l->author);
	exists = law_answer(l, l->author, &b) != DNSMSG_NXDOMAIN;
	p = mine ? r->p : !exists && r->np ? r->np : r->sp ? r->sp : r->p;
	if (r->testing && p > DMARC_P_NONE)
		p--;
	return d->verdict == DMARC_FAIL && d->disposition == p &&
	       slice_ieq(d->record.domain, r->domain);
}

static bool law_run(const struct law *l, struct dmarc *d)
{
	unsigned names = 0;

	dmarc_init_domain(d, l->author);
	for (size_t i = 0; i < l->ids; i++)
		dmarc_add(d, l->id[i].means, l->id[i].domain, l->id[i].passed);
	while (names++ <= DMARC_ASKS + 1) {
		uint8_t mem[4096], name_mem[DNSMSG_NAME];
		struct buf answer = BUF(mem), name = BUF(name_mem);

		if (!dmarc_ask(d, &name))
			return d->verdict && d->reason.n &&
			       (d->asked > DMARC_ASKS - DMARC_WALK || law_holds(l, d));
		if (!dnsmsg_name_ok(buf_slice(&name)))
			return false;
		enum dnsmsg_kind kind = law_answer(l, buf_slice(&name), &answer);

		dmarc_answer(d, kind, buf_slice(&answer));
	}
	return false;
}

#endif
