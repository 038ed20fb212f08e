/* SPDX-License-Identifier: ISC */
/*
 * bench-logins [TRIES]: auth's modules in a process of their own, asked over a channel as front asks. Prints the processor
 * time of a right token, and for names that have an account and names that have none, in random order: how long a wrong
 * password takes to be answered, and the first message of SCRAM; with Welch's t, of all and without the slowest tenth.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <math.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "keys/auth/host/sourcefile.h"
#include "keys/auth/login.h"

enum {
	TRIES = 100000,
	TOKENS = 20000,
	ACCOUNTS = 100,
	CREDIT = CONFIG_SMTPD_MAX_SESSIONS,
	OPEN = CREDIT < 128 ? CREDIT : 128, /* no more fit a socket's buffer as it comes */
};

static struct loop loop;
static struct chan chan;
static uint8_t rx[MSG_MAX];

static int64_t now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static _Noreturn void fail(const char *what)
{
	perror(what);
	exit(1);
}

/* ---- auth ---- */

static void put(struct entries *all, const char *name, enum passhash_kind kind,
		const char *password)
{
	uint8_t mem[PASSHASH_MAX + 32];
	struct buf b = BUF(mem);

	passhash_make(kind, slice_of(password), &b);
	buf_put(&b, SLICE(" @example.org"));
	entries_add(all, slice_of(name), buf_slice(&b), 1, 0);
}

static int users(void)
{
	char path[] = "/tmp/bench-logins.XXXXXX", name[32];
	struct entries all = { 0 };
	struct complaint why = { 0 };
	int fd = mkstemp(path);

	for (int i = 0; i < ACCOUNTS; i++) {
		snprintf(name, sizeof name, "user%04d", 2 * i);
		put(&all, name, i % 2 ? PASSHASH_TOKEN : PASSHASH_SCRAM, "token");
	}
	entries_add(&all, SLICE(PASSHASH_PEPPER), SLICE("pepper"), 0, 0);
	if (fd < 0 || !entries_sort(&all, &why) || !source_cdb(path, &all))
		fail(path);
	close(fd);
	fd = open(path, O_RDONLY);
	unlink(path);
	entries_free(&all);
	return fd;
}

/* Serves until the far end is closed. dear: PLAIN's wrong passwords cost what SCRAM's keys do. */
static _Noreturn void serve(int fd, bool dear)
{
	static const uint8_t key[CTL_GRANT_KEY] = { 5 };
	static struct login login;

	loop_init(&loop, 4);
	chan_init(&chan, &loop, P_FRONT_SUB, CREDIT, rx);
	chan.rules = login_rules;
	chan.nrules = AUTH_TYPES;
	chan.ctx = &login;
	chan_wire(&chan, fd, 1);
	login_init(&login, &loop, users(), key);
	login.have[PASSHASH_SCRAM] = dear;
	while (chan_wired(&chan))
		loop_round(&loop);
	_exit(0);
}

static pid_t start(bool dear)
{
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair))
		fail("socketpair");
	pid = fork();
	if (!pid) {
		close(pair[0]);
		freopen("/dev/null", "w", stderr); /* the log */
		serve(pair[1], dear);
	}
	close(pair[1]);
	loop_init(&loop, 4);
	chan_init(&chan, &loop, P_AUTH, CREDIT, rx);
	chan_wire(&chan, pair[0], 1);
	return pid;
}

