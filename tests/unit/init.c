/* SPDX-License-Identifier: ISC */
/* The parts of PID 1 that can be asked without a machine. */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "init/grants.h"
#include "init/log/taps.h"
#include "init/power.h"
#include "init/supervise.h"
#include "init/tables.h"
#include "init/volume.h"
#include "init/wire.h"
#include "keys/holder/dkimkey.h"
#include "smtpd/lib/chan.h"
#include "smtpd/lib/proc.h"
#include "tests/unit/test.h"
#include "tests/unit/wires.h"

static void test_super(void)
{
	uint8_t p[VOLUME_SUPER_SIZE] = {
		[4] = 0x10, [0x18] = 2, [0x38] = 0x53, 0xEF, [0x150] = 1
	};
	struct volume_super s = { .block_size = 7 };

	memcpy(p + 0x78, "tinpost-keys-a\0x", 16);
	CHECK(volume_super_parse(p, sizeof p, &s));
	CHECK_EQ(s.blocks, 16);
	CHECK_EQ(s.block_size, 4096);
	CHECK(!strcmp(s.label, "tinpost-keys-a"));
	p[0x60] = 0x80; /* 64bit */
	memset(p + 0x78, 'L', 16);
	CHECK(volume_super_parse(p, sizeof p, &s));
	CHECK_EQ(s.blocks, (INT64_C(1) << 32) + 16);
	CHECK_EQ(strlen(s.label), 16);
	CHECK(!volume_super_parse(p, sizeof p - 1, &s));
	p[0x18] = 7;
	CHECK(!volume_super_parse(p, sizeof p, &s));
	p[0x18] = 2;
	p[0x39] = 0;
	CHECK(!volume_super_parse(p, sizeof p, &s));
}

static void test_backoff(void)
{
	static const int64_t want[] = {
		0, 0, 100, 200, 400, 800, 1600, 3200, 6400, 10000, 10000
	};

	for (unsigned i = 0; i < sizeof want / sizeof *want; i++)
		CHECK_EQ(supervise_backoff(i), want[i]);
	CHECK_EQ(supervise_backoff(~0u), 10000);
}

/* The promise behind every channel: `credit` messages of any size fit, in each direction,
 * with nobody reading. */
static void fill(int fd, size_t size, uint32_t credit)
{
	static uint8_t msg[MSG_MAX];
	int pass[MSG_FDS] = { 0, 0 };

	for (uint32_t i = 0; i < credit; i++)
		CHECK(wire_send(fd, msg, size, pass, i < 4 ? MSG_FDS : 0));
}

static void test_credit(void)
{
	int room = 1 << 22, probe = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	bool may = setsockopt(probe, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room) == 0;
	static const size_t sizes[] = { sizeof(struct msg), 1000,	 4096,
					8192 + 100,	    MSG_MAX - 1, MSG_MAX };
	int fd[2];

	close(probe);
	for (uint32_t i = 0; i < CH_MAX && may;
	     i++) /* an ordinary user's buffers are smaller */
		for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
			if (!wire_channel(chan_rows[i].credit, fd))
				continue;
			fill(fd[0], sizes[k], chan_rows[i].credit);
			fill(fd[1], sizes[k], chan_rows[i].credit);
			close(fd[0]);
			close(fd[1]);
		}
}

static void test_tables(void)
{
	for (int i = 0; i < P_MAX; i++) {
		size_t channels = 0;

		for (int k = 0; k < CH_MAX; k++)
			channels += chan_rows[k].asks == (unsigned)i ||
				    chan_rows[k].answers == (unsigned)i;
		CHECK(channels <= PROC_CHANS);
		CHECK(proc_rows[i].name && program_paths[proc_rows[i].program]);
		for (int k = 0; k < i; k++)
			CHECK(tables_uid((enum proc_id)i) != tables_uid((enum proc_id)k) ||
			      i == P_KEYGEN || i == P_KEYGEN_TLS);
	}
	CHECK_EQ(tables_uid(P_KEYGEN), tables_uid(P_HOLDER_DKIM));
	CHECK_EQ(tables_uid(P_KEYGEN_TLS), tables_uid(P_HOLDER_TLS));
	/* Strangers and accounts share no process; only check.sub gets signatures of the DKIM key,
	 * selfcheck the public one. */
	for (int i = 0; i < CH_MAX; i++)
		CHECK(chan_rows[i].answers != P_HOLDER_DKIM ||
		      chan_rows[i].asks == P_CHECK_SUB || chan_rows[i].asks == P_SELFCHECK);
	for (int i = 0; i < HOLDER_TYPES; i++)
		CHECK(i == HOLDER_DKIM_RECORD ||
		      !(dkimkey_rules[i].from & ~(1u << P_CHECK_SUB)));
}

