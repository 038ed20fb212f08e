/* SPDX-License-Identifier: ISC */
#include "init/power.h"

#include <fcntl.h>
#include <linux/input.h>
#include <linux/watchdog.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/reboot.h>
#include <unistd.h>

#include "init/say.h"

enum { DEVICES = 16, WATCHDOG_S = 60, PING_MS = 5 * 1000 };

static bool has_power_key(int fd)
{
	uint8_t bits[KEY_MAX / 8 + 1] = { 0 };

	return ioctl(fd, EVIOCGBIT(EV_KEY, sizeof bits), bits) > 0 &&
	       bits[KEY_POWER / 8] >> KEY_POWER % 8 & 1;
}

static void open_keys(struct power *p)
{
	char path[32];
	int n = 0;

	for (int i = 0; i < DEVICES && n < POWER_KEYS; i++) {
		int fd;

		snprintf(path, sizeof path, "/dev/input/event%d", i);
		fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (has_power_key(fd))
			p->key[n++] = fd;
		else
			close(fd);
	}
}

/* From here on a machine whose PID 1 hangs, or that does not serve, resets itself; also one that hangs while it shuts
 * down. */
static void open_watchdog(struct power *p)
{
	int seconds = WATCHDOG_S;

	p->watchdog = open("/dev/watchdog", O_WRONLY | O_CLOEXEC);
	if (p->watchdog < 0)
		return;
	ioctl(p->watchdog, WDIOC_SETTIMEOUT, &seconds);
	say("ev=watchdog timeout=%d", seconds);
}

void power_init(struct power *p, bool machine)
{
	for (int i = 0; i < POWER_KEYS; i++)
		p->key[i] = -1;
	p->watchdog = -1;
	p->ping = 0;
	p->hungry = false;
	if (!machine)
		return;
	reboot(RB_DISABLE_CAD); /* Ctrl-Alt-Del becomes SIGINT for us */
	open_keys(p);
	open_watchdog(p);
}

bool power_pressed(int key)
{
	struct input_event e[8];
	ssize_t n = read(key, e, sizeof e);
	bool pressed = false;

	for (size_t i = 0; n > 0 && i < (size_t)n / sizeof *e; i++)
		pressed |= e[i].type == EV_KEY && e[i].code == KEY_POWER && e[i].value == 1;
	return pressed;
}

bool power_ping(struct power *p, int64_t now, int64_t healthy)
{
	bool hungry = now - healthy > POWER_HEALTH_MS;

	if (now < p->ping)
		return true;
	p->ping = now + PING_MS;
	if (hungry != p->hungry)
		say("ev=unhealthy watchdog=%s", hungry ? "starves" : "fed");
	p->hungry = hungry;
	if (!hungry && p->watchdog >= 0 && write(p->watchdog, "", 1) != 1)
		say_errno("ev=watchdog");
	return !hungry || p->watchdog >= 0;
}

void power_end(enum power_end how)
{
	sync();
	reboot(how == POWER_REBOOT ? RB_AUTOBOOT : RB_POWER_OFF);
	/* No way to switch off here: a reboot is better than a machine that hangs. */
	say_errno("ev=power");
	reboot(RB_AUTOBOOT);
	for (;;)
		pause();
}
