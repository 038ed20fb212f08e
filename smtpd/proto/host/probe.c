/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/host/probe.h"

#include <cdb.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "smtpd/proto/gmail.h"
#include "smtpd/proto/path.h"
#include "smtpd/proto/srs.h"

int probe_wrong(const char *what)
{
	fprintf(stderr, "probe: %s\n", what);
	return PROBE_USAGE;
}

static void take_out(struct probe_args *a, int at, int n)
{
	for (a->n -= n; at < a->n; at++)
		a->v[at] = a->v[at + n];
}

const char *probe_option(struct probe_args *a, const char *name)
{
	for (int i = 0; i < a->n; i++) {
		if (strncmp(a->v[i], "--", 2) != 0 || strcmp(a->v[i] + 2, name) != 0)
			continue;
		if (i + 1 == a->n) {
			fprintf(stderr, "probe: --%s needs a value\n", name);
			exit(PROBE_USAGE);
		}
		const char *value = a->v[i + 1];

		take_out(a, i, 2);
		return value;
	}
	return NULL;
}

uint64_t probe_number(struct probe_args *a, const char *name, uint64_t otherwise, uint64_t max)
{
	const char *text = probe_option(a, name);
	uint64_t v;

	if (!text)
		return otherwise;
	if (!slice_u64(slice_of(text), max, &v)) {
		fprintf(stderr, "probe: --%s takes a number\n", name);
		exit(PROBE_USAGE);
	}
	return v;
}

bool probe_words(const struct probe_args *a, int least, int most)
{
	for (int i = 0; i < a->n; i++)
		if (!strncmp(a->v[i], "--", 2)) {
			fprintf(stderr, "probe: unknown option %s\n", a->v[i]);
			return false;
		}
	if (a->n < least || a->n > most)
		fprintf(stderr, "probe: wrong number of arguments\n");
	return a->n >= least && a->n <= most;
}

struct slice probe_read(const char *path)
{
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
	size_t n = 0, cap = 1 << 16;
	uint8_t *p = malloc(cap);
	ssize_t got = -1;

	while (fd >= 0 && p && (got = read(fd, p + n, cap - n)) > 0) {
		n += got;
		if (n == cap)
			p = realloc(p, cap *= 2);
	}
	if (!p || got < 0) {
		perror(path ? path : "standard input");
		exit(PROBE_USAGE);
	}
	return (struct slice){ p, n };
}

struct slice probe_crlf(struct slice text)
{
	uint8_t *p = malloc(2 * text.n + 1);
	size_t n = 0;

	if (!p)
		exit(PROBE_USAGE);
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '\n' && (i == 0 || text.p[i - 1] != '\r'))
			p[n++] = '\r';
		p[n++] = text.p[i];
	}
	return (struct slice){ p, n };
}

void probe_write(struct slice s)
{
	if (s.n)
		fwrite(s.p, 1, s.n, stdout);
}

int probe_path(struct probe_args a)
{
	uint8_t mem[PATH_OCTETS];
	struct buf out = BUF(mem);
	struct path p;

	if (!probe_words(&a, 1, 1))
		return PROBE_USAGE;
	if (!path_parse(slice_of(a.v[0]), PATH_NULL | PATH_BARE, &p)) {
		puts("error not a path");
		return 0;
	}
	path_print(&p, &out);
	printf("ok <%.*s>\n", (int)out.len, mem);
	return 0;
}

/* The reply in the arguments or on standard input; without REPLY_DONE it was none, and that is said. */
static struct reply reply_of(struct probe_args a)
{
	static uint8_t mem[65536];
	struct buf in = BUF(mem);
	struct reply r = { 0 };
	struct slice text;

	for (int i = 0; i < a.n; i++) {
		buf_put(&in, slice_of(a.v[i]));
		buf_put(&in, SLICE("\r\n"));
	}
	if (in.bad)
		exit(probe_wrong("the reply is too long"));
	text = a.n ? buf_slice(&in) : probe_crlf(probe_read(NULL));
	if (reply_feed(&r, &text) != REPLY_DONE)
		puts("temp not a reply");
	return r;
}

