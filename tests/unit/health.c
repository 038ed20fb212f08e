/* SPDX-License-Identifier: ISC */
/* The health check between front ends, dns and queue that behave as told. */
#include "init/health/health.h"

#include <netinet/in.h>
#include <unistd.h>

#include "smtpd/lib/owner.h"
#include "smtpd/msg/dns.h"
#include "smtpd/msg/queue.h"
#include "tests/unit/test.h"
#include "tests/unit/wires.h"

enum far { FINE, BUSY, STOPS, RUDE, TORN, GONE, SILENT, TLS, CLEAR };

static struct proc p;
static struct health h;

static struct front_end {
	struct watch accepting, talking;
	enum far how;
	unsigned calls;
	char said[64];
} end[2];

static void answer(struct front_end *f, const char *line)
{
	CHECK(write(f->talking.fd, line, strlen(line)) == (ssize_t)strlen(line));
}

static void hang_up(struct front_end *f)
{
	loop_drop(&p.loop, &f->talking);
	close(f->talking.fd);
	f->talking.fd = -1;
}

static void on_word(struct watch *w, short got)
{
	struct front_end *f = OWNER(struct front_end, talking, w);
	size_t at = strlen(f->said);
	ssize_t n = got ? read(w->fd, f->said + at, sizeof f->said - 1 - at) : 0;

	if (n <= 0 || f->how == TLS) {
		hang_up(f);
		return;
	}
	if (!strcmp(f->said, "EHLO localhost\r\n")) {
		if (f->how == STOPS)
			answer(f, "421 4.3.2 going down\r\n");
		else if (f->how == RUDE)
			answer(f, "250-x\r\n550 no\r\n");
		else if (f->how == GONE)
			hang_up(f);
		else
			answer(f, "250-x greets\r\n250-SIZE 1\r\n250 PIPELINING\r\n");
	} else if (!strcmp(f->said, "EHLO localhost\r\nQUIT\r\n")) {
		answer(f, "221 2.0.0 bye\r\n");
	}
}

static void on_call(struct watch *w, short got)
{
	static const char *const greetings[] = {
		[BUSY] = "421 4.3.2 too many\r\n",
		[TORN] = "22",
		[SILENT] = "",
		[TLS] = "",
	};
	struct front_end *f = OWNER(struct front_end, accepting, w);
	const char *greeting = f->how < CLEAR ? greetings[f->how] : NULL;
	struct sockaddr_in from;
	socklen_t n = sizeof from;

	CHECK(got);
	if (f->talking.fd >= 0)
		hang_up(f);
	f->talking.fd = accept(w->fd, (struct sockaddr *)&from, &n);
	CHECK(f->talking.fd >= 0);
	CHECK_EQ(ntohl(from.sin_addr.s_addr), 0x7f0000fe);
	f->calls++;
	memset(f->said, 0, sizeof f->said);
	loop_add(&p.loop, &f->talking);
	answer(f, greeting ? greeting : "220 x ESMTP\r\n");
}

static void open_end(unsigned i)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001) };
	socklen_t n = sizeof sa;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	CHECK(!bind(fd, (struct sockaddr *)&sa, sizeof sa) && !listen(fd, 5) &&
	      !getsockname(fd, (struct sockaddr *)&sa, &n));
	end[i].accepting =
		(struct watch){ .fd = fd, .want = POLLIN, .due = LOOP_NEVER, .ready = on_call };
	end[i].talking =
		(struct watch){ .fd = -1, .want = POLLIN, .due = LOOP_NEVER, .ready = on_word };
	loop_add(&p.loop, &end[i].accepting);
	h.port[i].port = ntohs(sa.sin_port);
}

static int dns_says, queue_says; /* -1: nothing */
static unsigned writes, asked;

static void play_dns(void)
{
	struct dns_query m;
	struct dns_reply r = { .result = DNS_NXDOMAIN };

	if (!wires_get(&p, CH_HEALTH_DNS, &m, sizeof m, NULL, 0))
		return;
	r.h = m.h;
	if (dns_says >= 0)
		wires_put(CH_HEALTH_DNS, &r, sizeof r, SLICE(""), -1, -1);
	else
		h.ask.due = h.dns->watch.due = 0;
}

