/* SPDX-License-Identifier: ISC */
#include "smtpd/queue/jwrite.h"

#include <string.h>

#include "smtpd/lib/memfd.h"

struct out {
	struct disk *d;
	struct job *j;
	uint64_t at; /* where buf[0] belongs */
	size_t n;
	struct jr_sum sum;
	bool bad; /* sticky */
};

static void out_write(struct out *o)
{
	struct job *j = o->j;

	if (!o->bad && o->n)
		o->bad = !o->d->write(o->d, j->use.seg, o->at, j->buf, o->n);
	o->at += o->n;
	o->n = 0;
}

static uint64_t out_at(const struct out *o)
{
	return o->at + o->n;
}

/* Where up to n octets may be filled in; *n becomes how many. */
static uint8_t *out_room(struct out *o, uint64_t *n)
{
	if (o->n == JOB_BUF)
		out_write(o);
	if (*n > JOB_BUF - o->n)
		*n = JOB_BUF - o->n;
	return o->j->buf + o->n;
}

static void out_put(struct out *o, struct slice s)
{
	while (s.n) {
		uint64_t n = s.n;
		uint8_t *p = out_room(o, &n);

		memcpy(p, s.p, (size_t)n);
		o->n += (size_t)n;
		s = slice_from(s, (size_t)n);
	}
}

static void out_zero(struct out *o, uint64_t to)
{
	while (out_at(o) < to) {
		uint64_t n = to - out_at(o);
		uint8_t *p = out_room(o, &n);

		memset(p, 0, (size_t)n);
		o->n += (size_t)n;
	}
}

static void out_content(struct out *o, struct slice s)
{
	jr_sum_add(&o->sum, s);
	out_put(o, s);
}

/* Content that lies elsewhere: n octets of a memfd, or, fd < 0, of the record that is copied. */
static void out_stream(struct out *o, const struct job_item *i, int fd, uint64_t off,
		       uint64_t n)
{
	while (n && !o->bad) {
		uint64_t part = n;
		uint8_t *p = out_room(o, &part);

		if (fd >= 0)
			o->bad = !memfd_read(fd, off, p, (size_t)part);
		else
			o->bad = !o->d->read(o->d, i->from_use.seg, i->from.at + JR_HEAD + off,
					     p, (size_t)part);
		if (o->bad)
			return;
		jr_sum_add(&o->sum, (struct slice){ p, (size_t)part });
		o->n += (size_t)part;
		off += part;
		n -= part;
	}
}

static void out_item(struct out *o, struct job_item *i)
{
	uint64_t place = jr_place(out_at(o), jr_length(&i->r), i->r.type == JR_LETTER);
	uint8_t head[JR_HEAD], sum[JR_SUM];
	struct cur c = CUR(i->content);
	struct jr_letter l;

	if (i->copy && !jr_walk(o->d, &i->from_use, &i->from, NULL, NULL)) {
		i->damaged = true;
		return;
	}
	out_zero(o, place);
	i->r.at = place;
	jr_put(&o->j->use, &i->r, head);
	jr_sum_begin(&o->sum, &o->j->use, head, place);
	out_put(o, (struct slice){ head, JR_HEAD });
	out_content(o, i->content);
	if (i->copy) {
		out_stream(o, i, -1, i->from_off, i->from.len - i->from_off);
	} else if (i->r.type == JR_LETTER && jr_letter_get(c.s, i->r.len, &l)) {
		out_stream(o, i, i->head, 0, l.head_size);
		out_stream(o, i, i->text, 0, l.text_size);
	}
	jr_sum_end(&o->sum, sum);
	out_put(o, (struct slice){ sum, JR_SUM });
	out_zero(o, place + jr_length(&i->r));
}

static void run_batch(struct disk *d, struct job *j)
{
	struct out o = { .d = d, .j = j, .at = j->at };

	for (unsigned i = 0; i < j->n && !o.bad; i++)
		out_item(&o, &j->item[i]);
	out_zero(&o, jr_round(out_at(&o)));
	out_write(&o);
	j->ok = !o.bad && d->flush(d, j->use.seg);
	j->at = o.at;
}

/* One copy is whole at any time: the one that was relied on is written when the other is on disk. */
static void run_header(struct disk *d, struct job *j)
{
	unsigned seg = j->use.seg;
	uint64_t second = j->use.copy ? JR_BLOCK : 0, first = JR_BLOCK - second;

	jr_use_put(&j->use, j->buf);
	j->ok = d->write(d, seg, first, j->buf, JR_BLOCK) && d->flush(d, seg) &&
		d->write(d, seg, second, j->buf, JR_BLOCK) && d->flush(d, seg);
	if (!j->ok && j->final)
		j->ok = d->remove(d, seg);
}

/* Real zeros, because a flush of blocks that fallocate made would change metadata. The name comes
 * last: a segment that has one is complete. */
static void run_make(struct disk *d, struct job *j)
{
	unsigned seg = j->use.seg;
	uint64_t n = j->use.size - j->at;

	if (n > JOB_BUF)
		n = JOB_BUF;
	memset(j->buf, 0, (size_t)n);
	j->ok = (j->at || d->make(d, seg)) && d->write(d, seg, j->at, j->buf, (size_t)n);
	j->at += n;
	if (j->ok && j->at == j->use.size)
		j->ok = d->sync(d, seg) && d->name(d, seg) && d->sync_names(d);
	if (!j->ok)
		d->remove(d, seg);
}

void job_run(struct disk *d, struct job *j)
{
	j->ok = false;
	switch (j->kind) {
	case JOB_BATCH:
		run_batch(d, j);
		break;
	case JOB_HEADER:
		run_header(d, j);
		break;
	case JOB_MAKE:
		run_make(d, j);
		break;
	}
}
