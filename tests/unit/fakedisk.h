/* SPDX-License-Identifier: ISC */
/* A disk for tests of the journal: writes are volatile until a flush returns; a power cut keeps,
 * drops or tears every sector that was not flushed. Any one kind of flush can be taken away. */
#ifndef TESTS_UNIT_FAKEDISK_H
#define TESTS_UNIT_FAKEDISK_H

#include <stdlib.h>
#include <string.h>

#include "smtpd/queue/disk.h"

enum { FAKE_SEGS = 8, FAKE_MAX = 512 * 1024, FAKE_SECTOR = 512 };

/* The places in the code that wait for the disk. */
enum fake_flush {
	FLUSH_HEADER_A,
	FLUSH_HEADER_B,
	FLUSH_BATCH,
	FLUSH_RECOVERY,
	FLUSH_MADE,
	FLUSH_NAMES,
	FLUSHES
};

struct fake_seg {
	bool there, named, named_on_disk;
	size_t size, size_on_disk;
	uint64_t last; /* where the last write was */
	uint8_t now[FAKE_MAX], disk[FAKE_MAX];
	bool dirty[FAKE_MAX / FAKE_SECTOR];
};

struct fake {
	struct disk disk; /* first */
	struct fake_seg seg[FAKE_SEGS];
	int without;	 /* enum fake_flush that does nothing; -1 */
	bool recovering; /* the next flushes are recovery's */
	int fail_flush;	 /* fails this many flushes from now; -1 */
	int cut_in;	 /* operations until the power goes; -1 = never */
	int fail_in; /* so many operations from now one fails, with a part of a write done; -1 */
	bool broken; /* and all that follow fail, too */
	uint32_t random;
	unsigned flushes[FLUSHES];
};

static inline uint32_t fake_random(struct fake *f)
{
	f->random ^= f->random << 13;
	f->random ^= f->random >> 17;
	f->random ^= f->random << 5;
	return f->random;
}

static inline bool fake_dead(struct fake *f)
{
	if (f->cut_in > 0)
		f->cut_in--;
	return !f->cut_in;
}

/* An operation that the disk refuses: no space, or an error. */
static inline bool fake_refuses(struct fake *f)
{
	if (f->fail_in < 0 || (!f->fail_in && !f->broken))
		return false;
	f->fail_in -= f->fail_in > 0;
	return !f->fail_in;
}

static inline struct fake_seg *fake_of(struct disk *d, unsigned seg)
{
	return &((struct fake *)d)->seg[seg < FAKE_SEGS ? seg : 0];
}

static inline bool fake_size(struct disk *d, unsigned seg, uint64_t *size)
{
	struct fake_seg *s = fake_of(d, seg);

	*size = s->size;
	return seg < FAKE_SEGS && s->there && s->named;
}

static inline bool fake_read(struct disk *d, unsigned seg, uint64_t at, uint8_t *p, size_t n)
{
	struct fake_seg *s = fake_of(d, seg);

	if (at > s->size || n > s->size - at)
		return false;
	memcpy(p, s->now + at, n);
	return true;
}

static inline bool fake_write(struct disk *d, unsigned seg, uint64_t at, const uint8_t *p,
			      size_t n)
{
	struct fake *f = (struct fake *)d;
	struct fake_seg *s = fake_of(d, seg);
	bool ok = true;

	if (at > FAKE_MAX || n > FAKE_MAX - at)
		return false;
	if (fake_refuses(f)) {
		n = n ? fake_random(f) % n : 0;
		ok = false;
	} else if (f->cut_in > 0 && fake_dead(f))
		n = n ? fake_random(f) % n : 0; /* the power went in the middle of it */
	else if (!f->cut_in)
		return false;
	memcpy(s->now + at, p, n);
	for (uint64_t i = at / FAKE_SECTOR; n && i <= (at + n - 1) / FAKE_SECTOR; i++)
		s->dirty[i] = true;
	if (at + n > s->size)
		s->size = at + n;
	s->last = at;
	return ok && f->cut_in != 0;
}

static inline void fake_settle(struct fake_seg *s)
{
	memcpy(s->disk, s->now, s->size);
	memset(s->dirty, 0, sizeof s->dirty);
}

