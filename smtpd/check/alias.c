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

static bool get(struct map *m, struct slice local, struct slice domain, struct path *to)
{
	uint8_t bytes[PATH_OCTETS];
	struct buf key = BUF(bytes);
	struct slice value;

	buf_lower(&key, local);
	buf_u8(&key, '@');
	buf_lower(&key, domain);
	return !key.bad && map_get(m, buf_slice(&key), &value) && path_addr(value, 0, to);
}

enum alias_kind alias_find(struct map *m, const struct alias_domains *d,
			   const struct path *rcpt, struct path *to)
{
	uint8_t bytes[PATH_LOCAL];
	struct buf decoded = BUF(bytes);
	struct slice domain = rcpt->domain, local;

	if (!domain.n)
		domain = slice_head(d->mail, slice_find(d->mail, ' '));
	path_local(rcpt, &decoded);
	local = buf_slice(&decoded);
	if (slice_ieq(domain, d->srs) && srs_is(local))
		return ALIAS_RETURN;
	if (alias_domain(d->mail, domain) < 0)
		return slice_ieq(domain, d->srs) ? ALIAS_UNKNOWN : ALIAS_ELSEWHERE;
	if (decoded.bad || !local.n)
		return ALIAS_UNKNOWN;
	if (get(m, local, domain, to) ||
	    get(m, slice_head(local, slice_find(local, '+')), domain, to) ||
	    get(m, SLICE(""), domain, to))
		return ALIAS_TO;
	return ALIAS_UNKNOWN;
}
