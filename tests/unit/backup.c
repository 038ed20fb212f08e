/* SPDX-License-Identifier: ISC */
/* Secrets of files in this folder are told, found again in the text, and come out octet for octet or not at all. */
#define _GNU_SOURCE
#include "keys/holder/host/restore.h"

#include <sodium.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "smtpd/proto/base64.h"
#include "tests/unit/test.h"

enum { SLOTS = 3, LONG = 3614 };

static struct restore_key key;
static uint8_t text[SLOTS * BACKUP_SLOT];
static struct restored r;
static const char domain[] = "a-very-long-label-of-a-domain-that-somebody-did-register.example";

/* What the file on the data disk holds, without the line feeds at the ends of slots. */
static struct slice told(int file)
{
	ssize_t n = pread(file, text, sizeof text, 0);
	size_t keep = 0;

	CHECK(n > 0 && n % BACKUP_SLOT == 0);
	for (ssize_t i = 0; i < n; i++)
		if (text[i] != '\n' || (keep && text[keep - 1] != '\n'))
			text[keep++] = text[i];
	return (struct slice){ text, keep };
}

static unsigned found(struct slice in, unsigned *good)
{
	unsigned n = 0;

	for (*good = 0; restore_next(&in, &key, &r); n++)
		*good += !r.why && !r.none;
	return n;
}

static char said[4096];

static void fault(void *arg, const char *what, const char *why)
{
	size_t n = strlen(said);

	(void)arg;
	snprintf(said + n, sizeof said - n, "%s%s%s;", what, *what ? " " : "", why);
}

/* Is this a whole backup; and has it so many secrets? */
static bool judged(struct slice in, unsigned want)
{
	unsigned n;
	bool whole;

	said[0] = 0;
	whole = restore_check(in, &key, &r, fault, NULL, &n);
	CHECK_EQ(whole, !said[0]);
	CHECK_EQ(n, want);
	return whole;
}

static bool is_secret(enum keyfile_kind kind, const char *name)
{
	uint8_t mem[KEYFILE_FILE_MAX];
	struct buf b = BUF(mem);

	return keyfile_load_file(kind, name, &b) == KEYFILE_WHOLE && r.kind == kind &&
	       !strcmp(r.name, name) && slice_eq(buf_slice(&b), r.file);
}

static void there_and_back(const struct backup *b)
{
	static uint8_t ring[LONG];
	struct slice in, rest;
	unsigned good;

	randombytes_buf(ring, sizeof ring);
	CHECK(keyfile_save(KEYFILE_SRS, SLICE("secret\0one")));
	CHECK(keyfile_save_as(KEYFILE_DKIM, domain, (struct slice){ ring, sizeof ring }));
	backup_put(b, KEYFILE_DKIM, domain, 1); /* shorter ones take its place */
	backup_put(b, KEYFILE_SRS, "key", 1);
	backup_put(b, KEYFILE_DKIM, domain, 2);
	backup_put(b, KEYFILE_TLS, "key", 3);	  /* there is none, and it is said */
	backup_put(b, KEYFILE_ACCOUNT, "key", 2); /* there is no disk: the slot stays */
	rest = in = told(b->file);
	CHECK(restore_next(&rest, &key, &r) && !r.why && is_secret(KEYFILE_SRS, "key"));
	CHECK(!strcmp(r.label, "srs/key"));
	CHECK(restore_next(&rest, &key, &r) && !r.why && is_secret(KEYFILE_DKIM, domain));
	CHECK(restore_next(&rest, &key, &r) && !r.why && r.none && !strcmp(r.label, "tls/key"));
	CHECK(!restore_next(&rest, &key, &r));
	CHECK(judged(in, 2));
	CHECK(!memmem(in.p, in.n, "secret\0one", 10));
	key.secret[0] ^= 8; /* another operator */
	CHECK_EQ(found(in, &good), 3);
	CHECK_EQ(good, 0);
	CHECK(!judged(in, 0));
	CHECK(strstr(said, "srs/key is altered;"));
	key.secret[0] ^= 8;
	key.public[0] ^= 8;
	CHECK(!judged(in, 0));
	CHECK(strstr(said, "srs/key is sealed to another key;"));
	key.public[0] ^= 8;
}

/* As a console shows it: others' lines between, CR before LF, a process's name before each. */
static void on_a_console(struct slice in)
{
	static uint8_t mem[2 * sizeof text];
	struct buf b = BUF(mem);
	unsigned good;

	while (in.n) {
		struct slice line = slice_head(in, slice_find(in, '\n'));

		in = slice_from(in, line.n + 1);
		buf_put(&b, SLICE("12:00 keygen: "));
		buf_put(&b, line);
		buf_put(&b,
			SLICE("\r\nfront.mx: ev=x v=1 secret=1 secrets=2 name=y at=0 of=4 text=AAAA\r\n"));
	}
	CHECK(!b.bad);
	CHECK_EQ(found(buf_slice(&b), &good), 3);
	CHECK_EQ(good, 2);
	CHECK(judged(buf_slice(&b), 2));
}

