/* SPDX-License-Identifier: ISC */
#include "smtpd/queue/jrecord.h"

#include <string.h>

enum {
	MAGIC_SEGMENT = 0x74706a53, /* "tpjS" */
	MAGIC_RECORD = 0x74706a52,
	VERSION = 2,
	USE_LEN = 72,
	PIECE = 16 * 1024,
};

void jr_use_put(const struct jr_use *u, uint8_t out[JR_DATA])
{
	struct buf b = { .p = out, .cap = JR_BLOCK };

	memset(out, 0, JR_DATA);
	buf_be32(&b, MAGIC_SEGMENT);
	buf_be32(&b, VERSION);
	buf_be32(&b, u->seg);
	buf_be32(&b, 0);
	buf_be64(&b, u->size);
	buf_be64(&b, u->use);
	buf_be64(&b, u->floor);
	buf_put(&b, (struct slice){ u->salt, JR_SALT });
	crypto_generichash(out + b.len, JR_SUM, out, b.len, NULL, 0);
	memcpy(out + JR_BLOCK, out, JR_BLOCK);
}

static bool use_get(const uint8_t *in, uint32_t seg, uint64_t size, struct jr_use *u)
{
	struct cur c = CUR(((struct slice){ in, USE_LEN }));
	uint8_t sum[JR_SUM];
	bool ok = cur_be32(&c) == MAGIC_SEGMENT;

	crypto_generichash(sum, JR_SUM, in, USE_LEN, NULL, 0);
	ok &= cur_be32(&c) == VERSION;
	ok &= cur_be32(&c) == seg;
	cur_be32(&c);
	u->seg = seg;
	u->size = cur_be64(&c);
	u->use = cur_be64(&c);
	u->floor = cur_be64(&c);
	memcpy(u->salt, cur_take(&c, JR_SALT).p, JR_SALT);
	ok &= u->size >= 2 * JR_DATA && u->size % JR_BLOCK == 0 && u->size <= size;
	return ok && !memcmp(sum, in + USE_LEN, JR_SUM);
}

bool jr_use_get(const uint8_t in[JR_DATA], uint32_t seg, uint64_t size, struct jr_use *u)
{
	struct jr_use a, b;
	bool has_a = use_get(in, seg, size, &a), has_b = use_get(in + JR_BLOCK, seg, size, &b);

	if (!has_a && !has_b)
		return false;
	*u = has_a && (!has_b || a.use >= b.use) ? a : b;
	u->copy = !(has_a && (!has_b || a.use >= b.use));
	return true;
}

/* Over salt, segment, position, and the header up to its own sum. */
static void head_sum(const struct jr_use *u, const uint8_t *head, uint64_t at,
		     uint8_t out[JR_SUM])
{
	struct jr_sum s;
	uint8_t zero[JR_HEAD] = { 0 };

	memcpy(zero, head, JR_HEAD - JR_SUM);
	jr_sum_begin(&s, u, zero, at);
	jr_sum_end(&s, out);
}

void jr_put(const struct jr_use *u, const struct jr *r, uint8_t out[JR_HEAD])
{
	struct buf b = { .p = out, .cap = JR_HEAD };

	buf_be32(&b, MAGIC_RECORD);
	buf_be32(&b, r->type);
	buf_be64(&b, r->seq);
	buf_be64(&b, r->letter);
	buf_be64(&b, r->mark);
	buf_be64(&b, r->time);
	buf_be32(&b, r->len);
	buf_be32(&b, r->gap);
	head_sum(u, out, r->at, out + b.len);
}

bool jr_get(const struct jr_use *u, const uint8_t in[JR_HEAD], uint64_t at, struct jr *r)
{
	struct cur c = CUR(((struct slice){ in, JR_HEAD }));
	uint8_t sum[JR_SUM];
	uint32_t type;

	if (cur_be32(&c) != MAGIC_RECORD)
		return false;
	type = cur_be32(&c);
	r->type = (enum jr_type)type;
	r->at = at;
	r->seq = cur_be64(&c);
	r->letter = cur_be64(&c);
	r->mark = cur_be64(&c);
	r->time = cur_be64(&c);
	r->len = cur_be32(&c);
	r->gap = cur_be32(&c);
	head_sum(u, in, at, sum);
	if (memcmp(sum, in + JR_HEAD - JR_SUM, JR_SUM))
		return false;
	/* Ours beyond doubt; still, nothing below trusts it to fit. */
	return type >= JR_LETTER && type < JR_TYPES && r->mark <= at && at < u->size &&
	       jr_length(r) <= u->size - at;
}

uint64_t jr_length(const struct jr *r)
{
	return ((uint64_t)JR_HEAD + r->len + JR_SUM + 15) & ~(uint64_t)15;
}

uint64_t jr_round(uint64_t at)
{
	return (at + JR_BLOCK - 1) & ~(uint64_t)(JR_BLOCK - 1);
}

uint64_t jr_place(uint64_t at, uint64_t n, bool letter)
{
	uint64_t left = jr_round(at) - at;

	return letter || n > left ? jr_round(at) : at;
}

