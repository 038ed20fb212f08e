/* SPDX-License-Identifier: ISC */
#include "init/update/receive.h"

#include <string.h>

const char *receive_begin(struct receive *r, struct slots *s, struct slice in,
			  const struct manifest_want *want)
{
	const char *why = s->trial ? "this system is on trial itself"
				   : manifest_check(in, want, &r->m);

	if (why)
		return why;
	memcpy(r->raw, in.p, MANIFEST_SIZE);
	r->slots = s;
	r->at = 0;
	r->have = 0;
	r->written = false;
	/* From here the other slot is no system that could be started. */
	return slots_untry(s) ? NULL : "the disk failed";
}

static enum receive_state refused(struct receive *r, const char *why)
{
	r->why = why;
	return RECEIVE_REFUSED;
}

/* The chunk as far as it is there. True: whole. */
static bool gather(struct receive *r, struct buf *in)
{
	struct slice got = slice_head(buf_slice(in), MANIFEST_CHUNK - r->have);

	if (manifest_is_zero(&r->m, r->at)) {
		memset(r->slots->chunk, 0, MANIFEST_CHUNK);
		return true;
	}
	if (got.n)
		memcpy(r->slots->chunk + r->have, got.p, got.n);
	r->have += got.n;
	buf_eat(in, got.n);
	return r->have == MANIFEST_CHUNK;
}

static bool finish_writing(struct receive *r)
{
	memset(r->slots->chunk, 0, MANIFEST_CHUNK);
	memcpy(r->slots->chunk, r->raw, sizeof r->raw);
	r->written = true;
	r->at = 0;
	return slots_write(r->slots, MANIFEST_CHUNKS) && slots_flush(r->slots);
}

static enum receive_state write_one(struct receive *r, struct buf *in)
{
	if (r->at == MANIFEST_CHUNKS)
		return finish_writing(r) ? RECEIVE_GOES : refused(r, "the disk failed");
	if (!gather(r, in))
		return RECEIVE_WANTS;
	if (!manifest_chunk_is(&r->m, r->at, r->slots->chunk))
		return refused(r, "a chunk is not the one that was signed");
	if (!slots_write(r->slots, r->at))
		return refused(r, "the disk failed");
	r->at++;
	r->have = 0;
	return RECEIVE_GOES;
}

static enum receive_state read_one(struct receive *r, const struct buf *in)
{
	if (in->len)
		return refused(r, "more than was announced");
	if (!slots_read(r->slots, r->at) || !manifest_chunk_is(&r->m, r->at, r->slots->chunk))
		return refused(r, "the disk does not hold what was written");
	return ++r->at == MANIFEST_CHUNKS ? RECEIVE_DONE : RECEIVE_GOES;
}

enum receive_state receive_step(struct receive *r, struct buf *in)
{
	return r->written ? read_one(r, in) : write_one(r, in);
}
