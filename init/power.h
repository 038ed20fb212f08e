/* SPDX-License-Identifier: ISC */
#ifndef INIT_POWER_H
#define INIT_POWER_H

#include <stdbool.h>
#include <stdint.h>

/* Power key, Ctrl-Alt-Del and hardware watchdog of a real machine. */
enum power_end { POWER_STAYS, POWER_OFF, POWER_REBOOT };

enum {
	POWER_KEYS = 4,
	POWER_HEALTH_MS =
		3 * CONFIG_INIT_HEALTH_INTERVAL * 1000, /* how old a heartbeat may be */
	POWER_FIRST_MS = 5 * CONFIG_INIT_HEALTH_INTERVAL * 1000, /* how late the first one */
};

struct power {
	int key[POWER_KEYS]; /* owned; input devices that have a power key; -1 = none */
	int watchdog;	     /* owned; -1 = none */
	int64_t ping;	     /* monotonic ms: when to tell the watchdog again */
	bool hungry;	     /* it is not told, because the machine does not serve */
};

void power_init(struct power *p, bool machine);
bool power_pressed(int key); /* reads what the device has to say */
/* The watchdog is fed while the health check passed not long ago; `healthy`: when. False: not so, and no watchdog is
 * there that ends it. */
bool power_ping(struct power *p, int64_t now, int64_t healthy);
_Noreturn void power_end(enum power_end how);

#endif
