/* SPDX-License-Identifier: ISC */
#ifndef INIT_MOUNTS_H
#define INIT_MOUNTS_H

#include <stdbool.h>

/*
 * The first seconds: file systems of the kernel, its settings, host name, loopback, entropy,
 * clock. A machine is PID 1 of the kernel's first PID namespace; in any other place (a
 * namespace, a container) what belongs to the host is left alone and one line says so.
 */
bool mounts_machine(void); /* mounts /proc where it is missing, to find out */
void mounts_boot(bool machine);

#endif
