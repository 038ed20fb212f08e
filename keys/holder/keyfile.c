/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "keys/holder/keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

#include "smtpd/lib/log.h"

enum { COPIES = 2, SUM = 32, HEAD = 16 + SUM, WHOLE_MAX = KEYFILE_FILE_MAX };

static const char *const folders[COPIES][KEYFILE_KINDS] = {
	{ NULL, "a/tls", "a/srs", "a/dkim", "a/ed25519", "a/account", "a/tls", "a/acme",
	  "a/tlsrsa" },
	{ NULL, "b/tls", "b/srs", "b/dkim", "b/ed25519", "b/account", "b/tls", "b/acme",
	  "b/tlsrsa" },
};

/* A file's name while it is written: no domain begins with a dot. */
static const char aside[] = ".new";

static const char *name_of(enum keyfile_kind kind)
{
	return kind == KEYFILE_CHAIN ? "chain" : "key";
}

static void complain(const char *folder, const char *what, const char *why)
{
	struct logline l;

	log_begin(&l, "keyfile");
	log_text(&l, "copy", folder);
	log_text(&l, what, why);
	log_send(&l);
}

static int open_folder(const char *folder)
{
	return openat(AT_FDCWD, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void put_head(uint32_t serial, enum keyfile_kind kind, struct slice content,
		     struct buf *b)
{
	uint8_t sum[SUM];
	crypto_generichash_state s;

	buf_put(b, SLICE("tinpost\0"));
	buf_be32(b, serial << 8 | kind);
	buf_be32(b, (uint32_t)content.n);
	crypto_generichash_init(&s, NULL, 0, SUM);
	crypto_generichash_update(&s, b->p, b->len);
	crypto_generichash_update(&s, content.p, content.n);
	crypto_generichash_final(&s, sum, SUM);
	buf_put(b, (struct slice){ sum, SUM });
}

/* Of a file that is believed. */
static uint32_t serial_of(struct slice file)
{
	struct cur c = CUR(slice_from(file, 8));

	return file.n < HEAD ? 0 : cur_be32(&c) >> 8;
}

static bool believed(enum keyfile_kind kind, struct slice file)
{
	struct slice content = slice_from(file, HEAD);
	uint8_t mem[HEAD];
	struct buf want = BUF(mem);

	if (file.n < HEAD || content.n > KEYFILE_MAX)
		return false;
	put_head(serial_of(file), kind, content, &want);
	return slice_eq(slice_head(file, HEAD), buf_slice(&want));
}

/* Up to the end or until b is full. */
static bool read_all(int fd, struct buf *b)
{
	while (buf_room(b)) {
		ssize_t n = read(fd, b->p + b->len, buf_room(b));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0;
		b->len += (size_t)n;
	}
	return true;
}

static enum keyfile_state load_copy(enum keyfile_kind kind, const char *folder,
				    const char *name, struct buf *b)
{
	int dir = open_folder(folder), fd;
	enum keyfile_state state = KEYFILE_DAMAGED;

	b->len = 0;
	if (dir < 0)
		return KEYFILE_NOWHERE;
	fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		state = KEYFILE_NEW;
	else if (fd < 0 || !read_all(fd, b))
		complain(folder, "unreadable", strerror(errno));
	else if (!believed(kind, buf_slice(b)))
		complain(folder, "damaged", "yes");
	else
		state = KEYFILE_WHOLE;
	if (fd >= 0)
		close(fd);
	close(dir);
	return state;
}

static bool write_all(int fd, struct slice s)
{
	while (s.n) {
		ssize_t n = write(fd, s.p, s.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		s = slice_from(s, (size_t)n);
	}
	return true;
}

static bool save_copy(const char *folder, const char *name, struct slice file)
{
	int dir = open_folder(folder), fd = -1;
	bool ok = false;

	if (dir >= 0)
		fd = openat(dir, aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd >= 0)
		ok = write_all(fd, file) && fsync(fd) == 0 &&
		     renameat(dir, aside, dir, name) == 0 && fsync(dir) == 0;
	if (!ok)
		complain(folder, "unwritten", strerror(errno));
	if (fd >= 0)
		close(fd);
	if (dir >= 0)
		close(dir);
	return ok;
}

/* Which of the copies counts; -1: none is whole. */
static int newest(const enum keyfile_state *state, const struct buf *copy)
{
	int best = -1;

	for (int i = 0; i < COPIES; i++)
		if (state[i] == KEYFILE_WHOLE &&
		    (best < 0 ||
		     serial_of(buf_slice(&copy[i])) > serial_of(buf_slice(&copy[best]))))
			best = i;
	return best;
}

/* skip: octets of the file that are not put. */
static enum keyfile_state load(enum keyfile_kind kind, const char *name, bool mend, size_t skip,
			       struct buf *out)
{
	/* One octet more than a whole file: a longer one is damaged. */
	uint8_t mem[COPIES][WHOLE_MAX + 1];
	struct buf copy[COPIES] = { BUF(mem[0]), BUF(mem[1]) };
	enum keyfile_state state[COPIES], all = KEYFILE_NOWHERE;
	struct slice good = { NULL, 0 };
	int best;

	for (int i = 0; i < COPIES; i++) {
		state[i] = load_copy(kind, folders[i][kind], name, &copy[i]);
		if (state[i] > all)
			all = state[i];
	}
	best = newest(state, copy);
	if (best >= 0) {
		good = buf_slice(&copy[best]);
		all = KEYFILE_WHOLE;
		buf_put(out, slice_from(good, skip));
	}
	for (int i = 0; i < COPIES && mend && good.p; i++)
		if (state[i] != KEYFILE_NOWHERE && !slice_eq(buf_slice(&copy[i]), good) &&
		    save_copy(folders[i][kind], name, good))
			complain(folders[i][kind], "mended", "yes");
	sodium_memzero(mem, sizeof mem);
	return all;
}

enum keyfile_state keyfile_load(enum keyfile_kind kind, bool mend, struct buf *out)
{
	return load(kind, name_of(kind), mend, HEAD, out);
}

enum keyfile_state keyfile_load_as(enum keyfile_kind kind, const char *name, bool mend,
				   struct buf *out)
{
	return load(kind, name, mend, HEAD, out);
}

enum keyfile_state keyfile_load_file(enum keyfile_kind kind, const char *name, struct buf *out)
{
	return load(kind, name, false, 0, out);
}

bool keyfile_parse(struct slice file, enum keyfile_kind *kind, uint32_t *serial)
{
	unsigned k = file.n < HEAD ? 0 : file.p[11];

	if (!k || k >= KEYFILE_KINDS || !believed((enum keyfile_kind)k, file))
		return false;
	*kind = (enum keyfile_kind)k;
	*serial = serial_of(file);
	return true;
}

const char *keyfile_folder(enum keyfile_kind kind)
{
	return folders[0][kind] + 2;
}

bool keyfile_there(enum keyfile_kind kind, const char *name)
{
	bool there = false;

	for (int i = 0; i < COPIES && !there; i++) {
		int dir = open_folder(folders[i][kind]), fd = -1;

		if (dir >= 0)
			fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
		there = fd >= 0;
		if (fd >= 0)
			close(fd);
		if (dir >= 0)
			close(dir);
	}
	return there;
}

bool keyfile_save(enum keyfile_kind kind, struct slice content)
{
	return keyfile_save_as(kind, name_of(kind), content);
}

/* One more than those of the copies that are there. */
static uint32_t next_serial(enum keyfile_kind kind, const char *name, uint8_t *mem)
{
	uint32_t last = 0;

	for (int i = 0; i < COPIES; i++) {
		struct buf b = { mem, WHOLE_MAX, 0, false };

		if (load_copy(kind, folders[i][kind], name, &b) == KEYFILE_WHOLE &&
		    serial_of(buf_slice(&b)) > last)
			last = serial_of(buf_slice(&b));
	}
	return last + 1;
}

bool keyfile_save_as(enum keyfile_kind kind, const char *name, struct slice content)
{
	uint8_t mem[WHOLE_MAX];
	uint32_t serial = next_serial(kind, name, mem);
	struct buf file = BUF(mem);
	bool ok = false;

	put_head(serial, kind, content, &file);
	buf_put(&file, content);
	for (int i = 0; i < COPIES && !file.bad; i++)
		ok |= save_copy(folders[i][kind], name, buf_slice(&file));
	sodium_memzero(mem, sizeof mem);
	return ok;
}
