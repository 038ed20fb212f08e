/* SPDX-License-Identifier: ISC */
#include "smtpd/check/rights.h"

#include "smtpd/proto/header.h"

enum { ADDRESSES = 8 };

static bool is_owned(struct slice name)
{
	static const struct slice owned[] = { SLICE("From"), SLICE("Sender"),
					      SLICE("Resent-From"), SLICE("Resent-Sender") };
	size_t i = 0;

	while (i < sizeof owned / sizeof *owned && !slice_ieq(name, owned[i]))
		i++;
	return i < sizeof owned / sizeof *owned;
}

static bool allowed(const struct grant *g, const struct path *p)
{
	uint8_t bytes[PATH_LOCAL];
	struct buf local = BUF(bytes);

	path_local(p, &local);
	return !local.bad && grant_allows(g, buf_slice(&local), p->domain);
}

static bool refuse(const struct grant *g, struct slice what, const struct path *p,
		   struct buf *why)
{
	buf_put(why, what);
	buf_put(why, SLICE(" <"));
	buf_visible(why, p->local);
	if (p->domain.n)
		buf_u8(why, '@');
	buf_visible(why, p->domain);
	buf_put(why, SLICE("> is not allowed for account "));
	buf_visible(why, g->account);
	return false;
}

bool rights_sender(const struct grant *g, const struct path *sender, struct buf *why)
{
	if (path_null(sender) || allowed(g, sender))
		return true;
	return refuse(g, SLICE("Sender"), sender, why);
}

static bool owns(const struct grant *g, const struct header_field *f, struct slice *domain,
		 struct buf *why)
{
	struct header_addr a[ADDRESSES];
	size_t n;

	if (!header_addresses(f->body, a, ADDRESSES, &n)) {
		buf_visible(why, slice_head(f->name, 16));
		buf_put(why, SLICE(" is not a list of at most 8 addresses"));
		return false;
	}
	for (size_t i = 0; i < n; i++) {
		struct path p = { a[i].local, a[i].domain };

		if (!allowed(g, &p))
			return refuse(g, slice_head(f->name, 16), &p, why);
	}
	*domain = a[0].domain;
	return true;
}

bool rights_header(const struct grant *g, struct slice header, struct slice *domain,
		   struct buf *why)
{
	struct header_field f;
	struct slice first, from = { NULL, 0 };

	while (header_next(&header, &f)) {
		if (!is_owned(f.name))
			continue;
		if (!owns(g, &f, &first, why))
			return false;
		if (!from.n && slice_ieq(f.name, SLICE("From")))
			from = first;
	}
	if (!from.n)
		buf_put(why, SLICE("There is no From"));
	*domain = from;
	return from.n > 0;
}
