/* SPDX-License-Identifier: ISC */
/*
 * load: the near end of a benchmark. Submits letters over a number of connections at once and tells how long each
 * took. A letter that is refused is offered again; nothing is counted twice.
 *
 *	load --to ADDRESS --port N [--from ADDRESS] [--tls start|wrap] [--user NAME --password WORD]
 *	     [--letters N] [--parallel N] [--kept N] [--size OCTETS] [--rcpts N] [--domains N] [--rcpt ADDRESS]
 *	     [--sender ADDRESS] [--first N] [--pace MS] [--for SECONDS]
 *
 * --kept: letters of one connection, 1 unless told. Recipients are r<number>@DOMAIN, where DOMAIN may hold one %, the
 * number modulo --domains; --rcpt ADDRESS is one for all. --for: after that time no further letter is begun.
 * Latencies: `dot` from the octet behind the final dot to the 250, `all` from the connection to the 250.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/bench/tube.h"

enum { PARALLEL = 1024, AGAIN_NS = 50 * 1000 * 1000, GIVE_UP = 100000 };

enum step { BANNER, EHLO, STARTTLS, HANDSHAKE, AUTH, ENVELOPE, LETTER, QUIT, PAUSE };

struct slot {
	struct tube w; /* first member: epoll's tag is the slot */
	enum step step;
	unsigned replies; /* still to come for ENVELOPE */
	unsigned here;	  /* letters of this connection */
	uint32_t number;  /* of the letter */
	bool last;	  /* QUIT went with the letter */
	bool has;	  /* a letter: it was drawn, and not taken by the server yet */
	int64_t began, dot, due;
};

struct load {
	int epoll;
	struct sockaddr_in to, from;
	SSL_CTX *tls;
	SSL_SESSION *session;
	bool wrap, start;
	const char *domain, *rcpt, *sender, *user, *password;
	unsigned letters, parallel, kept, rcpts, domains, first;
	int64_t pace, time;
	size_t size, nbody;
	char *body; /* the same for all */
	uint32_t drawn, done, refused, live;
	int64_t t_begin, t_end;
	double *dots, *alls; /* ms */
	char auth[512];
	struct slot slot[PARALLEL];
};

static void begin(struct load *l, struct slot *s);

static void put(struct slot *s, const char *text)
{
	tube_put(&s->w, text, strlen(text));
}

/* ---- the letter ---- */

static void make_body(struct load *l)
{
	static const char line[] =
		"The quick brown fox jumps over the lazy dog, and nobody is surprised.\r\n";

	l->body = malloc(l->size + sizeof line);
	if (!l->body)
		tube_die("memory", "none");
	while (l->nbody < l->size) {
		memcpy(l->body + l->nbody, line, sizeof line - 1);
		l->nbody += sizeof line - 1;
	}
}

static void put_letter(struct load *l, struct slot *s)
{
	char head[1024];
	int n = snprintf(
		head, sizeof head,
		"From: Bench <%s>\r\nTo: Somebody <somebody@bench.example>\r\nSubject: letter number %u\r\n"
		"Date: Mon, 23 Nov 2026 10:00:00 +0000\r\nMessage-ID: <bench.%u@example.org>\r\nX-Bench: %u\r\n"
		"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n",
		l->sender, s->number, s->number, s->number);
	size_t body = l->nbody > (size_t)n + 76 ? l->nbody - (size_t)n : 76;

	body -= body % 71; /* whole lines */
	tube_put(&s->w, head, (size_t)n);
	tube_put(&s->w, l->body, body);
	put(s, ".\r\n");
	s->last = s->here + 1 == l->kept || l->drawn == l->letters;
	if (s->last)
		put(s, "QUIT\r\n");
}

static void put_envelope(struct load *l, struct slot *s)
{
	char line[512], domain[256];

	snprintf(line, sizeof line, "MAIL FROM:<%s>\r\n", l->sender);
	put(s, line);
	for (unsigned i = 0; i < l->rcpts; i++) {
		unsigned k = s->number * l->rcpts + i;

		if (l->rcpt) {
			snprintf(line, sizeof line, "RCPT TO:<%s>\r\n", l->rcpt);
		} else {
			const char *at = strchr(l->domain, '%');

			if (at)
				snprintf(domain, sizeof domain, "%.*s%u%s",
					 (int)(at - l->domain), l->domain, k % l->domains,
					 at + 1);
			snprintf(line, sizeof line, "RCPT TO:<r%u@%s>\r\n", k,
				 at ? domain : l->domain);
		}
		put(s, line);
	}
	put(s, "DATA\r\n");
	s->replies = 2 + l->rcpts;
	s->step = ENVELOPE;
}

