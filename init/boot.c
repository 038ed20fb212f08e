/* SPDX-License-Identifier: ISC */
#include "init/boot.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "init/grants.h"
#include "init/mounts.h"
#include "init/power.h"
#include "init/say.h"
#include "init/seed.h"
#include "init/supervise.h"
#include "init/volume.h"

struct boot {
	struct supervise supervise;
	struct power power;
	int signals; /* owned: signalfd */
	bool machine;
	enum power_end end; /* once it is set we stop */
};

enum { AT_SIGNAL, AT_KEYS, AT_CONTROL = AT_KEYS + POWER_KEYS, AT_MAX = AT_CONTROL + P_MAX };

/* A kernel without console starts us with nothing open; the first three numbers must not
 * mean a file. 1 is nothing until there is a second console. */
static void open_standard(void)
{
	int none;

	while (fcntl(STDERR_FILENO, F_GETFD) < 0)
		if (grants_null() < 0)
			return;
	none = grants_null();
	if (none < 0)
		return;
	dup3(none, STDOUT_FILENO, O_CLOEXEC);
	close(none);
}

/* All are blocked and stay so: those we want are read, the others never arrive. */
static int take_signals(void)
{
	sigset_t all, mine;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	sigemptyset(&mine);
	sigaddset(&mine, SIGCHLD);
	sigaddset(&mine, SIGTERM);
	sigaddset(&mine, SIGINT);
	return signalfd(-1, &mine, SFD_NONBLOCK | SFD_CLOEXEC);
}

static void stop(struct boot *b, enum power_end how, const char *why)
{
	if (b->end)
		return;
	b->end = how;
	say("ev=stop why=%s", why);
	supervise_stop(&b->supervise);
}

static void on_signal(struct boot *b)
{
	struct signalfd_siginfo si;

	while (read(b->signals, &si, sizeof si) == sizeof si) {
		if (si.ssi_signo == SIGTERM)
			stop(b, POWER_OFF, "term");
		else if (si.ssi_signo == SIGINT)
			stop(b, POWER_REBOOT, b->machine ? "ctrl_alt_del" : "int");
	}
	supervise_reap(&b->supervise);
}

static int wait_ms(const struct boot *b)
{
	int64_t next = supervise_next(&b->supervise), now = supervise_now();

	if (b->power.ping < next)
		next = b->power.ping;
	if (next == INT64_MAX)
		return -1;
	if (next <= now)
		return 0;
	return next - now > 60000 ? 60000 : (int)(next - now);
}

static void round_once(struct boot *b)
{
	struct pollfd p[AT_MAX];
	struct supervise *s = &b->supervise;

	p[AT_SIGNAL].fd = b->signals;
	for (int i = 0; i < POWER_KEYS; i++)
		p[AT_KEYS + i].fd = b->power.key[i];
	for (int i = 0; i < P_MAX; i++)
		p[AT_CONTROL + i].fd = s->child[i].control;
	for (int i = 0; i < AT_MAX; i++) {
		p[i].events = POLLIN;
		p[i].revents = 0;
	}
	poll(p, AT_MAX, wait_ms(b));
	for (int i = 0; i < P_MAX; i++)
		if (p[AT_CONTROL + i].revents && s->child[i].control >= 0)
			supervise_control(s, (enum proc_id)i);
	for (int i = 0; i < POWER_KEYS; i++) {
		if (p[AT_KEYS + i].revents && power_pressed(b->power.key[i]))
			stop(b, POWER_OFF, "power_key");
		if (p[AT_KEYS + i].revents & (POLLHUP | POLLERR))
			b->power.key[i] = -1; /* unplugged */
	}
	if (p[AT_SIGNAL].revents)
		on_signal(b);
	if (!power_ping(&b->power, supervise_now(), s->healthy) && b->machine)
		stop(b, POWER_REBOOT, "health");
	supervise_start_due(s);
	if (s->restart <= supervise_now()) {
		s->restart = INT64_MAX;
		stop(b, POWER_REBOOT, "update");
	}
}

/* The value of a word of the kernel's command line, which the boot loader wrote; "-": there is none. */
static void told(const char *line, const char *word, char out[8])
{
	const char *at = strstr(line, word);

	snprintf(out, 8, "%.*s", at ? (int)strcspn(at + strlen(word), " \n") : 1,
		 at ? at + strlen(word) : "-");
}

int boot_run(void)
{
	static struct boot b;
	bool random;
	unsigned have;
	char line[1024], slot[8], trial[8];

	open_standard();
	b.signals = take_signals();
	b.machine = mounts_machine();
	mounts_boot(b.machine);
	say_open(b.machine);
	mounts_read("/proc/cmdline", line, sizeof line);
	told(line, "tinpost.slot=", slot);
	told(line, "tinpost.trial=", trial);
	say("ev=start version=%s build=%s slot=%s trial=%s mode=%s", BUILD_VERSION, BUILD_ID,
	    slot, trial, b.machine ? "machine" : "container");
	have = volume_mount(b.machine);
	/* Every key, salt and random id comes from the kernel: nothing starts before it is ready. When it is, the seed
	 * is for the next time, and nobody waits for that. */
	random = seed_ready();
	if (!random)
		seed_boot();
	if (!supervise_init(&b.supervise, b.machine, have))
		say_errno("ev=supervise");
	if (ON(CONFIG_INIT_SYSLOG))
		say_also(b.supervise.child[P_LOG].log[1]);
	/* Whatever becomes of its processes: a system that is not said to be good ends, and the other one starts. */
	if (trial[0] == 'y')
		b.supervise.restart = supervise_now() + CONFIG_UPDATE_TRIAL * 1000;
	power_init(&b.power, b.machine);
	b.supervise.healthy = supervise_now() + POWER_FIRST_MS - POWER_HEALTH_MS;
	supervise_start_due(&b.supervise);
	if (random && b.machine)
		seed_boot();
	while (!supervise_stopped(&b.supervise))
		round_once(&b);
	if (b.machine)
		volume_unmount();
	say("ev=halt how=%s", b.end == POWER_REBOOT ? "reboot" : "off");
	if (b.machine)
		power_end(b.end);
	return 0;
}
