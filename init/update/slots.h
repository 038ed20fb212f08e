/* SPDX-License-Identifier: ISC */
#ifndef INIT_UPDATE_SLOTS_H
#define INIT_UPDATE_SLOTS_H

#include "init/update/manifest.h"

/*
 * The two slots on the disk, and which of them starts. Everything is done through one descriptor to the partition of
 * the boot loader (init/layout.def); sectors that boot loaders read are copied from STARTS as the build made them.
 * Each change is one write of whole sectors, and flushed when the function returns true. False: the disk failed, or
 * this disk is not one that can be updated.
 */
enum { SLOTS_SECTOR = 512 };

struct slots {
	int fd;		 /* borrowed */
	char runs;	 /* 'a' or 'b' */
	bool trial;	 /* started for once: the other one is the usual one */
	unsigned loader; /* row of init/layout.def */
	/* What O_DIRECT asks of memory. */
	_Alignas(4096) uint8_t chunk[MANIFEST_CHUNK], old[MANIFEST_CHUNK];
};

/* words: the kernel's command line. */
bool slots_init(struct slots *s, int fd, struct slice words);
char slots_other(const struct slots *s); /* the one that an update goes to */

/* Reads a chunk of the other slot into s->chunk. MANIFEST_CHUNKS: the note. */
bool slots_read(struct slots *s, unsigned chunk);
/* Writes s->chunk there, unless it is there already; not flushed. */
bool slots_write(struct slots *s, unsigned chunk);
bool slots_flush(struct slots *s);

/* The other one is not started, whatever was said before. */
bool slots_untry(struct slots *s);
/* The other one starts the next time, and not again. */
bool slots_try(struct slots *s);
/* What runs is the usual one from here on, for each boot loader of the disk. Writes nothing where that is so. */
bool slots_keep(struct slots *s);

#endif