int probe_gmail(struct probe_args a)
{
	struct reply r = reply_of(a);
	struct gmail g = gmail_read(&r);

	if (r.step == REPLY_DONE)
		printf("%s %s\n", gmail_name(g.class), g.remedy ? g.remedy : "-");
	return 0;
}

int probe_reply(struct probe_args a)
{
	static const char *const word[] = {
		[V_OK] = "ok", [V_TEMP] = "temp", [V_PERM] = "perm"
	};
	struct buf enhanced = { .p = (uint8_t[16]){ 0 }, .cap = 16 };
	struct reply r = reply_of(a);

	if (r.step != REPLY_DONE)
		return 0;
	reply_put_enhanced(&r, &enhanced);
	printf("%s %u %.*s ", word[reply_verdict(&r)], r.code, (int)enhanced.len, enhanced.p);
	probe_write(reply_text(&r));
	putchar('\n');
	return 0;
}

static int srs_verdict(enum srs_result r, struct slice local, struct slice domain)
{
	static const char *const why[] = {
		[SRS_NOT] = "not an SRS address",
		[SRS_OK] = "",
		[SRS_OWN] = "",
		[SRS_LONG] = "the local part would be longer than 64 octets",
		[SRS_BAD] = "malformed or forged",
		[SRS_OLD] = "too old",
	};
	uint8_t mem[1024];
	struct buf out = BUF(mem);

	path_join(local, domain, &out);
	if (r == SRS_OK || r == SRS_OWN)
		printf("ok %.*s\n", (int)out.len, mem);
	else
		printf("error %s\n", why[r]);
	return 0;
}

int probe_srs(struct probe_args a)
{
	struct slice secret[8], domain;
	const char *text, *ours = probe_option(&a, "domain");
	struct srs s = { .secret = secret, .domain = slice_of(ours ? ours : "example.com") };
	uint8_t local_mem[PATH_LOCAL], mem[PATH_LOCAL + 8];
	struct buf local = BUF(local_mem), out = BUF(mem);
	enum srs_result r;
	struct path p;
	bool forward;

	/* four characters: what other implementations make unless told */
	s.hash = probe_number(&a, "hash", 4, SRS_HASH_MAX);
	s.least = probe_number(&a, "least", 0, SRS_HASH_MAX);
	s.day = probe_number(&a, "time", (uint64_t)time(NULL), INT64_MAX) / 86400;
	while (s.nsecret < 8 && (text = probe_option(&a, "secret")))
		secret[s.nsecret++] = slice_of(text);
	if (!s.nsecret || !s.hash)
		return probe_wrong("srs needs --secret");
	if (!probe_words(&a, 2, 2))
		return PROBE_USAGE;
	forward = !strcmp(a.v[0], "forward");
	if (!forward && strcmp(a.v[0], "reverse") != 0)
		return probe_wrong("srs forward or srs reverse");
	if (!path_addr(slice_of(a.v[1]), 0, &p)) {
		puts("error not an address");
		return 0;
	}
	path_local(&p, &local);
	if (forward) {
		domain = s.domain;
		r = srs_forward(&s, buf_slice(&local), p.domain, &out);
		if (r == SRS_OWN) {
			domain = p.domain;
			out = local;
		}
	} else {
		r = srs_reverse(&s, buf_slice(&local), &out, &domain);
	}
	return srs_verdict(r, buf_slice(&out),
			   r == SRS_OK || r == SRS_OWN ? domain : SLICE(""));
}

int probe_cdb(struct probe_args a)
{
	struct cdb c;
	int fd;

	if (!probe_words(&a, 2, 2))
		return PROBE_USAGE;
	fd = open(a.v[0], O_RDONLY | O_CLOEXEC);
	if (fd < 0 || cdb_init(&c, fd) < 0) {
		perror(a.v[0]);
		return PROBE_USAGE;
	}
	switch (cdb_find(&c, a.v[1], strlen(a.v[1]))) {
	case 0:
		puts("none");
		return 0;
	case 1:
		fputs("ok ", stdout);
		probe_write((struct slice){ cdb_getdata(&c), cdb_datalen(&c) });
		putchar('\n');
		return 0;
	default:
		return probe_wrong("the map is damaged");
	}
}
