/* SPDX-License-Identifier: ISC */
#include "smtpd/queue/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "smtpd/lib/bytes.h"
#include "smtpd/lib/memfd.h"

struct name {
	char z[16];
};

static struct name disk_name(unsigned seg, bool fresh)
{
	struct name n;
	struct buf b = { .p = (uint8_t *)n.z, .cap = sizeof n.z };

	buf_put(&b, fresh ? SLICE("new.") : SLICE("seg."));
	buf_dec_pad(&b, seg, 4);
	buf_u8(&b, 0);
	return n;
}

static struct disk_files *files(struct disk *d)
{
	return (struct disk_files *)d;
}

static bool disk_size(struct disk *d, unsigned seg, uint64_t *size)
{
	struct stat st;

	if (files(d)->fd[seg] < 0 || fstat(files(d)->fd[seg], &st) || !S_ISREG(st.st_mode))
		return false;
	*size = (uint64_t)st.st_size;
	return true;
}

static bool disk_read(struct disk *d, unsigned seg, uint64_t at, uint8_t *p, size_t n)
{
	return memfd_read(files(d)->fd[seg], at, p, n);
}

static bool disk_write(struct disk *d, unsigned seg, uint64_t at, const uint8_t *p, size_t n)
{
	return memfd_append(files(d)->fd[seg], at, (struct slice){ p, n });
}

static bool disk_flush(struct disk *d, unsigned seg)
{
	return !fdatasync(files(d)->fd[seg]);
}

static bool disk_make(struct disk *d, unsigned seg)
{
	struct name n = disk_name(seg, true);

	memfd_close(&files(d)->fd[seg]);
	files(d)->fd[seg] = openat(files(d)->dir, n.z,
				   O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	return files(d)->fd[seg] >= 0;
}

static bool disk_sync(struct disk *d, unsigned seg)
{
	return !fsync(files(d)->fd[seg]);
}

static bool disk_give_name(struct disk *d, unsigned seg)
{
	struct name from = disk_name(seg, true), to = disk_name(seg, false);

	return !renameat(files(d)->dir, from.z, files(d)->dir, to.z);
}

static bool disk_sync_names(struct disk *d)
{
	return !fsync(files(d)->dir);
}

static bool disk_remove(struct disk *d, unsigned seg)
{
	struct name n = disk_name(seg, false), fresh = disk_name(seg, true);
	bool ok = !unlinkat(files(d)->dir, n.z, 0) || !unlinkat(files(d)->dir, fresh.z, 0);

	return ok && disk_sync_names(d);
}

bool disk_open(struct disk_files *f, const char *dir)
{
	f->disk = (struct disk){
		.size = disk_size,
		.read = disk_read,
		.write = disk_write,
		.flush = disk_flush,
		.make = disk_make,
		.sync = disk_sync,
		.name = disk_give_name,
		.sync_names = disk_sync_names,
		.remove = disk_remove,
	};
	for (unsigned i = 0; i < DISK_SEGMENTS; i++)
		f->fd[i] = -1;
	f->dir = dir ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (f->dir < 0)
		return false;
	for (unsigned i = 0; i < DISK_SEGMENTS; i++) {
		struct name n = disk_name(i, false);

		f->fd[i] = openat(f->dir, n.z, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
		if (f->fd[i] < 0 && errno != ENOENT)
			return false;
	}
	return true;
}
