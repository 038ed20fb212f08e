/* SPDX-License-Identifier: ISC */
/* tinpost-user --file FILE [--domains "a b"] [--password] [--scram | --cram-md5] [--expires DATE] [--quota N]
 *	NAME SENDER[,SENDER]: adds an account; prints its token, or with --password takes a chosen password from the
 *	terminal or else from the first line of standard input.
 * tinpost-user --file FILE [--domains "a b"] [--scram] [--sender SENDER[,SENDER]] --import LIST: adds the accounts of a
 *	list (import.h), all or none; LIST is a file, or - for standard input. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "keys/auth/host/import.h"
#include "keys/auth/host/usersfile.h"
#include "keys/auth/passhash.h"
#include "smtpd/msg/auth.h"

struct options {
	const char *file, *name, *senders;
	const char *expires, *quota; /* NULL: not given */
	struct slice domains;
	const char *list, *sender; /* of --import */
	bool chosen, scram, cram;
};

static int usage(void)
{
	fputs("usage: tinpost-user --file FILE [--domains WORDS] [--password] [--scram | --cram-md5] "
	      "[--expires YYYY-MM-DD] [--quota N] NAME SENDER[,SENDER]\n"
	      "       tinpost-user --file FILE [--domains WORDS] [--scram] "
	      "[--sender SENDER[,SENDER]] --import LIST\n",
	      stderr);
	return 2;
}

static bool take_options(struct options *o, int argc, char **argv)
{
	static const struct option options[] = {
		{ "file", required_argument, NULL, 'f' },
		{ "domains", required_argument, NULL, 'd' },
		{ "password", no_argument, NULL, 'p' },
		{ "scram", no_argument, NULL, 's' },
		{ "cram-md5", no_argument, NULL, 'c' },
		{ "expires", required_argument, NULL, 'e' },
		{ "quota", required_argument, NULL, 'q' },
		{ "import", required_argument, NULL, 'i' },
		{ "sender", required_argument, NULL, 'S' },
		{ NULL, 0, NULL, 0 },
	};
	const char **text[128] = { ['f'] = &o->file,
				   ['e'] = &o->expires,
				   ['q'] = &o->quota,
				   ['i'] = &o->list,
				   ['S'] = &o->sender };
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'd')
			o->domains = slice_of(optarg);
		else if (c == 'p')
			o->chosen = true;
		else if (c == 's')
			o->scram = true;
		else if (c == 'c')
			o->cram = true;
		else if (c != '?')
			*text[c] = optarg;
		else
			return false;
	}
	if (o->cram && (o->chosen || o->scram))
		return false;
	if (o->list)
		return argc == optind && o->file && !o->chosen && !o->cram && !o->expires &&
		       !o->quota;
	if (argc - optind != 2 || !o->file || o->sender)
		return false;
	o->name = argv[optind];
	o->senders = argv[optind + 1];
	return true;
}

/* May this account be added to what stands in the file? */
static bool is_new(const struct options *o, struct slice text, struct complaint *why)
{
	struct entries all = { 0 };
	struct entry *e = NULL;
	bool ok = usersfile_parse(text, (struct slice){ NULL, 0 }, &all, why);

	if (ok)
		e = entries_find(&all, slice_of(o->name));
	if (e)
		ok = complain(why, e->line, "there is an account %s already", o->name);
	entries_free(&all);
	return ok;
}

static bool read_line(struct buf *out)
{
	int c;

	while ((c = getchar()) != EOF && c != '\n')
		buf_u8(out, (uint8_t)c);
	return !out->bad;
}

/* Typed twice, and not seen. */
static bool type(struct buf *out)
{
	char *once = getpass("Password: ");
	bool same;

	if (!once)
		return false;
	buf_put(out, slice_of(once));
	once = getpass("Once more: ");
	same = once && slice_eq(slice_of(once), buf_slice(out));
	if (once)
		sodium_memzero(once, strlen(once));
	if (!same)
		fputs("the two are not the same\n", stderr);
	return same;
}

static bool take_password(struct buf *out)
{
	if (!(isatty(STDIN_FILENO) ? type(out) : read_line(out)) && !out->bad)
		return false;
	if (!out->bad && out->len >= PASSHASH_CHOSEN_MIN)
		return true;
	fprintf(stderr, "a chosen password has %d to %d octets\n", (int)PASSHASH_CHOSEN_MIN,
		(int)AUTH_PASSWORD_MAX);
	return false;
}

/* One write, so that the line is there or not. A last line without its end gets it first. */
static bool append(const char *path, struct slice text, struct slice line)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	bool ends = !text.n || text.p[text.n - 1] == '\n', ok;

	if (fd < 0)
		return false;
	line = slice_from(line, ends);
	ok = write(fd, line.p, line.n) == (ssize_t)line.n && fsync(fd) == 0;
	return close(fd) == 0 && ok;
}

static void put_limits(const struct options *o, struct buf *line)
{
	if (o->expires) {
		buf_put(line, SLICE(" expires="));
		buf_put(line, slice_of(o->expires));
	}
	if (o->quota) {
		buf_put(line, SLICE(" quota="));
		buf_put(line, slice_of(o->quota));
	}
}

