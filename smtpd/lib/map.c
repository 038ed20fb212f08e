/* SPDX-License-Identifier: ISC */
#include "smtpd/lib/map.h"

/* Each record is found again under its own key, at the place where the walk met it or before (a repeated key). */
static bool walk(struct cdb *c)
{
	unsigned at;
	int more;

	cdb_seqinit(&at, c);
	while ((more = cdb_seqnext(&at, c)) > 0) {
		unsigned pos = cdb_datapos(c);
		const void *key = cdb_getkey(c);

		if (!key || cdb_find(c, key, cdb_keylen(c)) <= 0 || cdb_datapos(c) > pos)
			return false;
	}
	return more == 0;
}

bool map_open(struct map *m, int fd)
{
	m->open = false;
	if (fd < 0)
		return true;
	if (cdb_init(&m->cdb, fd) != 0)
		return false;
	if (!walk(&m->cdb)) {
		cdb_free(&m->cdb);
		return false;
	}
	m->open = true;
	return true;
}

bool map_get(struct map *m, struct slice key, struct slice *value)
{
	if (!m->open || cdb_find(&m->cdb, key.p, (unsigned)key.n) <= 0)
		return false;
	value->p = cdb_getdata(&m->cdb);
	value->n = cdb_datalen(&m->cdb);
	return value->p != NULL;
}