/* A line that is missing, or came twice, or all behind it missing: no whole backup. An octet that is another: neither. */
static void damaged(struct slice in)
{
	static uint8_t mem[2 * sizeof text];
	unsigned good, lines = 0;

	for (size_t at = 0; at < in.n; lines++) {
		size_t n = slice_find(slice_from(in, at), '\n') + 1;
		struct buf b = BUF(mem), twice = BUF(mem);

		buf_put(&b, slice_head(in, at));
		CHECK(!restore_check(buf_slice(&b), &key, &r, fault, NULL, &good));
		buf_put(&b, slice_from(in, at + n));
		CHECK(!restore_check(buf_slice(&b), &key, &r, fault, NULL, &good));
		buf_put(&twice, slice_head(in, at + n));
		buf_put(&twice, slice_from(in, at));
		/* a secret of one line may come as often as it likes */
		CHECK_EQ(restore_check(buf_slice(&twice), &key, &r, fault, NULL, &good),
			 n < BACKUP_PIECE && (lines == 0 || at + n == in.n));
		at += n;
	}
	CHECK(lines > 7);
	for (size_t i = 0; i < in.n; i++) {
		struct buf b = BUF(mem);
		size_t begin = slice_rfind(slice_head(in, i), '\n');

		if (i - begin > 170 && i % 7)
			continue;
		buf_put(&b, in);
		mem[i] ^= 1;
		/* of what is not there the name is for people */
		if (restore_check(buf_slice(&b), &key, &r, fault, NULL, &good))
			CHECK(i > in.n - 40);
	}
}

static void of_others(struct slice in)
{
	static uint8_t mem[2 * sizeof text];
	struct buf b = BUF(mem);
	uint8_t *v;

	CHECK(!judged(SLICE(""), 0) && !strcmp(said, "no backup in it;"));
	CHECK(!judged(SLICE("ev=backup unwritten=data\n"), 0));
	buf_put(&b, in);
	v = memmem(mem, b.len, "v=1 ", 4);
	v[2] = '2';
	CHECK(!judged(buf_slice(&b), 1));
	CHECK(strstr(said, "a backup of another version;"));
	b = BUF(mem);
	buf_put(&b, in);
	v = memmem(mem, b.len, "secrets=3", 9);
	v[8] = '4';
	CHECK(!judged(buf_slice(&b), 1));
	CHECK(strstr(said, "is of another backup than those before it;"));
}

/* Sealed by somebody else who knows the public key: a name that leads elsewhere, no file, another one than is said. */
static void forged(void)
{
	static const char *const names[] = { "key", "../key", ".new", "a/b", "", "UP", "key" };
	uint8_t plain[600], sealed[700], line[1200], b64[1000];

	for (size_t i = 0; i <= sizeof names / sizeof *names; i++) {
		bool no_file = i == sizeof names / sizeof *names;
		struct buf p = BUF(plain), l = BUF(line), t = BUF(b64);
		const char *name = names[no_file ? 0 : i];

		buf_put(&p, slice_of(name));
		buf_u8(&p, 0);
		CHECK_EQ(keyfile_load_file(KEYFILE_SRS, "key", &p), KEYFILE_WHOLE);
		if (no_file)
			plain[p.len - 1] ^= 1;
		CHECK(!crypto_box_seal(sealed, plain, p.len, key.public));
		base64_put(&t, (struct slice){ sealed, p.len + crypto_box_SEALBYTES });
		buf_put(&l, SLICE("ev=backup v=1 to="));
		base64_put(&l, (struct slice){ key.public, BACKUP_TO });
		buf_put(&l, SLICE(" secret=1 secrets=1 name="));
		buf_put(&l, i == 6 ? SLICE("tls/") : SLICE("srs/"));
		buf_put(&l, slice_of(name));
		buf_put(&l, SLICE(" at=0 of="));
		buf_dec(&l, t.len);
		buf_put(&l, SLICE(" text=\""));
		buf_put(&l, buf_slice(&t));
		buf_put(&l, SLICE("\"\n"));
		CHECK_EQ(judged(buf_slice(&l), i == 0), i == 0);
	}
}

int main(void)
{
	static const char *const folders[] = { "a", "a/srs", "a/dkim", "a/tls",
					       "b", "b/srs", "b/dkim" };
	struct backup b = { key.public, memfd_create("data", 0), SLOTS };

	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
		CHECK(!mkdir(folders[i], 0700));
	CHECK(sodium_init() >= 0);
	crypto_box_keypair(key.public, key.secret);
	there_and_back(&b);
	on_a_console(told(b.file));
	damaged(told(b.file));
	of_others(told(b.file));
	forged();
	TEST_END();
}
