/* SPDX-License-Identifier: ISC */
#ifndef INIT_MOUNTS_H
#define INIT_MOUNTS_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The first seconds: file systems of the kernel, its settings, host name, loopback, clock. A machine is PID 1 of the
 * kernel's first PID namespace; in any other place (a namespace, a container) what belongs to the host is left alone
 * and one line says so.
 */
bool mounts_machine(void); /* mounts /proc where it is missing, to find out */
void mounts_boot(bool machine);

/* What a small file of /proc or /sys says, at most n - 1 octets and a 0; empty: nothing, or it cannot be read. */
void mounts_read(const char *path, char *out, size_t n);

#endif
