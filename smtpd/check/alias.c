/* SPDX-License-Identifier: ISC */
#include "smtpd/check/alias.h"

#include "smtpd/proto/srs.h"

int alias_domain(struct slice words, struct slice domain)
{
	struct slice w;

	for (int i = 0; (w = slice_word(&words)).n; i++)
		if (slice_ieq(w, domain))
			return i;
	return -1;
}

static bool get(struct map *m, struct slice local, struct slice domain, struct slice *to)
{
	uint8_t bytes[PATH_OCTETS];
	struct buf key = BUF(bytes);

	buf_lower(&key, local);
	buf_u8(&key, '@');
	buf_lower(&key, domain);
	return !key.bad && map_get(m, buf_slice(&key), to);
}

static enum alias_kind kind_of(struct slice *to)
{
	struct slice words = *to, w;
	struct path p;

	if (to->n && to->p[0] == ':') {
		*to = slice_from(*to, 1);
		return ALIAS_REFUSED;
	}
	while ((w = slice_word(&words)).n)
		if (!path_addr(w, 0, &p))
			return ALIAS_UNKNOWN;
	return to->n ? ALIAS_TO : ALIAS_UNKNOWN;
}

enum alias_kind alias_find(struct map *m, const struct alias_domains *d,
			   const struct path *rcpt, struct slice *to)
{
	uint8_t bytes[PATH_LOCAL];
	struct buf decoded = BUF(bytes);
	struct slice domain = rcpt->domain, local,
		     first = slice_head(d->mail, slice_find(d->mail, ' '));

	path_local(rcpt, &decoded);
	local = buf_slice(&decoded);
	if (slice_ieq(domain, d->srs) && srs_is(local))
		return ALIAS_RETURN;
	if (!domain.n || (slice_ieq(domain, d->srs) && (slice_ieq(local, SLICE("postmaster")) ||
							slice_ieq(local, SLICE("abuse")))))
		domain = alias_domain(d->mail, domain) < 0 ? first : domain;
	if (alias_domain(d->mail, domain) < 0)
		return slice_ieq(domain, d->srs) ? ALIAS_UNKNOWN : ALIAS_ELSEWHERE;
	if (decoded.bad || !local.n)
		return ALIAS_UNKNOWN;
	if (get(m, local, domain, to) ||
	    get(m, slice_head(local, slice_find(local, '+')), domain, to) ||
	    get(m, SLICE(""), domain, to))
		return kind_of(to);
	return ALIAS_UNKNOWN;
}