static inline bool fake_flush(struct disk *d, unsigned seg)
{
	struct fake *f = (struct fake *)d;
	struct fake_seg *s = fake_of(d, seg);
	enum fake_flush what = f->recovering	 ? FLUSH_RECOVERY
			       : s->last >= 8192 ? FLUSH_BATCH
			       : s->last	 ? FLUSH_HEADER_B
						 : FLUSH_HEADER_A;

	if (fake_dead(f))
		return false;
	f->flushes[what]++;
	if ((f->fail_flush > 0 && !--f->fail_flush) || fake_refuses(f)) {
		/* The kernel calls the pages clean now, and forgets that they are not on disk. */
		for (unsigned i = 0; i < FAKE_MAX / FAKE_SECTOR; i++)
			if (s->dirty[i] && fake_random(f) % 2)
				memcpy(s->disk + i * FAKE_SECTOR, s->now + i * FAKE_SECTOR,
				       FAKE_SECTOR);
		memset(s->dirty, 0, sizeof s->dirty);
		return false;
	}
	if (f->without != (int)what)
		fake_settle(s);
	return true;
}

static inline bool fake_make(struct disk *d, unsigned seg)
{
	struct fake_seg *s = fake_of(d, seg);

	if (!((struct fake *)d)->cut_in || fake_refuses((struct fake *)d))
		return false;
	memset(s, 0, sizeof *s);
	memset(s->disk, 0xee, sizeof s->disk); /* what the blocks held before */
	s->there = true;
	return true;
}

static inline bool fake_sync(struct disk *d, unsigned seg)
{
	struct fake *f = (struct fake *)d;

	if (fake_dead(f) || fake_refuses(f))
		return false;
	f->flushes[FLUSH_MADE]++;
	if (f->without != FLUSH_MADE) {
		fake_settle(fake_of(d, seg));
		fake_of(d, seg)->size_on_disk = fake_of(d, seg)->size;
	}
	return true;
}

static inline bool fake_name(struct disk *d, unsigned seg)
{
	if (!((struct fake *)d)->cut_in || fake_refuses((struct fake *)d))
		return false;
	return fake_of(d, seg)->named = true;
}

static inline bool fake_sync_names(struct disk *d)
{
	struct fake *f = (struct fake *)d;

	if (fake_dead(f) || fake_refuses(f))
		return false;
	f->flushes[FLUSH_NAMES]++;
	for (unsigned i = 0; f->without != FLUSH_NAMES && i < FAKE_SEGS; i++)
		f->seg[i].named_on_disk = f->seg[i].named;
	return true;
}

/* The name is gone for now; the disk knows of it after fake_sync_names(). */
static inline bool fake_unlink(struct disk *d, unsigned seg)
{
	struct fake_seg *s = fake_of(d, seg);

	if (!((struct fake *)d)->cut_in || fake_refuses((struct fake *)d))
		return false;
	s->there = s->named = false;
	return true;
}

static inline bool fake_remove(struct disk *d, unsigned seg)
{
	return fake_unlink(d, seg) && fake_sync_names(d);
}

static inline void fake_init(struct fake *f, uint32_t random)
{
	memset(f, 0, sizeof *f);
	f->disk = (struct disk){ fake_size, fake_read, fake_write,	fake_flush, fake_make,
				 fake_sync, fake_name, fake_sync_names, fake_remove };
	f->without = f->fail_flush = f->cut_in = f->fail_in = -1;
	f->random = random * 2654435761u | 1;
}

/* What is there when the power is back. */
static inline void fake_power_cut(struct fake *f)
{
	unsigned how = fake_random(f) % 4; /* mostly kept, mostly lost, mixed, torn */

	for (unsigned i = 0; i < FAKE_SEGS; i++) {
		struct fake_seg *s = &f->seg[i];

		for (unsigned k = 0; k < FAKE_MAX / FAKE_SECTOR; k++) {
			unsigned cut = fake_random(f) % FAKE_SECTOR, dice = fake_random(f) % 8;

			if (!s->dirty[k])
				continue;
			if (how == 0   ? dice == 0
			    : how == 1 ? dice != 0
			    : how == 2 ? dice % 2
				       : 0)
				cut = 0;
			else if (how < 3)
				cut = FAKE_SECTOR;
			memcpy(s->disk + k * FAKE_SECTOR, s->now + k * FAKE_SECTOR, cut);
		}
		memset(s->dirty, 0, sizeof s->dirty);
		memcpy(s->now, s->disk, sizeof s->now);
		if (s->named != s->named_on_disk && how != 0)
			s->named = s->named_on_disk;
		s->named_on_disk = s->named;
		if (s->size != s->size_on_disk && how != 0)
			s->size = s->size_on_disk;
		s->size_on_disk = s->size;
		s->there = s->named;
	}
	f->cut_in = -1;
}

#endif
