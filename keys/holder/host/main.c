/* SPDX-License-Identifier: ISC */
/*
 * tinpost-keys make PRIVATE PUBLIC: a pair of keys for backups.
 * tinpost-keys open [--partial] PRIVATE TEXT OUT: what the backup in TEXT holds, as the new folder of a key volume; all
 * of it or, but for --partial, nothing.
 */
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "keys/auth/host/sourcefile.h"
#include "keys/holder/host/pairfile.h"
#include "keys/holder/host/restore.h"

enum { PATH_ROOM = 4096 };

static const struct pairfile pair = { "private ", "public ", "backup-key" };

static int make(const char *private, const char *public)
{
	uint8_t pk[PAIRFILE_KEY], sk[PAIRFILE_KEY];
	bool ok;

	crypto_box_keypair(pk, sk);
	ok = pairfile_make(&pair, private, public, sk, pk);
	sodium_memzero(sk, sizeof sk);
	return !ok;
}

static bool read_key(const char *path, struct restore_key *k)
{
	return pairfile_read(&pair, path, k->secret) &&
	       crypto_scalarmult_base(k->public, k->secret) == 0;
}

/* The serial of the file that is there; 0: none is. */
static uint32_t serial_at(const char *path)
{
	struct slice file;
	enum keyfile_kind kind;
	uint32_t serial = 0;

	if (source_read(path, &file)) {
		if (!keyfile_parse(file, &kind, &serial))
			serial = 0;
		sodium_memzero((uint8_t *)file.p, file.n);
		free((uint8_t *)file.p);
	}
	return serial;
}

/* Both copies. Folders as init makes them: others pass to those of the kinds, which are nobody else's. */
static bool put(const char *out, const struct restored *r)
{
	char path[PATH_ROOM];

	for (const char *copy = "a"; copy; copy = *copy == 'a' ? "b" : NULL) {
		snprintf(path, sizeof path, "%s/%s", out, copy);
		mkdir(path, 0755);
		snprintf(path, sizeof path, "%s/%s/%s", out, copy, keyfile_folder(r->kind));
		mkdir(path, 0700);
		snprintf(path, sizeof path, "%s/%s/%s/%s", out, copy, keyfile_folder(r->kind),
			 r->name);
		if (serial_at(path) > r->serial)
			return true;
		if (!pairfile_write(path, O_TRUNC, 0600, r->file))
			return source_failed(path), false;
	}
	return true;
}

static void fault(void *path, const char *what, const char *why)
{
	fprintf(stderr, "%s: %s%s%s\n", (const char *)path, what, *what ? " " : "", why);
}

/* The text was judged: what is no good is left out. */
static bool put_all(struct slice rest, const struct restore_key *k, struct restored *r,
		    const char *out)
{
	bool ok = mkdir(out, 0755) == 0;

	if (!ok)
		source_failed(out);
	while (ok && restore_next(&rest, k, r)) {
		if (r->why)
			continue;
		ok = r->none || put(out, r);
		if (ok)
			printf("%s %s\n", r->label, r->none ? "was not there" : "restored");
	}
	return ok;
}

static int open_all(bool partial, char *private, char *text, const char *out)
{
	static struct restored r;
	struct restore_key k;
	struct slice all;
	unsigned found;
	int exit_code = 1;

	if (!read_key(private, &k))
		goto out;
	if (!source_read(text, &all)) {
		source_failed(text);
		goto out;
	}
	if ((restore_check(all, &k, &r, fault, text, &found) || partial) && found &&
	    put_all(all, &k, &r, out))
		exit_code = 0;
out:
	sodium_memzero(&k, sizeof k);
	sodium_memzero(&r, sizeof r);
	return exit_code;
}

int main(int argc, char **argv)
{
	bool partial = argc == 6 && strcmp(argv[2], "--partial") == 0;

	if (sodium_init() < 0)
		return 1;
	if (argc == 4 && strcmp(argv[1], "make") == 0)
		return make(argv[2], argv[3]);
	if ((argc == 5 || partial) && strcmp(argv[1], "open") == 0)
		return open_all(partial, argv[2 + partial], argv[3 + partial],
				argv[4 + partial]);
	fputs("usage: tinpost-keys make PRIVATE PUBLIC | open [--partial] PRIVATE TEXT OUT\n",
	      stderr);
	return 2;
}
