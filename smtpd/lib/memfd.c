/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "smtpd/lib/memfd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#	define MFD_NOEXEC_SEAL 8U /* Linux 6.3 */
#endif
#ifndef F_SEAL_EXEC
#	define F_SEAL_EXEC 0x20
#endif

enum { SEALS = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE };

int memfd_make(const char *name)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);

	if (fd < 0 && errno == EINVAL) /* before 6.3 there is no way to forbid execution */
		fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	return fd;
}

bool memfd_append(int fd, uint64_t at, struct slice s)
{
	while (s.n) {
		ssize_t n = pwrite(fd, s.p, s.n, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		at += (uint64_t)n;
		s = slice_from(s, (size_t)n);
	}
	return true;
}

bool memfd_seal(int fd)
{
	return fcntl(fd, F_ADD_SEALS, SEALS) == 0;
}

bool memfd_check(int fd, uint64_t max, uint64_t *size)
{
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);

	/* Only a memfd has seals: anything else fails here, whatever its file type. */
	if (seals < 0 || (seals & SEALS) != SEALS || fstat(fd, &st) != 0)
		return false;
	if (!S_ISREG(st.st_mode) || st.st_size < 0 || (uint64_t)st.st_size > max)
		return false;
	*size = (uint64_t)st.st_size;
	return true;
}

bool memfd_read(int fd, uint64_t at, uint8_t *out, size_t n)
{
	while (n) {
		ssize_t got = pread(fd, out, n, (off_t)at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		at += (uint64_t)got;
		out += got;
		n -= (size_t)got;
	}
	return true;
}

bool memfd_mark(int fd, bool on)
{
	return lseek(fd, on, SEEK_SET) == on;
}

bool memfd_marked(int fd)
{
	return lseek(fd, 0, SEEK_CUR) == 1;
}

void memfd_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}