static void test_taps(void)
{
	uint8_t text[TAPS_LINE], line[LOG_LINE + 50];
	struct buf b = BUF(text);

	taps_format(SLICE("front.mx"), SLICE("ev=x\ninit: ev=fake\x1b[2J\xff"), &b);
	CHECK_SLICE(buf_slice(&b), "front.mx: ev=x?init: ev=fake?[2J?\n");
	memset(line, 'a', sizeof line);
	b = BUF(text);
	taps_format(SLICE("a.name.that.is.longer.than.any.of.ours"),
		    (struct slice){ line, sizeof line }, &b);
	CHECK(!b.bad);
	CHECK_EQ(b.p[b.len - 1], '\n');
}

/* What a process may say to init: nothing else has any effect, and a hang-up ends the
 * channel. */
static void test_control(void)
{
	static struct supervise s;
	struct ctl_note n = { .type = CTL_WORKED };
	int fd[2];

	CHECK(wire_pair(fd));
	for (int i = 0; i < P_MAX; i++)
		s.child[i] = (struct child){ .state = CHILD_RUNS, .pid = -1, .control = -1 };
	s.child[P_DNS].control = fd[0];
	s.child[P_DNS].failures = 5;
	CHECK_EQ(send(fd[1], &n, sizeof n - 1, 0), sizeof n - 1);
	supervise_control(&s, P_DNS);
	CHECK_EQ(s.child[P_DNS].failures, 5);
	CHECK_EQ(send(fd[1], &n, sizeof n, 0), sizeof n);
	supervise_control(&s, P_DNS);
	CHECK_EQ(s.child[P_DNS].failures, 0);
	n.type = CTL_HEALTHY; /* from whom it does not count */
	CHECK_EQ(send(fd[1], &n, sizeof n, 0), sizeof n);
	supervise_control(&s, P_DNS);
	CHECK_EQ(s.healthy, 0);
	s.child[P_HEALTH].control = fd[0];
	CHECK_EQ(send(fd[1], &n, sizeof n, 0), sizeof n);
	supervise_control(&s, P_HEALTH);
	CHECK(s.healthy > 0);
	s.child[P_HEALTH].control = -1;
	n.type = CTL_READY;
	CHECK_EQ(send(fd[1], &n, sizeof n, 0), sizeof n);
	supervise_control(&s, P_DNS);
	CHECK(s.child[P_DNS].ready);
	CHECK(!s.announced);
	supervise_control(&s, P_DNS); /* nothing there: does not wait */
	CHECK_EQ(s.child[P_DNS].control, fd[0]);
	close(fd[1]);
	supervise_control(&s, P_DNS);
	CHECK_EQ(s.child[P_DNS].control, -1);
}

/* A watchdog is fed while a heartbeat is young, at intervals; without one its owner hears that it is time. */
static void test_feed(void)
{
	const int64_t old = 10 * (int64_t)POWER_HEALTH_MS;
	struct power p = { .watchdog = -1 };
	uint8_t b[8];
	int fd[2];

	CHECK(power_ping(&p, old, old - POWER_HEALTH_MS));
	p.ping = 0;
	CHECK(!power_ping(&p, old, old - POWER_HEALTH_MS - 1));
	CHECK(p.hungry && p.ping > old);
	CHECK(power_ping(&p, old, 0)); /* not again before it is due */
	CHECK(pipe2(fd, O_NONBLOCK) == 0);
	p = (struct power){ .watchdog = fd[1] };
	CHECK(power_ping(&p, old, old));
	CHECK(power_ping(&p, old + 1, old));
	CHECK_EQ(read(fd[0], b, sizeof b), 1);
	p.ping = 0;
	CHECK(power_ping(&p, old, old - POWER_HEALTH_MS - 1));
	CHECK(read(fd[0], b, sizeof b) < 0); /* starves */
	p.ping = 0;
	CHECK(power_ping(&p, old, old - POWER_HEALTH_MS));
	CHECK_EQ(read(fd[0], b, sizeof b), 1);
	CHECK(!p.hungry);
	close(fd[0]);
	close(fd[1]);
}

