/* SPDX-License-Identifier: ISC */
/* bench-alias N FILE: an alias file of N lines made into a map, FILE; then look-ups in it as check does them. Processor
 * time. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "keys/auth/host/virtualfile.h"
#include "smtpd/check/alias.h"

enum { LOOKUPS = 1000000, LINE = 96 };

#define DOMAINS SLICE("example.org two.example")

static double now(void)
{
	struct timespec at;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &at);
	return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

/* Sorted by nothing: the numbers go through all of them in long strides. */
static int address(char *to, unsigned long i, unsigned long n)
{
	unsigned long k = i * 7919 % n;

	return sprintf(to, "user%lu.name@%s", k, k & 1 ? "two.example" : "example.org");
}

static double build(unsigned long n, const char *file)
{
	const struct virtualfile v = { DOMAINS, SLICE("me@gmail.com"),
				       SLICE("mx.example.org") };
	char *text = malloc(n * LINE + 1);
	struct entries all = { 0 };
	struct complaint why = { 0 };
	size_t at = 0;
	double begun;

	for (unsigned long i = 0; text && i < n; i++) {
		at += (size_t)address(text + at, i, n);
		at += (size_t)sprintf(text + at, "\tbox%lu@gmail.com\n", i);
	}
	begun = now();
	if (!text ||
	    !virtualfile_parse(&v, (struct slice){ (uint8_t *)text, at }, &all, &why) ||
	    !source_cdb(file, &all)) {
		fprintf(stderr, "bench-alias: %s\n", why.text);
		exit(1);
	}
	begun = now() - begun;
	entries_free(&all);
	free(text);
	return begun;
}

/* us for one; half of them are not there. */
static double look_up(struct map *m, unsigned long n)
{
	const struct alias_domains d = { DOMAINS, SLICE("srs.example.org") };
	unsigned long found = 0;
	double begun = now();

	for (unsigned long i = 0; i < LOOKUPS; i++) {
		char name[LINE];
		struct path p;
		struct slice to;
		int len = address(name, i * 31 % n, n);

		if (i & 1)
			name[0] = 'v';
		found += path_addr((struct slice){ (uint8_t *)name, (size_t)len }, 0, &p) &&
			 alias_find(m, &d, &p, &to) == ALIAS_TO;
	}
	begun = now() - begun;
	if (found != LOOKUPS / 2) {
		fprintf(stderr, "bench-alias: %lu were found\n", found);
		exit(1);
	}
	return begun / LOOKUPS * 1e6;
}

int main(int argc, char **argv)
{
	unsigned long n = argc == 3 ? strtoul(argv[1], NULL, 10) : 0;
	struct map m;
	double built, opened;
	int fd;

	if (!n || n % 7919 == 0)
		return 2;
	built = build(n, argv[2]);
	fd = open(argv[2], O_RDONLY | O_CLOEXEC);
	opened = now();
	if (fd < 0 || !map_open(&m, fd))
		return 1;
	opened = now() - opened;
	printf("bench alias entries %lu build %.2f s map %.1f MiB open %.2f s look-up %.2f us\n",
	       n, built, (double)lseek(fd, 0, SEEK_END) / (1 << 20), opened, look_up(&m, n));
	return 0;
}
