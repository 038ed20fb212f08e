/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "smtpd/fetch/stscache.h"

#include <bearssl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* The input, with the checksum that it should have, is the first slot of the file: what is read back is within bounds. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	enum { SUM = 32, ROW = SUM + 8 + sizeof(struct stsrow) };
	static uint8_t slot[ROW];
	static struct stscache c;
	static int fd = -1;
	br_sha256_context h;

	if (fd < 0)
		fd = memfd_create("cache", 0);
	for (size_t i = SUM; i < ROW; i++)
		slot[i] = i - SUM < n ? p[i - SUM] : 0;
	br_sha256_init(&h);
	br_sha256_update(&h, slot + SUM, ROW - SUM);
	br_sha256_out(&h, slot);
	if (pwrite(fd, slot, sizeof slot, 0) != sizeof slot)
		abort();
	stscache_init(&c, fd);
	const struct stsrow *r = &c.place[0].row;

	if (r->domain_n > STSCACHE_DOMAIN || r->id_n > STS_ID || r->hosts_n > STS_HOSTS ||
	    r->mode > STS_ENFORCE)
		abort();
	munmap(c.place, STSCACHE_ROWS * sizeof *c.place);
	return 0;
}
