/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "keys/auth/hostpass.h"

#include <string.h>
#include <unistd.h>

/* Is this the message of SASL PLAIN, without an identity to act as? */
static bool is_plain(struct slice s)
{
	struct slice rest = slice_from(s, 1);
	size_t user = slice_find(rest, 0);
	struct slice password = slice_from(rest, user + 1);

	return s.n && s.n <= AUTH_PLAIN_MAX && !s.p[0] && user && password.n &&
	       slice_find(password, 0) == password.n;
}

bool hostpass_load(struct hostpass *h, int fd)
{
	uint8_t more[AUTH_PLAIN_MAX + 1];
	size_t have = 0;
	ssize_t n = 0;

	hostpass_wipe(h);
	if (fd < 0)
		return true;
	while (have < sizeof more && (n = read(fd, more + have, sizeof more - have)) > 0)
		have += (size_t)n;
	close(fd);
	if (!n && is_plain((struct slice){ more, have })) {
		memcpy(h->plain, more, have);
		h->n = have;
	}
	explicit_bzero(more, sizeof more);
	return !n && h->n == have;
}

void hostpass_wipe(struct hostpass *h)
{
	explicit_bzero(h, sizeof *h);
}
