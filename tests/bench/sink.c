/* SPDX-License-Identifier: ISC */
/*
 * sink: the far end of a benchmark. Takes letters on port 25 of any number of addresses, throws them away and counts
 * the different ones.
 *
 *	sink [--cert FILE --key FILE] [--hang ADDRESS]... --listen ADDRESS...
 *
 * Clients of a --hang address are accepted and never spoken to. A letter is known by the number in its recipient,
 * r123@..., else by its field X-Bench: 123. Standard input takes commands: `wait N`, answered when N different ones are
 * here; `say`; `reset`. The answer is one line of counts and of monotonic nanoseconds.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/bench/tube.h"

enum { NUMBERS = 1 << 21, RCPTS = 1000, LISTENERS = 64, DONE_LINE = 256 };

struct client {
	struct tube w; /* first member: epoll's tag is the client */
	bool data, begun, quit;
	unsigned nrcpt;
	uint32_t rcpt[RCPTS]; /* numbers; NUMBERS: has none */
	uint32_t number;      /* of X-Bench */
	struct client *next;  /* free list */
};

struct listener {
	int fd;
	bool hangs;
};

struct sink {
	int epoll;
	SSL_CTX *tls;
	struct client *idle;
	struct listener listener[LISTENERS];
	unsigned nlistener;
	uint64_t letters, unique, twice, octets, connections, resumed, with_dkim;
	int64_t first, last;
	uint64_t waiting; /* 0: nobody asked */
	uint8_t seen[NUMBERS];
};

static void say(const struct sink *s)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	printf("letters %" PRIu64 " unique %" PRIu64 " twice %" PRIu64 " octets %" PRIu64
	       " connections %" PRIu64 " resumed %" PRIu64 " signed %" PRIu64 " first %" PRId64
	       " last %" PRId64 " cpu_us %lld\n",
	       s->letters, s->unique, s->twice, s->octets, s->connections, s->resumed,
	       s->with_dkim, s->first, s->last,
	       (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000ll + u.ru_utime.tv_usec +
		       u.ru_stime.tv_usec);
	fflush(stdout);
}

static void on_command(struct sink *s)
{
	char line[DONE_LINE];
	ssize_t n = read(0, line, sizeof line - 1);

	if (n <= 0)
		exit(0);
	line[n] = 0;
	if (!strncmp(line, "wait ", 5)) {
		s->waiting = strtoull(line + 5, NULL, 10);
		if (s->unique < s->waiting)
			return;
		s->waiting = 0;
	} else if (!strncmp(line, "reset", 5)) {
		s->letters = s->unique = s->twice = s->octets = s->connections = s->resumed =
			s->with_dkim = 0;
		s->first = s->last = 0;
		memset(s->seen, 0, sizeof s->seen);
	}
	say(s);
}

static void count(struct sink *s, uint32_t number)
{
	s->letters++;
	if (number >= NUMBERS || s->seen[number]) {
		s->twice++;
		return;
	}
	s->seen[number] = 1;
	s->unique++;
}

static uint32_t number_at(const uint8_t *p, const uint8_t *end)
{
	uint32_t n = 0;

	if (p == end || *p < '0' || *p > '9')
		return NUMBERS;
	for (; p < end && *p >= '0' && *p <= '9' && n < NUMBERS; p++)
		n = n * 10 + (uint32_t)(*p - '0');
	return n < NUMBERS ? n : NUMBERS;
}

static void end_of_letter(struct sink *s, struct client *c)
{
	s->last = tube_clock();
	if (!s->first)
		s->first = s->last;
	for (unsigned i = 0; i < c->nrcpt; i++)
		count(s, c->rcpt[i] < NUMBERS ? c->rcpt[i] : c->number);
	c->data = false;
	c->nrcpt = 0;
	tube_put(&c->w, "250 2.0.0 taken\r\n", 17);
	if (s->waiting && s->unique >= s->waiting) {
		s->waiting = 0;
		say(s);
	}
}