/* ---- connections ---- */

static void draw(struct load *l, struct slot *s)
{
	if (!s->has) {
		s->number = l->first + l->drawn++;
		s->has = true;
	}
}

static void hang_up(struct load *l, struct slot *s, int64_t pause)
{
	tube_close(&s->w);
	if (l->time && tube_clock() - l->t_begin > l->time)
		l->letters = l->drawn;
	if (l->drawn < l->letters)
		draw(l, s);
	if (!s->has) {
		s->step = PAUSE;
		s->due = INT64_MAX;
		l->live--;
		return;
	}
	if (!pause) {
		begin(l, s);
		return;
	}
	s->step = PAUSE;
	s->due = tube_clock() + pause;
}

static void refused(struct load *l, struct slot *s, const char *line, size_t n)
{
	if (l->refused++ < 5)
		fprintf(stderr, "load: step %d: %.*s\n", s->step, (int)n, line);
	if (l->refused > GIVE_UP)
		tube_die("load", "too many refusals");
	hang_up(l, s, AGAIN_NS);
}

static void begin(struct load *l, struct slot *s)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0)
		tube_die("socket", strerror(errno));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	setsockopt(fd, SOL_IP, 24 /* IP_BIND_ADDRESS_NO_PORT */, &on, sizeof on);
	if (bind(fd, (struct sockaddr *)&l->from, sizeof l->from))
		tube_die("bind", strerror(errno));
	s->here = 0;
	s->began = tube_clock();
	if (connect(fd, (struct sockaddr *)&l->to, sizeof l->to) && errno != EINPROGRESS)
		tube_die("connect", strerror(errno));
	tube_open(&s->w, l->epoll, fd, s);
	s->step = BANNER;
	if (l->wrap) {
		/* The handshake begins when the socket is writable: the next event. */
		tube_tls(&s->w, l->tls, l->session, false);
		epoll_ctl(l->epoll, EPOLL_CTL_MOD, fd,
			  &(struct epoll_event){ .events = EPOLLIN | EPOLLOUT, .data.ptr = s });
		s->w.asked = EPOLLIN | EPOLLOUT;
	}
}

static void next_letter(struct load *l, struct slot *s)
{
	draw(l, s);
	put_envelope(l, s);
}

static void taken(struct load *l, struct slot *s)
{
	int64_t now = tube_clock();

	l->dots[l->done] = (double)(now - s->dot) / 1e6;
	l->alls[l->done++] = (double)(now - s->began) / 1e6;
	l->t_end = now;
	s->has = false;
	s->here++;
	if (s->last || l->drawn == l->letters) {
		if (!s->last)
			put(s, "QUIT\r\n");
		s->step = QUIT;
		return;
	}
	s->began = now;
	next_letter(l, s);
}

static void after_hello(struct load *l, struct slot *s)
{
	if (l->start && !s->w.ssl) {
		put(s, "STARTTLS\r\n");
		s->step = STARTTLS;
	} else if (l->auth[0]) {
		put(s, l->auth);
		s->step = AUTH;
	} else {
		next_letter(l, s);
	}
}

static void hello(struct slot *s)
{
	put(s, "EHLO client.example.net\r\n");
	s->step = EHLO;
}

/* One whole reply; `line` is its last line. False: the connection is over or new. */
static bool on_reply(struct load *l, struct slot *s, const char *line, size_t n)
{
	static const char good[] = {
		[BANNER] = '2', [EHLO] = '2',	  [STARTTLS] = '2', [HANDSHAKE] = '2',
		[AUTH] = '2',	[ENVELOPE] = '2', [LETTER] = '2',   [QUIT] = '2'
	};

	if (s->step == ENVELOPE && s->replies == 1 ? line[0] != '3'
						   : line[0] != good[s->step]) {
		refused(l, s, line, n);
		return false;
	}
	switch (s->step) {
	case BANNER:
		hello(s);
		break;
	case EHLO:
		after_hello(l, s);
		break;
	case STARTTLS:
		tube_tls(&s->w, l->tls, l->session, false);
		s->step = HANDSHAKE;
		return true;
	case AUTH:
		next_letter(l, s);
		break;
	case ENVELOPE:
		if (--s->replies)
			break;
		put_letter(l, s);
		s->step = LETTER;
		s->dot = 0;
		break;
	case LETTER:
		taken(l, s);
		break;
	case QUIT:
		hang_up(l, s, l->pace);
		return false;
	default:
		break;
	}
	return true;
}

