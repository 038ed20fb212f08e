/* SPDX-License-Identifier: ISC */
#include "keys/acme/orderfile.h"

#include <string.h>

#include "keys/holder/keyfile.h"

enum { FORMAT = 1, MINUTE = 60, DAY = 86400 };

static void put_text(struct buf *b, const char *z)
{
	struct slice s = slice_of(z);

	buf_be16(b, (uint16_t)s.n);
	buf_put(b, s);
}

static void get_text(struct cur *c, acmedoc_url out)
{
	struct slice s = cur_take(c, cur_be16(c));
	struct url u;

	c->bad |= !slice_cstr(s, out, sizeof(acmedoc_url)) || (s.n && !url_parse(s, &u));
}

void orderfile_put(const struct orderfile *o, struct buf *b)
{
	buf_be32(b, FORMAT);
	buf_be64(b, (uint64_t)o->next_try);
	buf_be64(b, (uint64_t)o->renew_at);
	buf_be64(b, (uint64_t)o->window.start);
	buf_be64(b, (uint64_t)o->window.end);
	buf_be64(b, o->failures);
	put_text(b, o->directory);
	put_text(b, o->account);
	put_text(b, o->order);
}

bool orderfile_get(struct slice text, struct orderfile *out)
{
	struct cur c = CUR(text);
	struct orderfile o;

	c.bad |= cur_be32(&c) != FORMAT;
	o.next_try = (int64_t)cur_be64(&c);
	o.renew_at = (int64_t)cur_be64(&c);
	o.window.start = (int64_t)cur_be64(&c);
	o.window.end = (int64_t)cur_be64(&c);
	o.failures = cur_be64(&c);
	get_text(&c, o.directory);
	get_text(&c, o.account);
	get_text(&c, o.order);
	if (!cur_done(&c))
		return false;
	*out = o;
	return true;
}

bool orderfile_load(struct orderfile *o, const char *directory)
{
	uint8_t mem[KEYFILE_MAX];
	struct buf b = BUF(mem);
	enum keyfile_state state = keyfile_load(KEYFILE_ORDER, true, &b);

	if (state != KEYFILE_WHOLE || !orderfile_get(buf_slice(&b), o) ||
	    strcmp(o->directory, directory) != 0) {
		memset(o, 0, sizeof *o);
		slice_cstr(slice_of(directory), o->directory, sizeof o->directory);
	}
	return state != KEYFILE_NOWHERE;
}

bool orderfile_save(const struct orderfile *o)
{
	uint8_t mem[KEYFILE_MAX];
	struct buf b = BUF(mem);

	orderfile_put(o, &b);
	return !b.bad && keyfile_save(KEYFILE_ORDER, buf_slice(&b));
}

void orderfile_failed(struct orderfile *o, int64_t now, bool counted)
{
	static const int64_t wait[] = { MINUTE, 10 * MINUTE, 100 * MINUTE, DAY };
	size_t last = sizeof wait / sizeof *wait - 1;

	if (!counted || !o->failures)
		o->failures++;
	o->next_try = now + wait[o->failures - 1 < last ? o->failures - 1 : last];
}
