/* SPDX-License-Identifier: ISC */
/*
 * filedisk: smtpd/queue/disk.c itself, its system calls answered by the disk of the unit tests; then the histories of
 * tests/unit/journal.c. Linked against a source from which one sync call was taken it must fail.
 * Exit 0: everything survived; 1: something was lost.
 */
#include <errno.h>
#include <stdarg.h>
#include <sys/stat.h>

struct fake;
static struct disk *filedisk(struct fake *f);
static void filedisk_open(struct fake *f);
#define FAKE_DISK(f)  filedisk(f)
#define FAKE_START(f) filedisk_open(f)
int journal_main(int argc, char **argv);
#define main journal_main
#include "tests/unit/journal.c"
#undef main

enum { DIR_FD = 100000, SEG_FD };

static struct disk_files files;

static struct disk *filedisk(struct fake *f)
{
	(void)f;
	return &files.disk;
}

static void filedisk_open(struct fake *f)
{
	(void)f;
	if (!disk_open(&files, "/data"))
		abort();
}

static struct disk *under(void)
{
	return &w.fake.disk;
}

static int answer(bool ok)
{
	errno = EIO;
	return ok ? 0 : -1;
}

static unsigned seg_of(const char *name, bool *fresh)
{
	*fresh = !strncmp(name, "new.", 4);
	return (unsigned)atoi(name + 4);
}

int __real_open(const char *name, int flags, ...);
int __wrap_open(const char *name, int flags, ...);
int __wrap_openat(int dir, const char *name, int flags, ...);
int __real_fstat(int fd, struct stat *st);
int __wrap_fstat(int fd, struct stat *st);
int __wrap_fdatasync(int fd);
int __wrap_fsync(int fd);
int __wrap_renameat(int from, const char *old, int to, const char *new);
int __wrap_unlinkat(int dir, const char *name, int flags);
bool __real_memfd_read(int fd, uint64_t at, uint8_t *p, size_t n);
bool __wrap_memfd_read(int fd, uint64_t at, uint8_t *p, size_t n);
bool __real_memfd_append(int fd, uint64_t at, struct slice s);
bool __wrap_memfd_append(int fd, uint64_t at, struct slice s);

int __wrap_open(const char *name, int flags, ...)
{
	return strcmp(name, "/data") ? __real_open(name, flags) : DIR_FD;
}

int __wrap_openat(int dir, const char *name, int flags, ...)
{
	bool fresh;
	unsigned seg = seg_of(name, &fresh);
	uint64_t size;

	(void)dir;
	errno = ENOENT;
	if (fresh && flags & O_CREAT && under()->make(under(), seg))
		return SEG_FD + (int)seg;
	return !fresh && under()->size(under(), seg, &size) ? SEG_FD + (int)seg : -1;
}

int __wrap_fstat(int fd, struct stat *st)
{
	if (fd < SEG_FD)
		return __real_fstat(fd, st);
	*st = (struct stat){ .st_mode = S_IFREG | 0600 };
	st->st_size = (off_t)fake_of(under(), (unsigned)(fd - SEG_FD))->size;
	return 0;
}

int __wrap_fdatasync(int fd)
{
	return answer(under()->flush(under(), (unsigned)(fd - SEG_FD)));
}

int __wrap_fsync(int fd)
{
	return answer(fd == DIR_FD ? under()->sync_names(under())
				   : under()->sync(under(), (unsigned)(fd - SEG_FD)));
}

int __wrap_renameat(int from, const char *old, int to, const char *new)
{
	bool fresh;

	(void)from;
	(void)to;
	(void)old;
	return answer(under()->name(under(), seg_of(new, &fresh)));
}

int __wrap_unlinkat(int dir, const char *name, int flags)
{
	bool fresh;
	unsigned seg = seg_of(name, &fresh);
	struct fake_seg *s = fake_of(under(), seg);

	(void)dir;
	(void)flags;
	errno = ENOENT;
	return s->there && s->named == !fresh ? answer(fake_unlink(under(), seg)) : -1;
}

bool __wrap_memfd_read(int fd, uint64_t at, uint8_t *p, size_t n)
{
	if (fd < SEG_FD)
		return __real_memfd_read(fd, at, p, n);
	return under()->read(under(), (unsigned)(fd - SEG_FD), at, p, n);
}

bool __wrap_memfd_append(int fd, uint64_t at, struct slice s)
{
	if (fd < SEG_FD)
		return __real_memfd_append(fd, at, s);
	return under()->write(under(), (unsigned)(fd - SEG_FD), at, s.p, s.n);
}

int main(void)
{
	bool ok;

	close(2); /* the journal's log lines */
	ok = headers(-1) && removed() && histories(300, -1, false);
	if (!ok)
		printf("%s\n", w.why ? w.why : "not reached");
	return !ok;
}
