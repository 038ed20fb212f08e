/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "smtpd/fetch/stscache.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/unit/test.h"

static struct stscache c;
static int fd;

static struct stsplace *keep(const char *domain, int64_t until)
{
	struct stsplace *p = stscache_place(&c, slice_of(domain));

	p->row.until = until;
	p->row.mode = STS_ENFORCE;
	p->row.hosts_n = 4;
	memcpy(p->row.hosts, "mx.x", 4);
	stscache_save(&c, p);
	return p;
}

static bool known(const char *domain)
{
	return stscache_find(&c, slice_of(domain)) != NULL;
}

static void on_disk(void)
{
	struct stsplace *p;
	char byte;

	CHECK(!known("a.example"));
	p = keep("a.example", 1000);
	CHECK(stscache_find(&c, SLICE("A.Example")) == p);
	CHECK(stscache_valid(p, 999) && !stscache_valid(p, 1000));
	keep("b.example", 2000);
	stscache_save(&c, stscache_place(&c, SLICE("none.example")));
	stscache_init(&c, fd);
	CHECK(known("a.example") && known("b.example") && !known("none.example"));
	p = stscache_find(&c, SLICE("b.example"));
	CHECK(p->row.until == 2000 && p->row.mode == STS_ENFORCE && p->row.hosts_n == 4);
	/* one bit less */
	CHECK(pread(fd, &byte, 1, 100) == 1);
	byte ^= 4;
	CHECK(pwrite(fd, &byte, 1, 100) == 1);
	stscache_init(&c, fd);
	CHECK(!known("a.example") && known("b.example"));
	/* a policy that is withdrawn leaves the file too */
	p = stscache_find(&c, SLICE("b.example"));
	p->row.until = 0;
	stscache_save(&c, p);
	stscache_init(&c, fd);
	CHECK(!known("b.example"));
}

/* Who makes room: domains without a policy first, the one looked at longest ago; then the policy that ends first. */
static void eviction(void)
{
	char name[32];

	for (int i = 0; i < STSCACHE_ROWS; i++) {
		snprintf(name, sizeof name, "d%d.example", i);
		if (i == 5 || i == 7)
			stscache_place(&c, slice_of(name))->checked = 100 - i;
		else
			keep(name, 10000 + (i == 3 ? -1 : i));
	}
	CHECK(known("d5.example") && known("d7.example"));
	keep("new1.example", 20000);
	CHECK(!known("d7.example") && known("d5.example"));
	keep("new2.example", 20000);
	CHECK(!known("d5.example") && known("d3.example"));
	keep("new3.example", 20000);
	CHECK(!known("d3.example") && known("d0.example"));
	stscache_init(&c, fd);
	CHECK(known("new3.example") && known("d0.example") && !known("d3.example"));
}

static void without_file(void)
{
	stscache_init(&c, -1);
	keep("a.example", 1000);
	CHECK(known("a.example"));
	stscache_init(&c, open("/dev/null", O_RDONLY)); /* cannot be written */
	keep("b.example", 1000);
	CHECK(known("b.example") && c.broken);
}

int main(void)
{
	fd = memfd_create("cache", 0);
	CHECK(fd >= 0);
	stscache_init(&c, fd);
	on_disk();
	eviction();
	without_file();
	TEST_END();
}
