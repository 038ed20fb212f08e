/* SPDX-License-Identifier: ISC */
#include "smtpd/out/outletter.h"

#include <string.h>

#include "smtpd/lib/memfd.h"
#include "smtpd/proto/envelope.h"

static bool copy(struct slice s, uint8_t *out, uint8_t *n)
{
	if (s.n > UINT8_MAX)
		return false;
	memcpy(out, s.p, s.n);
	*n = (uint8_t)s.n;
	return true;
}

struct slice outletter_rcpt(const struct outletter *l, unsigned i)
{
	return (struct slice){ l->rcpt[i].path, l->rcpt[i].n };
}

static bool add_rcpt(struct outletter *l, struct slice v)
{
	unsigned i = l->nrcpt++;
	struct path p;

	if (!copy(v, l->rcpt[i].path, &l->rcpt[i].n) || !path_addr(outletter_rcpt(l, i), 0, &p))
		return false;
	if (!i)
		l->domain = p.domain;
	return slice_ieq(l->domain, p.domain);
}

static bool read_envelope(struct outletter *l, struct slice head, size_t want)
{
	struct cur c = CUR(head);
	enum env_tag tag;
	struct slice v;
	size_t nrcpt;

	if (!envelope_check(head, &nrcpt) || nrcpt != want || nrcpt > OUT_RCPTS ||
	    !envelope_get(head, ENV_SENDER, &v) || !copy(v, l->sender, &l->sender_n))
		return false;
	l->nrcpt = 0;
	while (envelope_next(&c, &tag, &v))
		if (tag == ENV_RCPT && !add_rcpt(l, v))
			return false;
	l->eight = envelope_get(head, ENV_BODY, &v) && slice_eq(v, SLICE("8"));
	if (!envelope_get(head, ENV_HEADER, &v))
		return false;
	l->header_at = (uint64_t)(v.p - head.p);
	l->header_n = v.n;
	return true;
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

bool outletter_read(const struct outletter *l, uint64_t at, uint8_t *out, size_t *n)
{
	bool head = at < l->header_n;
	uint64_t left = (head ? l->header_n : outletter_size(l)) - at;

	if (left < *n)
		*n = (size_t)left;
	return head ? memfd_read(l->head, l->header_at + at, out, *n)
		    : memfd_read(l->text, l->text_at + at - l->header_n, out, *n);
}

bool outletter_eight(const struct outletter *l)
{
	uint8_t chunk[4096];
	uint64_t at = 0;

	while (at < outletter_size(l)) {
		size_t n = sizeof chunk;

		if (!outletter_read(l, at, chunk, &n))
			return true;
		for (size_t i = 0; i < n; i++)
			if (chunk[i] & 0x80)
				return true;
		at += n;
	}
	return false;
}
