/* SPDX-License-Identifier: ISC */
#include "init/clock/saved.h"

#include <unistd.h>

#include "smtpd/lib/bytes.h"

enum { SAVED_OCTETS = 16 };

static uint64_t take64(struct cur *c)
{
	uint64_t high = cur_be32(c);

	return high << 32 | cur_be32(c);
}

bool saved_read(int fd, int64_t *time)
{
	uint8_t octets[SAVED_OCTETS];
	struct cur c = CUR(((struct slice){ octets, sizeof octets }));
	uint64_t t;

	if (pread(fd, octets, sizeof octets, 0) != sizeof octets)
		return false;
	t = take64(&c);
	if (take64(&c) != ~t || t > INT64_MAX)
		return false;
	*time = (int64_t)t;
	return true;
}

bool saved_write(int fd, int64_t time)
{
	uint8_t octets[SAVED_OCTETS];
	struct buf b = BUF(octets);
	uint64_t t = (uint64_t)time;

	for (int i = 0; i < 2; i++, t = ~t) {
		buf_be32(&b, (uint32_t)(t >> 32));
		buf_be32(&b, (uint32_t)t);
	}
	return pwrite(fd, octets, sizeof octets, 0) == sizeof octets && fdatasync(fd) == 0;
}
