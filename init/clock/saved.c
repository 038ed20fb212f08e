/* SPDX-License-Identifier: ISC */
#include "init/clock/saved.h"

#include <unistd.h>

#include "smtpd/lib/bytes.h"

enum { SAVED_OCTETS = 16 };

bool saved_read(int fd, int64_t *time)
{
	uint8_t octets[SAVED_OCTETS];
	struct cur c = CUR(((struct slice){ octets, sizeof octets }));
	uint64_t t;

	if (pread(fd, octets, sizeof octets, 0) != sizeof octets)
		return false;
	t = cur_be64(&c);
	if (cur_be64(&c) != ~t || t > INT64_MAX)
		return false;
	*time = (int64_t)t;
	return true;
}

bool saved_write(int fd, int64_t time)
{
	uint8_t octets[SAVED_OCTETS];
	struct buf b = BUF(octets);
	uint64_t t = (uint64_t)time;

	buf_be64(&b, t);
	buf_be64(&b, ~t);
	return pwrite(fd, octets, sizeof octets, 0) == sizeof octets && fdatasync(fd) == 0;
}