/* Exit status of a process that is told this by init when it starts; 0 = it goes on. */
static int told(const struct ctl_start *m, size_t n, enum program prog, unsigned nfd)
{
	static const int pass[2] = { STDERR_FILENO, STDERR_FILENO };
	static struct proc p;
	pid_t pid = fork();
	int fd[2], st = 0;

	if (!pid) {
		close(STDERR_FILENO); /* says why, which is no trouble here */
		if (open("/dev/null", O_RDWR) != STDERR_FILENO || !wire_pair(fd))
			_exit(1);
		wires_control = fcntl(fd[1], F_DUPFD, 200);
		if (dup2(fcntl(fd[0], F_DUPFD, 200), CTL_FD) != CTL_FD)
			_exit(1);
		wires_send(m, n, pass, nfd);
		proc_start(&p, prog, 4);
		_exit(p.me == (enum proc_id)m->proc ? 0 : 2);
	}
	waitpid(pid, &st, 0);
	return WIFEXITED(st) ? WEXITSTATUS(st) : -WTERMSIG(st);
}

static void test_start(void)
{
	enum { BUG = 70 };
	const struct ctl_start good = { .type = CTL_START,
					.proc = P_SELFCHECK,
					.build_id = BUILD_ID };
	struct ctl_start m = good;

	CHECK_EQ(told(&m, sizeof m, PROG_SELFCHECK, 0), 0);
	for (size_t i = 0; i < sizeof m.build_id; i++) {
		m.build_id[i] ^= 1;
		CHECK_EQ(told(&m, sizeof m, PROG_SELFCHECK, 0), BUG);
		m = good;
	}
	CHECK_EQ(told(&m, sizeof m, PROG_NET, 0), BUG);
	CHECK_EQ(told(&m, sizeof m - 1, PROG_SELFCHECK, 0), BUG);
	CHECK_EQ(told(&m, sizeof m, PROG_SELFCHECK, 1), BUG); /* one more than it says */
	m.nfd = 1;
	CHECK_EQ(told(&m, sizeof m, PROG_SELFCHECK, 0), BUG);
	CHECK_EQ(told(&m, sizeof m, PROG_SELFCHECK, 1), BUG); /* no row grants it */
	m = good;
	m.type = CTL_CHAN;
	CHECK_EQ(told(&m, sizeof m, PROG_SELFCHECK, 0), BUG);
	m = good;
	m.proc = P_MAX;
	CHECK_EQ(told(&m, sizeof m, PROG_SELFCHECK, 0), BUG);
}

static bool at(const char *words, const char *port, const char *want)
{
	char address[GRANTS_ADDRESS];
	bool ok = grants_address(words, port, address);

	return want ? ok && strcmp(address, want) == 0 : !ok;
}

static void test_listen(void)
{
	const char *words = "25=192.0.2.10 465=* submit25=10.0.0.1";

	CHECK(at(words, "25", "192.0.2.10") && at(words, "465", "*"));
	CHECK(at(words, "submit25", "10.0.0.1") && at(words, "587", NULL));
	CHECK(at("submit25=10.0.0.1", "25", NULL) && at("", "25", NULL));
	CHECK(at("587=2001:db8::1", "587", "2001:db8::1") && at("25=", "25", NULL));
	CHECK(at("25=0123456789012345678901234567890123456789012345", "25", NULL));
}

int main(void)
{
	test_listen();
	test_start();
	test_super();
	test_backoff();
	test_credit();
	test_tables();
	test_taps();
	test_control();
	test_feed();
	TEST_END();
}
