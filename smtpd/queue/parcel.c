/* SPDX-License-Identifier: ISC */
#include "smtpd/queue/parcel.h"

#include <string.h>

#include "smtpd/lib/arena.h"
#include "smtpd/lib/memfd.h"

struct unpack { /* a LETTER's content, as it comes from the disk */
	uint8_t *head;
	uint64_t head_at, text_at;
	int text;
	bool full; /* the memfd could not be written: not the journal's fault */
};

void parcels_init(struct parcels *s, struct journal *j)
{
	*s = (struct parcels){ .j = j,
			       .small.cap = PARCEL_SMALL_OCTETS,
			       .large.cap = PARCEL_LARGE_OCTETS,
			       .head = arena_reserve(ENV_HEAD_MAX) };
	for (unsigned i = 0; i < PARCELS; i++)
		s->slot[i].text = s->slot[i].head = -1;
}

static uint64_t octets_of(const struct letter *e)
{
	return e->l.text_size + e->l.head_size;
}

struct parcel_pool *parcels_pool(struct parcels *s, uint64_t octets)
{
	return octets > PARCEL_SMALL ? &s->large : &s->small;
}

static void drop(struct parcels *s, struct parcel *p)
{
	parcels_pool(s, p->octets)->octets -= p->octets;
	memfd_close(&p->text);
	memfd_close(&p->head);
	p->id = 0;
}

static struct parcel *find(struct parcels *s, uint64_t id)
{
	for (unsigned i = 0; i < PARCELS; i++)
		if (s->slot[i].id == id)
			return &s->slot[i];
	return NULL;
}

static struct parcel *idle_one(struct parcels *s, const struct parcel_pool *pool)
{
	for (unsigned i = 0; i < PARCELS && s->idle; i++)
		if (s->slot[i].id && !s->slot[i].refs &&
		    parcels_pool(s, s->slot[i].octets) == pool)
			return &s->slot[i];
	return NULL;
}

void parcels_keep(struct parcels *s, const struct letter *e, int *text, int *head)
{
	uint64_t octets = octets_of(e);
	struct parcel_pool *pool = parcels_pool(s, octets);
	struct parcel *p = find(s, 0);

	/* The first ones are kept, because the first ones are delivered first. */
	if (!p || s->idle >= PARCELS / 2 || pool->octets + octets > pool->cap)
		return;
	*p = (struct parcel){ .id = e->r.letter,
			      .text = *text,
			      .head = *head,
			      .octets = octets,
			      .since = s->j->now };
	pool->octets += octets;
	s->idle++;
	*text = *head = -1;
}

static bool claimed(const struct parcel_pool *pool, uint64_t id, int64_t now)
{
	return pool->claim && pool->claim != id && now < pool->claim_until;
}

bool parcels_room(struct parcels *s, const struct letter *e, uint64_t held)
{
	uint64_t octets = octets_of(e), id = e->r.letter;
	struct parcel_pool *pool = parcels_pool(s, octets);
	struct parcel *p = find(s, id), *idle;
	int64_t now = s->j->now;

	if (p && p->refs)
		return true;
	if (held && held + octets > pool->cap / 4)
		return false;
	if (p)
		return true;
	if (claimed(pool, id, now))
		return false;
	while (pool->octets + octets > pool->cap && (idle = idle_one(s, pool))) {
		drop(s, idle);
		s->idle--;
	}
	/* One letter alone may be larger than the pool. */
	if (!pool->octets || pool->octets + octets <= pool->cap) {
		if (pool->claim == id)
			pool->claim = 0;
		return true;
	}
	/* What is late keeps its claim: every delivery ends, so its room comes. */
	if (now - e->born >= JOURNAL_LIFETIME * 1000ll / 2 || !pool->claim ||
	    now >= pool->claim_until + PARCEL_CLAIM_MS) {
		pool->claim = id;
		pool->claim_until = now + PARCEL_CLAIM_MS;
	}
	return false;
}

static bool unpack_piece(void *ctx, uint64_t off, struct slice s)
{
	struct unpack *u = ctx;

	if (off < u->head_at) {
		uint64_t n = u->head_at - off < s.n ? u->head_at - off : s.n;

		s = slice_from(s, (size_t)n);
		off += n;
	}
	if (off < u->text_at && s.n) {
		uint64_t n = u->text_at - off < s.n ? u->text_at - off : s.n;

		memcpy(u->head + (off - u->head_at), s.p, (size_t)n);
		s = slice_from(s, (size_t)n);
		off += n;
	}
	if (s.n && !memfd_append(u->text, off - u->text_at, s))
		u->full = true;
	return !u->full;
}

bool parcel_head(struct parcels *s, const struct letter *e, uint8_t *out)
{
	struct disk *d = s->j->disk;

	return d->read(d, e->seg, e->r.at + JR_HEAD + jr_letter_head(&e->l), out,
		       e->l.head_size);
}

/* The letter's text as a sealed memfd, its head as octets. -1: not now; *damaged: never. */
static int unpack(struct parcels *s, const struct letter *e, bool *damaged)
{
	struct unpack u = { .head = s->head,
			    .head_at = jr_letter_head(&e->l),
			    .text_at = jr_letter_head(&e->l) + e->l.head_size,
			    .text = memfd_make("text") };

	if (u.text < 0)
		return -1;
	*damaged = !jr_walk(s->j->disk, &s->j->seg[e->seg].use, &e->r, unpack_piece, &u) &&
		   !u.full;
	if (*damaged || u.full || !memfd_seal(u.text))
		memfd_close(&u.text);
	return u.text;
}

static struct parcel *unpacked(struct parcels *s, const struct letter *e, bool *damaged)
{
	uint64_t octets = octets_of(e);
	struct parcel *p = find(s, 0);
	int text = p ? unpack(s, e, damaged) : -1;

	if (text < 0)
		return NULL;
	*p = (struct parcel){ .id = e->r.letter, .text = text, .head = -1, .octets = octets };
	parcels_pool(s, octets)->octets += octets;
	s->idle++;
	return p;
}

struct parcel *parcels_open(struct parcels *s, const struct letter *e, struct slice *head,
			    bool *damaged)
{
	struct parcel *p = find(s, e->r.letter);

	*damaged = e->l.head_size > ENV_HEAD_MAX;
	if (*damaged)
		return NULL;
	if (p && p->head >= 0 && !memfd_read(p->head, 0, s->head, e->l.head_size))
		return NULL;
	if (p && p->head < 0 && !parcel_head(s, e, s->head)) {
		*damaged = true;
		return NULL;
	}
	if (!p)
		p = unpacked(s, e, damaged);
	if (!p)
		return NULL;
	s->idle -= !p->refs++;
	*head = (struct slice){ s->head, e->l.head_size };
	return p;
}

void parcels_close(struct parcels *s, struct parcel *p)
{
	if (!--p->refs)
		drop(s, p);
}

void parcels_age(struct parcels *s)
{
	if (!s->idle || s->j->now < s->age_due)
		return;
	s->age_due = s->j->now + PARCEL_MS / 8;
	for (unsigned i = 0; i < PARCELS; i++) {
		struct parcel *p = &s->slot[i];

		if (!p->id || p->refs || s->j->now - p->since < PARCEL_MS)
			continue;
		drop(s, p);
		s->idle--;
	}
}