/* Seconds of processor time that it took. */
static double stop(pid_t pid)
{
	struct rusage r;
	int status;

	close(chan.watch.fd);
	if (wait4(pid, &status, 0, &r) != pid)
		fail("wait4");
	return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
	       (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

/* ---- who asks ---- */

struct
try {
	struct ask ask; /* first */
	bool busy, known;
	int64_t from;
};

static struct {
	double *took[2]; /* us, of unknown and known names */
	size_t n[2];
	unsigned result;
	size_t answered;
} seen;

static void on_reply(struct ask *a, const void *reply, struct slice tail)
{
	struct try *t = (struct try *)(void *)a;

	(void)tail;
	if (!reply)
		fail("no answer");
	seen.result = ((const struct auth_reply *)reply)->result;
	if (seen.took[t->known])
		seen.took[t->known][seen.n[t->known]++] =
			(double)(now_ns(CLOCK_MONOTONIC) - t->from) / 1e3;
	seen.answered++;
	t->busy = false;
}

static void ask(struct try *t, uint16_t type, bool known)
{
	static const struct want want[AUTH_TYPES] = {
		[AUTH_LOGIN] = { AUTH_LOGIN, sizeof(struct auth_reply), AUTH_GRANT_MAX },
		[AUTH_SCRAM_FIRST] = { AUTH_SCRAM_FIRST, sizeof(struct auth_reply),
				       AUTH_SCRAM_TEXT_MAX },
	};
	struct auth_login login = { .user_len = 8 };
	struct auth_scram scram = { .zero = { 0 } };
	char text[64];
	unsigned number = 2 * randombytes_uniform(ACCOUNTS) + !known;
	bool first = type == AUTH_SCRAM_FIRST;
	int n = snprintf(text, sizeof text,
			 first ? "n,,n=user%04u,r=0123456789abcdef" : "user%04uwrong", number);

	/* Each from an address of its own, which has failed nowhere. */
	randombytes_buf(login.peer, sizeof login.peer);
	memcpy(scram.peer, login.peer, sizeof scram.peer);
	*t = (struct try){ .ask.done = on_reply, .busy = true, .known = known };
	t->from = now_ns(CLOCK_MONOTONIC);
	if (!chan_ask(&chan, &t->ask, first ? (void *)&scram : (void *)&login,
		      first ? sizeof scram : sizeof login,
		      (struct slice){ (const uint8_t *)text, (size_t)n }, NULL, 0, &want[type],
		      60000))
		fail("ask");
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void moments(const double *x, size_t n, double *mean, double *var)
{
	double sum = 0, square = 0;

	for (size_t i = 0; i < n; i++)
		sum += x[i];
	*mean = sum / (double)n;
	for (size_t i = 0; i < n; i++)
		square += (x[i] - *mean) * (x[i] - *mean);
	*var = square / (double)(n - 1);
}

static double welch(double *const x[2], const size_t n[2])
{
	double mean[2], var[2];

	for (int i = 0; i < 2; i++)
		moments(x[i], n[i], &mean[i], &var[i]);
	return (mean[1] - mean[0]) / sqrt(var[0] / (double)n[0] + var[1] / (double)n[1]);
}

/* at: tries that are open at a time, each begun when one was answered. */
static void compare(const char *what, uint16_t type, size_t tries, unsigned at, bool dear)
{
	static struct try open[CREDIT];
	pid_t pid = start(dear);
	double mean[2], var[2], all, most;
	size_t asked = 0, less[2];

	memset(&seen, 0, sizeof seen);
	for (int i = 0; i < 2; i++)
		seen.took[i] = malloc(tries * sizeof(double));
	while (seen.answered < tries) {
		for (unsigned i = 0; i < at && asked < tries; i++)
			if (!open[i].busy) {
				ask(&open[i], type, randombytes_uniform(2));
				asked++;
			}
		loop_round(&loop);
	}
	for (int i = 0; i < 2; i++)
		moments(seen.took[i], seen.n[i], &mean[i], &var[i]);
	all = welch(seen.took, seen.n);
	for (int i = 0; i < 2; i++) {
		qsort(seen.took[i], seen.n[i], sizeof(double), by_size);
		less[i] = seen.n[i] * 9 / 10;
	}
	most = welch(seen.took, less);
	printf("bench logins %s tries %zu known %.1f us (%.1f) unknown %.1f us (%.1f) t %.2f t90 %.2f target 4.5\n",
	       what, tries, mean[1], sqrt(var[1]), mean[0], sqrt(var[0]), all, most);
	fflush(stdout);
	stop(pid);
	free(seen.took[0]);
	free(seen.took[1]);
}

static void tokens(void)
{
	static const struct want want = { AUTH_LOGIN, sizeof(struct auth_reply),
					  AUTH_GRANT_MAX };
	pid_t pid = start(true);
	double own = 0;

	memset(&seen, 0, sizeof seen);
	for (size_t i = 0; i < TOKENS; i++) {
		struct try t = { .ask.done = on_reply };
		struct auth_login m = { .user_len = 8, .peer = { 1 } };
		size_t before = seen.answered;

		if (!chan_ask(&chan, &t.ask, &m, sizeof m, SLICE("user0002token"), NULL, 0,
			      &want, 5000))
			fail("ask");
		while (seen.answered == before)
			loop_round(&loop);
		if (seen.result != AUTH_YES)
			fail("a right token is refused");
	}
	own = stop(pid);
	printf("bench logins token %.1f us of processor time target 1000\n",
	       own / TOKENS * 1e6);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	size_t tries = argc > 1 ? strtoul(argv[1], NULL, 10) : TRIES;

	if (sodium_init() < 0 || tries < 100)
		return 2;
	tokens();
	compare("SCRAM-first", AUTH_SCRAM_FIRST, tries, 8, true);
	compare("wrong-password", AUTH_LOGIN, tries, OPEN, false);
	return 0;
}
