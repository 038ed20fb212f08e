/* SPDX-License-Identifier: ISC */
#include "keys/holder/host/pairfile.h"

#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "keys/auth/host/sourcefile.h"
#include "smtpd/proto/base64.h"

enum { LINE = 80 };

bool pairfile_write(const char *path, int flags, mode_t mode, struct slice text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, mode);
	bool ok = fd >= 0 && write(fd, text.p, text.n) == (ssize_t)text.n && fsync(fd) == 0;

	if (fd >= 0)
		close(fd);
	return ok;
}

static bool write_key(const char *path, const char *word, mode_t mode,
		      const uint8_t key[PAIRFILE_KEY])
{
	uint8_t mem[LINE];
	struct buf b = BUF(mem);
	bool ok;

	buf_put(&b, slice_of(word));
	base64_put(&b, (struct slice){ key, PAIRFILE_KEY });
	buf_u8(&b, '\n');
	ok = pairfile_write(path, O_EXCL, mode, buf_slice(&b));
	sodium_memzero(mem, sizeof mem);
	return ok;
}

bool pairfile_make(const struct pairfile *kind, const char *private, const char *public,
		   const uint8_t secret[PAIRFILE_KEY], const uint8_t open_key[PAIRFILE_KEY])
{
	if (!write_key(public, kind->public, 0644, open_key)) {
		source_failed(public);
		return false;
	}
	if (!write_key(private, kind->private, 0600, secret)) {
		source_failed(private);
		unlink(public);
		return false;
	}
	return true;
}

bool pairfile_read(const struct pairfile *kind, const char *path, uint8_t out[PAIRFILE_KEY])
{
	struct buf b = { out, PAIRFILE_KEY, 0, false };
	struct slice text, line, word = slice_of(kind->private);
	bool ok;

	if (!source_read(path, &text)) {
		source_failed(path);
		return false;
	}
	line = slice_head(text, slice_find(text, '\n'));
	ok = slice_iprefix(line, word) && base64_get(slice_from(line, word.n), &b) &&
	     b.len == PAIRFILE_KEY;
	sodium_memzero((uint8_t *)text.p, text.n);
	free((uint8_t *)text.p);
	if (!ok)
		fprintf(stderr, "%s: not the private key that `make %s` made\n", path,
			kind->goal);
	return ok;
}
