/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_QUEUE_DISK_H
#define SMTPD_QUEUE_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The disk as the journal sees it: numbered segments of octets. A struct of functions, so that a
 * test can be the disk. Writes are volatile until flush() of that segment returns true. A segment
 * under construction has its number but no name; it exists after sync(), name() and sync_names().
 * One thread writes; reads of other ranges may happen at the same time. False: the disk said no.
 */
enum { DISK_SEGMENTS = 1024 };

struct disk {
	bool (*size)(struct disk *d, unsigned seg, uint64_t *size); /* false: not there */
	bool (*read)(struct disk *d, unsigned seg, uint64_t at, uint8_t *p, size_t n);
	bool (*write)(struct disk *d, unsigned seg, uint64_t at, const uint8_t *p, size_t n);
	bool (*flush)(struct disk *d, unsigned seg);
	bool (*make)(struct disk *d, unsigned seg); /* empty, without a name */
	bool (*sync)(struct disk *d, unsigned seg); /* content and size of the new file */
	bool (*name)(struct disk *d, unsigned seg);
	bool (*sync_names)(struct disk *d);
	bool (*remove)(struct disk *d, unsigned seg);
};

struct disk_files {
	struct disk disk;      /* first: the functions cast back */
	int dir;	       /* owned; -1 = no data device */
	int fd[DISK_SEGMENTS]; /* owned; -1 = not there */
};

/* Opens the directory and the segments in it. False: no such directory, or it cannot be read. */
bool disk_open(struct disk_files *f, const char *dir);

#endif
