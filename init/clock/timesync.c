/* SPDX-License-Identifier: ISC */
#include "init/clock/timesync.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#include "smtpd/lib/log.h"
#include "smtpd/lib/owner.h"
#include "smtpd/msg/dns.h"
#include "smtpd/proto/ipaddr.h"

/*
 * NOTES
 * One of three things is going on: a name is looked up (ask is busy), a question is out
 * (watch.fd >= 0), or we wait. The deadline of the watch bounds the last two; the first is
 * bounded by the ask. A round asks each server once; each of them ends in answered() or skip(), and the round in
 * decide(). The clock is set between rounds alone, so that the offsets of one can be compared.
 */

enum {
	ANSWER_MS = 3000,
	LOOKUP_MS = 10 * 1000,
	FIRST_RETRY_MS = 1000, /* doubled with each failure */
	LAST_RETRY_MS = 15 * 60 * 1000,
	PERIOD_MS = 60 * 60 * 1000,
	TYPE_A = 1,
	ERROR_NS = 10 * 1000 * 1000, /* what a server may be wrong by itself */
	DAY = 24 * 60 * 60,
};

#define SECOND INT64_C(1000000000)

static int64_t wall(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec * SECOND + ts.tv_nsec;
}

static uint64_t draw(void)
{
	uint64_t v = 0;

	if (getrandom(&v, sizeof v, 0) != sizeof v)
		bug("getrandom");
	return v;
}

static void close_question(struct timesync *t)
{
	/* The loop keeps the watch: without a descriptor it is the timer. */
	if (t->watch.fd >= 0)
		close(t->watch.fd);
	t->watch.fd = -1;
	t->watch.want = 0;
}

static void again(struct timesync *t, const char *why)
{
	int64_t ms = FIRST_RETRY_MS;

	for (unsigned i = 0; i < t->failures && ms < LAST_RETRY_MS; i++)
		ms *= 2;
	if (ms > LAST_RETRY_MS)
		ms = LAST_RETRY_MS;
	/* The first ones are a network that comes up. */
	if (++t->failures > 3)
		log_event("no_time", "why", why);
	t->watch.due = loop_clock() + ms + (int64_t)(draw() % FIRST_RETRY_MS);
}

static void next_server(struct timesync *t)
{
	close_question(t);
	t->server++;
	t->watch.due = loop_clock();
}

/* This server has no vote in this round. */
static void skip(struct timesync *t, const char *why)
{
	t->why = why;
	next_server(t);
}

static bool step(int64_t offset)
{
	int64_t to = wall() + offset;
	struct timespec ts = { .tv_sec = to / SECOND, .tv_nsec = to % SECOND };

	return clock_settime(CLOCK_REALTIME, &ts) == 0;
}

static bool slew(int64_t offset)
{
	struct timex tx = { .modes = ADJ_OFFSET_SINGLESHOT, .offset = (long)(offset / 1000) };

	return adjtimex(&tx) >= 0;
}

static void keep(struct timesync *t)
{
	int64_t now = wall() / SECOND;

	if (t->state != TIMESYNC_NTP)
		return;
	t->saved = now;
	if (!saved_write(t->proc->grant[GRANT_SAVED_TIME], now))
		log_event("failed", "what", "save");
}

static void become(struct timesync *t, enum timesync_state state)
{
	static const char *const names[] = { "unset", "build", "saved", "ntp" };

	if (t->state == state && t->told)
		return;
	t->state = state;
	t->told = true;
	log_event("state", "state", names[state]);
}

/* Whether the time is to be trusted every process can ask of the kernel (adjtimex, STA_UNSYNC); it forgets when the
 * clock is set, and by itself after some hours. */
static void publish(void)
{
	struct timex tx = { .modes = ADJ_STATUS | ADJ_MAXERROR | ADJ_ESTERROR, .status = 0 };

	if (adjtimex(&tx) < 0)
		log_event("failed", "what", "adjtimex");
}

static void set(struct timesync *t, int64_t offset)
{
	bool far = offset > SECOND || offset < -SECOND;
	bool ok = far ? step(offset) : slew(offset);
	struct logline l;

	log_begin(&l, "time");
	log_num(&l, "offset_ms", offset / 1000000);
	log_num(&l, "servers", t->votes);
	log_text(&l, "set", !ok ? "failed" : far ? "step" : "slew");
	log_send(&l);
	t->failures = 0;
	t->watch.due = loop_clock() + PERIOD_MS + (int64_t)(draw() % (PERIOD_MS / 8));
	if (!ok)
		return;
	become(t, TIMESYNC_NTP);
	publish();
	if (wall() / SECOND - t->saved >= DAY || t->saved > wall() / SECOND)
		keep(t);
}

static void decide(struct timesync *t)
{
	int64_t offset;

	if (!t->votes)
		again(t, t->why ? t->why : "no_server");
	else if (!vote_count(t->vote, t->votes, &offset))
		again(t, "servers_disagree");
	else if (wall() + offset < (int64_t)BUILD_TIME * SECOND)
		again(t, "before_build");
	else
		set(t, offset);
	t->server = t->votes = 0;
	t->why = NULL;
}