/* Sends what waits. False: the connection broke. */
static bool flush(struct load *l, struct slot *s)
{
	if (!tube_flush(&s->w, l->epoll, s))
		return false;
	if (!s->w.shaking && s->step == HANDSHAKE) { /* whichever call ended it */
		hello(s);
		if (!tube_flush(&s->w, l->epoll, s))
			return false;
	}
	if (s->step == LETTER && !s->dot && !s->w.nout)
		s->dot = tube_clock();
	return true;
}

/* Whole replies in the buffer. False: the connection is over or new. */
static bool replies(struct load *l, struct slot *s)
{
	size_t at = 0;
	const char *p = (const char *)s->w.in;
	const char *end;

	while ((end = memchr(p + at, '\n', s->w.nin - at))) {
		size_t n = (size_t)(end - p) - at + 1;
		size_t line = at;

		at += n;
		if (n > 3 && p[line + 3] == '-')
			continue;
		if (!on_reply(l, s, p + line, n))
			return false;
		if (s->w.shaking)
			return flush(l, s);
	}
	tube_eat(&s->w, at);
	return flush(l, s);
}

static void on_slot(struct load *l, struct slot *s)
{
	enum tube_got got;

	if (s->w.fd < 0)
		return;
	got = tube_read(&s->w);
	while (got == TUBE_OCTETS) {
		if (!replies(l, s)) {
			if (s->w.fd >= 0 && s->step != BANNER)
				refused(l, s, "broken", 6);
			return;
		}
		if (!s->w.ssl)
			return;
		got = tube_read(&s->w);
	}
	if (got == TUBE_CLOSED && s->step == QUIT)
		hang_up(l, s, l->pace);
	else if (got == TUBE_CLOSED || !flush(l, s))
		refused(l, s, "closed", 6);
}

