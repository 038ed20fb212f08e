/* SPDX-License-Identifier: ISC */
#include "smtpd/out/outletter.h"

#include <string.h>

#include "smtpd/lib/memfd.h"
#include "smtpd/proto/envelope.h"

/* A copy that lives as long as the letter. What is longer than `max` is left out. */
static struct slice keep(struct outletter *l, struct slice s, size_t max)
{
	struct slice copy = { l->words + l->nwords, s.n };

	if (s.n > max || s.n > sizeof l->words - l->nwords)
		return (struct slice){ NULL, 0 };
	memcpy(l->words + l->nwords, s.p, s.n);
	l->nwords += s.n;
	return copy;
}

static bool add_rcpt(struct outletter *l, struct slice v)
{
	struct path p;

	l->rcpt[l->nrcpt] = (struct outrcpt){ .path = keep(l, v, PATH_OCTETS) };
	if (!path_addr(l->rcpt[l->nrcpt++].path, PATH_UTF8, &p))
		return false;
	if (l->nrcpt == 1)
		l->domain = p.domain;
	return slice_ieq(l->domain, p.domain);
}

/* One record. False: a recipient that cannot be one. */
static bool take_record(struct outletter *l, enum env_tag tag, struct slice v)
{
	struct outrcpt *r = l->nrcpt ? &l->rcpt[l->nrcpt - 1] : NULL;

	switch (tag) {
	case ENV_SENDER:
		l->sender = keep(l, v, PATH_OCTETS);
		return l->sender.n == v.n;
	case ENV_RCPT:
		return add_rcpt(l, v);
	case ENV_ORIGINAL:
		l->aliased = true;
		return true;
	case ENV_NOTIFY:
		if (r)
			r->notify = keep(l, v, OUTLETTER_NOTIFY);
		return true;
	case ENV_ORCPT:
		if (r)
			r->orcpt = keep(l, v, OUTLETTER_ORCPT);
		return true;
	case ENV_RET:
		l->ret = keep(l, v, sizeof "FULL" - 1);
		return true;
	case ENV_ENVID:
		l->envid = keep(l, v, OUTLETTER_ENVID);
		return true;
	case ENV_UTF8:
		l->utf8 = true;
		return true;
	case ENV_BODY:
		l->eight = slice_eq(v, SLICE("8"));
		return true;
	default:
		return true;
	}
}

static bool read_envelope(struct outletter *l, struct slice head, size_t want)
{
	struct cur c = CUR(head);
	enum env_tag tag;
	struct slice v;
	size_t nrcpt;

	if (!envelope_check(head, &nrcpt) || nrcpt != want || nrcpt > OUT_RCPTS)
		return false;
	l->nrcpt = 0;
	l->nwords = 0;
	l->ret = l->envid = (struct slice){ NULL, 0 };
	l->eight = l->utf8 = l->aliased = false;
	while (envelope_next(&c, &tag, &v) && tag != ENV_HEADER)
		if (!take_record(l, tag, v))
			return false;
	l->header_at = (uint64_t)(v.p - head.p);
	l->header_n = v.n;
	return true;
}

/* Header and text as far as they fit; what cannot be read now is found out when it is sent. */
static void fill_cache(struct outletter *l, const uint8_t *header)
{
	size_t room, n;

	l->ncache = 0;
	if (l->header_n > sizeof l->cache)
		return;
	memcpy(l->cache, header, l->header_n);
	l->ncache = l->header_n;
	room = sizeof l->cache - l->ncache;
	n = l->text_n < room ? (size_t)l->text_n : room;
	if (memfd_read(l->text, l->text_at, l->cache + l->ncache, n))
		l->ncache += n;
}

bool outletter_open(struct outletter *l, const struct out_deliver *m, int fd[2], size_t nrcpt,
		    uint8_t *scratch)
{
	uint64_t text, head;

	if (!memfd_check(fd[0], CONFIG_SMTPD_MAX_SIZE, &text) ||
	    !memfd_check(fd[1], ENV_HEAD_MAX, &head) || text != m->text_size ||
	    m->skip > text || !memfd_read(fd[1], 0, scratch, (size_t)head) ||
	    !read_envelope(l, (struct slice){ scratch, (size_t)head }, nrcpt))
		return false;
	l->text_at = m->skip;
	l->text_n = text - m->skip;
	l->text = fd[0];
	l->head = fd[1];
	fd[0] = fd[1] = -1;
	fill_cache(l, scratch + l->header_at);
	return true;
}

void outletter_close(struct outletter *l)
{
	memfd_close(&l->text);
	memfd_close(&l->head);
}

uint64_t outletter_size(const struct outletter *l)
{
	return l->header_n + l->text_n;
}

bool outletter_get(const struct outletter *l, uint64_t at, uint8_t *scratch, size_t cap,
		   struct slice *out)
{
	bool head = at < l->header_n;
	uint64_t left = (head ? l->header_n : outletter_size(l)) - at;
	size_t n = left < cap ? (size_t)left : cap;

	if (at < l->ncache) {
		*out = (struct slice){ l->cache + at, l->ncache - (size_t)at };
		return true;
	}
	*out = (struct slice){ scratch, n };
	return head ? memfd_read(l->head, l->header_at + at, scratch, n)
		    : memfd_read(l->text, l->text_at + at - l->header_n, scratch, n);
}

bool outletter_eight(const struct outletter *l)
{
	uint8_t scratch[4096];
	struct slice s;

	for (uint64_t at = 0; at < outletter_size(l); at += s.n) {
		if (!outletter_get(l, at, scratch, sizeof scratch, &s))
			return true;
		for (size_t i = 0; i < s.n; i++)
			if (s.p[i] & 0x80)
				return true;
	}
	return false;
}
