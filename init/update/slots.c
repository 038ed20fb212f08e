/* SPDX-License-Identifier: ISC */
#include "init/update/slots.h"

#include <string.h>
#include <unistd.h>

#include "smtpd/lib/log.h"

/* Places in octets from the beginning of the partition. */
enum {
#define PLACE(id, start, size) id##_KIB = (start),
#include "init/layout.def"
	CHUNK_MAX = MANIFEST_CHUNKS + 1,
};
#define AT(id) ((id##_KIB - FAT_KIB) * 1024)

static const struct {
	const char *word;
	uint32_t usual, once, copies;
} loaders[] = {
#define LOADER(word, usual, once, copies) { word, AT(usual), AT(once), copies },
#include "init/layout.def"
};

enum { LOADERS = sizeof loaders / sizeof *loaders };
enum start { USUAL_A, USUAL_B, ONCE_NONE, ONCE_A, ONCE_B, STARTS };

static bool disk_read(const struct slots *s, uint32_t at, uint8_t *out, size_t n)
{
	if (pread(s->fd, out, n, at) == (ssize_t)n)
		return true;
	log_event("disk", "failed", "read");
	return false;
}

static bool disk_write(const struct slots *s, uint32_t at, const uint8_t *p, size_t n)
{
	if (pwrite(s->fd, p, n, at) == (ssize_t)n)
		return true;
	log_event("disk", "failed", "write");
	return false;
}

bool slots_flush(struct slots *s)
{
	if (fdatasync(s->fd) == 0)
		return true;
	log_event("disk", "failed", "flush");
	return false;
}

/* Into s->chunk. */
static bool read_start(struct slots *s, unsigned loader, enum start which)
{
	return disk_read(s, AT(STARTS) + (loader * STARTS + which) * SLOTS_SECTOR, s->chunk,
			 SLOTS_SECTOR);
}

/* Is that what stands there? Leaves the sector of STARTS in s->chunk. *ok: the disk could be read. */
static bool stands(struct slots *s, unsigned loader, enum start which, uint32_t at, bool *ok)
{
	*ok = read_start(s, loader, which) && disk_read(s, at, s->old, SLOTS_SECTOR);
	return *ok && memcmp(s->chunk, s->old, SLOTS_SECTOR) == 0;
}

static bool put_start(struct slots *s, unsigned loader, enum start which, uint32_t at,
		      uint32_t copies)
{
	bool ok;

	if (stands(s, loader, which, at, &ok))
		return true;
	if (!ok)
		return false;
	for (uint32_t i = 1; i < copies; i++)
		memcpy(s->chunk + i * SLOTS_SECTOR, s->chunk, SLOTS_SECTOR);
	return disk_write(s, at, s->chunk, copies * SLOTS_SECTOR) && slots_flush(s);
}

/* The rest of the word that begins so; empty: there is none. */
static struct slice word(struct slice words, struct slice begin)
{
	struct slice w;

	while ((w = slice_word(&words)).n || words.n)
		if (slice_iprefix(w, begin))
			return slice_from(w, begin.n);
	return (struct slice){ NULL, 0 };
}

/* Of a boot loader that the build did not know there are no sectors. */
static bool known(struct slots *s, unsigned loader, bool *ok)
{
	return !stands(s, loader, USUAL_A,
		       AT(STARTS) + (loader * STARTS + USUAL_B) * SLOTS_SECTOR, ok) &&
	       *ok;
}

bool slots_init(struct slots *s, int fd, struct slice words)
{
	struct slice slot, name;
	bool ok;

	words = slice_head(words, slice_find(words, '\n'));
	slot = word(words, SLICE("tinpost.slot="));
	name = word(words, SLICE("tinpost.loader="));
	s->fd = fd;
	for (s->loader = 0; s->loader < LOADERS; s->loader++)
		if (slice_eq(name, slice_of(loaders[s->loader].word)))
			break;
	if (s->loader == LOADERS || slot.n != 1 || (slot.p[0] != 'a' && slot.p[0] != 'b') ||
	    !known(s, s->loader, &ok))
		return false;
	s->runs = (char)slot.p[0];
	s->trial = stands(s, s->loader, s->runs == 'a' ? USUAL_B : USUAL_A,
			  loaders[s->loader].usual, &ok);
	return ok;
}

char slots_other(const struct slots *s)
{
	return s->runs == 'a' ? 'b' : 'a';
}

static uint32_t chunk_at(const struct slots *s, unsigned chunk)
{
	uint32_t slot = s->runs == 'a' ? AT(SLOT_B) : AT(SLOT_A);

	if (chunk >= CHUNK_MAX)
		bug("beyond the slot");
	return slot + chunk * MANIFEST_CHUNK;
}

bool slots_read(struct slots *s, unsigned chunk)
{
	return disk_read(s, chunk_at(s, chunk), s->chunk, MANIFEST_CHUNK);
}

bool slots_write(struct slots *s, unsigned chunk)
{
	uint32_t at = chunk_at(s, chunk);

	return (disk_read(s, at, s->old, MANIFEST_CHUNK) &&
		memcmp(s->old, s->chunk, MANIFEST_CHUNK) == 0) ||
	       disk_write(s, at, s->chunk, MANIFEST_CHUNK);
}

/* For each boot loader of the disk: what is said once, or usually. */
static bool put_all(struct slots *s, enum start which, bool usual)
{
	bool ok = true;

	for (unsigned i = 0; i < LOADERS && ok; i++)
		if (known(s, i, &ok))
			ok = usual ? put_start(s, i, which, loaders[i].usual, 1)
				   : put_start(s, i, which, loaders[i].once, loaders[i].copies);
	return ok;
}

bool slots_untry(struct slots *s)
{
	return put_all(s, ONCE_NONE, false);
}

bool slots_try(struct slots *s)
{
	return put_start(s, s->loader, s->runs == 'a' ? ONCE_B : ONCE_A,
			 loaders[s->loader].once, loaders[s->loader].copies);
}

/* The loader that started us goes first: with its sector everything is said. */
bool slots_keep(struct slots *s)
{
	enum start which = s->runs == 'a' ? USUAL_A : USUAL_B;

	if (!put_start(s, s->loader, which, loaders[s->loader].usual, 1))
		return false;
	s->trial = false;
	return put_all(s, which, true);
}