/* ---- start and end ---- */

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void report(struct load *l)
{
	struct rusage u;
	unsigned p50 = l->done / 2, p99 = l->done - 1 - l->done / 100;

	getrusage(RUSAGE_SELF, &u);
	qsort(l->dots, l->done, sizeof *l->dots, by_size);
	qsort(l->alls, l->done, sizeof *l->alls, by_size);
	printf("letters %u refused %u first %lld last %lld dot_p50 %.3f dot_p99 %.3f all_p50 %.3f all_p99 %.3f "
	       "all_max %.3f cpu_us %lld\n",
	       l->done, l->refused, (long long)l->t_begin, (long long)l->t_end, l->dots[p50],
	       l->dots[p99], l->alls[p50], l->alls[p99], l->alls[l->done - 1],
	       (long long)((u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 +
			   u.ru_utime.tv_usec + u.ru_stime.tv_usec));
}

static void make_auth(struct load *l)
{
	char plain[300];
	uint8_t blob[420];
	int n;

	if (!l->user)
		return;
	n = snprintf(plain, sizeof plain, "%c%s%c%s", 0, l->user, 0,
		     l->password ? l->password : "");
	EVP_EncodeBlock(blob, (const uint8_t *)plain, n);
	snprintf(l->auth, sizeof l->auth, "AUTH PLAIN %s\r\n", (const char *)blob);
}

enum word {
	TO,
	PORT,
	FROM,
	TLS,
	USER,
	PASSWORD,
	LETTERS,
	N_PARALLEL,
	KEPT,
	SIZE,
	RCPTS,
	DOMAINS,
	DOMAIN,
	RCPT,
	SENDER,
	FIRST,
	PACE,
	TIME
};

static const struct option options[] = { { "to", 1, NULL, TO },
					 { "port", 1, NULL, PORT },
					 { "from", 1, NULL, FROM },
					 { "tls", 1, NULL, TLS },
					 { "user", 1, NULL, USER },
					 { "password", 1, NULL, PASSWORD },
					 { "letters", 1, NULL, LETTERS },
					 { "parallel", 1, NULL, N_PARALLEL },
					 { "kept", 1, NULL, KEPT },
					 { "size", 1, NULL, SIZE },
					 { "rcpts", 1, NULL, RCPTS },
					 { "domains", 1, NULL, DOMAINS },
					 { "domain", 1, NULL, DOMAIN },
					 { "rcpt", 1, NULL, RCPT },
					 { "sender", 1, NULL, SENDER },
					 { "first", 1, NULL, FIRST },
					 { "pace", 1, NULL, PACE },
					 { "for", 1, NULL, TIME },
					 { NULL, 0, NULL, 0 } };

static void set_option(struct load *l, int which, const char *v)
{
	unsigned n = (unsigned)strtoul(v, NULL, 10);
	unsigned *number[] = {
		[LETTERS] = &l->letters, [N_PARALLEL] = &l->parallel, [KEPT] = &l->kept,
		[RCPTS] = &l->rcpts,	 [DOMAINS] = &l->domains,     [FIRST] = &l->first
	};
	const char **word[] = { [USER] = &l->user,
				[PASSWORD] = &l->password,
				[DOMAIN] = &l->domain,
				[RCPT] = &l->rcpt,
				[SENDER] = &l->sender };

	switch (which) {
	case TO:
	case FROM:
		if (inet_pton(AF_INET, v, which == TO ? &l->to.sin_addr : &l->from.sin_addr) !=
		    1)
			tube_die(v, "no address");
		break;
	case PORT:
		l->to.sin_port = htons((uint16_t)n);
		break;
	case TLS:
		l->wrap = !strcmp(v, "wrap");
		l->start = !strcmp(v, "start");
		break;
	case SIZE:
		l->size = n;
		break;
	case PACE:
		l->pace = n * 1000000ll;
		break;
	case TIME:
		l->time = n * 1000000000ll;
		break;
	default:
		if ((size_t)which < sizeof number / sizeof *number && number[which])
			*number[which] = n;
		else if ((size_t)which < sizeof word / sizeof *word && word[which])
			*word[which] = v;
		else
			tube_die("usage", "see the head of load.c");
	}
}

static void prepare(struct load *l)
{
	if (!l->letters || !l->parallel || l->parallel > PARALLEL || !l->kept || !l->domains)
		tube_die("usage", "see the head of load.c");
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	l->dots = calloc(l->letters, sizeof *l->dots);
	l->alls = calloc(l->letters, sizeof *l->alls);
	l->tls = SSL_CTX_new(TLS_client_method());
	if (!l->dots || !l->alls || !l->tls)
		tube_die("memory", "none");
	SSL_CTX_set_mode(l->tls,
			 SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	/* What both sides have; a key share that one of them cannot use would only cost us time. */
	SSL_CTX_set_max_proto_version(l->tls, TLS1_2_VERSION);
	make_body(l);
	make_auth(l);
	l->live = l->parallel;
}

static int64_t wake(struct load *l)
{
	int64_t now = tube_clock(), due = INT64_MAX;

	for (unsigned i = 0; i < l->parallel; i++) {
		struct slot *s = &l->slot[i];

		if (s->step != PAUSE)
			continue;
		if (s->due <= now)
			begin(l, s);
		else if (s->due < due)
			due = s->due;
	}
	return due;
}

int main(int argc, char **argv)
{
	static struct load l = { .to.sin_family = AF_INET,
				 .from.sin_family = AF_INET,
				 .letters = 1000,
				 .parallel = 20,
				 .kept = 1,
				 .size = 4096,
				 .rcpts = 1,
				 .domains = 1,
				 .domain = "sink.example",
				 .sender = "app@example.org" };
	struct epoll_event e[256];
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0)
		set_option(&l, c, optarg ? optarg : "");
	prepare(&l);
	l.t_begin = tube_clock();
	for (unsigned i = 0; i < l.parallel; i++) {
		if (l.drawn < l.letters)
			draw(&l, &l.slot[i]);
		if (l.slot[i].has) {
			begin(&l, &l.slot[i]);
		} else {
			l.slot[i].step = PAUSE;
			l.slot[i].due = INT64_MAX;
			l.live--;
		}
	}
	while (l.live) {
		int64_t due = wake(&l);
		int n = epoll_wait(
			l.epoll, e, 256,
			due == INT64_MAX ? -1 : (int)((due - tube_clock()) / 1000000 + 1));

		for (int i = 0; i < n; i++)
			on_slot(&l, e[i].data.ptr);
	}
	report(&l);
	return 0;
}
