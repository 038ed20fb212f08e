/* SPDX-License-Identifier: ISC */
#include "smtpd/check/seen.h"

#include <bearssl.h>
#include <string.h>
#include <unistd.h>

#include "smtpd/lib/log.h"

_Static_assert(sizeof(struct seen_row) == 32, "no padding on disk");

/* A row of the future lasts: at start the clock may be behind. */
static bool lasts(const struct seen_row *r, int64_t now)
{
	return r->when > 0 && now - r->when < SEEN_AGE;
}

void seen_init(struct seen *s, int fd, int64_t now)
{
	ssize_t n = fd < 0 ? 0 : pread(fd, s->row, sizeof s->row, 0);
	int64_t newest = 0;

	s->fd = fd;
	if (n < 0 || n % (ssize_t)sizeof *s->row)
		n = 0;
	memset((uint8_t *)s->row + n, 0, sizeof s->row - (size_t)n);
	for (uint32_t i = 0; i < SEEN_ROWS; i++) {
		if (!lasts(&s->row[i], now))
			s->row[i].when = 0;
		if (s->row[i].when >= newest && s->row[i].when) {
			newest = s->row[i].when;
			s->next = (i + 1) % SEEN_ROWS;
		}
	}
}

void seen_print(struct slice sender, const uint8_t sha256[32], struct slice to,
		uint8_t print[SEEN_PRINT])
{
	uint8_t sum[br_sha256_SIZE];
	br_sha256_context h;

	br_sha256_init(&h);
	br_sha256_update(&h, sha256, 32);
	br_sha256_update(&h, sender.p, sender.n);
	br_sha256_update(&h, "", 1); /* no sender has a NUL: the border is clear */
	br_sha256_update(&h, to.p, to.n);
	br_sha256_out(&h, sum);
	memcpy(print, sum, SEEN_PRINT);
}

bool seen_find(const struct seen *s, const uint8_t print[SEEN_PRINT], int64_t now)
{
	for (const struct seen_row *r = s->row; r < s->row + SEEN_ROWS; r++)
		if (memcmp(r->print, print, SEEN_PRINT) == 0 && lasts(r, now))
			return true;
	return false;
}

void seen_add(struct seen *s, const uint8_t print[SEEN_PRINT], int64_t now)
{
	struct seen_row *r = &s->row[s->next];
	off_t at = (off_t)(s->next * sizeof *r);

	if (seen_find(s, print, now))
		return;
	memcpy(r->print, print, SEEN_PRINT);
	r->when = now;
	s->next = (s->next + 1) % SEEN_ROWS;
	if (s->fd < 0 || pwrite(s->fd, r, sizeof *r, at) == sizeof *r || s->broken)
		return;
	s->broken = true;
	log_event("seen", "effect", "deliveries are not remembered on disk");
}

uint64_t seen_number(struct seen *s)
{
	return ++s->last;
}

void seen_note(struct seen *s, uint64_t number, const uint8_t print[SEEN_PRINT], int64_t ms)
{
	memcpy(s->recent[s->next_recent].print, print, SEEN_PRINT);
	s->recent[s->next_recent].number = number;
	s->recent[s->next_recent].at = ms;
	s->next_recent = (s->next_recent + 1) % SEEN_RECENT;
}

void seen_keep(struct seen *s, uint64_t number, int64_t now)
{
	for (unsigned i = 0; i < SEEN_RECENT; i++)
		if (number && s->recent[i].number == number)
			seen_add(s, s->recent[i].print, now);
}

void seen_keep_fresh(struct seen *s, int64_t ms, int64_t now)
{
	for (unsigned i = 0; i < SEEN_RECENT; i++)
		if (s->recent[i].number && ms - s->recent[i].at < SEEN_FRESH)
			seen_add(s, s->recent[i].print, now);
}