static void answered(struct timesync *t, const struct sntp_answer *a, int64_t at)
{
	int64_t trip = at - t->asked;

	t->vote[t->votes++] = (struct vote){ .offset = sntp_offset(a, t->asked, at),
					     .error = (trip > 0 ? trip / 2 : 0) + ERROR_NS };
	next_server(t);
}

static void receive(struct timesync *t)
{
	uint8_t packet[512];
	struct sntp_answer a;
	ssize_t n = recvfrom(t->watch.fd, packet, sizeof packet, MSG_DONTWAIT, NULL, NULL);
	int64_t at = wall();

	if (n < 0) {
		skip(t, "refused");
		return;
	}
	switch (sntp_parse((struct slice){ packet, (size_t)n }, t->cookie, &a)) {
	case SNTP_BAD:
		return; /* the true answer may still come */
	case SNTP_KISS:
		log_event("kiss", "code", a.kiss);
		t->failures +=
			6; /* whatever the code says: leave it alone for a minute and more */
		skip(t, "kiss");
		return;
	case SNTP_TIME:
		answered(t, &a, at);
		return;
	}
}

static void question(struct timesync *t, const uint8_t addr[4])
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(SNTP_PORT) };
	uint8_t packet[SNTP_SIZE];
	struct buf b = BUF(packet);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	memcpy(&to.sin_addr, addr, 4);
	t->cookie = draw();
	sntp_put(&b, t->cookie);
	t->watch.fd = fd;
	t->watch.want = POLLIN;
	t->watch.due = loop_clock() + ANSWER_MS;
	t->asked = wall();
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0 ||
	    sendto(fd, b.p, b.len, 0, NULL, 0) != (ssize_t)b.len)
		skip(t, "unreachable");
}

static void on_name(struct ask *a, const void *reply, struct slice tail)
{
	struct timesync *t = OWNER(struct timesync, ask, a);
	const struct dns_reply *r = reply;
	struct cur c = CUR(tail);
	struct slice addr;

	if (!r || r->result != DNS_OK || !r->n) {
		skip(t, "name");
		return;
	}
	addr = cur_take(&c, cur_be16(&c));
	if (addr.n == 4)
		question(t, addr.p);
	else
		skip(t, "name");
}

static struct slice nth_server(unsigned n)
{
	struct slice list = slice_of(CONFIG_INIT_NTP_SERVERS), word = slice_word(&list);

	while (n-- && word.n)
		word = slice_word(&list);
	return word;
}

static void begin(struct timesync *t)
{
	static const struct want want = { DNS_QUERY, sizeof(struct dns_reply), DNS_TAIL };
	struct dns_query q = { .qtype = TYPE_A };
	bool given = t->server < t->given.n;
	struct slice name = given ? SLICE("") : nth_server(t->server - t->given.n);
	struct ipaddr a;

	if (!(given || name.n) || t->votes == TIMESYNC_SERVERS) {
		decide(t);
		return;
	}
	t->watch.due = LOOP_NEVER;
	t->ask.done = on_name;
	if (given)
		question(t, t->given.addr[t->server] + 12);
	else if (ipaddr_parse4(name, &a))
		question(t, a.b + 12);
	else if (!chan_ask(proc_chan(t->proc, PROG_DNS), &t->ask, &q, sizeof q, name, NULL, 0,
			   &want, LOOKUP_MS))
		skip(t, "dns");
}

static void on_watch(struct watch *w, short got)
{
	struct timesync *t = OWNER(struct timesync, watch, w);

	if (w->fd < 0)
		begin(t);
	else if (got)
		receive(t);
	else
		skip(t, "silence");
}

/* It is later than when we knew it last: a battery that is dead says otherwise. */
static void recall(struct timesync *t)
{
	int64_t now = wall() / SECOND;

	become(t, now < BUILD_TIME ? TIMESYNC_UNSET : TIMESYNC_BUILD);
	if (!saved_read(t->proc->grant[GRANT_SAVED_TIME], &t->saved) || t->saved < BUILD_TIME) {
		t->saved = 0;
		return;
	}
	if (now >= t->saved || step((t->saved - now) * SECOND))
		become(t, TIMESYNC_SAVED);
}

/* Other servers than before: the round begins again, with them. */
static void on_servers(void *ctx, struct call *c)
{
	struct timesync *t = ctx;
	const struct servers *m = c->msg;
	struct servers_set done = { .h = { .type = 0 } };
	bool same = m->n == t->given.n && memcmp(m->addr, t->given.addr, sizeof m->addr) == 0;

	chan_answer(&c->token, &done, sizeof done, SLICE(""));
	if (!t->proc || same || m->n > SERVERS_MAX)
		return;
	t->given = *m;
	ask_drop(&t->ask);
	close_question(t);
	t->server = t->votes = t->failures = 0;
	t->watch.due = loop_clock();
}

const struct rule timesync_rules[CLOCK_TYPES] = {
	[CLOCK_SERVERS] = { .from = 1u << P_NET,
			    .size = sizeof(struct servers),
			    .run = on_servers },
};

void timesync_init(struct timesync *t, struct proc *p)
{
	t->proc = p;
	t->watch = (struct watch){ .fd = -1, .due = loop_clock(), .ready = on_watch };
	loop_add(&p->loop, &t->watch);
	recall(t);
}

void timesync_stop(struct timesync *t)
{
	if (t->proc)
		keep(t);
}
