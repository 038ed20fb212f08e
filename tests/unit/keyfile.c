/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "keys/holder/keyfile.h"

#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/test.h"

static uint8_t room[KEYFILE_MAX];
static struct buf got;

static enum keyfile_state load(bool mend)
{
	got = BUF(room);
	return keyfile_load(KEYFILE_SRS, mend, &got);
}

static void put(const char *path, const char *text, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	CHECK(fd >= 0 && write(fd, text, n) == (ssize_t)n);
	close(fd);
}

static size_t get(const char *path, uint8_t *out, size_t cap)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? 0 : read(fd, out, cap);

	if (fd >= 0)
		close(fd);
	return n < 0 ? 0 : (size_t)n;
}

static void life(void)
{
	CHECK_EQ(load(true), KEYFILE_NOWHERE);
	CHECK(!keyfile_there(KEYFILE_SRS, "key"));
	CHECK(!keyfile_save(KEYFILE_SRS, SLICE("x")));
	CHECK(!mkdir("a", 0700) && !mkdir("a/srs", 0700));
	CHECK_EQ(load(true), KEYFILE_NEW);
	CHECK(!keyfile_there(KEYFILE_SRS, "key"));
	CHECK(keyfile_save(KEYFILE_SRS, SLICE("secret\0one")));
	CHECK_EQ(load(false), KEYFILE_WHOLE);
	CHECK_SLICE(buf_slice(&got), "secret\0one");
	CHECK(access("a/srs/.new", F_OK) != 0);
	CHECK(!mkdir("b", 0700) && !mkdir("b/srs", 0700));
	CHECK_EQ(load(false), KEYFILE_WHOLE);
	CHECK(access("b/srs/key", F_OK) != 0);
	CHECK(keyfile_there(KEYFILE_SRS, "key") && !keyfile_there(KEYFILE_TLS, "key"));
	CHECK_EQ(load(true), KEYFILE_WHOLE);
	CHECK(!access("b/srs/key", F_OK));
	CHECK(!unlink("a/srs/key"));
	CHECK(keyfile_there(KEYFILE_SRS, "key"));
	CHECK_EQ(load(true), KEYFILE_WHOLE);
	CHECK_SLICE(buf_slice(&got), "secret\0one");
	CHECK(!access("a/srs/key", F_OK));
}

/* Each octet, each length: a damaged copy is mended from the other one, and never believed. */
static void damage(void)
{
	uint8_t whole[100], now[100];
	size_t n = get("a/srs/key", whole, sizeof whole);

	CHECK_EQ(n, 48 + 10);
	for (size_t i = 0; i < 2 * n; i++) {
		const char *path = i & 1 ? "b/srs/key" : "a/srs/key";

		memcpy(now, whole, n);
		if (i < n)
			now[i] ^= 0x40;
		put(path, (char *)now, i < n ? n : i - n);
		CHECK_EQ(load(true), KEYFILE_WHOLE);
		CHECK_SLICE(buf_slice(&got), "secret\0one");
		CHECK(get(path, now, sizeof now) == n && !memcmp(now, whole, n));
	}
	put("a/srs/key", "x", 1);
	put("b/srs/key", "", 0);
	CHECK_EQ(load(true), KEYFILE_DAMAGED);
	CHECK_EQ(got.len, 0);
	CHECK_EQ(get("a/srs/key", now, sizeof now), 1); /* left as it is */
	CHECK(!unlink("b/srs/key"));
	CHECK_EQ(load(true), KEYFILE_DAMAGED);
}

