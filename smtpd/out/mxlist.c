/* SPDX-License-Identifier: ISC */
#include "smtpd/out/mxlist.h"

#include "smtpd/proto/dnsmsg.h"
#include "smtpd/proto/mxname.h"

static bool before(const struct mxhost *a, const struct mxhost *b)
{
	return a->preference != b->preference ? a->preference < b->preference : a->lot < b->lot;
}

/* Keeps the list sorted; of more than fit the worst fall off. */
static void insert(struct mxlist *m, const struct mxhost *h)
{
	unsigned at = m->n;

	while (at && before(h, &m->host[at - 1]))
		at--;
	if (at == MXLIST_HOSTS)
		return;
	if (m->n < MXLIST_HOSTS)
		m->n++;
	for (unsigned i = m->n - 1; i > at; i--)
		m->host[i] = m->host[i - 1];
	m->host[at] = *h;
}

/* Numerical Recipes' generator: a lot among equals, nothing secret. */
static uint16_t draw(uint64_t *random)
{
	*random = *random * 6364136223846793005u + 1442695040888963407u;
	return (uint16_t)(*random >> 48);
}

/* The preference from which on hosts are no better than we are. */
static uint32_t limit(struct slice records, struct slice self)
{
	struct cur c = CUR(records);
	struct slice r;
	uint32_t low = UINT16_MAX + 1u;

	while (dnsmsg_record(&c, &r)) {
		struct cur f = CUR(r);
		uint16_t preference = cur_be16(&f);

		if (!f.bad && preference < low && slice_ieq(f.s, self))
			low = preference;
	}
	return low;
}

enum mx_fate mxlist_fill(struct mxlist *m, struct slice records, struct slice self,
			 struct slice pinned, uint64_t random)
{
	uint32_t low = limit(records, self);
	unsigned others = 0, names = 0, nulls = 0;
	struct cur c = CUR(records);
	struct slice r;

	m->n = 0;
	while (dnsmsg_record(&c, &r)) {
		struct cur f = CUR(r);
		struct mxhost h = { .preference = cur_be16(&f), .lot = draw(&random) };

		nulls += !f.bad && !f.s.n;
		if (f.bad || !f.s.n || !slice_cstr(f.s, h.name, sizeof h.name))
			continue;
		names++;
		if (h.preference >= low)
			continue;
		if (pinned.n && !mxname_match(f.s, pinned))
			others++;
		else
			insert(m, &h);
	}
	if (m->n)
		return MX_GO;
	if (!names)
		return nulls ? MX_NULL : MX_NONE;
	return others ? MX_OTHER : MX_LOOP;
}

enum mx_fate mxlist_single(struct mxlist *m, struct slice domain, struct slice self,
			   struct slice pinned)
{
	m->n = 0;
	if (slice_ieq(domain, self))
		return MX_LOOP;
	if (pinned.n && !mxname_match(domain, pinned))
		return MX_OTHER;
	m->host[0] = (struct mxhost){ 0 };
	if (!slice_cstr(domain, m->host[0].name, sizeof m->host[0].name))
		return MX_NONE;
	m->n = 1;
	return MX_GO;
}