static void play_queue(void)
{
	struct queue_probe m;
	struct queue_probed r = { .result = (uint32_t)queue_says };

	if (!wires_get(&p, CH_HEALTH_QUEUE, &m, sizeof m, NULL, 0))
		return;
	r.h = m.h;
	writes += m.write != 0;
	asked++;
	if (!m.write && queue_says != QUEUE_PROBE_NONE)
		r.result = QUEUE_PROBE_SERVES;
	if (queue_says >= 0)
		wires_put(CH_HEALTH_QUEUE, &r, sizeof r, SLICE(""), -1, -1);
	else
		h.ask.due = h.queue->watch.due = 0;
}

/* One round; who says nothing is late at once. How many heartbeats init got. */
static unsigned round_of(void)
{
	unsigned rounds = h.rounds, beats = 0, calls[2] = { end[0].calls, end[1].calls };
	struct ctl_note n;

	h.timer.due = 0;
	while (h.rounds == rounds) {
		play_dns();
		play_queue();
		for (unsigned i = 0; i < 2; i++)
			if ((end[i].how == SILENT || end[i].how == TORN) && h.part == i &&
			    end[i].calls > calls[i] && h.socket.fd >= 0)
				h.socket.due = 0;
		loop_round(&p.loop);
	}
	while (recv(wires_control, &n, sizeof n, MSG_DONTWAIT) == sizeof n)
		beats += n.type == CTL_HEALTHY;
	return beats;
}

/* One after the other of them does not do as it should; when it does again, that is seen, too. */
static void test_fronts(void)
{
	static const struct {
		enum far how;
		const char *why;
	} rows[] = {
		{ BUSY, NULL },
		{ STOPS, NULL },
		{ RUDE, "wrong reply" },
		{ TORN, "no answer" },
		{ GONE, "connection lost" },
		{ SILENT, "no answer" },
	};

	CHECK_EQ(round_of(), 1);
	CHECK(end[0].calls == 1 && end[1].calls == 1);
	for (unsigned i = 0; i < 2; i++)
		for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
			end[i].how = rows[k].how;
			CHECK_EQ(round_of(), !rows[k].why);
			CHECK(h.why[i] ? rows[k].why && !strcmp(h.why[i], rows[k].why)
				       : !rows[k].why);
			CHECK(!h.why[!i]);
			end[i].how = FINE;
			CHECK_EQ(round_of(), 1);
		}
}

/* What SMTPD_LISTEN says, and TLS. An address that is not here cannot be asked for; one where nobody listens can. */
static void test_ports(void)
{
	static const struct {
		const char *listen;
		uint16_t mx, sub;
		bool implicit;
	} rows[] = {
		{ "25=* 465=* 587=*", 25, 587, false },
		{ "25=192.0.2.1 465=*", 25, 465, true },
		{ "submit25=10.0.0.1 465=*", 0, 25, false },
		{ "465=nonsense", 0, 0, false },
		{ "", 0, 0, false },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		static struct health other;

		health_init(&other, &p, slice_of(rows[i].listen));
		loop_drop(&p.loop, &other.timer);
		CHECK_ROW(other.port[0].port == rows[i].mx, rows[i].listen);
		CHECK_ROW(other.port[1].port == rows[i].sub, rows[i].listen);
		CHECK_ROW(other.port[1].implicit == rows[i].implicit, rows[i].listen);
	}
	h.port[1].implicit = true;
	end[1].how = TLS;
	CHECK_EQ(round_of(), 1);
	h.port[1].implicit = false;
	end[1].how = FINE;
	loop_drop(&p.loop, &end[1].accepting);
	close(end[1].accepting.fd);
	CHECK_EQ(round_of(), 0);
	CHECK(!strcmp(h.why[1], "connection refused"));
	CHECK(ipaddr_parse(SLICE("192.0.2.99"), &h.port[1].address));
	CHECK_EQ(round_of(), 1);
	CHECK(ipaddr_parse(SLICE("2001:db8::99"), &h.port[1].address));
	CHECK_EQ(round_of(), 1);
	h.port[1].port = 0;
	CHECK_EQ(round_of(), 1);
}

