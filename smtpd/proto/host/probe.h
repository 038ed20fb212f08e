/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_PROTO_HOST_PROBE_H
#define SMTPD_PROTO_HOST_PROBE_H

#include "smtpd/lib/bytes.h"

/* A host tool: it may take memory and read files. Every verb prints its verdict first on standard output and
 * gives 0, or explains a wrong call on standard error and gives PROBE_USAGE. */
enum { PROBE_USAGE = 2 };

struct probe_args {
	int n;
	char **v;
};

/* Takes "--name VALUE" out of *a; NULL: it is not there. The program ends where VALUE is missing. */
const char *probe_option(struct probe_args *a, const char *name);
/* "--name NUMBER", or the default. The program ends where it is no number up to max. */
uint64_t probe_number(struct probe_args *a, const char *name, uint64_t otherwise, uint64_t max);
/* True when exactly n words are left and none begins with "--"; else says so. */
bool probe_words(const struct probe_args *a, int least, int most);

/* A whole file, or standard input when path is NULL. The program ends where it cannot be read. */
struct slice probe_read(const char *path);
/* Every LF without CR before it becomes CRLF. */
struct slice probe_crlf(struct slice text);
void probe_write(struct slice s);
int probe_wrong(const char *what); /* prints it; PROBE_USAGE */

int probe_path(struct probe_args a);
int probe_reply(struct probe_args a);
int probe_gmail(struct probe_args a);
int probe_srs(struct probe_args a);
int probe_cdb(struct probe_args a);
int probe_dkim_sign(struct probe_args a);
int probe_dkim_verify(struct probe_args a);
int probe_spf(struct probe_args a);
int probe_dmarc(struct probe_args a);
int probe_records(struct probe_args a);

struct dkim_verify;
struct dnsmsg_answer;

/* The file named last, or standard input. A letter without any CR is a text file of this machine: its lines get the
 * line ends of mail. */
struct slice probe_letter(struct probe_args *a);
/* Judges all signatures of a letter with the keys in the zone. */
void probe_signatures(const char *zone_file, struct slice zone, struct slice text, uint64_t now,
		      struct dkim_verify *v);
/* zone_find(); the program ends where a line of the zone cannot be read. */
void probe_find(const char *zone_file, struct slice zone, struct slice name, uint16_t type,
		struct dnsmsg_answer *out);

#endif