/* Another kind's file, an older copy b, a file that is too long, a folder in its place. */
static void strange(void)
{
	static uint8_t longest[KEYFILE_MAX + 100];

	CHECK(!mkdir("a/tls", 0700) && keyfile_save(KEYFILE_TLS, SLICE("tls")));
	CHECK(!rename("a/tls/key", "a/srs/key"));
	CHECK_EQ(load(true), KEYFILE_DAMAGED);
	CHECK(keyfile_save(KEYFILE_SRS, SLICE("old")));
	CHECK(!rmdir("a/srs") || !rename("a/srs", "a/aside"));
	CHECK(!mkdir("a/srs", 0700));
	CHECK(!rename("b/srs", "b/aside"));
	CHECK(keyfile_save(KEYFILE_SRS, SLICE("new")));
	CHECK(!rename("b/aside", "b/srs"));
	CHECK_EQ(load(true), KEYFILE_WHOLE);
	CHECK_SLICE(buf_slice(&got), "new");
	CHECK(!rename("a/srs", "a/gone"));
	CHECK_EQ(load(true), KEYFILE_WHOLE);
	CHECK_SLICE(buf_slice(&got), "new");
	put("b/srs/key", (char *)longest, sizeof longest);
	CHECK_EQ(load(true), KEYFILE_DAMAGED);
	CHECK(!unlink("b/srs/key") && !mkdir("b/srs/key", 0700));
	CHECK_EQ(load(true), KEYFILE_DAMAGED);
}

/* A disk that refused one save keeps what it had: the newer copy counts, on whichever it lies. */
static void newer(void)
{
	for (int i = 0; i < 2; i++) {
		const char *gone = i ? "b/tls" : "a/tls";

		CHECK(keyfile_save(KEYFILE_TLS, SLICE("first")));
		CHECK(!rename(gone, "aside"));
		CHECK(keyfile_save(KEYFILE_TLS, SLICE("second")));
		CHECK(!rename("aside", gone));
		got = BUF(room);
		CHECK_EQ(keyfile_load(KEYFILE_TLS, true, &got), KEYFILE_WHOLE);
		CHECK_SLICE(buf_slice(&got), "second");
		CHECK(!rename(i ? "a/tls" : "b/tls", "aside"));
		got = BUF(room);
		CHECK_EQ(keyfile_load(KEYFILE_TLS, true, &got), KEYFILE_WHOLE);
		CHECK_SLICE(buf_slice(&got), "second");
		CHECK(!rename("aside", i ? "a/tls" : "b/tls"));
	}
}

/* A file without a serial, as builds had it that kept none. */
static void older(void)
{
	static const uint8_t head[16] = "tinpost\0\0\0\0\1\0\0\0\4";
	uint8_t file[16 + 32 + 4];
	crypto_generichash_state s;

	memcpy(file, head, 16);
	memcpy(file + 48, "then", 4);
	crypto_generichash_init(&s, NULL, 0, 32);
	crypto_generichash_update(&s, head, 16);
	crypto_generichash_update(&s, file + 48, 4);
	crypto_generichash_final(&s, file + 16, 32);
	put("a/tls/key", (char *)file, sizeof file);
	CHECK(!unlink("b/tls/key"));
	got = BUF(room);
	CHECK_EQ(keyfile_load(KEYFILE_TLS, true, &got), KEYFILE_WHOLE);
	CHECK_SLICE(buf_slice(&got), "then");
	put("a/tls/key", (char *)file, sizeof file);
	CHECK(keyfile_save(KEYFILE_TLS, SLICE("now")));
	put("b/tls/key", (char *)file, sizeof file);
	got = BUF(room);
	CHECK_EQ(keyfile_load(KEYFILE_TLS, true, &got), KEYFILE_WHOLE);
	CHECK_SLICE(buf_slice(&got), "now");
}

static void sizes(void)
{
	static uint8_t big[KEYFILE_MAX + 1];

	CHECK(keyfile_save(KEYFILE_TLS, (struct slice){ big, KEYFILE_MAX }));
	got = BUF(room);
	CHECK_EQ(keyfile_load(KEYFILE_TLS, true, &got), KEYFILE_WHOLE);
	CHECK_EQ(got.len, KEYFILE_MAX);
	CHECK(!keyfile_save(KEYFILE_TLS, (struct slice){ big, KEYFILE_MAX + 1 }));
}

int main(void)
{
	life();
	damage();
	strange();
	CHECK(!mkdir("b/tls", 0700));
	newer();
	older();
	sizes();
	TEST_END();
}
