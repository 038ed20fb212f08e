/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "smtpd/out/sessions.h"

#include <string.h>

void sessions_init(struct sessions *s)
{
	s->row = arena_reserve(SESSIONS * sizeof *s->row);
}

struct session *sessions_find(const struct sessions *s, const char *host, uint8_t level,
			      int64_t now)
{
	for (struct session *r = s->row; r < s->row + SESSIONS; r++)
		if (r->until > now && r->level == level &&
		    slice_ieq(slice_of(r->host), slice_of(host)))
			return r;
	return NULL;
}

void sessions_drop(struct session *row)
{
	if (row)
		explicit_bzero(row, sizeof *row);
}

void sessions_keep(struct sessions *s, const char *host, uint8_t level, const struct tls *t,
		   int64_t now)
{
	struct session *row = sessions_find(s, host, level, now);
	struct tls_session got;

	if (!tls_session_get(t, &got))
		return;
	if (!row) {
		row = s->row;
		for (struct session *r = s->row; r < s->row + SESSIONS; r++)
			if (r->until < row->until)
				row = r;
	} else if (tls_session_same(&row->tls, &got)) { /* resumed: it grows no younger */
		explicit_bzero(&got, sizeof got);
		return;
	}
	row->until = now + SESSIONS_MS;
	row->level = level;
	row->tls = got;
	slice_cstr(slice_of(host), row->host, sizeof row->host);
	explicit_bzero(&got, sizeof got);
}
