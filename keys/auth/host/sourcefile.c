/* SPDX-License-Identifier: ISC */
#include "keys/auth/host/sourcefile.h"

#include <cdb.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX = 256 << 20, PATH_ROOM = 4096 };

bool complain(struct complaint *c, unsigned line, const char *format, ...)
{
	va_list ap;

	if (c->text[0])
		return false;
	c->line = line;
	va_start(ap, format);
	vsnprintf(c->text, sizeof c->text, format, ap);
	va_end(ap);
	return false;
}

void complaint_print(const char *file, const struct complaint *c)
{
	if (c->line)
		fprintf(stderr, "%s:%u: %s\n", file, c->line, c->text);
	else
		fprintf(stderr, "%s: %s\n", file, c->text);
}

bool lines_next(struct lines *l, struct slice *line)
{
	size_t n = slice_find(l->rest, '\n');

	if (!l->rest.n)
		return false;
	*line = slice_head(l->rest, n);
	l->rest = slice_from(l->rest, n + 1);
	l->number++;
	if (line->n && line->p[line->n - 1] == '\r')
		line->n--;
	return true;
}

static void *must(void *p)
{
	if (!p) {
		fputs("no memory\n", stderr);
		exit(1);
	}
	return p;
}

/* Returns what is behind the copy and its NUL. */
static char *copy(char *to, struct slice s)
{
	if (s.n)
		memcpy(to, s.p, s.n);
	to[s.n] = 0;
	return to + s.n + 1;
}

void entries_add(struct entries *a, struct slice key, struct slice value, unsigned line,
		 unsigned rank)
{
	char *both = must(malloc(key.n + value.n + 2));

	if (a->n == a->cap) {
		a->cap = 2 * a->cap + 64;
		a->e = must(realloc(a->e, a->cap * sizeof *a->e));
	}
	a->e[a->n] = (struct entry){ .key = both, .line = line, .rank = rank };
	a->e[a->n].value = copy(both, key);
	copy(a->e[a->n++].value, value);
}

void entry_set(struct entry *e, struct slice value)
{
	size_t n = strlen(e->key) + 1;
	char *both = must(malloc(n + value.n + 1));

	memcpy(both, e->key, n);
	copy(both + n, value);
	free(e->key);
	e->key = both;
	e->value = both + n;
}

static int by_key(const void *x, const void *y)
{
	const struct entry *a = x, *b = y;
	int d = strcmp(a->key, b->key);

	if (d)
		return d;
	if (a->rank != b->rank)
		return a->rank < b->rank ? -1 : 1;
	return (a->line > b->line) - (a->line < b->line);
}

bool entries_sort(struct entries *a, struct complaint *c)
{
	size_t n = 0;

	if (a->n)
		qsort(a->e, a->n, sizeof *a->e, by_key);
	for (size_t i = 0; i < a->n; i++) {
		struct entry *last = n ? &a->e[n - 1] : NULL, *e = &a->e[i];

		if (!last || strcmp(last->key, e->key)) {
			a->e[n++] = *e;
			continue;
		}
		if (last->rank == e->rank && last->line != e->line)
			complain(c, e->line, "%s stands in line %u already", e->key,
				 last->line);
		free(e->key);
	}
	a->n = n;
	return !c->text[0];
}

struct entry *entries_find(const struct entries *a, struct slice key)
{
	size_t low = 0, high = a->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		struct slice k = slice_of(a->e[mid].key);
		int d = memcmp(k.p, key.p, k.n < key.n ? k.n : key.n);

		if (!d && k.n == key.n)
			return &a->e[mid];
		if (d < 0 || (!d && k.n < key.n))
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

void entries_free(struct entries *a)
{
	for (size_t i = 0; i < a->n; i++)
		free(a->e[i].key);
	free(a->e);
	*a = (struct entries){ 0 };
}

bool source_read(const char *path, struct slice *out)
{
	FILE *f = fopen(path, "rb");
	uint8_t *p;
	size_t n;
	bool ok;

	if (!f)
		return false;
	p = must(malloc(FILE_MAX));
	n = fread(p, 1, FILE_MAX, f);
	ok = !ferror(f);
	fclose(f);
	if (ok && n == FILE_MAX) {
		errno = EFBIG;
		ok = false;
	}
	if (!ok)
		free(p);
	else
		*out = (struct slice){ must(realloc(p, n + 1)), n };
	return ok;
}

static bool fill(int fd, const struct entries *a)
{
	struct cdb_make m;
	bool ok = cdb_make_start(&m, fd) == 0;

	for (size_t i = 0; ok && i < a->n; i++)
		ok = cdb_make_add(&m, a->e[i].key, (unsigned)strlen(a->e[i].key), a->e[i].value,
				  (unsigned)strlen(a->e[i].value)) == 0;
	return ok && cdb_make_finish(&m) == 0 && fsync(fd) == 0;
}

bool source_cdb(const char *path, const struct entries *a)
{
	char aside[PATH_ROOM];
	int fd, why;
	bool ok;

	if ((size_t)snprintf(aside, sizeof aside, "%s.new", path) >= sizeof aside) {
		errno = ENAMETOOLONG;
		return false;
	}
	fd = open(aside, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return false;
	ok = fill(fd, a);
	why = errno;
	close(fd);
	if (ok && rename(aside, path) == 0)
		return true;
	why = ok ? errno : why;
	unlink(aside);
	errno = why;
	return false;
}

int source_failed(const char *path)
{
	fprintf(stderr, "%s: %s\n", path, strerror(errno));
	return 1;
}
