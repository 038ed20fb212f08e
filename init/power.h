/* SPDX-License-Identifier: ISC */
#ifndef INIT_POWER_H
#define INIT_POWER_H

#include <stdbool.h>
#include <stdint.h>

/* Power key, Ctrl-Alt-Del and hardware watchdog of a real machine. */
enum power_end { POWER_STAYS, POWER_OFF, POWER_REBOOT };

enum { POWER_KEYS = 4 };

struct power {
	int key[POWER_KEYS]; /* owned; input devices that have a power key; -1 = none */
	int watchdog;	     /* owned; -1 = none */
	int64_t ping;	     /* monotonic ms: when to tell the watchdog again */
};

void power_init(struct power *p, bool machine);
bool power_pressed(int key); /* reads what the device has to say */
void power_ping(struct power *p, int64_t now);
_Noreturn void power_end(enum power_end how);

#endif