static bool put_line(const struct options *o, struct slice password, struct buf *line)
{
	enum passhash_kind kind = o->cram     ? PASSHASH_CRAM
				  : o->scram  ? PASSHASH_SCRAM
				  : o->chosen ? PASSHASH_CHOSEN
					      : PASSHASH_TOKEN;

	buf_u8(line, '\n'); /* used where the last line has no end */
	buf_put(line, slice_of(o->name));
	buf_u8(line, ' ');
	if (!passhash_make(kind, password, line))
		return false;
	buf_u8(line, ' ');
	buf_put(line, slice_of(o->senders));
	put_limits(o, line);
	buf_u8(line, '\n');
	return !line->bad;
}

/* The token is out before the account is recorded: one that nobody saw must not be. */
static bool show(const struct options *o, const struct buf *password)
{
	if (o->chosen)
		return true;
	printf("Password of %s, shown this once: %.*s\n", o->name, (int)password->len,
	       (char *)password->p);
	if (fflush(stdout) == 0 && !ferror(stdout))
		return true;
	perror("standard output");
	fprintf(stderr, "the password could not be shown: no account was made\n");
	return false;
}

/* Makes the password, or takes it, and records the account. */
static bool record(const struct options *o, struct slice text, struct buf *password)
{
	uint8_t mem[4096];
	struct buf line = BUF(mem);

	if (o->chosen && !take_password(password))
		return false;
	if (!o->chosen)
		passhash_token(password);
	if (!put_line(o, buf_slice(password), &line)) {
		fputs("the account does not fit a line\n", stderr);
		return false;
	}
	if (!show(o, password))
		return false;
	if (append(o->file, text, buf_slice(&line)))
		return true;
	source_failed(o->file);
	fputs("the account was not recorded: look for a part of its line there; its password is "
	      "void\n",
	      stderr);
	return false;
}

/* Without the empty lines; the first octet stays. */
static struct slice squeezed(struct slice s)
{
	uint8_t *to = (uint8_t *)(uintptr_t)s.p;
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		if (!i || s.p[i] != '\n' || to[n - 1] != '\n')
			to[n++] = s.p[i];
	return (struct slice){ s.p, n };
}

/* What was made up is shown before anything is recorded. */
static bool record_all(const struct options *o, struct slice text, struct slice lines,
		       const struct buf *shown)
{
	fwrite(shown->p, 1, shown->len, stdout);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		perror("standard output");
		return false;
	}
	if (!append(o->file, text, lines)) {
		source_failed(o->file);
		return false;
	}
	return true;
}

static int import(const struct options *o, struct slice text)
{
	bool piped = !strcmp(o->list, "-");
	struct entries have = { 0 };
	struct import how = { slice_of(o->sender), o->domains, o->scram, &have };
	struct complaint why = { 0 };
	struct buf lines = { .len = 0 }, shown = { .len = 0 };
	struct slice list;
	size_t room = IMPORT_ROOM;
	bool ok = false;

	if (!source_read(piped ? "/dev/stdin" : o->list, &list))
		return source_failed(o->list);
	for (size_t i = 0; i < list.n; i++)
		room += list.p[i] == '\n' ? IMPORT_ROOM : 0;
	lines = (struct buf){ .p = malloc(room), .cap = room };
	shown = (struct buf){ .p = malloc(room), .cap = room };
	if (!lines.p || !shown.p)
		fputs("no memory\n", stderr);
	else if (!usersfile_parse(text, (struct slice){ NULL, 0 }, &have, &why))
		complaint_print(o->file, &why);
	else if (buf_u8(&lines, '\n'), !import_list(list, &how, &lines, &shown, &why))
		complaint_print(piped ? "row" : o->list, &why);
	else
		ok = record_all(o, text, squeezed(buf_slice(&lines)), &shown);
	if (ok)
		fprintf(stderr, "%s: imported into %s\n", piped ? "rows" : o->list, o->file);
	if (shown.p)
		sodium_memzero(shown.p, shown.len);
	free(shown.p);
	free(lines.p);
	entries_free(&have);
	free((void *)(uintptr_t)list.p);
	return !ok;
}

int main(int argc, char **argv)
{
	uint8_t secret[AUTH_PASSWORD_MAX], rights[AUTH_GRANT_MAX], words[200];
	struct buf password = BUF(secret), scratch = BUF(rights), limits = BUF(words);
	struct slice text = { NULL, 0 };
	struct complaint why = { 0 };
	struct options o = { 0 };
	int code = 1;

	if (!take_options(&o, argc, argv))
		return usage();
	put_limits(&o, &limits);
	if (o.cram && !ON(CONFIG_AUTH_LEGACY_CRAM_MD5)) {
		fputs("CRAM-MD5 is not offered here: see AUTH_LEGACY_CRAM_MD5\n", stderr);
	} else if (sodium_init() < 0 || (!source_read(o.file, &text) && errno != ENOENT)) {
		source_failed(o.file);
	} else if (o.list) {
		code = import(&o, text);
	} else if (!usersfile_name_ok(slice_of(o.name))) {
		fprintf(stderr, "NAME: 1 to %d letters, digits and . _ + - @\n",
			(int)AUTH_USER_MAX);
	} else if (!usersfile_rights(slice_of(o.senders), o.domains, &scratch, &why)) {
		complaint_print("SENDER", &why);
	} else if (limits.bad || !usersfile_limits(buf_slice(&limits), &scratch, &why)) {
		complaint_print("EXPIRES, QUOTA", &why);
	} else if (!is_new(&o, text, &why)) {
		complaint_print(o.file, &why);
	} else if (record(&o, text, &password)) {
		code = 0;
	}
	sodium_memzero(secret, sizeof secret);
	free((void *)(uintptr_t)text.p);
	return code;
}