/* Octets of a letter. True: they hold its end, and more may follow. */
static bool on_data(struct sink *s, struct client *c)
{
	struct tube *w = &c->w;
	const uint8_t *mark = c->begun ? NULL : memmem(w->in, w->nin, "\r\nX-Bench: ", 11);
	const uint8_t *end;
	size_t n;

	if (mark) {
		c->number = number_at(mark + 11, w->in + w->nin);
		c->begun = true;
		s->with_dkim += memmem(w->in, w->nin, "\r\nDKIM-Signature:", 17) != NULL;
	}
	end = memmem(w->in, w->nin, "\r\n.\r\n", 5);
	if (!end) {
		n = w->nin > 4 ? w->nin - 4 : 0;
		/* Until its number was seen a letter's start is kept, as far as there is room. */
		if (!c->begun && w->nin < TUBE_IN / 2)
			return false;
		c->begun = true;
		s->octets += n;
		tube_eat(w, n);
		return false;
	}
	n = (size_t)(end - w->in) + 5;
	s->octets += n;
	tube_eat(w, n);
	end_of_letter(s, c);
	return true;
}

static bool is(const uint8_t *p, size_t n, const char *verb)
{
	return n >= strlen(verb) && !strncasecmp((const char *)p, verb, strlen(verb));
}

static void on_rcpt(struct client *c, const uint8_t *p, size_t n)
{
	const uint8_t *at = memchr(p, '<', n);

	if (c->nrcpt == RCPTS) {
		tube_put(&c->w, "452 4.5.3 enough\r\n", 18);
		return;
	}
	c->rcpt[c->nrcpt++] = at && at + 2 < p + n && at[1] == 'r' ? number_at(at + 2, p + n)
								   : NUMBERS;
	tube_put(&c->w, "250 2.1.5 ok\r\n", 14);
}

static void on_line(struct sink *s, struct client *c, const uint8_t *p, size_t n)
{
	static const char offer[] =
		"250-sink.example\r\n250-PIPELINING\r\n250-SIZE 52428800\r\n"
		"250-ENHANCEDSTATUSCODES\r\n";
	struct tube *w = &c->w;

	if (is(p, n, "EHLO")) {
		tube_put(w, offer, sizeof offer - 1);
		if (s->tls && !w->ssl)
			tube_put(w, "250-STARTTLS\r\n", 14);
		tube_put(w, "250 8BITMIME\r\n", 14);
	} else if (is(p, n, "RCPT")) {
		on_rcpt(c, p, n);
	} else if (is(p, n, "DATA")) {
		c->data = true;
		c->begun = false;
		c->number = NUMBERS;
		tube_put(w, "354 go on\r\n", 11);
	} else if (is(p, n, "QUIT")) {
		tube_put(w, "221 2.0.0 bye\r\n", 15);
		c->quit = true;
	} else if (is(p, n, "STARTTLS") && s->tls) {
		tube_put(w, "220 2.0.0 ready\r\n", 17);
	} else {
		if (is(p, n, "MAIL") || is(p, n, "RSET"))
			c->nrcpt = 0;
		tube_put(w, "250 2.0.0 ok\r\n", 14);
	}
}

static void end_client(struct sink *s, struct client *c)
{
	tube_close(&c->w);
	c->next = s->idle;
	s->idle = c;
}

/* False: the client is gone. */
static bool serve(struct sink *s, struct client *c)
{
	struct tube *w = &c->w;

	while (w->nin && !c->quit) {
		const uint8_t *end;
		size_t n;
		bool tls;

		if (c->data) {
			if (!on_data(s, c))
				break;
			continue;
		}
		end = memchr(w->in, '\n', w->nin);
		if (!end && w->nin == TUBE_IN)
			return false;
		if (!end)
			break;
		n = (size_t)(end - w->in) + 1;
		tls = s->tls && !w->ssl && is(w->in, n, "STARTTLS");
		on_line(s, c, w->in, n);
		/* What `DATA` ends with belongs to the letter: its dot may come at once. */
		tube_eat(w, c->data ? n - 2 : n);
		if (tls) {
			if (!tube_flush(w, s->epoll, c))
				return false;
			tube_tls(w, s->tls, NULL, true);
		}
	}
	return tube_flush(w, s->epoll, c) && !c->quit;
}