/* Who asks whether all is well hears of the next round in which it is, and of no other; that round comes at once. */
static void test_well(void)
{
	struct health_well m = { .h = { .type = HEALTH_WELL, .id = 7 } }, got = { 0 };
	enum chan_id to = CH_UPDATE_HEALTH;

	wires_put(to, &m, sizeof m, SLICE(""), -1, -1);
	CHECK(h.timer.due > loop_clock() + 3000);
	loop_round(&p.loop);
	CHECK_EQ(h.timer.due, 0);
	end[0].how = STOPS;
	end[1].how = RUDE;
	CHECK_EQ(round_of(), 0);
	CHECK_EQ(recv(wires_far[to], &got, sizeof got, MSG_DONTWAIT), -1);
	CHECK(h.timer.due < loop_clock() + 2000);
	end[0].how = end[1].how = FINE;
	CHECK_EQ(round_of(), 1);
	CHECK_EQ(recv(wires_far[to], &got, sizeof got, MSG_DONTWAIT), sizeof got);
	CHECK_EQ(got.h.id, 7);
	CHECK_EQ(round_of(), 1);
	CHECK_EQ(recv(wires_far[to], &got, sizeof got, MSG_DONTWAIT), -1);
}

static void test_dns(void)
{
	dns_says = -1;
	CHECK_EQ(round_of(), 0);
	CHECK(!strcmp(h.why[HEALTH_DNS], "no answer"));
	dns_says = 0;
	wires_renew(&p, CH_HEALTH_DNS, 2); /* its answer is no longer awaited */
	CHECK_EQ(round_of(), 1);
	close(wires_far[CH_HEALTH_DNS]);
	wires_far[CH_HEALTH_DNS] = -1;
	CHECK_EQ(round_of(), 0);
	wires_renew(&p, CH_HEALTH_DNS, 3);
	CHECK_EQ(round_of(), 1);
}

/* Each tenth round writes, and each one after a failure. A disk that never took a record since the start is as good as
 * none; one that did and does not now is a failure. */
static void test_queue(void)
{
	queue_says = QUEUE_PROBE_BROKEN;
	h.rounds = 0;
	CHECK(!h.kept);
	CHECK_EQ(round_of(), 1);
	CHECK(!h.journal);
	queue_says = QUEUE_PROBE_NONE;
	h.rounds = 0;
	CHECK_EQ(round_of(), 1);
	queue_says = QUEUE_PROBE_KEPT;
	h.rounds = writes = asked = 0;
	while (h.rounds < 2 * HEALTH_WRITES)
		CHECK_EQ(round_of(), 1);
	CHECK_EQ(writes, 2);
	CHECK_EQ(asked, 2 * HEALTH_WRITES);
	CHECK(h.kept && h.journal);
	queue_says = QUEUE_PROBE_BROKEN;
	writes = 0;
	for (unsigned i = 0; i < 3; i++)
		CHECK_EQ(round_of(), 0);
	CHECK_EQ(writes, 3);
	queue_says = QUEUE_PROBE_KEPT;
	CHECK_EQ(round_of(), 1);
	queue_says = -1;
	CHECK_EQ(round_of(), 0);
	CHECK(!strcmp(h.why[HEALTH_QUEUE], "no answer"));
	CHECK_EQ(round_of(), 0); /* it owes an answer still */
}

int main(void)
{
	alarm(110);
	wires_reserve();
	wires_start(P_HEALTH, 0, NULL, NULL, 0);
	proc_start(&p, PROG_HEALTH, HEALTH_WATCHES + 6);
	health_init(&h, &p, SLICE("25=* 587=*"));
	proc_serve(&p, health_rules, HEALTH_TYPES, &h);
	wires_connect(&p);
	open_end(0);
	open_end(1);
	test_queue();
	wires_renew(&p, CH_HEALTH_QUEUE, 2);
	queue_says = QUEUE_PROBE_KEPT;
	CHECK_EQ(round_of(), 1);
	end[0].calls = end[1].calls = 0;
	test_fronts();
	test_well();
	test_dns();
	test_ports();
	TEST_END();
}
