/* SPDX-License-Identifier: ISC */
#include "smtpd/fetch/stscache.h"

#include <bearssl.h>
#include <string.h>
#include <unistd.h>

#include "smtpd/lib/arena.h"
#include "smtpd/lib/log.h"

struct slot {
	uint8_t sum[br_sha256_SIZE]; /* of what follows */
	uint32_t format;
	uint32_t zero;
	struct stsrow row;
};

enum { FORMAT = 1 };

_Static_assert(sizeof(struct slot) <= STSCACHE_SLOT, "a row fits its slot");

static void sum_of(const struct slot *s, uint8_t out[br_sha256_SIZE])
{
	br_sha256_context h;

	br_sha256_init(&h);
	br_sha256_update(&h, (const uint8_t *)s + sizeof s->sum, sizeof *s - sizeof s->sum);
	br_sha256_out(&h, out);
}

static bool slot_ok(const struct slot *s)
{
	uint8_t sum[br_sha256_SIZE];

	sum_of(s, sum);
	return memcmp(sum, s->sum, sizeof sum) == 0 && s->format == FORMAT && s->row.domain_n &&
	       s->row.domain_n <= STSCACHE_DOMAIN && s->row.id_n <= STS_ID &&
	       s->row.hosts_n <= STS_HOSTS && s->row.mode <= STS_ENFORCE;
}

void stscache_init(struct stscache *c, int fd)
{
	struct slot s;

	*c = (struct stscache){ .place = arena_reserve(STSCACHE_ROWS * sizeof *c->place),
				.fd = fd };
	for (size_t i = 0; fd >= 0 && i < STSCACHE_ROWS; i++) {
		if (pread(fd, &s, sizeof s, (off_t)(i * STSCACHE_SLOT)) != sizeof s)
			continue;
		if (!slot_ok(&s))
			continue;
		c->place[i].row = s.row;
		c->place[i].on_disk = true;
	}
}

struct stsplace *stscache_find(const struct stscache *c, struct slice domain)
{
	for (size_t i = 0; i < STSCACHE_ROWS; i++) {
		struct stsplace *p = &c->place[i];

		if (p->row.domain_n &&
		    slice_ieq((struct slice){ p->row.domain, p->row.domain_n }, domain))
			return p;
	}
	return NULL;
}

/* Which of two is the smaller loss? */
static bool cheaper(const struct stsplace *a, const struct stsplace *b)
{
	if (!a->row.domain_n || !b->row.domain_n)
		return b->row.domain_n;
	if (!a->row.until && !b->row.until)
		return a->checked < b->checked;
	return a->row.until < b->row.until;
}

struct stsplace *stscache_place(struct stscache *c, struct slice domain)
{
	struct stsplace *best = stscache_find(c, domain);
	bool on_disk;

	if (best)
		return best;
	best = &c->place[0];
	for (size_t i = 1; i < STSCACHE_ROWS; i++)
		if (cheaper(&c->place[i], best))
			best = &c->place[i];
	on_disk = best->on_disk;
	*best = (struct stsplace){ .on_disk = on_disk };
	best->row.domain_n = (uint8_t)domain.n;
	memcpy(best->row.domain, domain.p, domain.n);
	return best;
}

void stscache_save(struct stscache *c, struct stsplace *p)
{
	off_t at = (off_t)((size_t)(p - c->place) * STSCACHE_SLOT);
	struct slot s = { .format = FORMAT };

	if (c->fd < 0 || (!p->row.until && !p->on_disk))
		return;
	if (p->row.until) {
		memcpy(&s.row, &p->row, sizeof s.row);
		sum_of(&s, s.sum);
	}
	p->on_disk = p->row.until != 0;
	if (pwrite(c->fd, &s, sizeof s, at) == sizeof s && fdatasync(c->fd) == 0)
		return;
	if (!c->broken)
		log_event("stscache", "effect", "policies are not kept on disk");
	c->broken = true;
}

bool stscache_valid(const struct stsplace *p, int64_t unix_now)
{
	return p && p->row.until > unix_now;
}