static void on_client(struct sink *s, struct client *c)
{
	bool shaking = c->w.shaking;
	enum tube_got got = tube_read(&c->w);

	if (shaking && !c->w.shaking && SSL_session_reused(c->w.ssl))
		s->resumed++;
	while (got == TUBE_OCTETS) {
		if (!serve(s, c)) {
			end_client(s, c);
			return;
		}
		if (!c->w.ssl && c->w.nin < TUBE_IN / 2)
			return; /* a level-triggered socket says when there is more */
		got = tube_read(&c->w);
	}
	if (got == TUBE_CLOSED || !tube_flush(&c->w, s->epoll, c))
		end_client(s, c);
}

static void on_accept(struct sink *s, const struct listener *l)
{
	struct client *c;
	int fd;

	while ((fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		if (l->hangs)
			continue; /* kept open and forgotten */
		c = s->idle;
		if (c)
			s->idle = c->next;
		else
			c = calloc(1, sizeof *c);
		if (!c)
			tube_die("memory", "none");
		s->connections++;
		c->data = c->quit = false;
		c->nrcpt = 0;
		tube_open(&c->w, s->epoll, fd, c);
		tube_put(&c->w, "220 sink.example ESMTP\r\n", 24);
		if (!tube_flush(&c->w, s->epoll, c))
			end_client(s, c);
	}
}

static void add_listener(struct sink *s, const char *address, bool hangs)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(25) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
	struct listener *l = &s->listener[s->nlistener];
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = l };

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	setsockopt(fd, IPPROTO_TCP, 1 /* TCP_NODELAY */, &on, sizeof on);
	if (s->nlistener == LISTENERS || inet_pton(AF_INET, address, &a.sin_addr) != 1 ||
	    bind(fd, (struct sockaddr *)&a, sizeof a) || listen(fd, 1024))
		tube_die(address, "cannot listen");
	*l = (struct listener){ fd, hangs };
	s->nlistener++;
	epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &e);
}

static void use_cert(struct sink *s, const char *cert, const char *key)
{
	s->tls = SSL_CTX_new(TLS_server_method());
	if (!s->tls || SSL_CTX_use_certificate_chain_file(s->tls, cert) != 1 ||
	    SSL_CTX_use_PrivateKey_file(s->tls, key, SSL_FILETYPE_PEM) != 1)
		tube_die(cert, "no certificate");
	SSL_CTX_set_session_id_context(s->tls, (const uint8_t *)"sink", 4);
	SSL_CTX_set_mode(s->tls, SSL_MODE_ENABLE_PARTIAL_WRITE |
					 SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
					 SSL_MODE_RELEASE_BUFFERS);
}

int main(int argc, char **argv)
{
	static struct sink s;
	struct epoll_event in = { .events = EPOLLIN, .data.ptr = &s }, e[256];
	const char *cert = NULL;

	s.epoll = epoll_create1(EPOLL_CLOEXEC);
	for (int i = 1; i + 1 < argc; i += 2) {
		if (!strcmp(argv[i], "--cert"))
			cert = argv[i + 1];
		else if (!strcmp(argv[i], "--key"))
			use_cert(&s, cert, argv[i + 1]);
		else if (!strcmp(argv[i], "--hang") || !strcmp(argv[i], "--listen"))
			add_listener(&s, argv[i + 1], argv[i][2] == 'h');
		else
			tube_die(argv[i], "unknown word");
	}
	epoll_ctl(s.epoll, EPOLL_CTL_ADD, 0, &in);
	say(&s);
	for (;;) {
		int n = epoll_wait(s.epoll, e, 256, -1);

		for (int i = 0; i < n; i++) {
			void *who = e[i].data.ptr;

			if (who == &s)
				on_command(&s);
			else if (who >= (void *)s.listener &&
				 who < (void *)(s.listener + LISTENERS))
				on_accept(&s, who);
			else
				on_client(&s, who);
		}
	}
}