void jr_sum_begin(struct jr_sum *s, const struct jr_use *u, const uint8_t head[JR_HEAD],
		  uint64_t at)
{
	uint8_t where[16];
	struct buf b = BUF(where);

	buf_be32(&b, u->seg);
	buf_be32(&b, 0);
	buf_be64(&b, at);
	crypto_generichash_init(&s->state, u->salt, JR_SALT, JR_SUM);
	crypto_generichash_update(&s->state, where, sizeof where);
	crypto_generichash_update(&s->state, head, JR_HEAD);
}

void jr_sum_add(struct jr_sum *s, struct slice content)
{
	crypto_generichash_update(&s->state, content.p, content.n);
}

void jr_sum_end(struct jr_sum *s, uint8_t out[JR_SUM])
{
	crypto_generichash_final(&s->state, out, JR_SUM);
}

void jr_letter_put(struct buf *b, const struct jr_letter *l)
{
	buf_be64(b, l->text_size);
	buf_be32(b, l->head_size);
	buf_be32(b, l->skip);
	buf_be32(b, l->nrcpt);
	buf_be32(b, l->age);
	buf_be32(b, l->flags);
	buf_be32(b, l->notes);
	buf_be64(b, l->about);
	buf_be64(b, l->covers);
}

uint64_t jr_letter_head(const struct jr_letter *l)
{
	return JR_PREFIX + (uint64_t)l->nrcpt * JR_RCPT + l->notes;
}

uint64_t jr_letter_len(const struct jr_letter *l)
{
	return jr_letter_head(l) + l->head_size + l->text_size;
}

bool jr_letter_get(struct slice content, uint32_t len, struct jr_letter *l)
{
	struct cur c = CUR(content);

	l->text_size = cur_be64(&c);
	l->head_size = cur_be32(&c);
	l->skip = cur_be32(&c);
	l->nrcpt = cur_be32(&c);
	l->age = cur_be32(&c);
	l->flags = cur_be32(&c);
	l->notes = cur_be32(&c);
	l->about = cur_be64(&c);
	l->covers = cur_be64(&c);
	return !c.bad && l->text_size < UINT32_MAX && l->nrcpt && l->skip <= l->text_size &&
	       l->notes <= JR_NOTES && jr_letter_len(l) == len;
}

void jr_note_put(struct buf *b, const struct jr_note *n)
{
	struct slice host = slice_head(n->host, UINT8_MAX);
	struct slice text = slice_head(n->text, JR_NOTE_TEXT);

	buf_be32(b, n->no);
	buf_be16(b, n->code);
	buf_put(b, (struct slice){ n->enhanced, sizeof n->enhanced });
	buf_u8(b, n->flags);
	buf_be64(b, n->time);
	buf_u8(b, (uint8_t)host.n);
	buf_be16(b, (uint16_t)text.n);
	buf_put(b, host);
	buf_put(b, text);
}

bool jr_note_get(struct slice in, struct jr_note *n)
{
	struct cur c = CUR(in);
	size_t host;

	*n = (struct jr_note){ .no = cur_be32(&c), .code = cur_be16(&c) };
	for (unsigned i = 0; i < sizeof n->enhanced; i++)
		n->enhanced[i] = cur_u8(&c);
	n->flags = cur_u8(&c);
	n->time = cur_be64(&c);
	host = cur_u8(&c);
	n->text.n = cur_be16(&c);
	n->host = cur_take(&c, host);
	n->text = cur_take(&c, n->text.n);
	return !c.bad && n->text.n <= JR_NOTE_TEXT;
}

void jr_report_put(struct buf *b, const struct jr_report *r)
{
	buf_be32(b, r->flags);
	buf_be32(b, 0);
	buf_be64(b, r->covers);
}

bool jr_report_get(struct slice in, struct jr_report *r)
{
	struct cur c = CUR(in);

	r->flags = cur_be32(&c);
	cur_be32(&c);
	r->covers = cur_be64(&c);
	return cur_done(&c);
}

bool jr_walk(struct disk *d, const struct jr_use *u, const struct jr *r,
	     bool (*sink)(void *ctx, uint64_t off, struct slice piece), void *ctx)
{
	uint8_t piece[PIECE], sum[JR_SUM];
	uint64_t at = r->at + JR_HEAD;
	struct jr_sum s;
	struct jr same;

	if (!d->read(d, u->seg, r->at, piece, JR_HEAD) || !jr_get(u, piece, r->at, &same) ||
	    same.seq != r->seq)
		return false;
	jr_sum_begin(&s, u, piece, r->at);
	for (uint64_t off = 0; off < r->len;) {
		size_t n = r->len - off < PIECE ? (size_t)(r->len - off) : PIECE;

		if (!d->read(d, u->seg, at + off, piece, n))
			return false;
		jr_sum_add(&s, (struct slice){ piece, n });
		if (sink && !sink(ctx, off, (struct slice){ piece, n }))
			return false;
		off += n;
	}
	jr_sum_end(&s, sum);
	return d->read(d, u->seg, at + r->len, piece, JR_SUM) && !memcmp(sum, piece, JR_SUM);
}
